//! One exchange as the router knows it: its table under a lock of its own, its alternate, and for
//! those that have one, the latest messages, or the keys of those it has seen.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::deduplication::Deduplication;
use super::kind::ExchangeKind;
use super::table::{Table, history_length};
use crate::message::{ExchangeId, Message, Name, QueueId, SeenKey};
use crate::protocol::field::{FieldTable, FieldValue};

/// An exchange and its bindings.
#[derive(Debug)]
pub struct Exchange {
    pub(super) id: ExchangeId,
    pub(super) name: Name,
    pub(super) kind: ExchangeKind,
    is_internal: bool,
    alternate: Option<Arc<str>>,
    /// Where its declaration says none.
    alternate_by_policy: RwLock<Option<Arc<str>>>,
    /// By its type it lets messages wait that ask for it.
    is_delayed: bool,
    is_delayed_by_policy: AtomicBool,
    /// It lets messages wait, keeps some, or knows their keys: routing looks at more than bindings.
    is_special: AtomicBool,
    table: RwLock<Table>,
    history: Option<Mutex<History>>,
    /// It outlives the node, as far as it was told.
    pub(super) is_durable: bool,
    pub(super) deduplication: Option<Deduplication>,
    /// Messages that were published to it.
    entered: AtomicU64,
    /// The queues they went to from here, once for each message.
    left: AtomicU64,
    /// Those that were confirmed to their publisher.
    confirmed: AtomicU64,
    /// Those that no queue took: they went back, or were dropped.
    returned: AtomicU64,
    dropped: AtomicU64,
}

