//! Messages on disk that wait for a moment which is not near, of a queue from which nobody takes
//! before: all that RAM has of each is that moment and its place. It does not know their bodies.

use std::collections::BTreeSet;

use super::contents::Contents;
use super::due::Due;
use super::stretch::{Marks, Stretch};
use crate::limits::{FAR_GAP_MAX, FAR_MS, FETCH_COUNT_MAX};
use crate::message::{Moment, ReadBack, Sequence, SequenceRange};

/// What is far.
#[derive(Debug, Default)]
pub(super) struct Far {
    waiting: BTreeSet<(Moment, Sequence)>,
}

impl Far {
    /// How many they are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// When the first ones are near. Those that are already are being read.
    pub(super) fn deadline(&self, now: Moment) -> Option<Moment> {
        let (first, _) = self.waiting.range((now.plus(FAR_MS + 1), 0)..).next()?;
        Some(first.minus(FAR_MS))
    }

    /// Bodies to read, since their moment is near: the first, and those next to it that are near
    /// too.
    pub(super) fn wants(&self, now: Moment) -> Option<SequenceRange> {
        let (_, first) = self.near(now).next()?;
        let mut places: Vec<Sequence> =
            self.near(now).take(FETCH_COUNT_MAX).map(|(_, place)| place).collect();
        places.sort_unstable();
        let at = places.binary_search(&first).ok()?;
        let is_next = |one: &Sequence, other: &Sequence| one.abs_diff(*other) <= FAR_GAP_MAX;
        let (before, behind) = places.split_at(at);
        let behind = behind.chunk_by(is_next).next()?;
        let from_here: Vec<Sequence> = before.iter().copied().chain([first]).rev().collect();
        let before = from_here.chunk_by(is_next).next()?;
        Some(SequenceRange { first: *before.last()?, last: *behind.last()? })
    }

    fn near(&self, now: Moment) -> impl Iterator<Item = (Moment, Sequence)> {
        self.waiting.range(..=(now.plus(FAR_MS), Sequence::MAX)).copied()
    }

    /// Takes those that were asked for out, in order: each with its body where that was found.
    /// What was found is in the order of places.
    pub(super) fn take(
        &mut self,
        asked: SequenceRange,
        found: &[ReadBack],
        now: Moment,
    ) -> Vec<(Moment, Sequence, Option<ReadBack>)> {
        // What is asked for is among the first; what came since is behind.
        let first = self.near(now).take(FETCH_COUNT_MAX);
        let near: Vec<_> = first.filter(|(_, place)| asked.contains(*place)).collect();
        let body = |place| {
            let at = found.binary_search_by_key(&place, |read| read.sequence).ok()?;
            found.get(at).cloned()
        };
        for entry in &near {
            self.waiting.remove(entry);
        }
        near.into_iter().map(|(due, place)| (due, place, body(place))).collect()
    }
}

impl Contents {
    /// Gives what is on disk only and dies at a moment that is not near to `far`.
    pub(super) fn move_far(&mut self, far: &mut Far, now: Moment) {
        let is_far = |stretch: &Stretch| {
            let due = stretch.marks().due;
            stretch.is_paged() && due.is_exact() && !due.is_never() && due.at() > now.plus(FAR_MS)
        };
        let ranges: Vec<SequenceRange> =
            self.returned.iter().filter(|stretch| is_far(stretch)).map(Stretch::range).collect();
        for range in ranges {
            let Some((stretch, ())) = self.returned.take_whole(range) else { continue };
            self.totals -= stretch.totals();
            let due = stretch.marks().due.at();
            self.unlist_dying(stretch.first(), due);
            far.waiting.extend(stretch.range().iter().map(|place| (due, place)));
        }
    }

    /// Puts back what was far, with its body.
    pub(super) fn come_near(&mut self, due: Moment, read: ReadBack) {
        let marks = Marks { is_logged: true, due: Due::exact(due), ..Marks::default() };
        self.put_back(Stretch::one(read.sequence, read.message, marks));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far(entries: &[(u64, Sequence)]) -> Far {
        Far { waiting: entries.iter().map(|(at, place)| (Moment(*at), *place)).collect() }
    }

    #[test]
    fn what_is_near_is_read_with_its_neighbors_and_the_first_of_the_others_is_looked_at_in_time() {
        let far = far(&[(5000, 13), (5001, 14), (5001, 90), (5002, 6), (9000, 7)]);
        assert_eq!(
            (far.wants(Moment(10)), far.deadline(Moment(10))),
            (None, Some(Moment(5000 - FAR_MS)))
        );
        let now = Moment(5000);
        assert_eq!(far.wants(now), Some(SequenceRange { first: 6, last: 14 }));
        assert_eq!(far.deadline(now), Some(Moment(9000 - FAR_MS)));
    }

    #[test]
    fn what_was_asked_for_is_taken_whether_it_was_found_or_not() {
        let mut far = far(&[(5000, 3), (5001, 4), (9000, 5)]);
        let taken = far.take(SequenceRange { first: 3, last: 5 }, &[], Moment(5000));
        let places: Vec<_> =
            taken.iter().map(|(at, place, body)| (at.0, *place, body.is_some())).collect();
        assert_eq!(places, [(5000, 3, false), (5001, 4, false)]);
        assert_eq!(far.len(), 1);
    }
}
