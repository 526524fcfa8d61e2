//! Many connections on one thread: a loop that lets each client take what came, and write what it
//! has, a turn at a time. It never waits for one of them, and knows no AMQP beyond frames.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::net::SocketAddr;

use super::error::WireError;
use super::input::{Bytes, Piece, READ_SIZE};
use super::link::Link;
use super::poller::{Poller, Waker};
use crate::perf::runs::Stopwatch;

/// How long it waits at most before whoever runs it is asked whether it is over.
const WAIT_MAX_NS: u64 = 5_000_000;

/// How often every client gets a turn, whatever it waits for.
const PATROL_INTERVAL_NS: u64 = 100_000_000;

/// How long a refused connection rests before it is tried again, and how often that is done.
const CONNECT_REST_NS: u64 = 20_000_000;
const CONNECT_ATTEMPTS_MAX: u32 = 500;

/// What stands at the end of a connection: a machine that takes frames and has bytes to write.
pub(in crate::perf) trait Client {
    /// What all clients of a thread share.
    type Shared<'a>;

    /// Takes a frame.
    fn receive(
        &mut self,
        piece: &Piece<'_>,
        now_ns: u64,
        shared: &mut Self::Shared<'_>,
    ) -> Result<(), WireError>;

    /// Takes whole frames from the start of these bytes, as many as it knows without having each
    /// taken apart; how many octets they were.
    fn receive_known(
        &mut self,
        _bytes: &[u8],
        _now_ns: u64,
        _shared: &mut Self::Shared<'_>,
    ) -> usize {
        0
    }

    /// Has ready what is written next. It is asked when all that it had is written.
    fn prepare(
        &mut self,
        now_ns: u64,
        shared: &mut Self::Shared<'_>,
    ) -> Result<Standing, WireError>;

    /// What is ready to be written.
    fn output(&self) -> &[u8];

    /// So much of it is written.
    fn written(&mut self, size: usize);
}

/// How a client goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::perf) enum Standing {
    /// It has output, or waits for the broker.
    Going,
    /// It wants a turn at this moment.
    Until(u64),
    /// It wants a new connection instead of its own.
    Reconnect,
    /// It leaves its connection open as it is, and wants a new one.
    Keep,
    /// It leaves its connection open as it is, and is done.
    Leave,
    /// It is done, and its connection with it.
    Finished,
}

struct Slot<C> {
    client: C,
    link: Option<Link>,
    connect_attempts: u32,
    /// The next moment when it wants a turn; `u64::MAX` where there is none.
    deadline_ns: u64,
    is_ready: bool,
    is_finished: bool,
}

/// The clients of one thread.
pub(in crate::perf) struct Reactor<C: Client> {
    poller: Poller,
    address: SocketAddr,
    stopwatch: Stopwatch,
    slots: Vec<Slot<C>>,
    kept: Vec<Link>,
    ready: VecDeque<usize>,
    deadlines: BinaryHeap<Reverse<(u64, usize)>>,
    buffer: Box<[u8]>,
    unfinished: usize,
    patrolled_ns: u64,
    received: u64,
    active_ns: u64,
}

impl<C: Client> Reactor<C> {
    /// Whose new connections go to this address.
    pub(in crate::perf) fn new(
        address: SocketAddr,
        stopwatch: Stopwatch,
    ) -> Result<Self, WireError> {
        Ok(Self {
            poller: Poller::new()?,
            address,
            stopwatch,
            slots: Vec::new(),
            kept: Vec::new(),
            ready: VecDeque::new(),
            deadlines: BinaryHeap::new(),
            buffer: vec![0; READ_SIZE].into(),
            unfinished: 0,
            patrolled_ns: 0,
            received: 0,
            active_ns: stopwatch.now_ns(),
        })
    }

    pub(in crate::perf) fn waker(&self) -> Waker {
        self.poller.waker()
    }

    /// One more client, on its connection or, without one, on a new one.
    pub(in crate::perf) fn add(&mut self, client: C, link: Option<Link>) -> Result<(), WireError> {
        let index = self.slots.len();
        if let Some(link) = &link {
            self.poller.add(link.stream(), index)?;
        }
        self.slots.push(Slot {
            client,
            link,
            connect_attempts: 0,
            deadline_ns: u64::MAX,
            is_ready: false,
            is_finished: false,
        });
        self.unfinished += 1;
        self.make_ready(index);
        Ok(())
    }

