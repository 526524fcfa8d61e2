//! A message on its way from a queue to a consumer, and how that ended: the words that queue,
//! connection and broker share.

use smallvec::SmallVec;

use super::{Message, Sequence};

/// One message on its way to a consumer.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its place in the queue, by which it is settled.
    pub sequence: Sequence,
    /// The message.
    pub message: Message,
    /// It was delivered before.
    pub is_redelivered: bool,
    /// No client acknowledges it and the queue keeps it all the same: whoever hands it to the
    /// socket settles it.
    pub needs_settle: bool,
}

/// Neighbours for one consumer; a single one needs no allocation.
pub type Run = SmallVec<[Delivery; 1]>;

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged: it is gone.
    Accepted,
    /// Goes back to its place and is delivered again.
    Requeued,
    /// The same, and counts towards the delivery limit: rejected with requeue, or its channel went.
    Failed,
    /// Refused for good: dropped, or dead-lettered where that is asked for.
    Rejected,
}
