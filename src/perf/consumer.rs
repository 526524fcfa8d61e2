//! The side that consumes: checks every message, acknowledges as the scenario says, and takes the
//! age of those that were sent in the window. It goes on until all that was published is there.

use super::delivery::{Deliveries, Delivery, Received};
use super::histogram::Histogram;
use super::run::{Progress, Stopwatch, Window};
use super::scenario::{Acknowledgements, Scenario};
use super::sequence::{Check, Sequences};
use super::wire::{CHANNEL, READ_PATIENCE, Wire, WireError};
use crate::protocol::field::FieldTable;
use crate::protocol::frame;
use crate::protocol::methods::{Method, basic, queue};

const CONSUMER_TAG: &str = "perf";

/// How long a message may be on its way once nothing more is published, before it counts as lost:
/// in reads that brought nothing.
const LOSS_PATIENCE_READS: u128 = 10_000 / READ_PATIENCE.as_millis();

/// A consumer on its own connection, which owns the queue.
#[derive(Debug)]
pub(super) struct Consumer {
    wire: Wire,
    deliveries: Deliveries,
    sequences: Sequences,
    acknowledging: Acknowledging,
    latency: Histogram,
    is_latency_measured: bool,
    is_cancelled: bool,
}

/// What it saw.
#[derive(Debug)]
pub(super) struct Consumed {
    pub(super) check: Check,
    pub(super) latency: Histogram,
}

impl Consumer {
    /// Declares the queue and starts to consume. The queue is exclusive: it goes with the
    /// connection.
    pub(super) fn start(
        mut wire: Wire,
        queue: &str,
        scenario: &Scenario,
    ) -> Result<Self, WireError> {
        let declare = queue::Declare {
            queue,
            passive: false,
            durable: false,
            exclusive: true,
            auto_delete: false,
            nowait: false,
            arguments: FieldTable::default(),
        };
        let is_declared = |method: &Method<'_>| matches!(method, Method::QueueDeclareOk(_));
        wire.request(CHANNEL, &declare, is_declared)?;
        let acknowledgements = scenario.acknowledgements;
        if let Some(Acknowledgements { prefetch_count, .. }) = acknowledgements {
            let qos = basic::Qos { prefetch_size: 0, prefetch_count, global: false };
            wire.request(CHANNEL, &qos, |method| matches!(method, Method::BasicQosOk(_)))?;
        }
        let consume = basic::Consume {
            queue,
            consumer_tag: CONSUMER_TAG,
            no_local: false,
            no_ack: acknowledgements.is_none(),
            exclusive: false,
            nowait: false,
            arguments: FieldTable::default(),
        };
        wire.request(CHANNEL, &consume, |method| matches!(method, Method::BasicConsumeOk(_)))?;
        Ok(Self {
            wire,
            deliveries: Deliveries::of_size(scenario.message_size),
            sequences: Sequences::of(1),
            acknowledging: Acknowledging::every(acknowledgements.map(|a| a.messages_per_ack)),
            latency: Histogram::default(),
            is_latency_measured: scenario.messages_per_second.is_some(),
            is_cancelled: false,
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
        let Self { wire, sequences, latency, .. } = self;
        wire.close()?;
        let sent = progress.expected().unwrap_or_default();
        Ok(Consumed { check: sequences.finish(&[sent]), latency })
    }

    /// Takes every frame that is there, then acknowledges.
    fn take_all(&mut self, now_ns: u64, window: Window) -> Result<(), WireError> {
        while let Some(frame) = self.wire.next_frame()? {
            match self.deliveries.receive(&frame)? {
                Received::Part => {}
                Received::CancelOk => self.is_cancelled = true,
                Received::Delivery(Delivery { delivery_tag, stamp }) => {
                    self.sequences.arrive(stamp.publisher, stamp.sequence);
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

    /// Ends the consumer. What is delivered until that is confirmed was delivered once too often.
    fn cancel(&mut self, stopwatch: Stopwatch, window: Window) -> Result<(), WireError> {
        let cancel = basic::Cancel { consumer_tag: CONSUMER_TAG, nowait: false };
        self.wire.send(CHANNEL, &cancel)?;
        let mut silent_reads = 0;
        while !self.is_cancelled {
            silent_reads = if self.wire.fill()? { 0 } else { silent_reads + 1 };
            if silent_reads > LOSS_PATIENCE_READS {
                return Err(WireError::Unexpected("the broker does not answer basic.cancel"));
            }
            self.take_all(stopwatch.now_ns(), window)?;
        }
        Ok(())
    }
}

/// Acknowledgements on their way out.
#[derive(Debug)]
struct Acknowledging {
    /// None where there is nothing to acknowledge.
    every: Option<u64>,
    unacknowledged: u64,
    output: Vec<u8>,
}

impl Acknowledging {
    fn every(every: Option<u64>) -> Self {
        Self { every, unacknowledged: 0, output: Vec::new() }
    }

    fn deliver(&mut self, delivery_tag: u64) {
        let Some(every) = self.every else { return };
        self.unacknowledged += 1;
        if self.unacknowledged >= every {
            self.unacknowledged = 0;
            let ack = basic::Ack { delivery_tag, multiple: true };
            frame::write_method(&mut self.output, CHANNEL, &ack);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The acknowledgements for so many deliveries.
    fn acks(every: Option<u64>, deliveries: u64) -> Vec<(u64, bool)> {
        let mut acknowledging = Acknowledging::every(every);
        (1..=deliveries).for_each(|delivery_tag| acknowledging.deliver(delivery_tag));
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
        assert_eq!(acks(Some(100), 250), [(100, true), (200, true)]);
        assert_eq!(acks(Some(1), 2), [(1, true), (2, true)]);
    }

    #[test]
    fn without_acknowledgements_none_are_written() {
        assert_eq!(acks(None, 250), []);
    }
}
