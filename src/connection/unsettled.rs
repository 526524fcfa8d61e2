//! The deliveries of one channel that the client has not settled yet, by delivery tag. It knows
//! where each came from, not what it was.

use std::collections::BTreeMap;

use smallvec::{SmallVec, smallvec};

use super::command::Settle;
use crate::message::{Outcome, QueueId, Sequence, SequenceRange};

/// Groups up to this many queues are merged by looking through them.
const GROUPS_SEARCHED_MAX: usize = 16;

/// No queue has this number.
const NO_QUEUE: QueueId = QueueId(0);

/// Where a delivery came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The queue.
    pub(super) queue: QueueId,
    /// Its place there.
    pub(super) sequence: Sequence,
    /// It went to a consumer and counts for the prefetch; else it was fetched with get.
    pub(super) to_consumer: bool,
}

/// Deliveries whose tags and whose places in their queue follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TagRun {
    first_tag: u64,
    count: u64,
    /// Of the first.
    origin: Origin,
}

/// Runs in the order of their tags.
pub(super) type TagRuns = SmallVec<[TagRun; 2]>;

impl TagRun {
    /// How many deliveries.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    fn last_tag(&self) -> u64 {
        self.first_tag + self.count - 1
    }

    fn contains(&self, tag: u64) -> bool {
        self.first_tag <= tag && tag <= self.last_tag()
    }

    /// Takes in what continues it. False where it does not.
    fn join(&mut self, next: &Self) -> bool {
        let end = Origin { sequence: self.origin.sequence + self.count, ..self.origin };
        let is_next = self.first_tag + self.count == next.first_tag && end == next.origin;
        if is_next {
            self.count += next.count;
        }
        is_next
    }

    /// Its parts before `tag`, of `tag`, and behind.
    fn split(self, tag: u64) -> (Option<Self>, Self, Option<Self>) {
        let before = self.part(self.first_tag, tag - self.first_tag);
        let behind = self.part(tag + 1, self.last_tag() - tag);
        let at = Self { count: 1, ..self.skipping(tag) };
        (before, at, behind)
    }

    /// The same tags, where some of the places are nowhere any more. Places are in their order.
    pub(super) fn without(self, queue: QueueId, places: &[SequenceRange]) -> TagRuns {
        let mut parts = TagRuns::new();
        if self.origin.queue != queue {
            parts.push(self);
            return parts;
        }
        let mut rest = Some(self);
        for range in places {
            let Some(run) = rest else { break };
            let (first, last) = (run.origin.sequence, run.origin.sequence + run.count - 1);
            if range.last < first || range.first > last {
                continue;
            }
            let tag_of = |place: Sequence| run.first_tag + (place - first);
            let (from, to) = (tag_of(range.first.max(first)), tag_of(range.last.min(last)));
            parts.extend(run.part(run.first_tag, from - run.first_tag));
            parts.push(run.nowhere(from, to + 1 - from));
            rest = run.part(to + 1, run.last_tag() - to);
        }
        parts.extend(rest);
        parts
    }

    /// Tags of no queue: their settlement goes nowhere.
    fn nowhere(self, first_tag: u64, count: u64) -> Self {
        let Self { origin, .. } = self.skipping(first_tag);
        let origin = Origin { queue: NO_QUEUE, to_consumer: false, ..origin };
        Self { first_tag, count, origin }
    }

    fn part(self, first_tag: u64, count: u64) -> Option<Self> {
        (count > 0).then(|| Self { count, ..self.skipping(first_tag) })
    }

    fn skipping(self, first_tag: u64) -> Self {
        let sequence = self.origin.sequence + (first_tag - self.first_tag);
        Self { first_tag, origin: Origin { sequence, ..self.origin }, ..self }
    }
}

/// Unsettled deliveries in the order of their tags: runs by a key that is at most their first tag
/// and above all tags of those before, so that taking from the front moves nothing.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    last_tag: u64,
    runs: BTreeMap<u64, TagRun>,
}

impl Unsettled {
    /// The tag of a delivery that needs no settlement.
    pub(super) fn skip(&mut self) -> u64 {
        self.last_tag += 1;
        self.last_tag
    }

    /// Remembers a delivery and gives it its tag.
    pub(super) fn push(&mut self, origin: Origin) -> u64 {
        let tag = self.skip();
        self.append(TagRun { first_tag: tag, count: 1, origin });
        tag
    }

