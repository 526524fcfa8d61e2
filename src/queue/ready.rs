//! What a queue holds ready, by priority: the highest first, and in each the order of arrival. A
//! priority that no message has costs nothing, and a queue that knows none is one list. It does not
//! know which priority a message has.

use std::collections::BTreeMap;

use super::contents::Contents;
use super::due::{Arrival, Lifetime};
use super::far::Far;
use super::paging::{Added, Forgetting, Pages};
use super::stretch::Stretch;
use super::totals::Totals;
use crate::limits::FETCH_COUNT_MAX;
use crate::message::{MessageRun, Moment, ReadBack, Sequence, SequenceRange};

/// Ready messages.
///
/// ```text
/// others: 9: 12, 40..41      7: 3..5
/// base:   1..2, 6..11, 13..39             what has the priority that is taken without being told
/// others: 1: 42..99
/// ```
#[derive(Debug, Default)]
pub struct Ready {
    pub(super) base: Contents,
    /// Of queues with priorities.
    others: Option<Box<Others>>,
}

/// Messages with other priorities than the base.
#[derive(Debug, Default)]
struct Others {
    base_level: u8,
    levels: BTreeMap<u8, Contents>,
    totals: Totals,
}

impl Others {
    /// From the highest to the lowest above the base, or below it.
    fn above(&self) -> impl Iterator<Item = (u8, &Contents)> {
        self.levels.range(self.base_level..).rev().map(|(level, contents)| (*level, contents))
    }

    fn below(&self) -> impl Iterator<Item = (u8, &Contents)> {
        self.levels.range(..self.base_level).rev().map(|(level, contents)| (*level, contents))
    }

    /// Changes what has this priority.
    fn change<R>(&mut self, level: u8, step: impl FnOnce(&mut Contents) -> R) -> R {
        let contents = self.levels.entry(level).or_default();
        let before = contents.totals();
        let result = step(contents);
        self.totals += contents.totals();
        self.totals -= before;
        result
    }

    /// All priorities that messages have or had, the lowest first.
    fn rising(&self) -> Vec<u8> {
        self.levels.keys().copied().collect()
    }
}

impl Ready {
    /// Nothing, of a queue that takes messages with this priority where they say none.
    #[must_use]
    pub fn with_base(base_level: u8) -> Self {
        let others = Others { base_level, ..Others::default() };
        Self { others: Some(Box::new(others)), ..Self::default() }
    }

    /// Has priorities.
    #[must_use]
    pub fn has_levels(&self) -> bool {
        self.others.is_some()
    }

    /// Adds what was found on disk, in the order of places; and whether its messages have times of
    /// their own. `next_sequence` is a place that no message ever had.
    pub fn recover(
        &mut self,
        next_sequence: Sequence,
        stretches: impl Iterator<Item = (Stretch, bool)>,
    ) {
        self.base.go_on_from(next_sequence);
        for (stretch, expires) in stretches {
            self.base.go_on_from(stretch.last() + 1);
            let level = stretch.marks().level;
            self.change(level, |contents| contents.recover(stretch, expires));
        }
    }

    /// Appends messages that just arrived and tells the place of the first.
    #[inline]
    pub fn push(&mut self, messages: MessageRun, is_logged: bool, arrival: Arrival) -> Sequence {
        let (Some(level), Some(others)) = (arrival.level, &mut self.others) else {
            return self.base.push(messages, is_logged, arrival);
        };
        let first = self.base.next_sequence();
        self.base.go_on_from(first + messages.len() as u64);
        others.change(level, |contents| {
            contents.go_on_from(first);
            contents.push(messages, is_logged, arrival)
        })
    }

    /// Puts delivered messages back at their original places.
    #[inline]
    pub fn put_back(&mut self, stretch: Stretch) {
        self.change(stretch.marks().level, |contents| contents.put_back(stretch));
    }

    /// The stretch whose first message would be delivered next.
    #[inline]
    #[must_use]
    pub fn first(&self) -> Option<&Stretch> {
        match self.others.as_deref().filter(|others| others.totals.count > 0) {
            None => self.base.first(),
            Some(_) => self.in_order().find_map(|(_, contents)| contents.first()),
        }
    }

