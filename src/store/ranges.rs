//! Sets of sequences, and counts at sequences, kept as ranges: what is alive of a queue is mostly
//! one, and what came back of it often is. Not what stands at a sequence.

use std::collections::BTreeMap;

use crate::message::{DeliveryCounts, Sequence, SequenceRange};

/// A set of sequences; neighbors are one range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RangeSet {
    /// First to last, inclusive.
    ranges: BTreeMap<Sequence, Sequence>,
}

impl RangeSet {
    /// There are none.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The ranges, lowest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = SequenceRange> + '_ {
        self.ranges.iter().map(|(&first, &last)| SequenceRange { first, last })
    }

    /// Whether it has this one.
    #[must_use]
    pub(super) fn contains(&self, sequence: Sequence) -> bool {
        self.ranges.range(..=sequence).next_back().is_some_and(|(_, &last)| sequence <= last)
    }

    /// Adds a range; what was there already stays.
    pub(super) fn insert(&mut self, range: SequenceRange) {
        let SequenceRange { mut first, mut last } = range;
        // The common case: it continues the last range.
        if let Some(mut entry) = self.ranges.last_entry()
            && entry.get().checked_add(1) == Some(first)
        {
            *entry.get_mut() = last;
            return;
        }
        while let Some((&start, &end)) = self.ranges.range(..=last.saturating_add(1)).next_back()
            && end.saturating_add(1) >= first
        {
            self.ranges.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.ranges.insert(first, last);
    }

    /// Takes a range out and gives what of it was there.
    pub(super) fn remove(&mut self, range: SequenceRange) -> Vec<SequenceRange> {
        let mut removed = Vec::new();
        while let Some((&start, &end)) = self.ranges.range(..=range.last).next_back()
            && end >= range.first
        {
            self.ranges.remove(&start);
            if start < range.first {
                self.ranges.insert(start, range.first - 1);
            }
            if end > range.last {
                self.ranges.insert(range.last + 1, end);
            }
            let part = SequenceRange { first: start.max(range.first), last: end.min(range.last) };
            removed.push(part);
        }
        removed.reverse();
        removed
    }

    /// The parts of `range` that are in it, lowest first.
    #[must_use]
    pub(super) fn within(&self, range: SequenceRange) -> Vec<SequenceRange> {
        let before = self.ranges.range(..range.first).next_back();
        let inside = self.ranges.range(range.first..=range.last);
        before
            .into_iter()
            .chain(inside)
            .filter(|(_, last)| **last >= range.first)
            .map(|(&first, &last)| SequenceRange {
                first: first.max(range.first),
                last: last.min(range.last),
            })
            .collect()
    }
}

impl FromIterator<SequenceRange> for RangeSet {
    fn from_iter<I: IntoIterator<Item = SequenceRange>>(ranges: I) -> Self {
        let mut set = Self::default();
        ranges.into_iter().for_each(|range| set.insert(range));
        set
    }
}

/// Counts at some sequences; the last ones given hold. Neighbors that have the same are one range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RangeCounts {
    /// First to last, inclusive, and the counts of each.
    ranges: BTreeMap<Sequence, (Sequence, DeliveryCounts)>,
}

