//! The side that publishes: as fast as the broker takes it, at a rate, or as confirms come. At a
//! rate each message is stamped with the moment when it was due, not with the one when it went out:
//! a broker that holds the publisher back is charged for every message that had to wait (no
//! coordinated omission).

use std::num::NonZeroU64;
use std::thread;
use std::time::Duration;

use super::batch::Batch;
use super::confirms::Confirms;
use super::histogram::Histogram;
use super::options::{Options, Target};
use super::run::{Progress, Stopwatch, Window};
use super::scenario::{Pace, Scenario};
use super::wire::{ANSWER_PATIENCE_READS, CHANNEL, Wire, WireError, refuse_closing};
use crate::protocol::frame::FrameKind;
use crate::protocol::methods::{Method, confirm};

const SECOND_NS: u64 = 1_000_000_000;

/// A publisher on its own connection.
#[derive(Debug)]
pub(super) struct Publisher {
    wire: Wire,
    batch: Batch,
    pace: Pace,
    /// How many messages a backlog has.
    backlog_count: u64,
}

/// What it did.
#[derive(Debug, Default)]
pub(super) struct Published {
    pub(super) count: u64,
    /// How late messages went out because of the generator, the broker or the machine.
    pub(super) lateness: Histogram,
    /// From sending a message to its confirm.
    pub(super) confirm_latency: Histogram,
}

impl Publisher {
    /// Connects, and has the bytes ready that it will publish.
    pub(super) fn start(
        queues: &[String],
        scenario: &Scenario,
        target: &Target,
        options: &Options,
    ) -> Result<Self, WireError> {
        let wire = Wire::connect(&target.address, options)?;
        let batch = Batch::new(queues, scenario, wire.frame_size_max());
        Ok(Self { wire, batch, pace: scenario.pace, backlog_count: options.messages })
    }

    /// Publishes until the window ends, or the backlog is there. The count is told before the
    /// connection is closed, because the consumer waits for it.
    pub(super) fn run(
        mut self,
        stopwatch: Stopwatch,
        window: Window,
        progress: &Progress,
    ) -> Result<Published, WireError> {
        let published = match self.pace {
            Pace::FullSpeed => self.at_full_speed(u64::MAX, stopwatch, window, progress)?,
            Pace::Backlog => self.at_full_speed(self.backlog_count, stopwatch, window, progress)?,
            Pace::MessagesPerSecond(rate) => self.at_rate(rate, stopwatch, window, progress)?,
            Pace::ConfirmWindow(size) => self.as_confirmed(size, stopwatch, window, progress)?,
        };
        progress.expect(published.count);
        self.wire.close()?;
        Ok(published)
    }

    fn at_full_speed(
        &mut self,
        count_max: u64,
        stopwatch: Stopwatch,
        window: Window,
        progress: &Progress,
    ) -> Result<Published, WireError> {
        let mut published = Published::default();
        loop {
            let moment_ns = stopwatch.now_ns();
            let is_over = moment_ns >= window.until_ns || published.count >= count_max;
            if is_over || progress.has_failed() {
                return Ok(published);
            }
            let end = (published.count + self.batch.room(published.count)).min(count_max);
            self.wire.write(self.batch.stamped(published.count..end, |_| moment_ns))?;
            published.count = end;
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
            let batch_end = published.count + self.batch.room(published.count);
            let end = schedule.due_count(now_ns).min(batch_end);
            let messages = published.count..end;
            self.wire.write(self.batch.stamped(messages, |message| schedule.due_ns(message)))?;
            if due_ns >= window.from_ns {
                published.lateness.record(now_ns.saturating_sub(due_ns));
            }
            published.count = end.max(published.count);
            progress.publish(published.count);
        }
    }

    /// Keeps so many messages unconfirmed, and waits at the end until none is.
    fn as_confirmed(
        &mut self,
        window_size: u64,
        stopwatch: Stopwatch,
        window: Window,
        progress: &Progress,
    ) -> Result<Published, WireError> {
        let select = confirm::Select { nowait: false };
        self.wire.request(CHANNEL, &select, |m| matches!(m, Method::ConfirmSelectOk(_)))?;
        let (mut confirms, mut count, mut silent_reads) = (Confirms::default(), 0, 0);
        while !progress.has_failed() {
            let moment_ns = stopwatch.now_ns();
            let is_over = moment_ns >= window.until_ns;
            if is_over && confirms.waiting() == 0 {
                break;
            }
            let room = window_size.saturating_sub(confirms.waiting()).min(self.batch.room(count));
            let end = if is_over { count } else { count + room };
            if end > count {
                confirms.send(end - count, moment_ns);
                self.wire.write(self.batch.stamped(count..end, |_| moment_ns))?;
                progress.publish(end);
            }
            // With room left in the window, confirms are only looked for and not waited for.
            let must_wait = end == count || confirms.waiting() >= window_size;
            let has_read = match must_wait {
                true => self.wire.fill()?,
                false => self.wire.fill_from_what_is_there()?,
            };
            silent_reads = if has_read || end > count { 0 } else { silent_reads + 1 };
            count = end;
            if silent_reads > ANSWER_PATIENCE_READS {
                return Err(WireError::Unexpected("the broker does not confirm"));
            }
            self.take_confirms(&mut confirms, stopwatch.now_ns(), window)?;
            progress.receive(self.wire.take_received());
        }
        Ok(Published { count, confirm_latency: confirms.latency, ..Published::default() })
    }

    fn take_confirms(
        &mut self,
        confirms: &mut Confirms,
        now_ns: u64,
        window: Window,
    ) -> Result<(), WireError> {
        while let Some(frame) = self.wire.next_frame()? {
            if frame.kind != FrameKind::Method {
                continue;
            }
            let method = Method::decode(frame.payload)?;
            refuse_closing(&method)?;
            match method {
                Method::BasicAck(ack) => confirms.receive(&ack, now_ns, window)?,
                Method::BasicNack(_) => {
                    return Err(WireError::Unexpected("the broker refuses to keep a message"));
                }
                _ => {}
            }
        }
        Ok(())
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