    /// Takes the delivery with this tag, or with `multiple` all up to it; tag 0 with `multiple`
    /// means all there are. `None` where the tag is not unsettled.
    pub(super) fn take(&mut self, tag: u64, multiple: bool) -> Option<TagRuns> {
        if multiple && tag == 0 {
            return Some(self.take_all());
        }
        let (&key, run) = self.runs.range_mut(..=tag).next_back()?;
        if !run.contains(tag) {
            return None;
        }
        let (before, at, behind) = run.split(tag);
        match (if multiple { None } else { before }, behind) {
            (None, None) => drop(self.runs.remove(&key)),
            (Some(left), None) | (None, Some(left)) => *run = left,
            (Some(before), Some(behind)) => {
                *run = before;
                self.runs.insert(behind.first_tag, behind);
            }
        }
        if !multiple {
            return Some(smallvec![at]);
        }
        let mut taken = self.take_below(key);
        let mut last = before.unwrap_or(at);
        if before.is_some() {
            last.join(&at);
        }
        taken.push(last);
        Some(taken)
    }

    /// Takes all of them.
    pub(super) fn take_all(&mut self) -> TagRuns {
        std::mem::take(&mut self.runs).into_values().collect()
    }

    /// Puts deliveries back under the tags they had: a rolled back transaction.
    pub(super) fn restore(&mut self, taken: impl IntoIterator<Item = TagRun>) {
        let mut all: Vec<TagRun> = self.take_all().into_iter().chain(taken).collect();
        all.sort_unstable_by_key(|run| run.first_tag);
        all.into_iter().for_each(|run| self.append(run));
    }

    /// Deliveries of a queue are unsettled only by their tags now.
    pub(super) fn take_away(&mut self, queue: QueueId, places: &[SequenceRange]) {
        for run in std::mem::take(&mut self.runs).into_values() {
            run.without(queue, places).into_iter().for_each(|part| self.append(part));
        }
    }

    /// Adds a run whose tags are above all others.
    fn append(&mut self, run: TagRun) {
        let joined = self.runs.last_entry().is_some_and(|mut last| last.get_mut().join(&run));
        if !joined {
            self.runs.insert(run.first_tag, run);
        }
    }

    /// Takes the runs with lower keys.
    fn take_below(&mut self, key: u64) -> TagRuns {
        let mut taken = TagRuns::new();
        while let Some(first) = self.runs.first_entry().filter(|first| *first.key() < key) {
            taken.push(first.remove());
        }
        taken
    }
}

