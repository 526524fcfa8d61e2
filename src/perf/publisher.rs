//! The side that publishes: as fast as the broker takes it, or at a rate. At a rate each message is
//! stamped with the moment when it was due, not with the one when it went out: a broker that holds
//! the publisher back is charged for every message that had to wait (no coordinated omission).

use std::num::NonZeroU64;
use std::thread;
use std::time::Duration;

use super::batch::Batch;
use super::histogram::Histogram;
use super::run::{Progress, Stopwatch, Window};
use super::stamp::Stamp;
use super::wire::{Wire, WireError};

const SECOND_NS: u64 = 1_000_000_000;

/// The number of the only publisher of a run.
pub(super) const PUBLISHER: u16 = 0;

/// A publisher on its own connection.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) wire: Wire,
    pub(super) batch: Batch,
    pub(super) messages_per_second: Option<u64>,
}

/// What it did.
#[derive(Debug, Default)]
pub(super) struct Published {
    pub(super) count: u64,
    /// How late messages went out because of the generator, the broker or the machine.
    pub(super) lateness: Histogram,
}

impl Publisher {
    /// Publishes until the window ends. The count is told before the connection is closed, because
    /// the consumer waits for it.
    pub(super) fn run(
        mut self,
        stopwatch: Stopwatch,
        window: Window,
        progress: &Progress,
    ) -> Result<Published, WireError> {
        let published = match self.messages_per_second {
            None => self.at_full_speed(stopwatch, window, progress)?,
            Some(rate) => self.at_rate(rate, stopwatch, window, progress)?,
        };
        progress.expect(published.count);
        self.wire.close()?;
        Ok(published)
    }

    fn at_full_speed(
        &mut self,
        stopwatch: Stopwatch,
        window: Window,
        progress: &Progress,
    ) -> Result<Published, WireError> {
        let mut published = Published::default();
        loop {
            let moment_ns = stopwatch.now_ns();
            if moment_ns >= window.until_ns || progress.has_failed() {
                return Ok(published);
            }
            let stamps = (published.count..).map(|sequence| Stamp {
                publisher: PUBLISHER,
                sequence,
                moment_ns,
            });
            self.wire.write(self.batch.stamped(stamps))?;
            published.count += self.batch.message_count();
            progress.publish(published.count);
        }
    }

    fn at_rate(
        &mut self,
        rate: u64,
        stopwatch: Stopwatch,
        window: Window,
        progress: &Progress,
    ) -> Result<Published, WireError> {
        sleep_precisely();
        let schedule = Schedule { start_ns: stopwatch.now_ns(), rate };
        let mut published = Published::default();
        loop {
            let due_ns = schedule.due_ns(published.count);
            if due_ns >= window.until_ns || progress.has_failed() {
                return Ok(published);
            }
            thread::sleep(Duration::from_nanos(due_ns.saturating_sub(stopwatch.now_ns())));
            let now_ns = stopwatch.now_ns();
            let batch_end = published.count + self.batch.message_count();
            let end = schedule.due_count(now_ns).min(batch_end);
            let stamps = (published.count..end).map(|sequence| Stamp {
                publisher: PUBLISHER,
                sequence,
                moment_ns: schedule.due_ns(sequence),
            });
            self.wire.write(self.batch.stamped(stamps))?;
            if due_ns >= window.from_ns {
                published.lateness.record(now_ns.saturating_sub(due_ns));
            }
            published.count = end.max(published.count);
            progress.publish(published.count);
        }
    }
}

/// When which message is due.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    start_ns: u64,
    /// Messages per second.
    rate: u64,
}

impl Schedule {
    fn due_ns(self, sequence: u64) -> u64 {
        self.start_ns.saturating_add(sequence.saturating_mul(SECOND_NS) / self.rate)
    }

    /// How many messages are due by a moment, from the start on.
    fn due_count(self, moment_ns: u64) -> u64 {
        match moment_ns.checked_sub(self.start_ns) {
            None => 0,
            Some(elapsed_ns) => elapsed_ns.saturating_mul(self.rate) / SECOND_NS + 1,
        }
    }
}

/// Linux wakes sleepers up to 50 microseconds late to save power, which would be measured as the
/// broker's. Where it cannot be told not to, the lateness that is reported shows it.
fn sleep_precisely() {
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_at_even_distances_from_the_start() {
        let schedule = Schedule { start_ns: 1000, rate: 2000 };
        assert_eq!([0, 1, 2000].map(|n| schedule.due_ns(n)), [1000, 501_000, 1_000_001_000]);
    }

    #[test]
    fn all_messages_that_are_due_are_counted_after_a_pause() {
        let schedule = Schedule { start_ns: 1000, rate: 2000 };
        let counts = [0, 1000, 500_999, 501_000, 5_001_000].map(|at| schedule.due_count(at));
        assert_eq!(counts, [0, 1, 1, 2, 11]);
    }

    #[test]
    fn a_message_is_counted_when_the_moment_it_is_due_has_come() {
        let schedule = Schedule { start_ns: 7, rate: 3000 };
        for sequence in 0..10_000 {
            let due_ns = schedule.due_ns(sequence);
            // A due time is rounded down to the nanosecond, so its count may come one later.
            assert!(schedule.due_count(due_ns + 1) > sequence, "{sequence}");
            assert!(schedule.due_count(due_ns) >= sequence, "{sequence}");
        }
    }
}
