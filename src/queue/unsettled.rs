//! What is out of a queue: stretches by place, each with the consumer that has it. It does not know
//! what becomes of them.

use std::collections::VecDeque;

use super::paging::Forgetting;
use super::patience::MarkId;
use super::stretch::Stretch;
use super::stretch_map::StretchMap;
use super::totals::Totals;
use crate::message::{ConsumerId, Sequence, SequenceRange};

/// Slots without a stretch that may be between those with one, beyond their number.
const GAPS_KEPT: usize = 32;

/// Slots for which room is kept, whatever is in them.
const CAPACITY_KEPT: usize = 1024;

/// Who has a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Somebody who fetched it with get.
    Getter,
    /// A consumer, which counts it in this mark.
    Consumer(ConsumerId, MarkId),
}

impl Holder {
    fn is(self, consumer: ConsumerId) -> bool {
        matches!(self, Self::Consumer(id, _) if id == consumer)
    }
}

/// Messages that are out.
///
/// ```text
/// older:   3, 17..20                given out again, or cut off from a recent one
/// recent:  21..30, (gap), 35..90    given out in the order of their places
/// ```
///
/// Most are given out and settled in order: that adds and takes at the ends of a list. The rest is
/// in a map. Both may have places between those of the other.
#[derive(Debug, Default)]
pub struct Unsettled {
    recent: VecDeque<Slot>,
    older: StretchMap<Holder>,
    totals: Totals,
    gap_count: usize,
}

#[derive(Debug)]
struct Slot {
    /// At most the first place of its stretch, and behind all in the slots before.
    key: Sequence,
    holder: Holder,
    /// `None` where all of it was settled.
    stretch: Option<Stretch>,
}

impl Slot {
    fn new(stretch: Stretch, holder: Holder) -> Self {
        Self { key: stretch.first(), holder, stretch: Some(stretch) }
    }

    fn overlaps(&self, range: SequenceRange) -> bool {
        self.stretch.as_ref().is_some_and(|stretch| stretch.range().overlaps(range))
    }
}