/// Groups deliveries by queue, so that each queue is locked once.
#[must_use]
pub(super) fn grouped(
    channel: u16,
    outcome: Outcome,
    taken: impl IntoIterator<Item = TagRun>,
) -> Vec<Settle> {
    let mut groups: Vec<Settle> = Vec::new();
    for TagRun { count, origin, .. } in taken {
        let Some(range) = SequenceRange::starting(origin.sequence, count) else { continue };
        let searched = groups.len().saturating_sub(GROUPS_SEARCHED_MAX);
        let same = |group: &&mut Settle| group.queue == origin.queue;
        match groups.iter_mut().skip(searched).rev().find(same) {
            Some(group) => group.add(range, origin.to_consumer),
            None => {
                let mut group = Settle::new(channel, origin.queue, outcome);
                group.add(range, origin.to_consumer);
                groups.push(group);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(sequence: u64) -> Origin {
        Origin { queue: QueueId(1), sequence, to_consumer: true }
    }

    fn filled(count: u64) -> Unsettled {
        let mut unsettled = Unsettled::default();
        for sequence in 0..count {
            assert_eq!(unsettled.push(origin(sequence)), sequence + 1);
        }
        unsettled
    }

    /// Each tag with the place it stands for.
    fn places(taken: Option<TagRuns>) -> Option<Vec<(u64, Sequence)>> {
        let each = |run: TagRun| {
            (0..run.count).map(move |at| (run.first_tag + at, run.origin.sequence + at))
        };
        taken.map(|taken| taken.into_iter().flat_map(each).collect())
    }

    fn tags(taken: Option<TagRuns>) -> Option<Vec<u64>> {
        places(taken).map(|places| places.into_iter().map(|(tag, _)| tag).collect())
    }

    #[test]
    fn a_tag_is_settled_once() {
        let mut unsettled = filled(3);
        assert_eq!(tags(unsettled.take(2, false)), Some(vec![2]));
        assert_eq!(tags(unsettled.take(2, false)), None);
        assert_eq!(tags(unsettled.take(2, true)), None);
        assert_eq!(tags(unsettled.take(0, true)), Some(vec![1, 3]));
    }

    #[test]
    fn multiple_takes_all_up_to_the_tag() {
        let mut unsettled = filled(5);
        assert_eq!(tags(unsettled.take(1, false)), Some(vec![1]));
        assert_eq!(tags(unsettled.take(3, true)), Some(vec![2, 3]));
        assert_eq!(tags(unsettled.take(0, true)), Some(vec![4, 5]));
        assert_eq!(tags(unsettled.take(0, true)), Some(vec![]));
        assert_eq!(tags(unsettled.take(0, false)), None);
    }

    #[test]
    fn a_tag_stands_for_its_place_however_its_run_was_cut() {
        let mut unsettled = filled(9);
        for tag in [5, 1, 9, 3] {
            assert_eq!(places(unsettled.take(tag, false)), Some(vec![(tag, tag - 1)]));
        }
        assert_eq!(places(unsettled.take(4, true)), Some(vec![(2, 1), (4, 3)]));
        assert_eq!(tags(unsettled.take(5, false)), None);
        assert_eq!(places(unsettled.take(7, true)), Some(vec![(6, 5), (7, 6)]));
        assert_eq!(places(unsettled.take(0, true)), Some(vec![(8, 7)]));
    }

    #[test]
    fn deliveries_without_acknowledgement_use_tags_that_cannot_be_settled() {
        let mut unsettled = filled(1);
        assert_eq!(unsettled.skip(), 2);
        assert_eq!(unsettled.push(origin(9)), 3);
        assert_eq!(tags(unsettled.take(2, false)), None);
        assert_eq!(tags(unsettled.take(3, true)), Some(vec![1, 3]));
    }

    #[test]
    fn one_old_delivery_does_not_hold_the_gaps_behind_it() {
        let mut unsettled = filled(1);
        for sequence in 0..10_000 {
            let tag = unsettled.push(origin(sequence));
            assert!(unsettled.take(tag, false).is_some());
        }
        assert_eq!(unsettled.runs.len(), 1);
    }

    #[test]
    fn many_deliveries_in_order_are_one_run() {
        let mut unsettled = filled(100_000);
        assert_eq!(unsettled.runs.len(), 1);
        let other = Origin { to_consumer: false, ..origin(100_000) };
        unsettled.push(other);
        unsettled.push(origin(100_002));
        assert_eq!(unsettled.runs.len(), 3);
        let taken = unsettled.take(100_002, true).unwrap();
        assert_eq!(taken.iter().map(|run| run.count).collect::<Vec<_>>(), [100_000, 1, 1]);
    }

    #[test]
    fn a_rollback_restores_the_order_of_tags() {
        let mut unsettled = filled(4);
        let taken = unsettled.take(2, false).unwrap();
        assert_eq!(unsettled.runs.len(), 2);
        unsettled.restore(taken);
        assert_eq!(unsettled.runs.len(), 1, "what follows each other is one run again");
        assert_eq!(tags(unsettled.take(0, true)), Some(vec![1, 2, 3, 4]));
    }

    #[test]
    fn what_a_queue_took_back_is_settled_nowhere_and_by_its_tag_only_once() {
        let mut unsettled = filled(10);
        unsettled.push(Origin { queue: QueueId(2), ..origin(3) });
        let places = [(2, 3), (5, 5), (9, 20)].map(|(first, last)| SequenceRange { first, last });
        unsettled.take_away(QueueId(1), &places);
        let queues = |taken: TagRuns| -> Vec<(u64, u64, u64)> {
            taken.iter().map(|run| (run.first_tag, run.count, run.origin.queue.0)).collect()
        };
        let at_once = unsettled.take(3, false).unwrap();
        assert_eq!(queues(at_once), [(3, 1, 0)]);
        assert!(unsettled.take(3, false).is_none());
        let rest = unsettled.take(0, true).unwrap();
        let expected = [(1, 2, 1), (4, 1, 0), (5, 1, 1), (6, 1, 0), (7, 3, 1), (10, 1, 0)];
        assert_eq!(queues(rest), [&expected[..], &[(11, 1, 2)]].concat());
    }

    #[test]
    fn settlements_are_grouped_by_queue() {
        let origins = [(1, 1), (2, 5), (1, 2), (1, 4)].map(|(queue, sequence)| TagRun {
            first_tag: 1,
            count: 1,
            origin: Origin { queue: QueueId(queue), sequence, to_consumer: queue == 1 },
        });
        let groups = grouped(7, Outcome::Accepted, origins);
        assert_eq!(groups.len(), 2);
        let ranges = [SequenceRange { first: 1, last: 2 }, SequenceRange::one(4)];
        assert_eq!(groups[0].sequences.as_slice(), ranges);
        assert_eq!((groups[0].to_consumers, groups[1].to_consumers), (3, 0));
    }
}
