//! What the facts say of one queue: which places are alive, in which files they stand, how often
//! they came back. Not the messages.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::super::index::{IndexEntry, List};
use super::super::places::PlaceSet;
use super::super::ranges::{RangeCounts, RangeSet};
use crate::message::{DeliveryCounts, Sequence, SequenceRange};

/// Consecutive places of a queue that stand in one file. Its key is its first sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Extent {
    pub(in crate::store) last: Sequence,
    pub(in crate::store) file: u64,
    /// Places in it that are alive.
    pub(in crate::store) live: u32,
    /// Places that were written, alive or not.
    pub(in crate::store) total: u32,
    /// Bodies of all that were written.
    pub(in crate::store) bytes: u64,
    /// Where they are listed; none while the file is open.
    pub(in crate::store) list: Option<List>,
}

/// Places that left a file: how many.
pub(super) type Left = (u64, u32);

/// One queue.
#[derive(Debug, Default)]
pub(in crate::store) struct QueueLedger {
    /// Above every sequence that any record names.
    pub(in crate::store) next_sequence: Sequence,
    pub(in crate::store) alive: RangeSet,
    /// Those of the living that end with this boot.
    pub(in crate::store) transient: PlaceSet,
    /// Those of the living that have an expiration.
    pub(in crate::store) expiring: PlaceSet,
    /// Those of the living that have a priority of their own, by it.
    pub(in crate::store) levels: BTreeMap<u8, PlaceSet>,
    /// How often those of the living came back that did.
    pub(in crate::store) returned: RangeCounts,
    /// Delivered before, as a clean stop tells it.
    pub(in crate::store) delivered: RangeSet,
    pub(in crate::store) extents: BTreeMap<Sequence, Extent>,
}

impl QueueLedger {
    /// Places that were written to the open file, rising.
    pub(super) fn added(&mut self, file: u64, entries: &[IndexEntry], is_transient: bool) {
        for entry in entries {
            let sequence = entry.sequence;
            let place = SequenceRange { first: sequence, last: sequence };
            self.next_sequence = self.next_sequence.max(sequence.saturating_add(1));
            self.alive.insert(place);
            if is_transient {
                self.transient.insert(place);
            }
            self.extend(file, entry);
        }
    }

    /// A living place stands in the open file from now on. Gives the file it left.
    pub(super) fn moved(&mut self, file: u64, entry: &IndexEntry) -> Option<Left> {
        let sequence = entry.sequence;
        if !self.alive.contains(sequence) {
            return None;
        }
        let (&first, old) = self.extents.range(..=sequence).next_back()?;
        let old = *old;
        if sequence > old.last {
            return None;
        }
        self.extents.remove(&first);
        // Places move in order, but for those that could not be read, and in a replay those of an
        // earlier boot: they stay where they are.
        let left_live = if sequence > first { self.count(first, sequence - 1) } else { 0 };
        let right_live = old.live.saturating_sub(1).saturating_sub(left_live);
        if left_live > 0 {
            let (last, total) = (sequence - 1, u32::MAX);
            self.extents.insert(first, Extent { last, live: left_live, total, ..old });
        }
        if right_live > 0 && sequence < old.last {
            self.extents.insert(sequence + 1, Extent { live: right_live, ..old });
        }
        self.extend(file, entry);
        Some((old.file, 1))
    }

    /// How many places from `first` to `last` are alive.
    fn count(&self, first: Sequence, last: Sequence) -> u32 {
        let parts = self.alive.within(SequenceRange { first, last });
        u32::try_from(parts.iter().map(|part| part.count()).sum::<u64>()).unwrap_or(u32::MAX)
    }

    /// Lengthens the extent before this place, where it is in the open file, or begins one.
    fn extend(&mut self, file: u64, entry: &IndexEntry) {
        let sequence = entry.sequence;
        if let Some((&first, extent)) = self.extents.range_mut(..=sequence).next_back()
            && extent.file == file
            && extent.list.is_none()
            && sequence - first < u64::from(u32::MAX)
        {
            extent.last = extent.last.max(sequence);
            extent.live += 1;
            extent.total = extent.total.saturating_add(1);
            extent.bytes += u64::from(entry.body_size);
            return;
        }
        self.split_around(sequence);
        let extent = Extent {
            last: sequence,
            file,
            live: 1,
            total: 1,
            bytes: u64::from(entry.body_size),
            list: None,
        };
        self.extents.insert(sequence, extent);
    }

