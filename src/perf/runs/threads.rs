//! The threads of a run: publishers on some, consumers on others, each with a reactor of its own.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread::{self, Scope, ScopedJoinHandle};

use super::Conditions;
use super::progress::Progress;
use super::window::{SECOND_NS, Stopwatch, Window};
use crate::perf::clients::{Batch, Consumer, Consuming, Published, Publisher, Publishing, consume};
use crate::perf::figures::{Check, Histogram};
use crate::perf::wire::{
    ANSWER_PATIENCE_NS, Client, Reactor, Waker, Wire, WireError, sleep_precisely,
};
use crate::perf::workload::{Topology, Workload, share};

/// How long a message may be on its way once nothing more is published, before it counts as lost.
const LOSS_PATIENCE_NS: u64 = 10 * SECOND_NS;

/// A thread that runs, and what it will bring.
pub(super) type Running<'scope, T> = ScopedJoinHandle<'scope, Result<T, WireError>>;

/// Consumers of one thread, before it starts.
pub(super) struct ConsumerGroup {
    reactor: Reactor<Consumer>,
    /// The queues whose messages all arrive here.
    queues: Vec<u32>,
}

/// Publishers of one thread, before it starts.
pub(super) struct PublisherGroup {
    reactor: Reactor<Publisher>,
}

/// What a thread of consumers saw.
#[derive(Debug)]
pub(super) struct ConsumedByThread {
    sequences: crate::perf::figures::Sequences,
    queues: Vec<u32>,
    latency: Histogram,
    /// What each consumer received in the window, with its queues.
    received: Vec<(Vec<u32>, u64)>,
}

/// What a thread of publishers did.
#[derive(Debug)]
pub(super) struct PublishedByThread {
    published: Vec<Published>,
    lateness: Histogram,
    confirm_latency: Histogram,
}

/// The address that new connections go to.
pub(super) fn resolve(address: &str) -> Result<SocketAddr, WireError> {
    let mut addresses = address.to_socket_addrs()?;
    addresses.next().ok_or(WireError::Unexpected("the name has no address"))
}

/// Which thread serves a consumer: that of its queues.
fn thread_of(consumer: u32, workload: &Workload, threads: u32) -> u32 {
    let owner = consumer % workload.consumers.min(workload.queues).max(1);
    owner % threads.max(1)
}

/// Connects all consumers, lets them declare what belongs to them, and starts to consume.
pub(super) fn consumers(
    workload: &Workload,
    topology: &Topology,
    conditions: &Conditions,
) -> Result<Vec<ConsumerGroup>, WireError> {
    let threads = conditions.threads.clamp(1, workload.consumers.min(workload.queues).max(1));
    let address = resolve(&conditions.target.address)?;
    let mut groups = Vec::new();
    for thread in 0..threads {
        let mut reactor = Reactor::new(address, conditions.stopwatch)?;
        let mut all = Vec::new();
        for number in 0..workload.consumers {
            if thread_of(number, workload, threads) != thread {
                continue;
            }
            let queues = share(number, workload.consumers, workload.queues);
            let mut wire = Wire::connect(&conditions.target)?;
            topology.declare_own(&mut wire, &queues)?;
            consume(&mut wire, &queues, topology, workload)?;
            all.extend_from_slice(&queues);
            reactor.add(Consumer::new(queues, workload), Some(wire.into_link()?))?;
        }
        all.sort_unstable();
        all.dedup();
        groups.push(ConsumerGroup { reactor, queues: all });
    }
    Ok(groups)
}

/// Connects all publishers.
pub(super) fn publishers(
    workload: &Workload,
    topology: &Topology,
    conditions: &Conditions,
) -> Result<Vec<PublisherGroup>, WireError> {
    let threads = conditions.threads.clamp(1, workload.publishers.max(1));
    let address = resolve(&conditions.target.address)?;
    let mut wires = Vec::new();
    for number in 0..workload.publishers {
        let mut wire = Wire::connect(&conditions.target)?;
        if workload.confirm_window.is_some() {
            wire.select_confirms()?;
        }
        wires.push((number, wire));
    }
    let mut groups = Vec::new();
    for _ in 0..threads {
        groups.push(PublisherGroup { reactor: Reactor::new(address, conditions.stopwatch)? });
    }
    let start_ns = conditions.stopwatch.now_ns();
    for (number, wire) in wires {
        let routes = topology.routes(number);
        let frame_size_max = wire.frame_size_max();
        let batch = Batch::new(number, topology.exchange(), &routes, workload, frame_size_max);
        let publisher = Publisher::new(number, batch, workload, start_ns);
        let index = (number % threads) as usize;
        let Some(group) = groups.get_mut(index) else { continue };
        group.reactor.add(publisher, Some(wire.into_link()?))?;
    }
    Ok(groups)
}

/// What wakes these publishers.
pub(super) fn wakers(groups: &[PublisherGroup]) -> Vec<Waker> {
    groups.iter().map(|group| group.reactor.waker()).collect()
}

/// Starts a thread of a run. It ends when all is done, or something failed.
pub(super) fn start<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    progress: &'scope Progress,
    work: impl FnOnce() -> Result<T, WireError> + Send + 'scope,
) -> io::Result<Running<'scope, T>> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, move || {
        let result = work();
        progress.note_failure(&result);
        result
    });
    if thread.is_err() {
        progress.note_failure::<()>(&Err(WireError::Unexpected("a thread did not start")));
    }
    thread
}

