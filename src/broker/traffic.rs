//! Messages of all connections, added up: each session adds what its own came to when a step is
//! done, so that nothing here is touched for a message. It decides nothing about what counts as
//! what; that stands where it happens.

use std::sync::atomic::{AtomicU64, Ordering};

use super::session::Session;
use crate::connection::{Consumed, Published, Reply, Traffic};
use crate::limits::TRAFFIC_SHARDS;
use crate::message::{QueueKind, SessionId};

/// The sum of all connections, in parts.
#[derive(Debug, Default)]
pub(super) struct TrafficCounts {
    shards: [Shard; TRAFFIC_SHARDS],
}

/// What clients published and got so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficFigures {
    /// On their way in.
    pub published: Published,
    /// On their way out of classic queues.
    pub classic: Consumed,
    /// On their way out of quorum queues.
    pub quorum: Consumed,
}

/// The part of some connections: far enough from the others that two processors do not take the
/// same line of memory from each other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    published: [AtomicU64; 6],
    classic: [AtomicU64; 7],
    quorum: [AtomicU64; 7],
}

impl TrafficCounts {
    /// Adds what a session came to, which then begins anew.
    pub(super) fn add(&self, session: SessionId, traffic: &mut Traffic) {
        let place = usize::try_from(session.0 % TRAFFIC_SHARDS as u64).unwrap_or(0);
        let Some(shard) = self.shards.get(place) else { return };
        if let Some(published) = traffic.take_published() {
            add_published(&shard.published, published);
        }
        if let Some(consumed) = traffic.take_consumed(QueueKind::Classic) {
            add_consumed(&shard.classic, consumed);
        }
        if let Some(consumed) = traffic.take_consumed(QueueKind::Quorum) {
            add_consumed(&shard.quorum, consumed);
        }
    }

    /// Messages that had waited in their exchange were given to queues.
    pub(super) fn count_delayed(&self, routed: usize) {
        if let Some(shard) = self.shards.first() {
            let [.., counter, _, _] = &shard.published;
            counter.fetch_add(routed as u64, Ordering::Relaxed);
        }
    }

    /// All that was added so far.
    pub(super) fn figures(&self) -> TrafficFigures {
        TrafficFigures {
            published: Published::from_array(sum(self.shards.iter().map(|part| &part.published))),
            classic: Consumed::from_array(sum(self.shards.iter().map(|part| &part.classic))),
            quorum: Consumed::from_array(sum(self.shards.iter().map(|part| &part.quorum))),
        }
    }
}

fn add_published(counters: &[AtomicU64; 6], published: &mut Published) {
    let [received, received_confirm, confirmed, routed, dropped, returned] = counters;
    pass_on(received, &mut published.received);
    pass_on(received_confirm, &mut published.received_confirm);
    pass_on(confirmed, &mut published.confirmed);
    pass_on(routed, &mut published.routed);
    pass_on(dropped, &mut published.dropped);
    pass_on(returned, &mut published.returned);
}

fn add_consumed(counters: &[AtomicU64; 7], consumed: &mut Consumed) {
    let [auto_ack, manual_ack, get_auto_ack, get_manual_ack, get_empty, again, acked] = counters;
    pass_on(auto_ack, &mut consumed.consume_auto_ack);
    pass_on(manual_ack, &mut consumed.consume_manual_ack);
    pass_on(get_auto_ack, &mut consumed.get_auto_ack);
    pass_on(get_manual_ack, &mut consumed.get_manual_ack);
    pass_on(get_empty, &mut consumed.get_empty);
    pass_on(again, &mut consumed.redelivered);
    pass_on(acked, &mut consumed.acknowledged);
}

/// In place, and only what is there: most are zero.
#[inline]
fn pass_on(counter: &AtomicU64, count: &mut u64) {
    if *count > 0 {
        counter.fetch_add(std::mem::take(count), Ordering::Relaxed);
    }
}

fn sum<'a, const N: usize>(parts: impl Iterator<Item = &'a [AtomicU64; N]>) -> [u64; N] {
    let mut sums = [0; N];
    for part in parts {
        for (sum, counter) in sums.iter_mut().zip(part) {
            *sum += counter.load(Ordering::Relaxed);
        }
    }
    sums
}

impl Session {
    /// A step is done: what it came to is added to that of all.
    #[inline]
    pub(super) fn count_traffic(&mut self) {
        if self.connection.traffic().is_any() {
            self.add_traffic();
        }
    }

    /// By itself, so that the many steps which come to nothing do not carry it along.
    #[inline(never)]
    fn add_traffic(&mut self) {
        self.broker.traffic.add(self.id, self.connection.traffic());
    }

    /// A get is answered.
    pub(super) fn count_get(&mut self, reply: &Reply) {
        let Some(kind) = self.getting.take() else { return };
        let consumed = self.connection.traffic().consumed(kind);
        match reply {
            Reply::Got { no_ack, delivery, .. } => {
                consumed.count_got(*no_ack, delivery.is_redelivered);
            }
            _ => consumed.get_empty += 1,
        }
    }
}
