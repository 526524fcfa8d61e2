//! The meanings that a queue's arguments can have: one enum per argument that chooses between
//! words. Not how they are written; the parser in `mod.rs` knows the words. Floor 1.

/// What a full queue does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overflow {
    /// The oldest message goes.
    #[default]
    DropHead,
    /// The new message is refused, and nacked to a confirming publisher.
    RejectPublish,
    /// As before, and the refused message is dead-lettered.
    RejectPublishDeadLetter,
}

/// Where messages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Storage {
    /// In RAM, and on disk where they are persistent or RAM is short.
    #[default]
    Disk,
    /// In RAM and nowhere else.
    Memory,
}

/// How surely a dead letter arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DeadLetterStrategy {
    /// A dead letter that no queue takes is lost.
    #[default]
    AtMostOnce,
    /// A dead letter stays until a queue has taken it.
    AtLeastOnce,
}

/// How often a message may be delivered and come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryLimit {
    /// Any negative number.
    Unlimited,
    /// So many returns, then it is dead-lettered.
    Returns(u64),
}

/// Returned messages that wait before they are delivered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DelayedRetry {
    /// Which returns wait.
    pub kind: DelayedRetryKind,
    /// The wait after the first return; it grows by this with each further one.
    pub min_ms: u64,
    /// The longest wait.
    pub max_ms: Option<u64>,
}

/// Which returned messages wait before they are delivered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DelayedRetryKind {
    /// None.
    Disabled,
    /// All.
    All,
    /// Those that count against the delivery limit.
    Failed,
    /// Those that do not count.
    Returned,
}

/// Where the leader of a replicated queue starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueLeaderLocator {
    /// On the node of the declaring connection.
    ClientLocal,
    /// On the node with the fewest leaders.
    Balanced,
}
