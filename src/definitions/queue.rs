//! What is known of a queue that is declared. Not its contents and not its consumers.

use crate::message::{Era, Name, QueueId, QueueOptions, SessionId};
use crate::protocol::field::FieldTable;

/// A declared queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueDefinition {
    /// Its number.
    pub id: QueueId,
    /// Its name.
    pub name: Name,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with its last consumer.
    pub auto_delete: bool,
    /// The connection it belongs to, where it is exclusive.
    pub owner: Option<SessionId>,
    /// As declared.
    pub arguments: FieldTable,
    /// What the arguments mean.
    pub options: QueueOptions,
    /// Times to live that messages had once which may still be there, the earliest first.
    pub ttl_before: Vec<Era>,
}

impl QueueDefinition {
    /// It belongs to one connection.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        self.owner.is_some()
    }
}
