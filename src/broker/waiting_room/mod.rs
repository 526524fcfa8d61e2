//! Where messages are that asked their exchange to wait: each exchange that lets them has a queue
//! for it which no client sees, known by the exchange's number. What waits is on disk like
//! everything in a queue, and goes on from the exchange when its time is over.
//!
//! ```text
//! publish -> exchange --x-delay--> waiting room --time is over--> exchange -> queues
//! ```

use std::sync::Arc;

use super::queue_handle::QueueHandle;
use super::targets::Targets;
use super::virtual_host::VirtualHost;
use super::work::Work;
use crate::definitions::{Change, ExchangeDefinition, QueueDefinition, VirtualHostDefinitions};
use crate::message::{Message, Moment, QueueId, QueueOptions, delay, sender_selected};
use crate::policy::Policies;
use crate::protocol::field::FieldTable;
use crate::protocol::properties::PropertyView;
use crate::queue::{Lifetime, Limits, QueueTraits};
use crate::routing::ExchangeKind;
use crate::store::RecoveredQueue;

/// The queue behind an exchange, as if it were declared.
pub(super) fn definition(exchange: &ExchangeDefinition) -> QueueDefinition {
    QueueDefinition {
        id: QueueId(exchange.id.0),
        name: exchange.name.clone(),
        durable: exchange.durable,
        auto_delete: false,
        owner: None,
        arguments: FieldTable::new(),
        options: QueueOptions::default(),
        ttl_before: Vec::new(),
    }
}

/// Its messages live as long as they are to wait, and go on when that is over.
pub(super) fn traits(is_durable: bool) -> QueueTraits {
    let lifetime = Lifetime { is_by_delay: true, ..Lifetime::default() };
    let traits = QueueTraits { is_durable, has_dead_letters: true, ..QueueTraits::default() };
    traits.limited(Limits { lifetime, ..Limits::default() })
}

impl VirtualHost {
    /// Opens the waiting room of an exchange that lets messages wait, or let them in an earlier
    /// life and has some. The router hears of it later: whoever routes finds an open room.
    pub(super) fn open_waiting_room(
        &self,
        definitions: &VirtualHostDefinitions,
        exchange: &ExchangeDefinition,
        recovered: Option<RecoveredQueue>,
        work: &mut Work,
    ) {
        let is_delayed = exchange.kind.as_ref() == ExchangeKind::Delayed.name()
            || is_delayed(&self.policies(), &exchange.name);
        let is_open = self.queue_by_id(QueueId(exchange.id.0)).is_some();
        if is_open || !(is_delayed || recovered.is_some()) {
            return;
        }
        if exchange.is_system() && recovered.is_none() {
            // Its number is another in the next life unless the log knows it.
            self.log(definitions, &Change::ExchangeDeclared(Arc::new(exchange.clone())), work);
        }
        let definition = Arc::new(definition(exchange));
        let handle = QueueHandle::waiting_room(
            definition,
            self.name.clone(),
            self.durability.as_ref(),
            recovered,
            self.counts.clone(),
        );
        self.list_waiting_room(Arc::new(handle));
    }

    /// The exchange is deleted, with what waits in it.
    pub(super) fn close_waiting_room(&self, exchange: &ExchangeDefinition, work: &mut Work) {
        let Some(room) = self.queue_by_id(QueueId(exchange.id.0)) else { return };
        self.unlist_waiting_room(&room);
        // What is out of service is not read again: nobody knows it any more.
        let remains = room.with(work, |live| live.queue.delete(false, false));
        room.mark_gone();
        room.forget(true, work);
        drop(remains);
    }

    /// The message that waited, and the queues to which it goes on; histories keep it where it is
    /// `is_new`, at its first try.
    pub(super) fn go_on(
        &self,
        room: &QueueHandle,
        message: &Message,
        random: u64,
        now: Moment,
        is_new: bool,
    ) -> (Message, Targets) {
        let selected = PropertyView::parse(message.properties())
            .ok()
            .and_then(|view| sender_selected::routing_keys(&view).ok())
            .unwrap_or_default();
        let over = delay::over(message);
        let visible = sender_selected::without_bcc(over.properties());
        let over = visible.map_or_else(|| over.clone(), |visible| over.with_properties(&visible));
        let Some(exchange) = self.router.exchange(&room.definition.name) else {
            return (over, Targets::default());
        };
        let keys = &selected.routing_keys;
        let targets = self.targets_of(&exchange, &over, keys, random, now, is_new);
        (over, targets)
    }
}

/// Whether a policy says that an exchange lets messages wait.
pub(super) fn is_delayed(policies: &Policies, exchange: &str) -> bool {
    let applied = policies.of_exchange(exchange);
    applied.is_some_and(|applied| applied.settings.get("delayed") == Some(&true.into()))
}

#[cfg(test)]
mod tests;
