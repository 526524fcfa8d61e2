//! The side that consumes: checks every message, acknowledges as the workload says, and takes the
//! age of those that were sent in the window. When it is told to stop, it leaves nothing
//! unacknowledged.

use super::acknowledging::Acknowledging;
use super::closing::Closing;
use super::delivery::{Deliveries, Delivery, Received, consumer_tag};
use crate::perf::figures::{Histogram, Sequences};
use crate::perf::runs::{Progress, Window};
use crate::perf::wire::{
    CHANNEL, Client, Output, Piece, Standing, Wire, WireError, refuse_closing,
};
use crate::perf::workload::{ExchangeKind, Topology, Workload};
use crate::protocol::field::FieldTable;
use crate::protocol::methods::{Method, basic};

/// What the consumers of a thread share. All consumers of a queue are of one thread.
#[derive(Debug)]
pub(in crate::perf) struct Consuming<'a> {
    pub(in crate::perf) window: Window,
    pub(in crate::perf) sequences: Sequences,
    pub(in crate::perf) latency: Histogram,
    is_latency_measured: bool,
    progress: &'a Progress,
    /// Of what was received, how much is told.
    told: u64,
}

impl<'a> Consuming<'a> {
    pub(in crate::perf) fn new(
        window: Window,
        workload: &Workload,
        progress: &'a Progress,
    ) -> Self {
        let is_ordered = !workload.has_shared_queues();
        Self {
            window,
            sequences: Sequences::new(workload.queues, workload.publishers, is_ordered),
            latency: Histogram::default(),
            is_latency_measured: workload.is_latency_measured(),
            progress,
            told: 0,
        }
    }