    /// Takes at most `count` of the messages that are to be delivered next, and are alike.
    #[inline]
    pub fn pop(&mut self, count: usize) -> Option<Stretch> {
        if self.others.as_deref().is_none_or(|others| others.totals.count == 0) {
            return self.base.pop(count);
        }
        let (level, _) = self.in_order().find(|(_, contents)| !contents.is_empty())?;
        self.change(level, |contents| contents.pop(count))
    }

    /// How many are ready.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.base.len() + self.others.as_ref().map_or(0, |others| others.totals.count)
    }

    /// Nothing is ready.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Neighbors differ again and again: each more of them that does costs a stretch.
    #[must_use]
    pub fn is_patchy(&self) -> bool {
        self.base.is_patchy()
    }

    /// Some bodies are on disk only.
    #[inline]
    #[must_use]
    pub fn has_paged(&self) -> bool {
        let others = self.others.as_ref();
        self.base.has_paged() || others.is_some_and(|others| others.totals.paged_count > 0)
    }

    /// What the ready messages add up to.
    #[inline]
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = self.base.totals();
        if let Some(others) = &self.others {
            totals += others.totals;
        }
        totals
    }

    /// The place that the next message will have.
    #[must_use]
    pub fn next_sequence(&self) -> Sequence {
        self.base.next_sequence()
    }

    /// All stretches, in the order in which they are to be delivered.
    pub fn stretches(&self) -> impl Iterator<Item = &Stretch> {
        self.in_order().flat_map(|(_, contents)| contents.stretches())
    }

    /// Takes everything out; sequences go on where they were. Dropping what comes back may take a
    /// while, so the caller does it without a lock.
    #[must_use]
    pub fn take_all(&mut self) -> Self {
        let others = self.others.as_mut().map(|others| {
            let base_level = others.base_level;
            let empty = Others { base_level, ..Others::default() };
            Box::new(std::mem::replace(&mut **others, empty))
        });
        Self { base: self.base.take_all(), others }
    }

    /// Gives what is on disk only and dies at a moment that is not near to `far`.
    pub(super) fn move_far(&mut self, far: &mut Far, now: Moment) {
        self.base.move_far(far, now);
    }

    /// Puts back what was far, with its body.
    pub(super) fn come_near(&mut self, due: Moment, read: ReadBack) {
        self.base.come_near(due, read);
    }

    /// The body at this place is on disk only.
    pub(super) fn has_paged_at(&self, place: Sequence) -> bool {
        self.base.has_paged_at(place)
    }

    /// Some messages may die.
    #[inline]
    #[must_use]
    pub fn has_dying(&self) -> bool {
        let is_dying = |others: &Others| others.levels.values().any(Contents::has_dying);
        self.base.has_dying() || self.others.as_deref().is_some_and(is_dying)
    }

    /// Takes messages that die before this moment, as far as that is known.
    #[inline]
    pub fn take_due(&mut self, before: Moment) -> Option<Stretch> {
        if let Some(taken) = self.base.take_due(before) {
            return Some(taken);
        }
        let others = self.others.as_deref_mut()?;
        let levels = others.rising().into_iter();
        levels.rev().find_map(|level| others.change(level, |level| level.take_due(before)))
    }

    /// When the next one dies, or must be looked at.
    #[inline]
    #[must_use]
    pub fn next_due(&self, now: Moment) -> Option<Moment> {
        let base = self.base.next_due(now);
        let Some(others) = &self.others else { return base };
        let others = others.levels.values().filter_map(|contents| contents.next_due(now));
        others.chain(base).min()
    }

    /// Bodies on disk that must be read to know when they die, since it may be now.
    pub fn wants_due(&mut self, now: Moment) -> Option<SequenceRange> {
        let others = self.others.iter_mut().flat_map(|others| others.levels.values_mut());
        self.base.wants_due(now).or_else(|| others.filter_map(|level| level.wants_due(now)).next())
    }

    /// The bodies that are needed next and are on disk, where there are not enough in RAM before
    /// them.
    #[must_use]
    pub fn wants(&self) -> Option<SequenceRange> {
        let mut ahead = 0;
        for (_, contents) in self.in_order() {
            if ahead >= FETCH_COUNT_MAX / 2 {
                return None;
            }
            if let Some(wanted) = contents.wants() {
                return Some(wanted);
            }
            ahead += contents.len();
        }
        None
    }

    /// Takes in bodies that were read, and knows when they die if it did not. What is on disk
    /// only, was asked for and not found, is lost; tells which. They were asked for those of one
    /// priority, beginning with the first place; what others have between is left alone.
    pub fn fetched(
        &mut self,
        asked: SequenceRange,
        found: Vec<ReadBack>,
        lifetime: &Lifetime,
    ) -> Vec<SequenceRange> {
        let has_asked = |(_, contents): &(_, &Contents)| contents.has_paged_at(asked.first);
        let level = match self.others {
            None => Some(None),
            Some(_) => self.in_order().find(has_asked).map(|(level, _)| level),
        };
        let Some(level) = level else { return Vec::new() };
        self.change(level, |contents| contents.fetched(asked, found, lifetime))
    }

    /// Forgets bodies, those needed last first, until `keep_bytes` of what was given to the log are
    /// left.
    pub fn forget(&mut self, keep_bytes: u64, forgetting: &mut Forgetting) {
        let logged = |totals: Totals| totals.resident.logged;
        self.change_rising(|contents, all| {
            let others = logged(all) - logged(contents.totals());
            contents.forget(keep_bytes.saturating_sub(others), forgetting);
        });
    }

    /// Marks messages that are in RAM only as logged, those needed last first, about `bytes_max` of
    /// them; gives them as they are to be added to the log.
    pub fn log_unlogged(&mut self, bytes_max: u64) -> Vec<Added> {
        let (mut added, mut rest) = (Vec::new(), bytes_max);
        self.change_rising(|contents, _| {
            let before = contents.totals().resident.unlogged;
            added.extend(contents.log_unlogged(rest));
            rest = rest.saturating_sub(before - contents.totals().resident.unlogged);
        });
        added
    }

    /// Changes what has each priority, from the lowest to the highest; with what all add up to.
    fn change_rising(&mut self, mut step: impl FnMut(&mut Contents, Totals)) {
        let mut levels: Vec<Option<u8>> = self.in_order().map(|(level, _)| level).collect();
        levels.reverse();
        for level in levels {
            let all = self.totals();
            self.change(level, |contents| step(contents, all));
        }
    }

    /// Changes what has this priority.
    fn change<R>(&mut self, level: Option<u8>, step: impl FnOnce(&mut Contents) -> R) -> R {
        match (level, &mut self.others) {
            (Some(level), Some(others)) => others.change(level, step),
            _ => step(&mut self.base),
        }
    }

    /// All priorities, the highest first.
    fn in_order(&self) -> impl Iterator<Item = (Option<u8>, &Contents)> {
        let named = |(level, contents)| (Some(level), contents);
        let above = self.others.iter().flat_map(|others| others.above());
        let below = self.others.iter().flat_map(|others| others.below());
        above.map(named).chain([(None, &self.base)]).chain(below.map(named))
    }
}

