//! The side that publishes: as fast as the broker takes it, at a rate, as confirms come, or as
//! messages are consumed. At a rate each message is stamped with the moment when it was due, not
//! with the one when it went out: a broker that holds the publisher back is charged for every
//! message that had to wait (no coordinated omission).

use std::ops::Range;

use super::batch::Batch;
use super::closing::Closing;
use super::confirms::Confirms;
use super::pace::Schedule;
use crate::perf::figures::Histogram;
use crate::perf::runs::{Progress, Window};
use crate::perf::wire::{ANSWER_PATIENCE_NS, Client, Output, Piece, Standing, WireError};
use crate::perf::workload::Workload;
use crate::protocol::methods::Method;

/// What the publishers of a thread share.
#[derive(Debug)]
pub(in crate::perf) struct Publishing<'a> {
    pub(in crate::perf) window: Window,
    pub(in crate::perf) progress: &'a Progress,
    /// How late messages went out because of the generator, the broker or the machine.
    pub(in crate::perf) lateness: Histogram,
    /// From sending a message to its confirm.
    pub(in crate::perf) confirm_latency: Histogram,
}

impl<'a> Publishing<'a> {
    pub(in crate::perf) fn new(window: Window, progress: &'a Progress) -> Self {
        let (lateness, confirm_latency) = (Histogram::default(), Histogram::default());
        Self { window, progress, lateness, confirm_latency }
    }
}

/// What a publisher did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::perf) struct Published {
    pub(in crate::perf) publisher: u32,
    /// Messages to each queue.
    pub(in crate::perf) sent: Vec<u64>,
}

/// One publisher, with the bytes ready that it will send.
#[derive(Debug)]
pub(in crate::perf) struct Publisher {
    number: u32,
    batch: Batch,
    schedule: Option<Schedule>,
    /// None without confirms.
    confirms: Option<(Confirms, u64)>,
    confirmed_ns: u64,
    count_max: u64,
    copies: u64,
    published: u64,
    /// Stamped and not written.
    waiting: Range<usize>,
    output: Output,
    /// The broker takes no publishes for a while.
    is_blocked: bool,
    is_done: bool,
    closing: Closing,
}

impl Publisher {
    /// Of this number; at a rate, from a moment on.
    pub(in crate::perf) fn new(
        number: u32,
        batch: Batch,
        workload: &Workload,
        start_ns: u64,
    ) -> Self {
        let confirms = workload.confirm_window.map(|size| (Confirms::default(), size));
        Self {
            number,
            batch,
            schedule: workload.rate.map(|rate| Schedule { start_ns, rate }),
            confirms,
            confirmed_ns: start_ns,
            count_max: own_count(workload, number),
            copies: workload.copies(),
            published: 0,
            waiting: 0..0,
            output: Output::default(),
            is_blocked: false,
            is_done: false,
            closing: Closing::default(),
        }
    }

    /// When it is done: what it did.
    pub(in crate::perf) fn finish(self) -> Published {
        Published { publisher: self.number, sent: self.batch.into_sent() }
    }

    fn unconfirmed(&self) -> u64 {
        self.confirms.as_ref().map_or(0, |(confirms, _)| confirms.waiting())
    }

    /// How many messages may be sent now, or when the next is due.
    fn room(&self, now_ns: u64, progress: &Progress) -> Result<u64, Standing> {
        let mut room = self.batch.room(self.published).min(self.count_max - self.published);
        if let Some(schedule) = self.schedule {
            let due = schedule.due_count(now_ns).saturating_sub(self.published);
            if due == 0 {
                return Err(Standing::Until(schedule.due_ns(self.published)));
            }
            room = room.min(due);
        }
        if let Some((confirms, window_size)) = &self.confirms {
            room = room.min(window_size.saturating_sub(confirms.waiting()));
        }
        Ok(progress.take_room(room))
    }

    /// Stamps the next messages.
    fn send(&mut self, count: u64, now_ns: u64, shared: &mut Publishing<'_>) {
        let (schedule, first) = (self.schedule, self.published);
        let moment_ns = |message| schedule.map_or(now_ns, |schedule| schedule.due_ns(message));
        let messages = first..first + count;
        self.waiting = self.batch.stamp(messages.clone(), moment_ns);
        if let Some((confirms, _)) = &mut self.confirms {
            messages.for_each(|message| confirms.send(moment_ns(message)));
        }
        if schedule.is_some() && shared.window.contains(moment_ns(first)) {
            shared.lateness.record(now_ns.saturating_sub(moment_ns(first)));
        }
        self.published += count;
        shared.progress.publish(count);
    }

