//! What a store has of a queue, as the queue is to have it again: the words both share.

use super::{DeliveryCounts, SequenceRange};

/// Consecutive messages that are alike and on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveredRun {
    /// Their places; all of them are filled.
    pub range: SequenceRange,
    /// Bytes of all their bodies.
    pub bytes: u64,
    /// They were delivered before, or may have been.
    pub is_redelivered: bool,
    /// How often they were given to somebody and came back.
    pub counts: DeliveryCounts,
    /// Each of them has an expiration.
    pub expires: bool,
    /// Their priority, where it is another than the queue takes without being told.
    pub level: Option<u8>,
}