impl RangeCounts {
    /// There are none.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many ranges there are.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The ranges with their counts, lowest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SequenceRange, DeliveryCounts)> + '_ {
        let all = self.ranges.iter();
        all.map(|(&first, &(last, counts))| (SequenceRange { first, last }, counts))
    }

    /// These have these counts now.
    pub(super) fn insert(&mut self, range: SequenceRange, counts: DeliveryCounts) {
        self.remove(range);
        let SequenceRange { mut first, mut last } = range;
        if let Some((&start, &(end, known))) = self.ranges.range(..first).next_back()
            && end.checked_add(1) == Some(first)
            && known == counts
        {
            first = start;
        }
        if let Some(next) = last.checked_add(1)
            && let Some(&(end, known)) = self.ranges.get(&next)
            && known == counts
        {
            self.ranges.remove(&next);
            last = end;
        }
        self.ranges.insert(first, (last, counts));
    }

    /// These have none any more.
    pub(super) fn remove(&mut self, range: SequenceRange) {
        while let Some((&first, &(last, counts))) = self.ranges.range(..=range.last).next_back()
            && last >= range.first
        {
            self.ranges.remove(&first);
            if first < range.first {
                self.ranges.insert(first, (range.first - 1, counts));
            }
            if last > range.last {
                self.ranges.insert(range.last + 1, (last, counts));
            }
        }
    }

    /// The parts of `range` that have counts, lowest first.
    #[must_use]
    pub(super) fn within(&self, range: SequenceRange) -> Vec<(SequenceRange, DeliveryCounts)> {
        let before = self.ranges.range(..range.first).next_back();
        let inside = self.ranges.range(range.first..=range.last);
        before
            .into_iter()
            .chain(inside)
            .filter(|(_, (last, _))| *last >= range.first)
            .map(|(&first, &(last, counts))| {
                let part =
                    SequenceRange { first: first.max(range.first), last: last.min(range.last) };
                (part, counts)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: Sequence, last: Sequence) -> SequenceRange {
        SequenceRange { first, last }
    }

    fn acquired(acquired: u32) -> DeliveryCounts {
        DeliveryCounts { failed: 0, acquired }
    }

    fn set(ranges: &[(Sequence, Sequence)]) -> RangeSet {
        ranges.iter().map(|&(first, last)| range(first, last)).collect()
    }

    fn ranges(set: &RangeSet) -> Vec<(Sequence, Sequence)> {
        set.iter().map(|range| (range.first, range.last)).collect()
    }

    #[test]
    fn neighbors_become_one_range() {
        let joined = set(&[(0, 1), (2, 2), (5, 6), (3, 4)]);
        assert_eq!(ranges(&joined), [(0, 6)]);
    }

    #[test]
    fn what_was_there_is_there_once() {
        let joined = set(&[(5, 9), (0, 20), (3, 7), (20, 21)]);
        assert_eq!(ranges(&joined), [(0, 21)]);
    }

    #[test]
    fn a_removal_splits_and_tells_what_was_there() {
        let mut some = set(&[(0, 4), (8, 12)]);
        assert_eq!(some.remove(range(3, 9)), [range(3, 4), range(8, 9)]);
        assert_eq!(ranges(&some), [(0, 2), (10, 12)]);
        assert_eq!(some.remove(range(1, 1)), [range(1, 1)]);
        assert_eq!(ranges(&some), [(0, 0), (2, 2), (10, 12)]);
        assert!(some.remove(range(3, 9)).is_empty());
    }

    #[test]
    fn a_part_of_it_is_cut_at_the_edges() {
        let some = set(&[(0, 4), (8, 12)]);
        assert_eq!(some.within(range(2, 9)), [range(2, 4), range(8, 9)]);
        assert!(some.within(range(5, 7)).is_empty());
        assert!(some.contains(4) && !some.contains(5));
    }

    #[test]
    fn the_last_count_of_a_sequence_counts() {
        let mut counts = RangeCounts::default();
        counts.insert(range(0, 9), acquired(1));
        counts.insert(range(3, 4), acquired(2));
        counts.insert(range(3, 4), acquired(3));
        counts.remove(range(0, 1));
        let (one, three) = (acquired(1), acquired(3));
        let expected = [(range(2, 2), one), (range(3, 4), three), (range(5, 9), one)];
        assert_eq!(counts.iter().collect::<Vec<_>>(), expected);
        assert_eq!(counts.within(range(4, 6)), [(range(4, 4), three), (range(5, 6), one)]);
    }

    #[test]
    fn neighbors_with_the_same_counts_become_one_range_in_whichever_order_they_come() {
        for places in [[0, 1, 2], [2, 1, 0], [0, 2, 1], [1, 0, 2]] {
            let mut counts = RangeCounts::default();
            counts.insert(range(3, 3), DeliveryCounts { failed: 1, ..acquired(1) });
            places.iter().for_each(|place| counts.insert(range(*place, *place), acquired(1)));
            assert_eq!((counts.len(), counts.iter().next()), (2, Some((range(0, 2), acquired(1)))));
        }
    }

    #[test]
    fn the_highest_sequence_has_no_neighbor() {
        let mut some = set(&[(u64::MAX, u64::MAX)]);
        some.insert(range(0, u64::MAX - 1));
        assert_eq!(ranges(&some), [(0, u64::MAX)]);
        let mut counts = RangeCounts::default();
        counts.insert(range(u64::MAX, u64::MAX), acquired(1));
        counts.insert(range(0, u64::MAX - 1), acquired(1));
        assert_eq!(counts.iter().collect::<Vec<_>>(), [(range(0, u64::MAX), acquired(1))]);
    }
}
