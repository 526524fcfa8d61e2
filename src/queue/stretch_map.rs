//! Stretches by place, each with a tag that says more of it, as few as can be: what continues
//! another and has the same tag is one with it. It serves what came back to a queue, and what is
//! out of it and not among the latest.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::stretch::Stretch;
use crate::message::{Sequence, SequenceRange};

/// Stretches by place.
///
/// ```text
/// key  0: 5..9     0 to 4 were taken from its front
/// key 12: 12..40
/// ```
///
/// A key is at most the first place of its stretch and behind all stretches before: taking from the
/// front, as settling in order does, moves nothing.
#[derive(Debug)]
pub struct StretchMap<T> {
    map: BTreeMap<Sequence, (Stretch, T)>,
}

impl<T> Default for StretchMap<T> {
    fn default() -> Self {
        Self { map: BTreeMap::new() }
    }
}

impl<T: Copy + PartialEq> StretchMap<T> {
    /// How many stretches there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// The stretches in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Stretch> {
        self.map.values().map(|(stretch, _)| stretch)
    }

    /// The same, each with its tag.
    pub fn entries(&self) -> impl Iterator<Item = &(Stretch, T)> {
        self.map.values()
    }

    /// The first stretch.
    #[must_use]
    pub fn first(&self) -> Option<&Stretch> {
        self.map.first_key_value().map(|(_, (stretch, _))| stretch)
    }

    /// Adds a stretch to places where there is none yet.
    pub fn insert(&mut self, stretch: Stretch, tag: T) {
        let Some(mut last) = self.map.last_entry() else {
            self.map.insert(stretch.first(), (stretch, tag));
            return;
        };
        let (last_stretch, last_tag) = last.get_mut();
        if last_stretch.last() >= stretch.first() {
            return self.insert_between(stretch, tag);
        }
        let left = if *last_tag == tag { last_stretch.join(stretch) } else { Err(stretch) };
        if let Err(stretch) = left {
            self.map.insert(stretch.first(), (stretch, tag));
        }
    }

    /// Takes the first messages in `range` that are there and in one stretch; not before
    /// those, if any, at lower places of the range were taken.
    pub fn take(&mut self, range: SequenceRange) -> Option<(Stretch, T)> {
        let key = self.find(range)?;
        let (stretch, tag) = self.map.get_mut(&key)?;
        let tag = *tag;
        if let Some(before) = stretch.split_front(offset(stretch.first(), range.first)) {
            let rest = std::mem::replace(stretch, before);
            return Some((self.take_front(rest, tag, range), tag));
        }
        if let Some(taken) =
            stretch.split_front(offset(stretch.first(), range.last.saturating_add(1)))
        {
            return Some((taken, tag));
        }
        self.take_entry(key)
    }

    /// The first stretch that has a message in `range`.
    #[must_use]
    pub fn get(&self, range: SequenceRange) -> Option<&Stretch> {
        self.map.get(&self.find(range)?).map(|(stretch, _)| stretch)
    }

    /// Takes the first stretch that has a message in `range`, as a whole.
    pub fn take_whole(&mut self, range: SequenceRange) -> Option<(Stretch, T)> {
        let key = self.find(range)?;
        self.take_entry(key)
    }

    /// Takes the first stretch.
    pub fn take_first(&mut self) -> Option<(Stretch, T)> {
        self.map.pop_first().map(|(_, entry)| entry)
    }

    /// Takes the last stretch.
    pub fn take_last(&mut self) -> Option<(Stretch, T)> {
        self.map.pop_last().map(|(_, entry)| entry)
    }

    /// Takes at most `count` messages of the first stretch.
    pub fn pop(&mut self, count: usize) -> Option<Stretch> {
        let mut first = self.map.first_entry()?;
        let part = first.get_mut().0.split_front(count);
        Some(part.unwrap_or_else(|| first.remove().0))
    }

    /// All stretches, in their order.
    pub fn into_stretches(self) -> impl DoubleEndedIterator<Item = Stretch> {
        self.map.into_values().map(|(stretch, _)| stretch)
    }

    fn take_entry(&mut self, key: Sequence) -> Option<(Stretch, T)> {
        self.map.remove(&key)
    }

    /// Takes what is in `range` from a stretch that begins there and was just cut out; the rest
    /// goes back.
    fn take_front(&mut self, mut stretch: Stretch, tag: T, range: SequenceRange) -> Stretch {
        let end = offset(stretch.first(), range.last.saturating_add(1));
        match stretch.split_front(end) {
            None => stretch,
            Some(taken) => {
                self.map.insert(stretch.first(), (stretch, tag));
                taken
            }
        }
    }

    /// The key of the first stretch that has a message in `range`.
    fn find(&self, range: SequenceRange) -> Option<Sequence> {
        let at_or_before = self.map.range(..=range.first).next_back();
        let found = at_or_before.filter(|(_, (stretch, _))| stretch.last() >= range.first);
        let (key, (stretch, _)) = match found {
            Some(found) => found,
            None => self.after(range.first)?,
        };
        (stretch.first() <= range.last).then_some(*key)
    }

    fn after(&self, sequence: Sequence) -> Option<(&Sequence, &(Stretch, T))> {
        self.map.range((Bound::Excluded(sequence), Bound::Unbounded)).next()
    }

    /// Adds a stretch that has others behind it.
    fn insert_between(&mut self, mut stretch: Stretch, tag: T) {
        self.free_key(stretch.last());
        if let Some((&key, (next, next_tag))) = self.after(stretch.first())
            && *next_tag == tag
            && stretch.continues_in(next)
            && let Some((next, _)) = self.map.remove(&key)
        {
            // It continues it, so nothing comes back.
            let _ = stretch.join(next);
        }
        let before = self.map.range_mut(..stretch.first()).next_back();
        let left = match before {
            Some((_, (before, before_tag))) if *before_tag == tag => before.join(stretch),
            _ => Err(stretch),
        };
        if let Err(stretch) = left {
            self.map.insert(stretch.first(), (stretch, tag));
        }
    }

    /// Gives the stretch whose key is at or before `sequence`, but which begins behind it, the key
    /// of its first place. There is at most one: the next key is behind all of it.
    fn free_key(&mut self, sequence: Sequence) {
        let before = self.map.range(..=sequence).next_back();
        let stale = before.filter(|(_, (stretch, _))| stretch.first() > sequence);
        if let Some(key) = stale.map(|(key, _)| *key)
            && let Some(entry) = self.map.remove(&key)
        {
            self.map.insert(entry.0.first(), entry);
        }
    }
}