    pub(in crate::perf) fn clients_mut(&mut self) -> impl Iterator<Item = &mut C> {
        self.slots.iter_mut().map(|slot| &mut slot.client)
    }

    /// Gives every client a turn, whatever it waits for.
    pub(in crate::perf) fn patrol(&mut self) {
        (0..self.slots.len()).for_each(|index| self.make_ready(index));
    }

    /// Octets that came since this was asked last.
    pub(in crate::perf) fn take_received(&mut self) -> u64 {
        std::mem::take(&mut self.received)
    }

    /// When a socket last took or gave anything.
    pub(in crate::perf) fn active_ns(&self) -> u64 {
        self.active_ns
    }

    pub(in crate::perf) fn is_finished(&self) -> bool {
        self.unfinished == 0
    }

    /// All that there is, with the connections that were left open.
    pub(in crate::perf) fn into_parts(self) -> (Vec<C>, Vec<Link>) {
        (self.slots.into_iter().map(|slot| slot.client).collect(), self.kept)
    }

    /// Waits until a client can do something, and gives turns to those that can.
    pub(in crate::perf) fn turn(&mut self, shared: &mut C::Shared<'_>) -> Result<(), WireError> {
        self.await_readiness()?;
        for _ in 0..self.ready.len() {
            let Some(index) = self.ready.pop_front() else { break };
            self.serve(index, shared)?;
        }
        Ok(())
    }

    fn await_readiness(&mut self) -> Result<(), WireError> {
        let timeout_ns = if self.ready.is_empty() { self.until_deadline_ns() } else { 0 };
        let (slots, ready) = (&mut self.slots, &mut self.ready);
        let is_woken = self.poller.wait(timeout_ns, |readiness| {
            let Some(slot) = slots.get_mut(readiness.number) else { return };
            let Some(link) = &mut slot.link else { return };
            link.is_readable |= readiness.is_readable;
            link.is_writable |= readiness.is_writable;
            if !slot.is_ready {
                slot.is_ready = true;
                ready.push_back(readiness.number);
            }
        })?;
        let now_ns = self.stopwatch.now_ns();
        if is_woken || now_ns.saturating_sub(self.patrolled_ns) >= PATROL_INTERVAL_NS {
            self.patrolled_ns = now_ns;
            self.patrol();
        }
        while let Some(Reverse((deadline_ns, index))) = self.deadlines.peek().copied() {
            if deadline_ns > now_ns {
                break;
            }
            self.deadlines.pop();
            if self.slots.get(index).is_some_and(|slot| slot.deadline_ns == deadline_ns) {
                self.make_ready(index);
            }
        }
        Ok(())
    }

    fn until_deadline_ns(&self) -> u64 {
        let Some(Reverse((deadline_ns, _))) = self.deadlines.peek() else { return WAIT_MAX_NS };
        deadline_ns.saturating_sub(self.stopwatch.now_ns()).min(WAIT_MAX_NS)
    }

    fn make_ready(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if !slot.is_ready && !slot.is_finished {
            slot.is_ready = true;
            self.ready.push_back(index);
        }
    }

    /// One turn of one client: it takes one read, and gives one write.
    fn serve(&mut self, index: usize, shared: &mut C::Shared<'_>) -> Result<(), WireError> {
        let Some(slot) = self.slots.get_mut(index) else { return Ok(()) };
        slot.is_ready = false;
        if slot.is_finished {
            return Ok(());
        }
        let Some(link) = &mut slot.link else { return self.connect(index) };
        match link.has_connected() {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return self.rest(index, error),
        }
        let mut now_ns = self.stopwatch.now_ns();
        if link.is_readable {
            let client = &mut slot.client;
            (self.received, now_ns) = take(client, link, &mut self.buffer, self.stopwatch, shared)
                .map(|(size, now_ns)| (self.received + size as u64, now_ns))?;
            self.active_ns = now_ns;
        }
        let mut standing = Standing::Going;
        if slot.client.output().is_empty() {
            standing = slot.client.prepare(now_ns, shared)?;
        }
        if link.is_writable && !slot.client.output().is_empty() {
            let written = link.write(slot.client.output());
            if written.is_err() {
                // Where the broker has said why, its words are the error.
                take(&mut slot.client, link, &mut self.buffer, self.stopwatch, shared)?;
            }
            slot.client.written(written?);
            self.active_ns = now_ns;
            if slot.client.output().is_empty() && standing == Standing::Going {
                standing = slot.client.prepare(now_ns, shared)?;
            }
        }
        if link.is_readable || (link.is_writable && !slot.client.output().is_empty()) {
            slot.is_ready = true;
            self.ready.push_back(index);
        }
        self.go_on(index, standing)
    }