    /// A place is written later than places behind it: the extent that reaches over it becomes two,
    /// of which either may be empty.
    fn split_around(&mut self, sequence: Sequence) {
        let Some((&first, &extent)) = self.extents.range(..=sequence).next_back() else { return };
        if extent.last < sequence {
            return;
        }
        let behind = SequenceRange { first: sequence.saturating_add(1), last: extent.last };
        let others = if extent.last > sequence { self.alive.within(behind) } else { Vec::new() };
        let count = others.iter().map(|range| range.count()).sum::<u64>();
        let right_live = u32::try_from(count).unwrap_or(u32::MAX);
        // What both hold together is written in neither.
        let right = Extent { live: right_live, total: u32::MAX, ..extent };
        let left_live = extent.live.saturating_sub(right_live);
        let left = Extent { live: left_live, last: sequence.saturating_sub(1), ..right };
        self.extents.remove(&first);
        if left.live > 0 {
            self.extents.insert(first, left);
        }
        if let Some(place) = others.first() {
            self.extents.insert(place.first, right);
        }
    }

    /// Places are free again. Gives how many left which file.
    pub(super) fn removed(&mut self, range: SequenceRange) -> Vec<Left> {
        if range.last != Sequence::MAX {
            self.next_sequence = self.next_sequence.max(range.last + 1);
        }
        let mut left = Vec::new();
        for part in self.alive.remove(range) {
            self.take_from_extents(part, &mut left);
        }
        if !self.transient.is_empty() {
            self.transient.remove(range);
        }
        if !self.expiring.is_empty() {
            self.expiring.remove(range);
        }
        self.levels.values_mut().for_each(|places| places.remove(range));
        if !self.returned.is_empty() {
            self.returned.remove(range);
        }
        if !self.delivered.is_empty() {
            self.delivered.remove(range);
        }
        left
    }

    /// All of `part` was alive.
    fn take_from_extents(&mut self, part: SequenceRange, left: &mut Vec<Left>) {
        let mut emptied = Vec::new();
        let start = self.extents.range(..=part.first).next_back().map_or(part.first, |(at, _)| *at);
        let bounds = (Bound::Included(start), Bound::Included(part.last));
        for (&first, extent) in self.extents.range_mut(bounds) {
            let (from, to) = (first.max(part.first), extent.last.min(part.last));
            if from > to {
                continue;
            }
            // Between the ends of an extent there may be places of others, or none: only as many
            // as were alive here are taken.
            let count = u32::try_from(to - from + 1).unwrap_or(u32::MAX).min(extent.live);
            extent.live -= count;
            left.push((extent.file, count));
            if extent.live == 0 {
                emptied.push(first);
            }
        }
        for first in emptied {
            self.extents.remove(&first);
        }
    }

    /// These places came back so often.
    pub(super) fn returned(&mut self, range: SequenceRange, counts: DeliveryCounts) {
        for part in self.alive.within(range) {
            self.returned.insert(part, counts);
        }
    }

