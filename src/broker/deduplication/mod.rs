//! What exchanges have seen, in the log: behind the messages that came through them, so that no key
//! is known whose message is lost. Which messages are equal, and which exchange looks, it does not
//! know.

use std::sync::Arc;

use super::queue_handle::QueueHandle;
use super::virtual_host::VirtualHost;
use super::work::Work;
use crate::definitions::ExchangeDefinition;
use crate::definitions::record::{self, Record};
use crate::message::{ExchangeId, Message, SeenKey};
use crate::routing::{Claim, Deduplicated};
use crate::store::Change;

/// What a message claimed is for these queues: where a durable one is among them, its key lasts as
/// long as the message.
pub(super) fn claim_for(
    message: &Message,
    queues: &[Arc<QueueHandle>],
    deduplicated: &mut Deduplicated,
) {
    if deduplicated.is_any() {
        deduplicated.is_for(message, queues.iter().any(|queue| queue.definition.durable));
    }
}

impl VirtualHost {
    /// Messages are in their queues: what they claimed is seen from now on.
    pub(super) fn keep_seen(&self, claims: Vec<Claim>, work: &mut Work) {
        let to_write = claims.iter().filter_map(Claim::to_write);
        let record = |(exchange, seen)| record::encode_seen(self.number, exchange, &seen);
        self.note(to_write.map(record).collect(), work);
        claims.into_iter().for_each(|claim| claim.keep(work.position));
    }

    /// A deduplicating exchange goes, and with it what it has seen.
    pub(super) fn forget_seen(&self, exchange: &ExchangeDefinition, work: &mut Work) {
        let live = self.router.exchange_by_id(exchange.id);
        let places = 0..live.map_or(0, |live| live.seen_places());
        let record = |place| record::encode_unseen(self.number, exchange.id, place);
        self.note(places.map(record).collect(), work);
    }

    /// A key that an exchange saw in an earlier life. False where the exchange is not there.
    pub(super) fn restore_seen(&self, exchange: ExchangeId, seen: SeenKey) -> bool {
        let live = self.router.exchange_by_id(exchange);
        live.is_some_and(|live| {
            live.restore_seen(seen);
            true
        })
    }

    fn note(&self, records: Vec<Record>, work: &mut Work) {
        let Some(durability) = self.durability.as_ref().filter(|_| !records.is_empty()) else {
            return;
        };
        let mut appender = durability.log.append();
        for Record { key, value } in records {
            appender.noted(Change { key, value });
        }
        work.position = appender.position();
    }
}

#[cfg(test)]
mod tests;