/// Which priorities a queue knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priorities {
    /// What is higher counts as this.
    pub max: u8,
    /// What a message has that says none.
    pub base: u8,
}

impl Priorities {
    /// Those of a queue of quorum type.
    pub const QUORUM: Self = Self { max: 31, base: 4 };

    /// The priority of a message that says this one, where it is not the base.
    #[must_use]
    pub fn level(self, said: Option<u8>) -> Option<u8> {
        said.map(|said| said.min(self.max)).filter(|level| *level != self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, Envelope, Message};
    use crate::queue::due::Due;
    use crate::queue::stretch::Marks;

    fn message() -> MessageRun {
        let envelope =
            Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: false };
        MessageRun::one(Message::new(envelope, Body::Copied(b"x")))
    }

    fn of_level(said: Option<u8>) -> Arrival {
        Arrival { level: Priorities::QUORUM.level(said), ..Arrival::LASTING }
    }

    fn filled(levels: &[Option<u8>]) -> Ready {
        let mut ready = Ready::with_base(Priorities::QUORUM.base);
        for (place, said) in levels.iter().enumerate() {
            assert_eq!(ready.push(message(), true, of_level(*said)), place as u64);
        }
        ready
    }

    fn order(ready: &mut Ready) -> Vec<Sequence> {
        std::iter::from_fn(|| ready.pop(2)).flat_map(|stretch| stretch.range().iter()).collect()
    }

