//! What clients publish to a queue and get from it, and how long its messages wait for consumers:
//! plain numbers under the lock that each step has anyway, raised once for many messages.

use super::live_queue::Live;
use super::queue_handle::QueueHandle;
use crate::limits::CAPACITY_WINDOW_MS;
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
    /// Bodies that were read back from the log.
    pub disk_reads: u64,
    /// Messages that were written to the log: those that were settled before are not.
    pub disk_writes: u64,
}

/// What only some queues count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RareCounts {
    got: u64,
    got_no_ack: u64,
    got_empty: u64,
    redelivered: u64,
    disk_reads: u64,
    capacity: CapacityLooks,
}

/// What somebody saw of a backlog who looks again and again: when that was, and how long it was.
#[derive(Clone, Copy, Debug, Default)]
struct CapacityLooks {
    last: Option<(Moment, u64)>,
    /// What the next look is measured from.
    before: Option<(Moment, u64)>,
}

impl CapacityLooks {
    /// The thousandths of the time since an earlier look, or of the last seconds where somebody
    /// looks that often, in which nothing waited; nothing where nobody looked before.
    fn look(&mut self, waited_ms: u64, now: Moment) -> Option<u64> {
        let is_old = |(at, _): &(Moment, u64)| now.since(*at) >= CAPACITY_WINDOW_MS;
        if self.last.as_ref().is_none_or(is_old) {
            self.before = self.last.replace((now, waited_ms));
        }
        let (at, before_ms) = self.before?;
        let waited_ms = waited_ms.saturating_sub(before_ms);
        Some(1000 - (waited_ms * 1000 / now.since(at).max(1)).min(1000))
    }
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
    fn rare_counts(&mut self) -> &mut RareCounts {
        self.rare.get_or_insert_default()
    }

    /// In how many thousandths of the time its consumers could take more at once, for who looks
    /// again and again. Without consumers that is none.
    pub(super) fn capacity(&mut self, now: Moment) -> u64 {
        let counts = self.queue.counts();
        if counts.consumers == 0 {
            return 0;
        }
        let waited_ms = self.backlog.until(now);
        let looked = self.rare_counts().capacity.look(waited_ms, now);
        looked.unwrap_or(if counts.ready > 0 { 0 } else { 1000 })
    }

    /// Somebody fetched a message, or found none.
    pub(super) fn count_fetched(&mut self, no_ack: bool, delivery: Option<&Delivery>) {
        let counts = self.rare_counts();
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
            self.rare_counts().redelivered += count;
        }
    }

    /// So many bodies of it were read back from the log.
    pub(super) fn count_disk_reads(&mut self, count: usize) {
        self.rare_counts().disk_reads += count as u64;
    }

    /// All of that so far, but for what its log knows.
    fn traffic(&self) -> QueueTraffic {
        let rare = self.rare.as_deref().copied().unwrap_or_default();
        QueueTraffic {
            published: self.published,
            delivered: self.queue.handed_out().saturating_sub(self.delivered_no_ack),
            delivered_no_ack: self.delivered_no_ack,
            got: rare.got,
            got_no_ack: rare.got_no_ack,
            got_empty: rare.got_empty,
            redelivered: rare.redelivered,
            acknowledged: self.acknowledged,
            disk_reads: rare.disk_reads,
            disk_writes: 0,
        }
    }
}

impl QueueHandle {
    /// All that is counted of it, as it is under its lock.
    pub(super) fn traffic(&self, live: &Live) -> QueueTraffic {
        let disk_writes = self.link.as_ref().map_or(0, |link| link.tail.written());
        QueueTraffic { disk_writes, ..live.traffic() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_often_sees_the_capacity_of_the_last_seconds() {
        let mut looks = CapacityLooks::default();
        let mut seen = |second: u64, waited_ms| looks.look(waited_ms, Moment(second * 1000));
        assert_eq!([seen(0, 0), seen(3, 600)], [None, None], "it is too soon to tell");
        assert_eq!(seen(10, 1000), Some(900));
        assert_eq!(seen(10, 1000), Some(900), "the same for who looks at once again");
        assert_eq!(seen(20, 11_000), Some(0), "all of the last ten seconds");
        assert_eq!(seen(40, 12_000), Some(950));
    }

    #[test]
    fn consumers_that_are_not_there_can_take_nothing() {
        let mut live = Live::default();
        assert_eq!([live.capacity(Moment(0)), live.capacity(Moment(10_000))], [0, 0]);
        assert!(live.rare.is_none(), "nothing is kept of it");
    }

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
