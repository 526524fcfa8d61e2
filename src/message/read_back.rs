//! A message as it was read from the disk: the words that store and queue share.

use super::{Message, Moment, Sequence};

/// A message that was on disk.
#[derive(Clone, Debug)]
pub struct ReadBack {
    /// Its place in the queue.
    pub sequence: Sequence,
    /// When it came to the broker.
    pub arrived: Moment,
    /// The message.
    pub message: Message,
}
