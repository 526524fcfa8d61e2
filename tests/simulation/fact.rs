//! What the oracle makes of a run, one fact after the other: what was asked, what came, how that
//! fits together. Invariants judge facts and look at nothing else.

use std::collections::BTreeSet;

/// One life of a channel: its connection, its number, and a number of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChannelId {
    pub(crate) connection: u64,
    pub(crate) number: u16,
    pub(crate) incarnation: u64,
}

/// An answer by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The method of this name.
    Named(&'static str),
    /// channel.close, or connection.close on channel 0, with this code.
    Refused(u16),
}

/// Where the oracle had a message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// Ready in that queue.
    Ready,
    /// Out with somebody else.
    Out,
    /// Acknowledged, dropped, purged, or in another queue.
    Gone,
    /// Never routed there.
    Never,
}

/// Whether a message was delivered before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nobody had it.
    No,
    /// Somebody may have had it, who left without a word.
    Maybe,
    /// Somebody had it.
    Yes,
}

/// A message that came to a client.
#[derive(Clone, Debug)]
pub(crate) struct Delivered {
    pub(crate) channel: ChannelId,
    /// The number of the queue; none for direct replies.
    pub(crate) queue: Option<usize>,
    pub(crate) queue_name: String,
    pub(crate) message: u64,
    /// The place in the queue, where the oracle knows one.
    pub(crate) place: Option<usize>,
    pub(crate) tag: u64,
    pub(crate) redelivered: bool,
    pub(crate) matched: Match,
    pub(crate) seen: Seen,
    pub(crate) was_returned: bool,
    /// The consumer; none for what was fetched with get.
    pub(crate) consumer: Option<usize>,
    pub(crate) no_ack: bool,
    /// The consumer's prefetch; 0 is without limit.
    pub(crate) prefetch_count: u16,
    /// consume-ok came before, or was not asked for.
    pub(crate) is_told: bool,
    /// Its properties are not what its receiver is to see.
    pub(crate) is_altered: bool,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    /// A request was carried out; one of these is its answer.
    Asked { channel: ChannelId, answers: Vec<Kind> },
    /// An answer came.
    Answered { channel: ChannelId, kind: Kind },
    /// A consumer lost its queue; its client is to hear of it.
    CancelDue { channel: ChannelId, consumer_tag: String },
    /// basic.cancel came.
    CancelTold { channel: ChannelId, consumer_tag: String },
    /// A message was published, and enqueued where it was to go.
    Published { channel: ChannelId, message: u64, confirm: Option<u64>, returns: bool },
    /// basic.ack, or basic.nack, came from the broker.
    Confirmed { channel: ChannelId, tag: u64, multiple: bool, is_refusal: bool },
    /// basic.return came.
    Returned { channel: ChannelId, message: u64 },
    /// A message came.
    Delivered(Box<Delivered>),
    /// A delivery ended.
    Settled { channel: ChannelId, consumer: Option<usize> },
    /// basic.qos for the whole channel was carried out, or answered.
    Limited { channel: ChannelId, prefetch_count: u16, is_answered: bool },
    /// A message was ready and a later one was delivered.
    PassedOver { queue_name: String, message: u64, was_returned: bool },
    /// A message should be there and is not.
    Vanished { queue_name: String, message: u64 },
    /// A message is ready and a consumer could take it.
    Waiting { queue_name: String, message: u64, consumer_tag: String },
    /// A number the broker told, and what it may be.
    Counted { queue_name: String, what: &'static str, told: u32, least: usize, most: usize },
    /// A connection with an exclusive queue ended.
    OwnerGone { queue_name: String },
    /// Another client looked for a queue.
    Looked { queue_name: String, is_there: bool },
    /// The channel ended; nothing more is owed on it but its last answer.
    ChannelEnded(ChannelId),
    /// The connection is gone and hears nothing more.
    ConnectionLost(u64),
    /// All that could be heard was heard, but for connections that do not read.
    StepEnded { deaf: BTreeSet<u64> },
}