    #[test]
    fn the_highest_comes_first_and_of_equals_the_oldest() {
        let mut ready = filled(&[None, Some(9), Some(0), Some(4), Some(200), Some(9), Some(31)]);
        assert_eq!((ready.len(), ready.next_sequence()), (7, 7));
        assert_eq!(ready.first().map(Stretch::first), Some(4));
        assert_eq!(ready.stretches().map(Stretch::len).sum::<usize>(), 7);
        assert_eq!(order(&mut ready), [4, 6, 1, 5, 0, 3, 2]);
        assert_eq!((ready.totals(), ready.is_empty()), (Totals::default(), true));
    }

    #[test]
    fn what_comes_back_goes_to_its_place_among_its_equals() {
        let mut ready = filled(&[Some(9), None, Some(9)]);
        let first = ready.pop(1).unwrap();
        let second = ready.pop(1).unwrap();
        ready.put_back(second);
        ready.put_back(first);
        assert_eq!(order(&mut ready), [0, 2, 1]);
    }

    #[test]
    fn taking_all_leaves_a_queue_that_knows_priorities_as_before() {
        let mut ready = filled(&[Some(9), None]);
        assert_eq!(ready.take_all().len(), 2);
        assert_eq!((ready.len(), ready.has_levels()), (0, true));
        assert_eq!(ready.push(message(), true, of_level(None)), 2);
        assert_eq!(ready.push(message(), true, of_level(Some(5))), 3);
        assert_eq!(order(&mut ready), [3, 2]);
    }

    #[test]
    fn bodies_of_the_lowest_leave_ram_first_and_the_highest_are_read_first() {
        let mut ready = filled(&[Some(0), Some(9), None, Some(9)]);
        let mut forgetting = Forgetting { stored_below: 10, fetching: None, forgotten: 0 };
        let one = ready.totals().resident.logged / 4;
        ready.forget(2 * one, &mut forgetting);
        let paged = |ready: &Ready| -> Vec<Sequence> {
            let paged = ready.stretches().filter(|stretch| stretch.is_paged());
            paged.map(Stretch::first).collect()
        };
        assert_eq!(paged(&ready), [2, 0]);
        ready.forget(0, &mut forgetting);
        assert_eq!(ready.wants(), Some(SequenceRange { first: 1, last: 3 }));
    }

    #[test]
    fn bodies_that_were_read_are_for_the_priority_that_asked() {
        let mut ready = filled(&[Some(0), Some(9), None, Some(9)]);
        let mut forgetting = Forgetting { stored_below: 10, fetching: None, forgotten: 0 };
        ready.forget(0, &mut forgetting);
        let asked = ready.wants().unwrap();
        assert_eq!(asked, SequenceRange { first: 1, last: 3 });
        let read = |sequence| {
            let message = message().into_messages().next().unwrap();
            ReadBack { sequence, arrived: Moment(0), message }
        };
        let found = vec![read(1), read(2)];
        let lost = ready.fetched(asked, found, &Lifetime::default());
        assert_eq!(lost, [SequenceRange::one(3)], "what others have between is not lost");
        assert_eq!(ready.wants(), Some(SequenceRange::one(2)));
        assert_eq!((ready.len(), order(&mut ready)), (3, vec![1, 2, 0]));
    }

    #[test]
    fn what_is_found_on_disk_has_its_priority() {
        let mut ready = Ready::with_base(4);
        let run = |first, level| {
            let marks = Marks { level, ..Marks::default() };
            (Stretch::paged(SequenceRange::one(first), 1, marks), false)
        };
        ready.recover(9, [run(0, None), run(1, Some(9)), run(2, None)].into_iter());
        assert_eq!((ready.len(), ready.next_sequence()), (3, 9));
        assert_eq!(order(&mut ready), [1, 0, 2]);
    }

    #[test]
    fn messages_of_every_priority_die_in_their_time() {
        let mut ready = Ready::with_base(4);
        for (level, at) in [(Some(9), 50), (None, 30), (Some(9), 20)] {
            let due = Due::exact(Moment(at));
            ready.push(message(), false, Arrival { due, level, is_uniform: false });
        }
        assert!(ready.has_dying());
        assert_eq!(ready.next_due(Moment(0)), Some(Moment(20)));
        let dead = std::iter::from_fn(|| ready.take_due(Moment(40)));
        assert_eq!(dead.map(|stretch| stretch.first()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((ready.len(), ready.next_due(Moment(40))), (1, Some(Moment(50))));
    }
}
