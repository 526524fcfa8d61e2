//! What a connection asks of the broker. Every request is answered with an [`Event`](super::Event),
//! never with a return value, because an answer may one day have to wait for the disk.

use smallvec::SmallVec;

use crate::message::{ConsumerKey, MessageRun, Name, Outcome, QueueId, SequenceRange};
use crate::protocol::field::FieldTable;

/// What a step of the connection wants done, in this order.
#[derive(Debug)]
pub enum Effect {
    /// Check these credentials; answered by `Authenticated` or `LoginRefused`.
    Authenticate(Credentials),
    /// Enter this virtual host; answered by `VirtualHostOpened`.
    OpenVirtualHost(Name),
    /// Carry out a method; the connection reads no further before it is applied.
    Request(Request),
    /// Route messages. Neighbours are one batch.
    Publish(Publish),
    /// End deliveries.
    Settle(Settle),
    /// End these deliveries, which nobody acknowledges, when the output so far is with the socket.
    SettleSent(Settle),
    /// The connection ends: release all it holds; answered by `Released`.
    Release(Vec<Settle>),
}

/// What a client said to prove who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The SASL mechanism it chose.
    pub mechanism: Box<str>,
    /// Its first response, as received.
    pub response: Box<[u8]>,
}

/// A method on a channel that the broker carries out.
#[derive(Debug)]
pub struct Request {
    /// The channel it came on.
    pub channel: u16,
    /// Class and method id, for errors.
    pub method: (u16, u16),
    /// No answer is wanted when it goes well.
    pub nowait: bool,
    /// What is wanted.
    pub command: Command,
}

/// Messages that go to the same place, and how they are to be published.
#[derive(Debug)]
pub struct Publish {
    /// The channel they came on.
    pub channel: u16,
    /// The messages; exchange and routing key are in each.
    pub messages: MessageRun,
    /// They come back where no queue takes them.
    pub mandatory: bool,
    /// The number of the first on a channel in confirm mode, else 0; the others follow it.
    pub confirm: u64,
    /// Where nothing but exchange and routing key decides where they go: which these are.
    pub way: Option<Way>,
}

/// Tells publishes of one input apart by what is equal in them. It means nothing beyond the input.
///
/// It is one word, because it goes through memory for every publish: two that are written as halves
/// and read as a whole hold the processor up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way(u64);

impl Way {
    /// The first way of these names: a channel, an exchange and a routing key.
    #[must_use]
    pub fn of(names: u32) -> Self {
        Self(u64::from(names) << u32::BITS)
    }

    /// The same names, and other properties than all before.
    #[must_use]
    pub fn with_other_properties(self) -> Self {
        Self(self.0 + 1)
    }

    /// Which channel, exchange and routing key.
    #[must_use]
    pub fn names(self) -> usize {
        // What was shifted in fits.
        usize::try_from(self.0 >> u32::BITS).unwrap_or(usize::MAX)
    }
}

impl Publish {
    /// The numbers of the first and the last; `None` on a channel without confirms.
    #[must_use]
    pub fn confirms(&self) -> Option<(u64, u64)> {
        let last = self.confirm + self.messages.len() as u64 - 1;
        (self.confirm > 0).then_some((self.confirm, last))
    }
}

/// Deliveries of one queue that ended in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settle {
    /// The channel they were delivered on.
    pub channel: u16,
    /// The queue they came from.
    pub queue: QueueId,
    /// How they ended.
    pub outcome: Outcome,
    /// How many of them went to consumers and count for the channel's prefetch.
    pub to_consumers: u32,
    /// Their places in the queue.
    pub sequences: SmallVec<[SequenceRange; 2]>,
}

impl Settle {
    /// No delivery yet.
    #[must_use]
    pub fn new(channel: u16, queue: QueueId, outcome: Outcome) -> Self {
        Self { channel, queue, outcome, to_consumers: 0, sequences: SmallVec::new() }
    }

