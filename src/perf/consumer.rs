//! The side that consumes: checks every message, acknowledges as the scenario says, and takes the
//! age of those that were sent in the window. It goes on until all that was published is there, and
//! leaves nothing unacknowledged.

use super::delivery::{Deliveries, Delivery, Received};
use super::histogram::Histogram;
use super::run::{Progress, Stopwatch, Window};
use super::scenario::{Acknowledgements, Pace, Scenario};
use super::sequence::{Check, Sequences};
use super::stamp::sent_to_each;
use super::wire::{CHANNEL, READ_PATIENCE, Wire, WireError};
use crate::protocol::field::FieldTable;
use crate::protocol::frame;
use crate::protocol::methods::{Method, basic};

/// How long a message may be on its way once nothing more is published, before it counts as lost:
/// in reads that brought nothing.
const LOSS_PATIENCE_READS: u128 = 10_000 / READ_PATIENCE.as_millis();

/// A consumer on its own connection, of one queue or several.
#[derive(Debug)]
pub(super) struct Consumer {
    wire: Wire,
    deliveries: Deliveries,
    sequences: Sequences,
    acknowledging: Acknowledging,
    latency: Histogram,
    is_latency_measured: bool,
    queue_count: u16,
    cancelled_count: u16,
}

/// What it saw.
#[derive(Debug)]
pub(super) struct Consumed {
    pub(super) check: Check,
    pub(super) latency: Histogram,
}

impl Consumer {
    /// Starts to consume from queues that are there, all on one channel.
    pub(super) fn start(
        mut wire: Wire,
        queues: &[String],
        scenario: &Scenario,
    ) -> Result<Self, WireError> {
        let acknowledgements = scenario.acknowledgements;
        if let Some(Acknowledgements { prefetch_count, .. }) = acknowledgements {
            let qos = basic::Qos { prefetch_size: 0, prefetch_count, global: false };
            wire.request(CHANNEL, &qos, |method| matches!(method, Method::BasicQosOk(_)))?;
        }
        // Deliveries may come before the last answer, so answers are not waited for here.
        for (queue, number) in queues.iter().zip(0..scenario.queue_count) {
            let consume = basic::Consume {
                queue,
                consumer_tag: &consumer_tag(number),
                no_local: false,
                no_ack: acknowledgements.is_none(),
                exclusive: false,
                nowait: false,
                arguments: FieldTable::default(),
            };
            wire.send(CHANNEL, &consume)?;
        }
        Ok(Self {
            wire,
            deliveries: Deliveries::of_size(scenario.message_size),
            sequences: Sequences::of(scenario.queue_count),
            acknowledging: Acknowledging::every(acknowledgements.map(|a| a.messages_per_ack)),
            latency: Histogram::default(),
            is_latency_measured: matches!(scenario.pace, Pace::MessagesPerSecond(_)),
            queue_count: scenario.queue_count,
            cancelled_count: 0,
        })
    }

    /// Consumes until all is there or nothing more comes.
    pub(super) fn run(
        mut self,
        stopwatch: Stopwatch,
        window: Window,
        progress: &Progress,
    ) -> Result<Consumed, WireError> {
        let mut silent_reads = 0;
        loop {
            silent_reads = if self.wire.fill()? { 0 } else { silent_reads + 1 };
            self.take_all(stopwatch.now_ns(), window)?;
            progress.receive(self.wire.take_received());
            progress.consume(self.sequences.received());
            let is_silent = silent_reads > LOSS_PATIENCE_READS;
            let is_over = progress
                .expected()
                .is_some_and(|count| is_silent || self.sequences.received() >= count);
            if is_over || progress.has_failed() {
                break;
            }
        }
        self.cancel(stopwatch, window)?;
        let Self { wire, sequences, latency, queue_count, .. } = self;
        wire.close()?;
        let sent = progress.expected().unwrap_or_default();
        Ok(Consumed { check: sequences.finish(&sent_to_each(sent, queue_count)), latency })
    }