impl Unsettled {
    /// How many stretches there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.recent.len() - self.gap_count + self.older.len()
    }

    /// Nothing is out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is out adds up to this.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The lowest place that is out.
    #[must_use]
    pub fn first(&self) -> Option<Sequence> {
        let recent = self.recent.iter().find_map(|slot| slot.stretch.as_ref());
        recent.into_iter().chain(self.older.first()).map(Stretch::first).min()
    }

    /// All stretches, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Stretch> {
        self.older.iter().chain(self.recent.iter().filter_map(|slot| slot.stretch.as_ref()))
    }

    /// The places that a consumer has, in their order. It looks at all stretches.
    #[must_use]
    pub fn held_by(&self, consumer: ConsumerId) -> Vec<SequenceRange> {
        let recent = self.recent.iter().filter(|slot| slot.holder.is(consumer));
        let recent = recent.filter_map(|slot| slot.stretch.as_ref());
        let older = self.older.entries().filter(|(_, holder)| holder.is(consumer));
        let older = older.map(|(stretch, _)| stretch);
        let mut ranges: Vec<SequenceRange> = recent.chain(older).map(Stretch::range).collect();
        ranges.sort_unstable_by_key(|range| range.first);
        let mut joined: Vec<SequenceRange> = Vec::new();
        for range in ranges {
            if !joined.last_mut().is_some_and(|last| last.join(range)) {
                joined.push(range);
            }
        }
        joined
    }

    /// Adds what was given out.
    pub fn insert(&mut self, stretch: Stretch, holder: Holder) {
        self.totals += stretch.totals();
        // The last slot is never a gap.
        let Some(Slot { holder: last_holder, stretch: Some(last), .. }) = self.recent.back_mut()
        else {
            return self.recent.push_back(Slot::new(stretch, holder));
        };
        if stretch.first() <= last.last() {
            return self.older.insert(stretch, holder);
        }
        let left = if *last_holder == holder { last.join(stretch) } else { Err(stretch) };
        if let Err(stretch) = left {
            self.recent.push_back(Slot::new(stretch, holder));
        }
    }

    /// Takes the first messages in `range` that are out and in one stretch.
    pub fn take(&mut self, range: SequenceRange) -> Option<(Stretch, Holder)> {
        let index = self.find(range);
        let taken = match self.take_older(index, range) {
            Some(taken) => taken,
            None => self.take_recent(index?, range)?,
        };
        self.totals -= taken.0.totals();
        Some(taken)
    }

    /// The same of the older ones, where they go before the recent one that was found.
    fn take_older(
        &mut self,
        found: Option<usize>,
        range: SequenceRange,
    ) -> Option<(Stretch, Holder)> {
        if self.older.is_empty() {
            return None;
        }
        let slot = found.and_then(|index| self.recent.get(index));
        let last = match slot.and_then(|slot| slot.stretch.as_ref()) {
            Some(stretch) => range.last.min(stretch.first().checked_sub(1)?),
            None => range.last,
        };
        (range.first <= last).then(|| self.older.take(SequenceRange { last, ..range }))?
    }

    /// Forgets bodies, the latest first, until none is left that the log was given. It looks at no
    /// more stretches than it has to.
    pub fn forget(&mut self, forgetting: &mut Forgetting) {
        let (mut recent, mut older) = (Vec::new(), Vec::new());
        while self.totals.resident.logged > 0 {
            let (list, taken) = match self.recent.pop_back() {
                Some(Slot { stretch: None, .. }) => {
                    self.gap_count -= 1;
                    continue;
                }
                Some(Slot { stretch: Some(stretch), holder, .. }) => {
                    (&mut recent, (stretch, holder))
                }
                None => match self.older.take_last() {
                    Some(taken) => (&mut older, taken),
                    None => break,
                },
            };
            self.totals -= taken.0.totals();
            list.push(taken);
        }
        for (stretch, holder) in older.into_iter().chain(recent).rev() {
            forgetting.apply(stretch, 0, &mut |part| self.insert(part, holder));
        }
    }

    /// The slot of the first recent stretch that has a message in `range`.
    fn find(&self, range: SequenceRange) -> Option<usize> {
        if self.recent.front()?.overlaps(range) {
            return Some(0);
        }
        let behind = self.recent.partition_point(|slot| slot.key <= range.first);
        let mut index = behind.saturating_sub(1);
        while let Some(slot) = self.recent.get(index).filter(|slot| slot.key <= range.last) {
            if slot.overlaps(range) {
                return Some(index);
            }
            index += 1;
        }
        None
    }

    fn take_recent(&mut self, index: usize, range: SequenceRange) -> Option<(Stretch, Holder)> {
        let slot = self.recent.get_mut(index)?;
        let (stretch, holder) = (slot.stretch.as_mut()?, slot.holder);
        let offset = |first: Sequence, sequence: Sequence| {
            usize::try_from(sequence.saturating_sub(first)).unwrap_or(usize::MAX)
        };
        if range.first > stretch.first()
            && let Some(before) = stretch.split_front(offset(stretch.first(), range.first))
        {
            self.older.insert(before, holder);
        }
        let part = match range.last < stretch.last() {
            true => stretch.split_front(offset(stretch.first(), range.last + 1)),
            false => None,
        };
        Some((part.or_else(|| self.take_slot(index))?, holder))
    }

    /// Takes all that is in a slot.
    fn take_slot(&mut self, index: usize) -> Option<Stretch> {
        let taken = if index == 0 {
            self.recent.pop_front()?.stretch
        } else {
            self.gap_count += 1;
            self.recent.get_mut(index)?.stretch.take()
        };
        if self.gap_count > 0 {
            self.close_gaps();
        }
        self.shrink();
        taken
    }

    /// Leaves no gap at the ends, and not many between.
    fn close_gaps(&mut self) {
        let is_gap = |slot: &mut Slot| slot.stretch.is_none();
        while self.recent.pop_front_if(is_gap).is_some() {
            self.gap_count -= 1;
        }
        while self.recent.pop_back_if(is_gap).is_some() {
            self.gap_count -= 1;
        }
        if self.gap_count > self.recent.len() / 2 + GAPS_KEPT {
            self.recent.retain(|slot| slot.stretch.is_some());
            self.gap_count = 0;
        }
    }

    /// What was long once gives its memory back when it is short again.
    fn shrink(&mut self) {
        let capacity = self.recent.capacity();
        if capacity > CAPACITY_KEPT && self.recent.len() < capacity / 8 {
            self.recent.shrink_to(capacity / 4);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::message::{Body, Envelope, Message, MessageRun, Random};
    use crate::queue::stretch::Marks;

    fn range(first: Sequence, last: Sequence) -> SequenceRange {
        SequenceRange { first, last }
    }

    fn of(consumer: u64) -> Holder {
        Holder::Consumer(ConsumerId(consumer), MarkId::NONE)
    }

    fn paged(places: SequenceRange) -> Stretch {
        Stretch::paged(places, places.count(), Marks::default())
    }

    fn resident(places: SequenceRange, is_logged: bool) -> Stretch {
        let envelope =
            Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: true };
        let message = Message::new(envelope, Body::Copied(b"x"));
        let mut run = MessageRun::one(message.clone());
        (1..places.count()).for_each(|_| run.push(message.clone()));
        Stretch::of(places.first, run, Marks { is_logged, ..Marks::default() })
    }

    fn filled(ranges: &[(Sequence, Sequence, u64)]) -> Unsettled {
        let mut unsettled = Unsettled::default();
        for (first, last, consumer) in ranges {
            unsettled.insert(paged(range(*first, *last)), of(*consumer));
        }
        unsettled
    }

    fn taken(unsettled: &mut Unsettled, first: Sequence, last: Sequence) -> Option<SequenceRange> {
        unsettled.take(range(first, last)).map(|(stretch, _)| stretch.range())
    }

    #[test]
    fn what_one_consumer_gets_in_a_row_is_one() {
        let unsettled = filled(&[(0, 4, 1), (5, 9, 1), (10, 10, 2), (11, 11, 1)]);
        assert_eq!((unsettled.len(), unsettled.totals().count), (3, 12));
    }

    #[test]
    fn what_one_consumer_has_is_told_in_order_wherever_it_stands() {
        let unsettled = filled(&[(5, 9, 1), (2, 3, 1), (4, 4, 1), (0, 0, 2), (20, 29, 1)]);
        let held = |consumer| unsettled.held_by(ConsumerId(consumer));
        assert_eq!(held(1), [range(2, 9), range(20, 29)]);
        assert_eq!((held(2), held(3)), (vec![range(0, 0)], vec![]));
    }

    #[test]
    fn what_is_given_out_again_is_found_among_later_ones() {
        let mut unsettled = filled(&[(5, 9, 1), (2, 3, 2), (20, 29, 1)]);
        assert_eq!(taken(&mut unsettled, 0, 99), Some(range(2, 3)));
        assert_eq!(taken(&mut unsettled, 0, 99), Some(range(5, 9)));
        assert_eq!(taken(&mut unsettled, 21, 22), Some(range(21, 22)));
        assert_eq!(taken(&mut unsettled, 0, 99), Some(range(20, 20)));
        assert_eq!(taken(&mut unsettled, 0, 99), Some(range(23, 29)));
        assert!(unsettled.is_empty());
    }

    #[test]
    fn an_old_one_does_not_hold_the_gaps_behind_it() {
        let mut unsettled = filled(&[(0, 0, 9)]);
        for place in 1..10_000 {
            unsettled.insert(paged(range(place, place)), of(place % 2));
            unsettled.insert(paged(range(20_000 + place, 20_000 + place)), Holder::Getter);
            assert_eq!(taken(&mut unsettled, place, place), Some(range(place, place)));
        }
        while taken(&mut unsettled, 1, 40_000).is_some() {}
        assert_eq!((unsettled.len(), unsettled.recent.len(), unsettled.gap_count), (1, 1, 0));
        assert!(unsettled.recent.capacity() <= CAPACITY_KEPT);
    }

    /// Every place on its own, as it must look from outside.
    type Model = BTreeMap<Sequence, u64>;

    fn step(random: &mut Random, unsettled: &mut Unsettled, model: &mut Model) {
        let mut below = |bound: u64| random.draw() % bound;
        let first = below(200);
        let places = range(first, first + below(8));
        if below(2) == 0 {
            if model.range(places.iter()).next().is_none() {
                let (consumer, kind) = (below(3), below(3));
                let stretch = match kind {
                    0 => paged(places),
                    _ => resident(places, kind == 1),
                };
                unsettled.insert(stretch, of(consumer));
                model.extend(places.iter().map(|place| (place, consumer)));
            }
        } else if let Some((stretch, holder)) = unsettled.take(places) {
            let first = model.range(places.iter()).next().map(|(place, _)| *place);
            assert_eq!(first, Some(stretch.first()), "the first there is");
            for place in stretch.range().iter() {
                assert!(places.contains(place));
                assert_eq!(model.remove(&place).map(of), Some(holder));
            }
        } else {
            assert_eq!(model.range(places.iter()).next(), None);
        }
    }

    #[test]
    fn any_order_of_steps_leaves_what_a_plain_map_has() {
        let mut random = Random::new([3, 5]);
        let (mut unsettled, mut model) = (Unsettled::default(), Model::new());
        for number in 0..20_000 {
            step(&mut random, &mut unsettled, &mut model);
            if number % 50 == 0 {
                let stored_below =
                    if number % 100 == 0 { Sequence::MAX } else { random.draw() % 200 };
                let mut forgetting = Forgetting { stored_below, fetching: None, forgotten: 0 };
                let before = unsettled.totals().resident;
                unsettled.forget(&mut forgetting);
                let after = unsettled.totals().resident;
                assert_eq!(before.logged - after.logged, forgetting.forgotten);
                assert!(after.logged == 0 || stored_below < 200, "all of it was stored");
                assert_eq!(after.unlogged, before.unlogged);
            }
            let mut places: Vec<Sequence> =
                unsettled.iter().flat_map(|stretch| stretch.range().iter()).collect();
            places.sort_unstable();
            assert_eq!(places, model.keys().copied().collect::<Vec<_>>());
            let mut totals = Totals::default();
            unsettled.iter().for_each(|stretch| totals += stretch.totals());
            assert_eq!((totals, unsettled.iter().count()), (unsettled.totals(), unsettled.len()));
        }
    }
}
