//! One exchange as the router knows it: its table under a lock of its own, its alternate, and for
//! those that have one, the latest messages.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::kind::ExchangeKind;
use super::table::{Table, history_length};
use crate::message::{ExchangeId, Message, Name};
use crate::protocol::field::{FieldTable, FieldValue};

/// An exchange and its bindings.
#[derive(Debug)]
pub struct Exchange {
    pub(super) id: ExchangeId,
    pub(super) name: Name,
    pub(super) kind: ExchangeKind,
    is_internal: bool,
    pub(super) alternate: Option<Arc<str>>,
    table: RwLock<Table>,
    history: Option<Mutex<History>>,
}

#[derive(Debug)]
struct History {
    length: usize,
    messages: VecDeque<Message>,
}

impl Exchange {
    /// An exchange without bindings.
    ///
    /// # Errors
    /// As [`Table::new`].
    pub fn new(
        id: ExchangeId,
        name: Name,
        kind: ExchangeKind,
        is_internal: bool,
        arguments: &FieldTable,
    ) -> Result<Self, String> {
        let history = match kind {
            ExchangeKind::RecentHistory => {
                let length = history_length(arguments)?;
                Some(Mutex::new(History { length, messages: VecDeque::new() }))
            }
            _ => None,
        };
        let alternate = arguments.get("alternate-exchange").and_then(FieldValue::as_str);
        let table = RwLock::new(Table::new(kind, arguments)?);
        let alternate = alternate.map(Arc::from);
        Ok(Self { id, name, kind, is_internal, alternate, table, history })
    }

    /// Only other exchanges may publish to it.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        self.is_internal
    }

    pub(super) fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// It keeps the latest messages.
    pub(super) fn has_history(&self) -> bool {
        self.history.is_some()
    }

    /// Keeps a message for those who are bound later.
    pub fn remember(&self, message: &Message) {
        let Some(history) = &self.history else { return };
        let mut history = history.lock().unwrap_or_else(PoisonError::into_inner);
        if history.messages.len() >= history.length {
            history.messages.pop_front();
        }
        history.messages.push_back(message.clone());
    }

    /// The messages kept, oldest first.
    #[must_use]
    pub fn remembered(&self) -> Vec<Message> {
        let Some(history) = &self.history else { return Vec::new() };
        let history = history.lock().unwrap_or_else(PoisonError::into_inner);
        history.messages.iter().cloned().collect()
    }
}