    fn go_on(&mut self, index: usize, standing: Standing) -> Result<(), WireError> {
        let Some(slot) = self.slots.get_mut(index) else { return Ok(()) };
        match standing {
            Standing::Going => Ok(()),
            Standing::Until(deadline_ns) => {
                if slot.deadline_ns != deadline_ns {
                    slot.deadline_ns = deadline_ns;
                    self.deadlines.push(Reverse((deadline_ns, index)));
                }
                Ok(())
            }
            Standing::Reconnect => {
                slot.link = None;
                self.connect(index)
            }
            Standing::Keep => {
                self.keep(index)?;
                self.connect(index)
            }
            Standing::Leave => {
                self.keep(index)?;
                self.go_on(index, Standing::Finished)
            }
            Standing::Finished => {
                slot.is_finished = true;
                slot.link = None;
                self.unfinished -= 1;
                Ok(())
            }
        }
    }

    fn keep(&mut self, index: usize) -> Result<(), WireError> {
        let link = self.slots.get_mut(index).and_then(|slot| slot.link.take());
        if let Some(link) = link {
            self.poller.remove(link.stream())?;
            self.kept.push(link);
        }
        Ok(())
    }

    fn connect(&mut self, index: usize) -> Result<(), WireError> {
        let Some(slot) = self.slots.get_mut(index) else { return Ok(()) };
        if slot.deadline_ns != u64::MAX && slot.deadline_ns > self.stopwatch.now_ns() {
            return Ok(());
        }
        slot.deadline_ns = u64::MAX;
        match Link::connect(self.address) {
            Ok(link) => {
                self.poller.add(link.stream(), index)?;
                slot.link = Some(link);
                Ok(())
            }
            Err(error) => self.rest(index, error),
        }
    }

    /// A broker that accepts fewer connections than come may refuse some for a moment.
    fn rest(&mut self, index: usize, error: io::Error) -> Result<(), WireError> {
        let Some(slot) = self.slots.get_mut(index) else { return Ok(()) };
        slot.link = None;
        slot.connect_attempts += 1;
        if !may_be_tried_again(&error) || slot.connect_attempts > CONNECT_ATTEMPTS_MAX {
            return Err(error.into());
        }
        slot.deadline_ns = self.stopwatch.now_ns().saturating_add(CONNECT_REST_NS);
        self.deadlines.push(Reverse((slot.deadline_ns, index)));
        Ok(())
    }
}

/// Reads once and lets the client take every frame that is whole; how many octets came, and when.
fn take<C: Client>(
    client: &mut C,
    link: &mut Link,
    buffer: &mut [u8],
    stopwatch: Stopwatch,
    shared: &mut C::Shared<'_>,
) -> Result<(usize, u64), WireError> {
    let (end, size) = link.read(buffer)?;
    let now_ns = stopwatch.now_ns();
    let mut bytes = Bytes::of(buffer.get(..end).unwrap_or_default());
    loop {
        if link.input.is_between() {
            bytes.take(client.receive_known(bytes.waiting(), now_ns, shared));
        }
        let Some(piece) = link.input.next(&mut bytes, link.frame_size_max)? else { break };
        client.receive(&piece, now_ns, shared)?;
    }
    link.input.keep(&bytes);
    Ok((size, now_ns))
}

fn may_be_tried_again(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, ConnectionReset, TimedOut};
    matches!(error.kind(), AddrNotAvailable | ConnectionRefused | ConnectionReset | TimedOut)
}
