//! Places of messages in a queue, one by one and as ranges. What is at a place is the queue's
//! business.

use std::ops::RangeInclusive;

/// The place of a message in its queue: strictly rising in order of arrival, never used twice.
pub type Sequence = u64;

/// Neighboring places, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceRange {
    /// The first of them.
    pub first: Sequence,
    /// The last of them; never before the first.
    pub last: Sequence,
}

impl SequenceRange {
    /// The range of one place.
    #[must_use]
    pub fn one(sequence: Sequence) -> Self {
        Self { first: sequence, last: sequence }
    }

    /// `count` places from `first` on; `None` where that is none.
    #[must_use]
    pub fn starting(first: Sequence, count: u64) -> Option<Self> {
        let last = first.saturating_add(count.checked_sub(1)?);
        Some(Self { first, last })
    }

    /// How many places.
    #[must_use]
    pub fn count(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// The place is one of these.
    #[must_use]
    pub fn contains(self, sequence: Sequence) -> bool {
        self.first <= sequence && sequence <= self.last
    }

    /// Some place is in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// What is left before and behind other places.
    #[must_use]
    pub fn without(self, other: Self) -> [Option<Self>; 2] {
        if !self.overlaps(other) {
            return [Some(self), None];
        }
        let before = Self::starting(self.first, other.first.saturating_sub(self.first));
        let behind = Self { first: other.last.saturating_add(1), last: self.last };
        [before, (other.last < self.last).then_some(behind)]
    }

    /// The places, rising.
    #[must_use]
    pub fn iter(self) -> RangeInclusive<Sequence> {
        self.first..=self.last
    }

    /// Takes the next range in where it begins right behind this one. False where it does not.
    pub fn join(&mut self, next: Self) -> bool {
        let is_next = self.last.checked_add(1) == Some(next.first);
        if is_next {
            self.last = next.last;
        }
        is_next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_includes_both_ends() {
        let range = SequenceRange { first: 3, last: 5 };
        assert_eq!((range.count(), range.iter().collect::<Vec<_>>()), (3, vec![3, 4, 5]));
        assert!(range.contains(3) && range.contains(5));
        assert!(!range.contains(2) && !range.contains(6));
        assert_eq!(SequenceRange::starting(3, 3), Some(range));
        assert_eq!(SequenceRange::starting(3, 0), None);
    }

    #[test]
    fn ranges_that_share_a_place_overlap() {
        let range = SequenceRange { first: 3, last: 5 };
        assert!(range.overlaps(SequenceRange { first: 5, last: 9 }));
        assert!(range.overlaps(SequenceRange { first: 0, last: 3 }));
        assert!(!range.overlaps(SequenceRange::one(6)));
        assert!(!range.overlaps(SequenceRange::one(2)));
    }

    #[test]
    fn only_what_follows_at_once_joins() {
        let mut range = SequenceRange::one(1);
        assert!(range.join(SequenceRange { first: 2, last: 4 }));
        assert!(!range.join(SequenceRange::one(6)));
        assert!(!range.join(SequenceRange::one(4)));
        assert_eq!(range, SequenceRange { first: 1, last: 4 });
    }

    #[test]
    fn what_is_left_of_places_is_before_and_behind_the_others() {
        let range = |first, last| SequenceRange { first, last };
        assert_eq!(range(3, 9).without(range(5, 6)), [Some(range(3, 4)), Some(range(7, 9))]);
        assert_eq!(range(3, 9).without(range(0, 4)), [None, Some(range(5, 9))]);
        assert_eq!(range(3, 9).without(range(9, 20)), [Some(range(3, 8)), None]);
        assert_eq!(range(3, 9).without(range(0, 20)), [None, None]);
        assert_eq!(range(3, 9).without(range(10, 20)), [Some(range(3, 9)), None]);
    }
}