/// What came to an exchange and left it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExchangeFigures {
    /// Messages that clients published to it.
    pub published_in: u64,
    /// The queues they went to, once for each message.
    pub published_out: u64,
    /// Those of the published ones that were confirmed to their publisher.
    pub confirmed: u64,
    /// Those that no queue took and that went back to their publisher.
    pub returned: u64,
    /// Those that no queue took and that nobody wanted back.
    pub dropped: u64,
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
        let is_delayed = kind == ExchangeKind::Delayed;
        let kind = kind.that_routes(arguments)?;
        let history = match kind {
            ExchangeKind::RecentHistory => {
                let length = history_length(arguments)?;
                Some(Mutex::new(History { length, messages: VecDeque::new() }))
            }
            _ => None,
        };
        let deduplication = match kind {
            ExchangeKind::Deduplication => Some(Deduplication::new(arguments)?),
            _ => None,
        };
        let alternate = arguments.get("alternate-exchange").and_then(FieldValue::as_str);
        let table = RwLock::new(Table::new(kind, arguments)?);
        let alternate = alternate.map(Arc::from);
        let alternate_by_policy = RwLock::default();
        let is_delayed_by_policy = AtomicBool::new(false);
        let is_special = is_delayed || history.is_some() || deduplication.is_some();
        Ok(Self {
            id,
            name,
            kind,
            is_internal,
            alternate,
            alternate_by_policy,
            is_delayed,
            is_delayed_by_policy,
            is_special: AtomicBool::new(is_special),
            table,
            history,
            is_durable: false,
            deduplication,
            entered: AtomicU64::new(0),
            left: AtomicU64::new(0),
            confirmed: AtomicU64::new(0),
            returned: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        })
    }

    /// The same, which outlives the node or not.
    #[must_use]
    pub fn lasting(mut self, is_durable: bool) -> Self {
        self.is_durable = is_durable;
        self
    }

    /// It saw this key in an earlier life; they come in the order of their places.
    pub fn restore_seen(&self, seen: SeenKey) {
        if let Some(deduplication) = &self.deduplication {
            deduplication.restore(seen);
        }
    }

    /// Keys it has seen may be written down at all places below this one.
    #[must_use]
    pub fn seen_places(&self) -> u32 {
        self.deduplication.as_ref().filter(|_| self.is_durable).map_or(0, |deduplication| {
            if deduplication.is_on_disk { deduplication.places_used() } else { 0 }
        })
    }

    /// It lets messages wait that ask for it: they go to the queue of [`Exchange::waiting_room`].
    #[must_use]
    pub fn is_delayed(&self) -> bool {
        self.is_delayed || self.is_delayed_by_policy.load(Ordering::Acquire)
    }

    /// Routing through it looks at more than bindings.
    #[inline]
    pub(super) fn is_special(&self) -> bool {
        self.is_special.load(Ordering::Acquire)
    }

    fn looks_closer(&self) -> bool {
        self.is_delayed() || self.has_history() || self.deduplication.is_some()
    }

    /// The queue in which its messages wait: nobody else has the number of an exchange.
    #[must_use]
    pub fn waiting_room(&self) -> QueueId {
        QueueId(self.id.0)
    }

    /// The exchange that gets what nobody else takes.
    pub(super) fn alternate(&self) -> Option<Arc<str>> {
        let by_policy =
            || self.alternate_by_policy.read().unwrap_or_else(PoisonError::into_inner).clone();
        self.alternate.clone().or_else(by_policy)
    }

    /// See [`Router::set_policies`](super::Router::set_policies). False where that is not new.
    pub fn set_policies(&self, alternate: Option<Arc<str>>, is_delayed: bool) -> bool {
        let mut known = self.alternate_by_policy.write().unwrap_or_else(PoisonError::into_inner);
        let is_new =
            *known != alternate || self.is_delayed_by_policy.load(Ordering::Acquire) != is_delayed;
        *known = alternate;
        self.is_delayed_by_policy.store(is_delayed, Ordering::Release);
        self.is_special.store(self.looks_closer(), Ordering::Release);
        is_new
    }

    /// Messages were published to it, and came to so many queues, once for each.
    pub fn count(&self, entered: u64, left: u64) {
        self.entered.fetch_add(entered, Ordering::Relaxed);
        self.left.fetch_add(left, Ordering::Relaxed);
    }

    /// Some of them were confirmed.
    pub fn count_confirmed(&self, count: u64) {
        self.confirmed.fetch_add(count, Ordering::Relaxed);
    }

    /// No queue took some of them; they go back, or are dropped.
    pub fn count_unroutable(&self, count: u64, is_returned: bool) {
        let counter = if is_returned { &self.returned } else { &self.dropped };
        counter.fetch_add(count, Ordering::Relaxed);
    }

    /// All of that so far.
    #[must_use]
    pub fn figures(&self) -> ExchangeFigures {
        let so_far = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ExchangeFigures {
            published_in: so_far(&self.entered),
            published_out: so_far(&self.left),
            confirmed: so_far(&self.confirmed),
            returned: so_far(&self.returned),
            dropped: so_far(&self.dropped),
        }
    }

    /// Only other exchanges may publish to it.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        self.is_internal
    }

    /// Its type is topic: what lets messages wait has a type of its own, whatever it routes by.
    #[must_use]
    pub fn is_topic(&self) -> bool {
        self.kind == ExchangeKind::Topic && !self.is_delayed
    }

    /// Its number: no other exchange has it.
    #[must_use]
    pub fn id(&self) -> ExchangeId {
        self.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// It changes only while the definitions are locked, whose owner sees to a panic.
    pub(super) fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message that is published to it may go somewhere.
    #[must_use]
    pub fn may_route(&self) -> bool {
        !self.table().is_empty() || self.alternate().is_some()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, Envelope};

    fn message(text: &str) -> Message {
        let (exchange, properties) = ("x", &[0, 0][..]);
        let envelope = Envelope { exchange, routing_key: text, properties, is_persistent: false };
        Message::new(envelope, Body::Copied(b""))
    }

    fn exchange(kind: ExchangeKind, arguments: &FieldTable) -> Result<Exchange, String> {
        Exchange::new(ExchangeId(1), "x".into(), kind, false, arguments)
    }

    #[test]
    fn the_latest_messages_are_kept_oldest_first() {
        let arguments = [("x-recent-history-length", 2)].into_iter().collect();
        let exchange = exchange(ExchangeKind::RecentHistory, &arguments).unwrap();
        assert!(exchange.has_history() && exchange.remembered().is_empty());
        ["a", "b", "c"].iter().for_each(|text| exchange.remember(&message(text)));
        let kept = exchange.remembered();
        assert_eq!(kept.iter().map(Message::routing_key).collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn other_types_keep_nothing() {
        let exchange = exchange(ExchangeKind::Fanout, &FieldTable::new()).unwrap();
        exchange.remember(&message("a"));
        assert!(!exchange.has_history() && exchange.remembered().is_empty());
    }

    #[test]
    fn arguments_that_the_type_does_not_take_are_refused() {
        let arguments = [("x-recent-history-length", 0)].into_iter().collect();
        assert!(exchange(ExchangeKind::RecentHistory, &arguments).is_err());
        assert!(exchange(ExchangeKind::Fanout, &arguments).is_ok());
    }
}
