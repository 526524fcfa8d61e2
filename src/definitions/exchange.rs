//! What is known of an exchange that is declared. Not its bindings, and not how it routes.

use crate::message::{ExchangeId, Name};
use crate::protocol::field::FieldTable;

/// A declared exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeDefinition {
    /// Its number.
    pub id: ExchangeId,
    /// Its name; the default exchange has the empty one.
    pub name: Name,
    /// Its type as clients write it.
    pub kind: Name,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with its last binding.
    pub auto_delete: bool,
    /// Only other exchanges may publish to it.
    pub internal: bool,
    /// As declared.
    pub arguments: FieldTable,
    /// Who declared it; of one that was there before that was kept, `rmq-unknown`.
    pub declared_by: Name,
}

impl ExchangeDefinition {
    /// One of those that are always there.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.name.is_empty() || self.name.starts_with("amq.")
    }
}