    /// Takes every frame that is there, then acknowledges.
    fn take_all(&mut self, now_ns: u64, window: Window) -> Result<(), WireError> {
        while let Some(frame) = self.wire.next_frame()? {
            match self.deliveries.receive(&frame)? {
                Received::Part => {}
                Received::CancelOk => self.cancelled_count += 1,
                Received::Delivery(Delivery { delivery_tag, stamp }) => {
                    self.sequences.arrive(stamp.queue, stamp.sequence);
                    self.acknowledging.deliver(delivery_tag);
                    if self.is_latency_measured && window.contains(stamp.moment_ns) {
                        self.latency.record(now_ns.saturating_sub(stamp.moment_ns));
                    }
                }
            }
        }
        if !self.acknowledging.output.is_empty() {
            self.wire.write(&self.acknowledging.output)?;
            self.acknowledging.output.clear();
        }
        Ok(())
    }

    /// Acknowledges the rest and ends the consumer. What is delivered until that is confirmed was
    /// delivered once too often.
    fn cancel(&mut self, stopwatch: Stopwatch, window: Window) -> Result<(), WireError> {
        self.acknowledging.finish();
        self.wire.write(&self.acknowledging.output)?;
        self.acknowledging.output.clear();
        for number in 0..self.queue_count {
            let cancel = basic::Cancel { consumer_tag: &consumer_tag(number), nowait: false };
            self.wire.send(CHANNEL, &cancel)?;
        }
        let mut silent_reads = 0;
        while self.cancelled_count < self.queue_count {
            silent_reads = if self.wire.fill()? { 0 } else { silent_reads + 1 };
            if silent_reads > LOSS_PATIENCE_READS {
                return Err(WireError::Unexpected("the broker does not answer basic.cancel"));
            }
            self.take_all(stopwatch.now_ns(), window)?;
        }
        Ok(())
    }
}

fn consumer_tag(number: u16) -> String {
    format!("perf-{number}")
}

/// Acknowledgements on their way out.
#[derive(Debug)]
struct Acknowledging {
    /// None where there is nothing to acknowledge.
    every: Option<u64>,
    unacknowledged: u64,
    latest_tag: u64,
    output: Vec<u8>,
}

impl Acknowledging {
    fn every(every: Option<u64>) -> Self {
        Self { every, unacknowledged: 0, latest_tag: 0, output: Vec::new() }
    }

    fn deliver(&mut self, delivery_tag: u64) {
        let Some(every) = self.every else { return };
        self.latest_tag = delivery_tag;
        self.unacknowledged += 1;
        if self.unacknowledged >= every {
            self.finish();
        }
    }

    /// Acknowledges what is left.
    fn finish(&mut self) {
        if self.unacknowledged > 0 {
            self.unacknowledged = 0;
            let ack = basic::Ack { delivery_tag: self.latest_tag, multiple: true };
            frame::write_method(&mut self.output, CHANNEL, &ack);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The acknowledgements for so many deliveries, those at the end left out or not.
    fn acks(every: Option<u64>, deliveries: u64, is_finished: bool) -> Vec<(u64, bool)> {
        let mut acknowledging = Acknowledging::every(every);
        (1..=deliveries).for_each(|delivery_tag| acknowledging.deliver(delivery_tag));
        if is_finished {
            acknowledging.finish();
        }
        let (mut acks, mut rest) = (Vec::new(), acknowledging.output.as_slice());
        while let Some((frame, size)) = frame::next(rest, 4096).unwrap() {
            let Method::BasicAck(ack) = Method::decode(frame.payload).unwrap() else { panic!() };
            acks.push((ack.delivery_tag, ack.multiple));
            rest = &rest[size..];
        }
        acks
    }

    #[test]
    fn each_acknowledgement_is_for_as_many_messages_as_asked() {
        assert_eq!(acks(Some(100), 250, false), [(100, true), (200, true)]);
        assert_eq!(acks(Some(1), 2, false), [(1, true), (2, true)]);
    }

    #[test]
    fn what_is_left_at_the_end_is_acknowledged_once() {
        assert_eq!(acks(Some(100), 250, true), [(100, true), (200, true), (250, true)]);
        assert_eq!(acks(Some(100), 200, true), [(100, true), (200, true)]);
    }

    #[test]
    fn without_acknowledgements_none_are_written() {
        assert_eq!(acks(None, 250, true), []);
    }
}