pub(super) fn join<T>(threads: Vec<Running<'_, T>>) -> Result<Vec<T>, WireError> {
    let panicked = || Err(WireError::Unexpected("a thread of the generator panicked"));
    let ended = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| panicked()));
    // Of several failures the first is told; every thread has ended by then.
    ended.collect::<Vec<_>>().into_iter().collect()
}

impl PublisherGroup {
    /// Publishes until every publisher is done.
    pub(super) fn run(
        mut self,
        window: Window,
        progress: &Progress,
        is_precise: bool,
        stopwatch: Stopwatch,
    ) -> Result<PublishedByThread, WireError> {
        if is_precise {
            sleep_precisely();
        }
        let mut shared = Publishing::new(window, progress);
        while !self.reactor.is_finished() && !progress.has_failed() {
            self.reactor.turn(&mut shared)?;
            progress.receive(self.reactor.take_received());
            refuse_silence(&self.reactor, stopwatch)?;
        }
        let (publishers, _) = self.reactor.into_parts();
        let Publishing { lateness, confirm_latency, .. } = shared;
        let published = publishers.into_iter().map(Publisher::finish).collect();
        Ok(PublishedByThread { published, lateness, confirm_latency })
    }
}

/// At a rate below one message in that time, nothing has to happen for so long.
fn refuse_silence<C: Client>(reactor: &Reactor<C>, stopwatch: Stopwatch) -> Result<(), WireError> {
    let silent_ns = stopwatch.now_ns().saturating_sub(reactor.active_ns());
    match silent_ns > 2 * ANSWER_PATIENCE_NS {
        true => Err(WireError::Unexpected("the broker has taken nothing for a minute")),
        false => Ok(()),
    }
}

impl ConsumerGroup {
    /// Consumes until all is there or nothing more comes, then stops every consumer.
    pub(super) fn run(
        mut self,
        window: Window,
        workload: &Workload,
        progress: &Progress,
        stopwatch: Stopwatch,
    ) -> Result<ConsumedByThread, WireError> {
        let mut shared = Consuming::new(window, workload, progress);
        let mut is_stopped = false;
        while !self.reactor.is_finished() && !progress.has_failed() {
            self.reactor.turn(&mut shared)?;
            progress.receive(self.reactor.take_received());
            shared.tell();
            let silent_ns = stopwatch.now_ns().saturating_sub(self.reactor.active_ns());
            if !is_stopped {
                let is_over = progress.expected().is_some_and(|expected| {
                    progress.consumed() >= expected || silent_ns > LOSS_PATIENCE_NS
                });
                if is_over {
                    is_stopped = true;
                    self.reactor.clients_mut().for_each(Consumer::stop);
                    self.reactor.patrol();
                }
            } else if silent_ns > ANSWER_PATIENCE_NS {
                return Err(WireError::Unexpected("the broker does not answer basic.cancel"));
            }
        }
        let (consumers, _) = self.reactor.into_parts();
        let received = consumers
            .iter()
            .map(|consumer| (consumer.queues().to_vec(), consumer.received_in_window()))
            .collect();
        let Consuming { sequences, latency, .. } = shared;
        Ok(ConsumedByThread { sequences, queues: self.queues, latency, received })
    }
}

/// What all threads of publishers did.
#[derive(Debug, Default)]
pub(in crate::perf) struct AllPublished {
    /// By publisher and queue.
    sent: Vec<Vec<u64>>,
    pub(in crate::perf) lateness: Histogram,
    pub(in crate::perf) confirm_latency: Histogram,
}

/// What all threads of consumers saw.
#[derive(Debug, Default)]
pub(in crate::perf) struct AllConsumed {
    pub(in crate::perf) check: Check,
    pub(in crate::perf) latency: Histogram,
    /// What each consumer of a queue received, for each queue that has several.
    pub(in crate::perf) shares: Vec<Vec<u64>>,
}

impl AllPublished {
    pub(super) fn of(threads: Vec<PublishedByThread>, publishers: u32) -> Self {
        let mut all = Self { sent: vec![Vec::new(); publishers as usize], ..Self::default() };
        for thread in threads {
            all.lateness.merge(&thread.lateness);
            all.confirm_latency.merge(&thread.confirm_latency);
            for Published { publisher, sent } in thread.published {
                if let Some(place) = all.sent.get_mut(publisher as usize) {
                    *place = sent;
                }
            }
        }
        all
    }

    /// How many messages of a publisher a queue got.
    fn sent(&self, queue: u32, publisher: u32, is_fanout: bool) -> u64 {
        let counted_for = if is_fanout { 0 } else { queue as usize };
        let sent = self.sent.get(publisher as usize).and_then(|sent| sent.get(counted_for));
        sent.copied().unwrap_or_default()
    }
}

impl AllConsumed {
    pub(super) fn of(
        threads: Vec<ConsumedByThread>,
        published: &AllPublished,
        workload: &Workload,
    ) -> Self {
        let mut all = Self::default();
        let is_fanout = workload.exchange == crate::perf::workload::ExchangeKind::Fanout;
        let shared = if workload.has_shared_queues() { workload.queues as usize } else { 0 };
        all.shares = vec![Vec::new(); shared];
        for thread in threads {
            let sent = |queue, publisher| published.sent(queue, publisher, is_fanout);
            all.check.merge(&thread.sequences.finish(thread.queues, sent));
            all.latency.merge(&thread.latency);
            for (queues, count) in thread.received {
                let queue = queues.first().map_or(usize::MAX, |queue| *queue as usize);
                if let Some(counts) = all.shares.get_mut(queue) {
                    counts.push(count);
                }
            }
        }
        all
    }
}