    /// The extent that a place stands in.
    pub(in crate::store) fn extent_of(&self, sequence: Sequence) -> Option<(Sequence, &Extent)> {
        let (&first, extent) = self.extents.range(..=sequence).next_back()?;
        (sequence <= extent.last).then_some((first, extent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(sequences: &[Sequence]) -> Vec<IndexEntry> {
        let entry = |&sequence| IndexEntry { sequence, offset: 64, body_size: 10 };
        sequences.iter().map(entry).collect()
    }

    fn range(first: Sequence, last: Sequence) -> SequenceRange {
        SequenceRange { first, last }
    }

    /// First, last, file, live.
    fn extents(queue: &QueueLedger) -> Vec<(Sequence, Sequence, u64, u32)> {
        let all = queue.extents.iter();
        all.map(|(&first, extent)| (first, extent.last, extent.file, extent.live)).collect()
    }

    #[test]
    fn places_of_one_file_are_one_extent_and_another_file_begins_another() {
        let mut queue = QueueLedger::default();
        queue.added(1, &entries(&[0, 1, 2, 5]), false);
        queue.added(2, &entries(&[6, 7]), false);
        assert_eq!(extents(&queue), [(0, 5, 1, 4), (6, 7, 2, 2)]);
        assert_eq!(queue.next_sequence, 8);
    }

    #[test]
    fn a_removal_counts_only_what_was_alive() {
        let mut queue = QueueLedger::default();
        queue.added(1, &entries(&[0, 1, 2, 5]), false);
        queue.added(2, &entries(&[6, 7]), false);
        assert_eq!(queue.removed(range(2, 6)), [(1, 1), (1, 1), (2, 1)]);
        assert_eq!(queue.removed(range(2, 6)), []);
        assert_eq!(extents(&queue), [(0, 5, 1, 2), (6, 7, 2, 1)]);
        assert_eq!(queue.removed(range(0, 9)), [(1, 2), (2, 1)]);
        assert!(queue.alive.is_empty() && queue.extents.is_empty());
        assert_eq!(queue.next_sequence, 10, "sequences are never used twice");
    }

    #[test]
    fn moved_places_leave_their_extent_one_by_one() {
        let mut queue = QueueLedger::default();
        queue.added(1, &entries(&[0, 1, 2, 3]), false);
        queue.added(2, &entries(&[4]), false);
        queue.removed(range(1, 1));
        let moved: Vec<_> = entries(&[0, 2]).iter().map(|entry| queue.moved(3, entry)).collect();
        assert_eq!(moved, [Some((1, 1)), Some((1, 1))]);
        assert_eq!(extents(&queue), [(0, 2, 3, 2), (3, 3, 1, 1), (4, 4, 2, 1)]);
        assert_eq!(queue.moved(3, &entries(&[3])[0]), Some((1, 1)));
        assert_eq!(extents(&queue), [(0, 3, 3, 3), (4, 4, 2, 1)]);
    }

    #[test]
    fn a_place_that_does_not_move_with_its_neighbors_stays_in_its_file() {
        let mut queue = QueueLedger::default();
        queue.added(1, &entries(&[0, 1, 2, 3]), false);
        let moved: Vec<_> = entries(&[0, 2]).iter().map(|entry| queue.moved(3, entry)).collect();
        assert_eq!(moved, [Some((1, 1)), Some((1, 1))]);
        assert_eq!(extents(&queue), [(0, 0, 3, 1), (1, 1, 1, 1), (2, 2, 3, 1), (3, 3, 1, 1)]);
        assert_eq!(queue.removed(range(1, 1)), [(1, 1)]);
        assert_eq!(queue.extent_of(2).map(|(_, extent)| (extent.file, extent.live)), Some((3, 1)));
    }

    #[test]
    fn what_is_not_alive_does_not_move() {
        let mut queue = QueueLedger::default();
        queue.added(1, &entries(&[0, 1]), false);
        queue.removed(range(0, 0));
        assert_eq!(queue.moved(2, &entries(&[0])[0]), None);
        assert_eq!(extents(&queue), [(0, 1, 1, 1)]);
    }

    #[test]
    fn a_place_written_late_splits_the_extent_around_it() {
        let mut queue = QueueLedger::default();
        queue.added(1, &entries(&[0, 1, 3, 4]), false);
        queue.added(2, &entries(&[2]), true);
        assert_eq!(extents(&queue), [(0, 1, 1, 2), (2, 2, 2, 1), (3, 4, 1, 2)]);
        assert_eq!(queue.extent_of(3).map(|(first, extent)| (first, extent.file)), Some((3, 1)));
        assert_eq!(queue.removed(range(0, 4)).iter().map(|(_, count)| count).sum::<u32>(), 5);
    }

    #[test]
    fn places_written_late_one_after_the_other_leave_those_behind_them_where_they_are() {
        let mut queue = QueueLedger::default();
        queue.added(1, &entries(&[0, 3]), false);
        queue.added(2, &entries(&[1, 2]), true);
        assert_eq!(extents(&queue), [(0, 0, 1, 1), (1, 2, 2, 2), (3, 3, 1, 1)]);
        queue.added(1, &entries(&[7]), false);
        queue.added(3, &entries(&[4]), true);
        queue.added(4, &entries(&[5]), true);
        assert_eq!(queue.extent_of(7).map(|(_, extent)| extent.file), Some(1));
    }

    #[test]
    fn counts_of_returns_go_with_their_places() {
        let mut queue = QueueLedger::default();
        let once = DeliveryCounts::NONE.after_failure();
        let twice = once.after_return();
        queue.added(1, &entries(&[0, 1, 2, 3, 4]), false);
        queue.returned(range(0, 4), once);
        queue.returned(range(2, 2), twice);
        queue.removed(range(1, 1));
        let expected = [(range(0, 0), once), (range(2, 2), twice), (range(3, 4), once)];
        assert_eq!(queue.returned.within(range(0, 9)), expected);
        queue.returned(range(1, 1), twice);
        assert_eq!(queue.returned.within(range(1, 1)), []);
    }
}