    /// After the last message: waits for confirms, then says goodbye. The count is told before,
    /// because consumers wait for it.
    fn end(&mut self, now_ns: u64, progress: &Progress) -> Result<Standing, WireError> {
        if !self.is_done && self.unconfirmed() == 0 {
            self.is_done = true;
            progress.finish_publisher(self.published.saturating_mul(self.copies));
        }
        if self.is_done || progress.has_failed() {
            self.closing.ask(&mut self.output);
        } else if now_ns.saturating_sub(self.confirmed_ns) > ANSWER_PATIENCE_NS {
            return Err(WireError::Unexpected("the broker does not confirm"));
        }
        Ok(if self.closing.is_closed() { Standing::Finished } else { Standing::Going })
    }
}

impl Client for Publisher {
    type Shared<'a> = Publishing<'a>;

    fn receive(
        &mut self,
        piece: &Piece<'_>,
        now_ns: u64,
        shared: &mut Publishing<'_>,
    ) -> Result<(), WireError> {
        let Some(method) = piece.method()? else { return Ok(()) };
        self.closing.receive(&method);
        match method {
            Method::BasicAck(ack) => {
                let Some((confirms, _)) = &mut self.confirms else { return Ok(()) };
                self.confirmed_ns = now_ns;
                confirms.receive(&ack, now_ns, shared.window, &mut shared.confirm_latency)
            }
            Method::BasicNack(_) => {
                Err(WireError::Unexpected("the broker refuses to keep a message"))
            }
            Method::ConnectionBlocked(_) => {
                self.is_blocked = true;
                Ok(())
            }
            Method::ConnectionUnblocked(_) => {
                self.is_blocked = false;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn prepare(&mut self, now_ns: u64, shared: &mut Publishing<'_>) -> Result<Standing, WireError> {
        let is_over = now_ns >= shared.window.until_ns
            || self.published >= self.count_max
            || shared.progress.has_failed();
        if is_over {
            return self.end(now_ns, shared.progress);
        }
        if self.is_blocked {
            return Ok(Standing::Going);
        }
        match self.room(now_ns, shared.progress) {
            Ok(0)
                if now_ns.saturating_sub(self.confirmed_ns) > ANSWER_PATIENCE_NS
                    && self.unconfirmed() > 0 =>
            {
                Err(WireError::Unexpected("the broker does not confirm"))
            }
            Ok(0) => Ok(Standing::Going),
            Ok(count) => {
                self.send(count, now_ns, shared);
                Ok(Standing::Going)
            }
            Err(Standing::Until(due_ns)) => Ok(Standing::Until(due_ns.min(shared.window.until_ns))),
            Err(standing) => Ok(standing),
        }
    }

    fn output(&self) -> &[u8] {
        match self.waiting.is_empty() {
            true => self.output.waiting(),
            false => self.batch.bytes(self.waiting.clone()),
        }
    }

    fn written(&mut self, size: usize) {
        match self.waiting.is_empty() {
            true => self.output.written(size),
            false => self.waiting.start += size,
        }
    }
}

/// A publisher's part of the messages of a run.
fn own_count(workload: &Workload, publisher: u32) -> u64 {
    let publishers = u64::from(workload.publishers.max(1));
    let share = |count: u64| count.saturating_sub(publisher.into()).div_ceil(publishers);
    workload.count.map_or(u64::MAX, share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::workload::{Topology, named};
    use crate::protocol::frame;
    use crate::protocol::methods::{WireMethod, basic, connection};

    const WINDOW: Window = Window { from_ns: 0, until_ns: 1_000_000 };

    fn publisher(workload: &Workload) -> Publisher {
        let routes = Topology::new(workload, "q").routes(0);
        Publisher::new(0, Batch::new(0, "", &routes, workload, 131_072), workload, 0)
    }

    /// What it would write at a moment, as a number of messages; all of it is written.
    fn step(
        publisher: &mut Publisher,
        now_ns: u64,
        shared: &mut Publishing<'_>,
    ) -> (u64, Standing) {
        let before = publisher.published;
        let standing = publisher.prepare(now_ns, shared).unwrap();
        while !publisher.output().is_empty() {
            let size = publisher.output().len();
            publisher.written(size);
        }
        (publisher.published - before, standing)
    }

    fn receive(publisher: &mut Publisher, method: &impl WireMethod, shared: &mut Publishing<'_>) {
        let mut bytes = Vec::new();
        frame::write_method(&mut bytes, 1, method);
        let (frame, _) = frame::next(&bytes, 4096).unwrap().unwrap();
        publisher.receive(&Piece::Frame(frame), 500, shared).unwrap();
    }

    #[test]
    fn at_full_speed_there_is_always_a_write_until_the_window_ends() {
        let progress = Progress::new(1, None);
        let mut shared = Publishing::new(WINDOW, &progress);
        let mut publisher = publisher(&named("s1").unwrap());
        assert!(step(&mut publisher, 1, &mut shared).0 > 500);
        assert!(step(&mut publisher, 999_999, &mut shared).0 > 500);
        assert_eq!(step(&mut publisher, 1_000_000, &mut shared), (0, Standing::Going));
        assert_eq!(progress.expected(), Some(publisher.published));
        receive(&mut publisher, &connection::CloseOk {}, &mut shared);
        assert_eq!(step(&mut publisher, 1_000_001, &mut shared), (0, Standing::Finished));
    }

    #[test]
    fn a_partial_write_goes_on_where_it_ended() {
        let progress = Progress::new(1, None);
        let mut shared = Publishing::new(WINDOW, &progress);
        let mut publisher = publisher(&named("s1").unwrap());
        publisher.prepare(1, &mut shared).unwrap();
        let all = publisher.output().to_vec();
        publisher.written(1001);
        assert_eq!(publisher.output(), &all[1001..]);
    }

    #[test]
    fn no_more_messages_are_unconfirmed_than_the_window_takes() {
        let progress = Progress::new(1, None);
        let mut shared = Publishing::new(WINDOW, &progress);
        let workload = Workload { confirm_window: Some(3), ..named("s3").unwrap() };
        let mut publisher = publisher(&workload);
        assert_eq!(step(&mut publisher, 1, &mut shared).0, 3);
        assert_eq!(step(&mut publisher, 2, &mut shared).0, 0);
        receive(&mut publisher, &basic::Ack { delivery_tag: 2, multiple: true }, &mut shared);
        assert_eq!(step(&mut publisher, 3, &mut shared).0, 2);
        assert_eq!(step(&mut publisher, 2_000_000, &mut shared), (0, Standing::Going));
        assert_eq!(progress.expected(), None, "three are not confirmed");
        receive(&mut publisher, &basic::Ack { delivery_tag: 5, multiple: true }, &mut shared);
        step(&mut publisher, 2_000_001, &mut shared);
        assert_eq!(progress.expected(), Some(5));
    }

    #[test]
    fn at_a_rate_messages_go_out_when_they_are_due() {
        let progress = Progress::new(1, None);
        let mut shared = Publishing::new(WINDOW, &progress);
        let workload = Workload { rate: Some(10_000), ..named("s2").unwrap() };
        let mut publisher = publisher(&workload);
        assert_eq!(step(&mut publisher, 0, &mut shared).0, 1);
        assert_eq!(step(&mut publisher, 1, &mut shared), (0, Standing::Until(100_000)));
        assert_eq!(step(&mut publisher, 350_000, &mut shared).0, 3);
        assert_eq!(shared.lateness.percentiles().unwrap().max_us, 250.0);
    }

    #[test]
    fn no_more_messages_are_in_flight_than_the_limit_says() {
        let progress = Progress::new(1, Some(5));
        let mut shared = Publishing::new(WINDOW, &progress);
        let mut publisher = publisher(&named("s1").unwrap());
        assert_eq!(step(&mut publisher, 1, &mut shared).0, 5);
        assert_eq!(step(&mut publisher, 2, &mut shared).0, 0);
        progress.consume(2);
        assert_eq!(step(&mut publisher, 3, &mut shared).0, 2);
    }

    #[test]
    fn nothing_is_published_while_the_broker_blocks() {
        let progress = Progress::new(1, None);
        let mut shared = Publishing::new(WINDOW, &progress);
        let mut publisher = publisher(&named("s1").unwrap());
        receive(&mut publisher, &connection::Blocked { reason: "low on memory" }, &mut shared);
        assert_eq!(step(&mut publisher, 1, &mut shared).0, 0);
        receive(&mut publisher, &connection::Unblocked {}, &mut shared);
        assert!(step(&mut publisher, 2, &mut shared).0 > 0);
    }

    #[test]
    fn messages_of_a_run_are_shared_out_to_the_last() {
        let workload = Workload { publishers: 3, count: Some(10), ..named("s1").unwrap() };
        assert_eq!([0, 1, 2].map(|number| own_count(&workload, number)), [4, 3, 3]);
    }
}
