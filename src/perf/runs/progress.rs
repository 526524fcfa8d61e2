//! What the threads of a run tell each other: counters, how many messages may be on their way, and
//! whether one has failed.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::perf::wire::{Waker, WireError};

/// The counters of a run.
#[derive(Debug)]
pub(in crate::perf) struct Progress {
    /// Messages sent.
    published: AtomicU64,
    /// Messages received, or whatever else a run is about done once.
    consumed: AtomicU64,
    /// Octets that came from the broker.
    received: AtomicU64,
    /// Deliveries that will come, of the publishers that are done.
    expected: AtomicU64,
    publishers_left: AtomicU32,
    in_flight_max: Option<u64>,
    /// Who waits until messages in flight are consumed.
    wakers: Vec<Waker>,
    has_failed: AtomicBool,
}

impl Progress {
    pub(in crate::perf) fn new(publishers: u32, in_flight_max: Option<u64>) -> Self {
        Self {
            published: AtomicU64::new(0),
            consumed: AtomicU64::new(0),
            received: AtomicU64::new(0),
            expected: AtomicU64::new(0),
            publishers_left: AtomicU32::new(publishers),
            in_flight_max,
            wakers: Vec::new(),
            has_failed: AtomicBool::new(false),
        }
    }

    /// Wakes these where a limit of messages in flight is reached no more.
    pub(in crate::perf) fn wake(&mut self, wakers: Vec<Waker>) {
        self.wakers = wakers;
    }

    /// How many of so many messages may be published now. With several threads there may be some
    /// more in flight for a moment.
    pub(in crate::perf) fn take_room(&self, count: u64) -> u64 {
        let Some(limit) = self.in_flight_max else { return count };
        let in_flight = self.published().saturating_sub(self.consumed());
        count.min(limit.saturating_sub(in_flight))
    }

    pub(in crate::perf) fn publish(&self, count: u64) {
        self.published.fetch_add(count, Ordering::Relaxed);
    }

    pub(in crate::perf) fn consume(&self, count: u64) {
        self.consumed.fetch_add(count, Ordering::Relaxed);
        if self.in_flight_max.is_some() {
            self.wakers.iter().for_each(Waker::wake);
        }
    }

    pub(in crate::perf) fn receive(&self, octets: u64) {
        if octets > 0 {
            self.received.fetch_add(octets, Ordering::Relaxed);
        }
    }

    pub(in crate::perf) fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    pub(in crate::perf) fn consumed(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }

    pub(in crate::perf) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// A publisher is done, and its messages become so many deliveries.
    pub(in crate::perf) fn finish_publisher(&self, deliveries: u64) {
        self.expected.fetch_add(deliveries, Ordering::Relaxed);
        self.publishers_left.fetch_sub(1, Ordering::Release);
    }

    /// How many deliveries there are in all; none where publishers are still at it.
    pub(in crate::perf) fn expected(&self) -> Option<u64> {
        let is_known = self.publishers_left.load(Ordering::Acquire) == 0;
        is_known.then(|| self.expected.load(Ordering::Relaxed))
    }

    pub(in crate::perf) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// Lets the other threads of the run end where one has failed.
    pub(in crate::perf) fn note_failure<T>(&self, result: &Result<T, WireError>) {
        if result.is_err() {
            self.has_failed.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_are_expected_is_known_when_every_publisher_is_done() {
        let progress = Progress::new(2, None);
        progress.finish_publisher(3);
        assert_eq!(progress.expected(), None);
        progress.finish_publisher(0);
        assert_eq!(progress.expected(), Some(3));
    }

    #[test]
    fn room_is_what_is_not_in_flight() {
        let progress = Progress::new(1, Some(10));
        assert_eq!(progress.take_room(8), 8);
        progress.publish(8);
        assert_eq!(progress.take_room(8), 2);
        progress.consume(5);
        assert_eq!(progress.take_room(100), 7);
        assert_eq!(Progress::new(1, None).take_room(100), 100);
    }

    #[test]
    fn a_failure_is_seen_by_the_other_threads() {
        let progress = Progress::new(1, None);
        progress.note_failure(&Ok(1));
        assert!(!progress.has_failed());
        progress.note_failure::<u8>(&Err(WireError::Unexpected("x")));
        assert!(progress.has_failed());
    }
}
