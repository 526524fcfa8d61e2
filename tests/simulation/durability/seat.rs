//! One client's end of its connection: bytes both ways, and what it waits for. What is said means
//! something only to `world`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::Waker;

use leveret::broker::{Broker, Peer, Session};
use leveret::message::Moment;

use crate::client::{Ears, Incoming};
use crate::operation::Operation;

/// The channel for publishing.
pub(super) const PUBLISHING: u16 = 1;
/// The channel for consuming.
pub(super) const CONSUMING: u16 = 2;
/// The channel for declarations.
pub(super) const DECLARING: u16 = 3;

const FRAME_SIZE_MAX: u32 = 131_072;

/// An answer that a client waits for; it sends nothing more before it comes.
#[derive(Clone, Debug)]
pub(super) enum Awaited {
    /// This answer; and what it says is on disk.
    Answer { name: &'static str, version: Option<u64> },
    /// A message of this queue and its life, or that there is none.
    Get { queue: String, life: u64, no_ack: bool },
}

/// A consumer: its queue, the queue's life, and whether nothing is acknowledged.
#[derive(Clone, Debug)]
pub(super) struct ConsumerModel {
    pub(super) queue: String,
    pub(super) life: u64,
    pub(super) no_ack: bool,
}

/// A delivery that is out: its queue, the queue's life, its place.
#[derive(Clone, Debug)]
pub(super) struct Out {
    pub(super) queue: String,
    pub(super) life: u64,
    pub(super) place: u64,
}

/// A publish in a transaction: its number, its queues with their lives, its persistence.
pub(super) type Pending = (u64, Vec<(String, u64)>, bool);

/// A client.
#[derive(Debug)]
pub(super) struct Seat {
    session: Session,
    ears: Ears,
    input: Vec<u8>,
    pub(super) has_transactions: bool,
    pub(super) awaited: Option<Awaited>,
    pub(super) published: u64,
    /// Publishes without a confirm, and the version that the confirm promises.
    pub(super) unconfirmed: BTreeMap<u64, Option<u64>>,
    /// Messages that are to come back.
    pub(super) returns: BTreeSet<u64>,
    pub(super) pending: Vec<Pending>,
    pub(super) consumers: BTreeMap<String, ConsumerModel>,
    pub(super) out: BTreeMap<u64, Out>,
    pub(super) consumer_count: u64,
    /// The broker closed it.
    pub(super) is_closed: bool,
}

impl Seat {
    /// A client that logs in and opens its channels.
    pub(super) fn new(
        broker: Arc<Broker>,
        has_transactions: bool,
        prefetch: u16,
        now: Moment,
    ) -> Self {
        let mut seat = Self {
            session: Session::new(broker, Peer { address: None }, now),
            ears: Ears::default(),
            input: Vec::new(),
            has_transactions,
            awaited: None,
            published: 0,
            unconfirmed: BTreeMap::new(),
            returns: BTreeSet::new(),
            pending: Vec::new(),
            consumers: BTreeMap::new(),
            out: BTreeMap::new(),
            consumer_count: 0,
            is_closed: false,
        };
        for operation in [
            Operation::Header,
            Operation::StartOk,
            Operation::TuneOk { frame_max: FRAME_SIZE_MAX, heartbeat: 0 },
            Operation::OpenConnection,
        ] {
            seat.send(0, &operation, now);
        }
        for channel in [PUBLISHING, CONSUMING, DECLARING] {
            seat.send(channel, &Operation::OpenChannel, now);
        }
        let mode = if has_transactions {
            Operation::SelectTransaction
        } else {
            Operation::SelectConfirm { nowait: false }
        };
        seat.send(PUBLISHING, &mode, now);
        let qos = Operation::Qos { prefetch_count: prefetch, global: false };
        seat.send(CONSUMING, &qos, now);
        seat
    }

    /// Writes an operation; the broker takes it now or later.
    pub(super) fn send(&mut self, channel: u16, operation: &Operation, now: Moment) {
        operation.encode(channel, FRAME_SIZE_MAX as usize, &mut self.input);
        self.feed(now);
    }

    /// Gives the broker what it takes.
    pub(super) fn feed(&mut self, now: Moment) {
        while !self.input.is_empty() && self.session.may_read() {
            let used = self.session.receive(&self.input, now);
            if used == 0 {
                break;
            }
            self.input.drain(..used);
        }
    }

    /// Its socket is gone.
    pub(super) fn leave(mut self, now: Moment) {
        self.session.abort(now);
    }

    /// Everything that was sent was taken, and no answer is missing.
    pub(super) fn is_free(&self) -> bool {
        self.input.is_empty() && self.awaited.is_none() && !self.is_closed
    }

    /// Takes what the broker says, and lets it wait for what it waits for.
    ///
    /// # Errors
    /// The broker broke the protocol.
    pub(super) fn hear(&mut self, now: Moment) -> Result<Vec<Incoming>, String> {
        self.feed(now);
        self.session.pump();
        let bytes = self.session.output().take();
        let mut heard = Vec::new();
        if !bytes.is_empty() {
            self.session.sent(now);
            heard = self.ears.hear(&bytes)?;
        }
        self.session.register(Waker::noop());
        self.is_closed |= self.session.connection().is_closed();
        Ok(heard)
    }
}