    /// Tells the others what was consumed since this was called last.
    pub(in crate::perf) fn tell(&mut self) {
        let received = self.sequences.received();
        if received > self.told {
            self.progress.consume(received - self.told);
            self.told = received;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Consuming,
    Stopping,
    /// So many of its consumers are not cancelled yet.
    Cancelling(usize),
}

/// A consumer of one queue or several, all on one channel.
#[derive(Debug)]
pub(in crate::perf) struct Consumer {
    queues: Vec<u32>,
    state: State,
    deliveries: Deliveries,
    acknowledging: Acknowledging,
    /// Every message goes to every queue, whatever its stamp says.
    is_fanout: bool,
    /// Where others consume from its queue: for each publisher, one more than the latest message.
    order: Option<Vec<u64>>,
    received_in_window: u64,
    output: Output,
    closing: Closing,
}

impl Consumer {
    pub(in crate::perf) fn new(queues: Vec<u32>, workload: &Workload) -> Self {
        let publishers = workload.publishers as usize;
        Self {
            queues,
            state: State::Consuming,
            deliveries: Deliveries::of_size(workload.message_size),
            acknowledging: Acknowledging::every(
                workload.acknowledgements.map(|acknowledgements| acknowledgements.messages_per_ack),
            ),
            is_fanout: workload.exchange == ExchangeKind::Fanout,
            order: workload.has_shared_queues().then(|| vec![0; publishers]),
            received_in_window: 0,
            output: Output::default(),
            closing: Closing::default(),
        }
    }

    /// Lets it acknowledge the rest, cancel and say goodbye. What is delivered until the broker has
    /// answered was delivered once too often.
    pub(in crate::perf) fn stop(&mut self) {
        self.state = State::Stopping;
    }

    pub(in crate::perf) fn queues(&self) -> &[u32] {
        &self.queues
    }

    pub(in crate::perf) fn received_in_window(&self) -> u64 {
        self.received_in_window
    }

    fn take(&mut self, delivery: Delivery, now_ns: u64, shared: &mut Consuming<'_>) {
        let Delivery { delivery_tag, consumer, stamp } = delivery;
        let queue = match self.queues.as_slice() {
            [queue] => *queue,
            _ => consumer,
        };
        if self.is_fanout || queue == stamp.queue {
            shared.sequences.arrive(queue, stamp.publisher, stamp.sequence);
        } else {
            shared.sequences.misroute();
        }
        let order = self.order.as_mut();
        if let Some(next) = order.and_then(|order| order.get_mut(stamp.publisher as usize)) {
            if stamp.sequence < *next {
                shared.sequences.reorder();
            }
            *next = (*next).max(stamp.sequence + 1);
        }
        self.acknowledging.deliver(delivery_tag, &mut self.output);
        self.received_in_window += u64::from(shared.window.contains(now_ns));
        if shared.is_latency_measured && shared.window.contains(stamp.moment_ns) {
            shared.latency.record(now_ns.saturating_sub(stamp.moment_ns));
        }
    }

    fn method(&mut self, method: &Method<'_>) -> Result<(), WireError> {
        refuse_closing(method)?;
        self.closing.receive(method);
        match method {
            Method::BasicCancelOk(_) => {
                if let State::Cancelling(left) = &mut self.state {
                    *left = left.saturating_sub(1);
                }
                Ok(())
            }
            Method::BasicCancel(_) => {
                Err(WireError::Unexpected("the broker cancelled the consumer"))
            }
            _ => Ok(()),
        }
    }

    fn cancel(&mut self) {
        self.acknowledging.finish(&mut self.output);
        for queue in &self.queues {
            let cancel = basic::Cancel { consumer_tag: &consumer_tag(*queue), nowait: false };
            self.output.method(CHANNEL, &cancel);
        }
    }
}

/// Asks the broker for deliveries of these queues. They may come before the last answer, so answers
/// are not waited for here.
pub(in crate::perf) fn consume(
    wire: &mut Wire,
    queues: &[u32],
    topology: &Topology,
    workload: &Workload,
) -> Result<(), WireError> {
    if let Some(acknowledgements) = workload.acknowledgements {
        let prefetch_count = acknowledgements.prefetch_count;
        let qos = basic::Qos { prefetch_size: 0, prefetch_count, global: false };
        wire.request(CHANNEL, &qos, |method| matches!(method, Method::BasicQosOk(_)))?;
    }
    for queue in queues {
        let consume = basic::Consume {
            queue: topology.queue(*queue),
            consumer_tag: &consumer_tag(*queue),
            no_local: false,
            no_ack: workload.acknowledgements.is_none(),
            exclusive: false,
            nowait: false,
            arguments: FieldTable::default(),
        };
        wire.send(CHANNEL, &consume)?;
    }
    Ok(())
}

impl Client for Consumer {
    type Shared<'a> = Consuming<'a>;

    fn receive(
        &mut self,
        piece: &Piece<'_>,
        now_ns: u64,
        shared: &mut Consuming<'_>,
    ) -> Result<(), WireError> {
        match self.deliveries.receive(piece)? {
            Received::Part => Ok(()),
            Received::Method(method) => self.method(&method),
            Received::Delivery(delivery) => {
                self.take(delivery, now_ns, shared);
                Ok(())
            }
        }
    }

    fn receive_known(&mut self, bytes: &[u8], now_ns: u64, shared: &mut Consuming<'_>) -> usize {
        let (mut taken, mut rest) = (0, bytes);
        while let Some((delivery, size)) = self.deliveries.next_whole(rest) {
            self.take(delivery, now_ns, shared);
            taken += size;
            rest = bytes.get(taken..).unwrap_or_default();
        }
        taken
    }

    fn prepare(&mut self, _: u64, _: &mut Consuming<'_>) -> Result<Standing, WireError> {
        match self.state {
            State::Stopping => {
                self.cancel();
                self.state = State::Cancelling(self.queues.len());
            }
            State::Cancelling(0) => {
                self.acknowledging.finish(&mut self.output);
                self.closing.ask(&mut self.output);
            }
            State::Consuming | State::Cancelling(_) => {}
        }
        Ok(if self.closing.is_closed() { Standing::Finished } else { Standing::Going })
    }

    fn output(&self) -> &[u8] {
        self.output.waiting()
    }

    fn written(&mut self, size: usize) {
        self.output.written(size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::clients::stamp::Stamp;
    use crate::perf::figures::Check;
    use crate::perf::workload::named;
    use crate::protocol::frame;
    use crate::protocol::methods::WireMethod;

    /// Delivers messages of publisher 0 by their queues and numbers, and tells what is found.
    fn check(workload: &Workload, consumers: &mut [Consumer], arrivals: &[(usize, u64)]) -> Check {
        let progress = Progress::new(1, None);
        let mut shared = Consuming::new(Window::ALWAYS, workload, &progress);
        for (index, sequence) in arrivals.iter().copied() {
            let stamp = Stamp { publisher: 0, queue: 0, sequence, moment_ns: 5 };
            deliver(&mut consumers[index], stamp, &mut shared);
        }
        shared.sequences.finish([0], |_, _| 4)
    }

    fn deliver(consumer: &mut Consumer, stamp: Stamp, shared: &mut Consuming<'_>) {
        let mut body = stamp.to_bytes().to_vec();
        body.resize(usize::try_from(16).unwrap(), b'.');
        let deliver = basic::Deliver {
            consumer_tag: "0",
            delivery_tag: 1,
            redelivered: false,
            exchange: "",
            routing_key: "q",
        };
        let mut bytes = Vec::new();
        frame::write_method(&mut bytes, 1, &deliver);
        frame::write_header(&mut bytes, 1, 60, body.len() as u64, &[0, 0]);
        frame::write_body(&mut bytes, 1, &body);
        receive(consumer, &bytes, shared);
    }

    fn receive(consumer: &mut Consumer, mut bytes: &[u8], shared: &mut Consuming<'_>) {
        while let Some((frame, size)) = frame::next(bytes, 4096).unwrap() {
            consumer.receive(&Piece::Frame(frame), 9, shared).unwrap();
            bytes = &bytes[size..];
        }
    }

    fn method(method: &impl WireMethod) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame::write_method(&mut bytes, 1, method);
        bytes
    }

    #[test]
    fn a_lost_a_duplicated_and_a_reordered_message_are_found() {
        let workload = named("s1").unwrap();
        let check = |numbers: [u64; 4]| {
            let mut consumers = [Consumer::new(vec![0], &workload)];
            check(&workload, &mut consumers, &numbers.map(|number| (0, number)))
        };
        assert!(check([0, 1, 2, 3]).is_valid());
        let lost = check([0, 1, 3, 3]);
        assert_eq!((lost.lost, lost.duplicated, lost.is_valid()), (1, 1, false));
        let reordered = check([0, 2, 1, 3]);
        assert_eq!((reordered.reordered, reordered.is_valid()), (1, false));
    }

    #[test]
    fn consumers_of_one_queue_see_its_messages_each_in_order_and_all_once() {
        let workload = Workload { consumers: 2, ..named("s1").unwrap() };
        let check = |arrivals: [(usize, u64); 4]| {
            let mut consumers = [vec![0], vec![0]].map(|queues| Consumer::new(queues, &workload));
            check(&workload, &mut consumers, &arrivals)
        };
        assert!(check([(0, 1), (1, 0), (1, 3), (0, 2)]).is_valid());
        assert_eq!(check([(0, 1), (0, 0), (1, 3), (1, 2)]).reordered, 2);
        assert_eq!(check([(0, 1), (1, 1), (1, 2), (0, 3)]).duplicated, 1);
    }

    #[test]
    fn a_message_of_another_queue_is_foreign_but_with_a_fanout() {
        for (name, foreign) in [("s1", 1), ("s5", 0)] {
            let workload = named(name).unwrap();
            let workload = Workload { queues: 10, message_size: 16, ..workload };
            let progress = Progress::new(1, None);
            let mut shared = Consuming::new(Window::ALWAYS, &workload, &progress);
            let mut consumer = Consumer::new(vec![3], &workload);
            let stamp = Stamp { publisher: 0, queue: 0, sequence: 0, moment_ns: 5 };
            deliver(&mut consumer, stamp, &mut shared);
            assert_eq!(shared.sequences.finish([3], |_, _| 1).foreign, foreign, "{name}");
        }
    }

    #[test]
    fn it_stops_by_acknowledging_cancelling_and_saying_goodbye() {
        let workload = named("s2").unwrap();
        let workload = Workload { message_size: 16, ..workload };
        let progress = Progress::new(1, None);
        let mut shared = Consuming::new(Window::ALWAYS, &workload, &progress);
        let mut consumer = Consumer::new(vec![0], &workload);
        let stamp = Stamp { publisher: 0, queue: 0, sequence: 0, moment_ns: 5 };
        deliver(&mut consumer, stamp, &mut shared);
        assert!(consumer.output().is_empty());
        let mut step = |consumer: &mut Consumer, bytes: &[u8]| {
            receive(consumer, bytes, &mut shared);
            let standing = consumer.prepare(0, &mut shared).unwrap();
            let mut classes = Vec::new();
            let mut rest = consumer.output();
            while let Some((frame, size)) = frame::next(rest, 4096).unwrap() {
                classes.push((frame.payload[1], frame.payload[3]));
                rest = &rest[size..];
            }
            let size = consumer.output().len();
            consumer.written(size);
            (classes, standing)
        };
        consumer.stop();
        let (ack, cancel, close) = ((60, 80), (60, 30), (10, 50));
        assert_eq!(step(&mut consumer, &[]), (vec![ack, cancel], Standing::Going));
        let cancel_ok = method(&basic::CancelOk { consumer_tag: "0" });
        assert_eq!(step(&mut consumer, &cancel_ok), (vec![close], Standing::Going));
        let close_ok = method(&crate::protocol::methods::connection::CloseOk {});
        assert_eq!(step(&mut consumer, &close_ok), (vec![], Standing::Finished));
    }

    #[test]
    fn what_was_consumed_is_told_once() {
        let workload = named("s1").unwrap();
        let progress = Progress::new(1, None);
        let mut shared = Consuming::new(Window::ALWAYS, &workload, &progress);
        let mut consumer = Consumer::new(vec![0], &workload);
        for sequence in 0..2 {
            let stamp = Stamp { publisher: 0, queue: 0, sequence, moment_ns: 5 };
            deliver(&mut consumer, stamp, &mut shared);
            shared.tell();
            shared.tell();
        }
        assert_eq!(progress.consumed(), 2);
        assert_eq!(consumer.received_in_window(), 2);
    }
}
