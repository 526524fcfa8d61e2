//! What clients publish to a queue and get from it, and how long its messages wait for consumers:
//! plain numbers under the lock that each step has anyway, raised once for many messages.

use super::live_queue::Live;
use crate::message::{Delivery, Moment};
use crate::queue::Counts;

/// Messages of one queue so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueTraffic {
    /// Published to it by clients, by whichever exchange.
    pub published: u64,
    /// Delivered to consumers that acknowledge.
    pub delivered: u64,
    /// Delivered to consumers that acknowledge nothing.
    pub delivered_no_ack: u64,
    /// Fetched by basic.get, to be acknowledged.
    pub got: u64,
    /// Fetched by basic.get without acknowledgement.
    pub got_no_ack: u64,
    /// How often basic.get found nothing.
    pub got_empty: u64,
    /// Those of all above that were delivered before.
    pub redelivered: u64,
    /// Acknowledged by clients.
    pub acknowledged: u64,
}

/// What only some queues count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FetchedCounts {
    got: u64,
    got_no_ack: u64,
    got_empty: u64,
    redelivered: u64,
}

/// For how long messages were ready though there are consumers, which could take no more.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backlog {
    is_on: bool,
    /// It began to be so, or ended.
    since: Moment,
    /// All that was before.
    before_ms: u64,
}

impl Backlog {
    /// A step is done.
    #[inline]
    pub(super) fn observe(&mut self, counts: Counts, now: Moment) {
        let is_on = counts.ready > 0 && counts.consumers > 0;
        if is_on != self.is_on {
            *self = Self { is_on, since: now, before_ms: self.until(now) };
        }
    }

    /// Milliseconds of it so far.
    #[must_use]
    pub fn until(&self, now: Moment) -> u64 {
        self.before_ms + if self.is_on { now.since(self.since) } else { 0 }
    }
}

impl Live {
    fn fetched_counts(&mut self) -> &mut FetchedCounts {
        self.fetched.get_or_insert_default()
    }

    /// Somebody fetched a message, or found none.
    pub(super) fn count_fetched(&mut self, no_ack: bool, delivery: Option<&Delivery>) {
        let counts = self.fetched_counts();
        match (delivery, no_ack) {
            (None, _) => counts.got_empty += 1,
            (Some(_), true) => counts.got_no_ack += 1,
            (Some(_), false) => counts.got += 1,
        }
        counts.redelivered += u64::from(delivery.is_some_and(|delivery| delivery.is_redelivered));
    }

    /// Counts messages that went out again, which those of few steps do.
    pub(super) fn count_handed_out_again(&mut self) {
        if self.queue.has_handed_out_again() {
            let count = self.queue.take_handed_out_again();
            self.fetched_counts().redelivered += count;
        }
    }

    /// All of that so far.
    pub(super) fn traffic(&self) -> QueueTraffic {
        let fetched = self.fetched.as_deref().copied().unwrap_or_default();
        QueueTraffic {
            published: self.published,
            delivered: self.queue.handed_out().saturating_sub(self.delivered_no_ack),
            delivered_no_ack: self.delivered_no_ack,
            got: fetched.got,
            got_no_ack: fetched.got_no_ack,
            got_empty: fetched.got_empty,
            redelivered: fetched.redelivered,
            acknowledged: self.acknowledged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_wait_for_consumers_as_long_as_these_can_take_no_more() {
        let mut backlog = Backlog::default();
        let counts = |ready, consumers| Counts { ready, consumers, ..Counts::default() };
        backlog.observe(counts(5, 0), Moment(10));
        backlog.observe(counts(3, 1), Moment(20));
        assert_eq!(backlog.until(Moment(25)), 5);
        backlog.observe(counts(2, 1), Moment(30));
        backlog.observe(counts(0, 1), Moment(40));
        assert_eq!(backlog.until(Moment(90)), 20);
        backlog.observe(counts(1, 2), Moment(100));
        assert_eq!(backlog.until(Moment(101)), 21);
    }
}