    /// Adds deliveries; neighbors are one range.
    pub fn add(&mut self, range: SequenceRange, to_consumer: bool) {
        if !self.sequences.last_mut().is_some_and(|last| last.join(range)) {
            self.sequences.push(range);
        }
        if to_consumer {
            let count = u32::try_from(range.count()).unwrap_or(u32::MAX);
            self.to_consumers = self.to_consumers.saturating_add(count);
        }
    }
}

/// The methods that need the broker.
#[derive(Debug)]
pub enum Command {
    /// channel.open
    OpenChannel,
    /// channel.close by either side: what is unsettled goes back. The text says why where it was
    /// us.
    CloseChannel { settles: Vec<Settle>, error: Option<String> },
    /// exchange.declare
    DeclareExchange(DeclareExchange),
    /// exchange.delete
    DeleteExchange { exchange: Name, if_unused: bool },
    /// exchange.bind and exchange.unbind, queue.bind and queue.unbind
    Bind(Bind),
    /// queue.declare
    DeclareQueue(DeclareQueue),
    /// queue.purge
    PurgeQueue { queue: Name },
    /// queue.delete
    DeleteQueue(DeleteQueue),
    /// basic.qos
    Qos { prefetch_count: u16, global: bool },
    /// basic.consume
    Consume(Consume),
    /// basic.cancel
    Cancel { consumer: Option<ConsumerKey>, consumer_tag: Name },
    /// basic.get
    Get { queue: Name, no_ack: bool },
    /// basic.recover and recover-async
    Recover(Vec<Settle>),
    /// confirm.select
    SelectConfirm,
    /// tx.select
    SelectTransaction,
    /// tx.commit, with the deliveries settled since the last one
    Commit(Vec<Settle>),
    /// tx.rollback
    Rollback,
    /// channel.flow with active set
    Flow,
    /// access.request, which always succeeds
    RequestAccess,
    /// connection.update-secret
    UpdateSecret(Box<[u8]>),
}

/// exchange.declare
#[derive(Debug)]
pub struct DeclareExchange {
    /// Its name.
    pub exchange: Name,
    /// Its type as the client wrote it.
    pub kind: Name,
    /// Only look whether it is there.
    pub passive: bool,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with its last binding.
    pub auto_delete: bool,
    /// Only other exchanges may publish to it.
    pub internal: bool,
    /// `alternate-exchange` and what the type knows.
    pub arguments: FieldTable,
}

/// A binding to make or to take away.
#[derive(Debug)]
pub struct Bind {
    /// Take it away.
    pub is_unbind: bool,
    /// The exchange messages come from.
    pub source: Name,
    /// Where they go.
    pub destination: Name,
    /// The destination is an exchange.
    pub to_exchange: bool,
    /// Part of the binding's identity, whatever the type makes of it.
    pub routing_key: Name,
    /// Part of the binding's identity.
    pub arguments: FieldTable,
}

/// queue.declare
#[derive(Debug)]
pub struct DeclareQueue {
    /// Its name; made by us where the client gave none.
    pub queue: Name,
    /// The name was made by us.
    pub is_server_named: bool,
    /// Only look whether it is there.
    pub passive: bool,
    /// Survives a restart.
    pub durable: bool,
    /// Belongs to this connection.
    pub exclusive: bool,
    /// Goes with its last consumer.
    pub auto_delete: bool,
    /// All x-arguments as received.
    pub arguments: FieldTable,
}

/// queue.delete
#[derive(Debug)]
pub struct DeleteQueue {
    /// Its name.
    pub queue: Name,
    /// Only where it has no consumers.
    pub if_unused: bool,
    /// Only where it has no messages.
    pub if_empty: bool,
}

/// basic.consume
#[derive(Debug)]
pub struct Consume {
    /// The queue.
    pub queue: Name,
    /// Where its deliveries are to go.
    pub consumer: ConsumerKey,
    /// The tag, ours where the client gave none.
    pub consumer_tag: Name,
    /// Deliveries need no acknowledgement.
    pub no_ack: bool,
    /// Nobody else may consume.
    pub exclusive: bool,
    /// `x-priority` and others.
    pub arguments: FieldTable,
}