/// How many places `sequence` is behind `first`; none where it is before.
fn offset(first: Sequence, sequence: Sequence) -> usize {
    usize::try_from(sequence.saturating_sub(first)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, Envelope, Message, MessageRun, Random};
    use crate::queue::stretch::Marks;

    fn message() -> Message {
        let envelope =
            Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: false };
        Message::new(envelope, Body::Copied(b"x"))
    }

    fn range(first: Sequence, last: Sequence) -> SequenceRange {
        SequenceRange { first, last }
    }

    fn resident(places: SequenceRange) -> Stretch {
        let mut run = MessageRun::one(message());
        (1..places.count()).for_each(|_| run.push(message()));
        Stretch::of(places.first, run, Marks::default())
    }

    fn paged(places: SequenceRange) -> Stretch {
        Stretch::paged(places, places.count(), Marks::default())
    }

    fn ranges(map: &StretchMap<u8>) -> Vec<SequenceRange> {
        map.iter().map(Stretch::range).collect()
    }

    fn taken(map: &mut StretchMap<u8>, first: Sequence, last: Sequence) -> Option<SequenceRange> {
        map.take(range(first, last)).map(|(stretch, _)| stretch.range())
    }

    #[test]
    fn neighbors_with_the_same_tag_are_one_on_both_sides() {
        let mut map = StretchMap::default();
        map.insert(paged(range(0, 3)), 1);
        map.insert(paged(range(7, 9)), 1);
        map.insert(paged(range(4, 6)), 1);
        map.insert(paged(range(10, 11)), 2);
        map.insert(resident(range(12, 13)), 2);
        assert_eq!(ranges(&map), [range(0, 9), range(10, 11), range(12, 13)]);
    }

    #[test]
    fn a_middle_is_cut_out_of_a_stretch() {
        for make in [resident, paged] {
            let mut map = StretchMap::default();
            map.insert(make(range(0, 9)), 1);
            assert_eq!(taken(&mut map, 4, 5), Some(range(4, 5)));
            assert_eq!(ranges(&map), [range(0, 3), range(6, 9)]);
            assert_eq!(taken(&mut map, 4, 5), None);
            assert_eq!(taken(&mut map, 2, 7), Some(range(2, 3)));
            assert_eq!(taken(&mut map, 4, 7), Some(range(6, 7)));
            assert_eq!(map.iter().map(Stretch::body_bytes).sum::<u64>(), 4);
        }
    }

    #[test]
    fn what_comes_back_in_front_of_a_stretch_that_lost_its_front_is_found() {
        let mut map = StretchMap::default();
        map.insert(resident(range(0, 9)), 1);
        assert_eq!(taken(&mut map, 0, 6), Some(range(0, 6)));
        map.insert(resident(range(1, 3)), 2);
        assert_eq!(ranges(&map), [range(1, 3), range(7, 9)]);
        assert_eq!(taken(&mut map, 2, 2), Some(range(2, 2)));
        assert_eq!(taken(&mut map, 8, 8), Some(range(8, 8)));
    }

    /// Every place on its own, as the map must look from outside.
    type Model = BTreeMap<Sequence, u8>;

    fn step(random: &mut Random, map: &mut StretchMap<u8>, model: &mut Model) {
        let mut below = |bound: u64| random.draw() % bound;
        let first = below(60);
        let places = range(first, first + below(8));
        if below(2) == 0 {
            let (tag, is_paged) = (u8::from(below(4) == 0), below(3) == 0);
            if model.range(places.iter()).next().is_none() {
                map.insert(if is_paged { paged(places) } else { resident(places) }, tag);
                model.extend(places.iter().map(|place| (place, tag)));
            }
        } else if let Some((stretch, tag)) = map.take(places) {
            let first = model.range(places.iter()).next().map(|(place, _)| *place);
            assert_eq!(first, Some(stretch.first()), "the first there is");
            for place in stretch.range().iter() {
                assert!(places.contains(place));
                assert_eq!(model.remove(&place), Some(tag));
            }
        } else {
            assert_eq!(model.range(places.iter()).next(), None);
        }
    }

    #[test]
    fn any_order_of_steps_leaves_what_a_plain_map_has() {
        let mut random = Random::new([7, 11]);
        let (mut map, mut model) = (StretchMap::default(), Model::new());
        for _ in 0..20_000 {
            step(&mut random, &mut map, &mut model);
            let places: Vec<Sequence> =
                map.iter().flat_map(|stretch| stretch.range().iter()).collect();
            assert_eq!(places, model.keys().copied().collect::<Vec<_>>());
        }
    }
}
