//! Places in a queue, and ranges of them.

/// The place of a message in its queue: strictly rising in order of arrival, never used twice.
pub type Sequence = u64;

/// Consecutive sequences, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceRange {
    /// The lowest.
    pub first: Sequence,
    /// The highest; not below the lowest.
    pub last: Sequence,
}

impl SequenceRange {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}
