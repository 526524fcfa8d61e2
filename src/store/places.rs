//! Sets of sequences in words of 64, which cost the same however their members lie: where every
//! other message of a queue is one. Sets that are mostly one range are in `ranges`.

use std::collections::BTreeMap;

use crate::message::{Sequence, SequenceRange};

/// Sequences of a word.
const WORD: u64 = 64;

/// A set of sequences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PlaceSet {
    /// By the number of the word; none is empty.
    words: BTreeMap<u64, u64>,
}

impl PlaceSet {
    /// There are none.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whole ranges of them, lowest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = SequenceRange> + '_ {
        whole_ranges(self.words.iter().flat_map(|(&at, &word)| runs_of(at, word)))
    }

    /// What of a range is in the set, lowest first.
    pub(super) fn within(&self, range: SequenceRange) -> impl Iterator<Item = SequenceRange> + '_ {
        let words = self.words.range(range.first / WORD..=range.last / WORD);
        whole_ranges(words.flat_map(move |(&at, &word)| runs_of(at, word & mask(at, range))))
    }

    /// Adds a range; what was there already stays.
    pub(super) fn insert(&mut self, range: SequenceRange) {
        for at in range.first / WORD..=range.last / WORD {
            *self.words.entry(at).or_default() |= mask(at, range);
        }
    }

    /// Takes a range out.
    pub(super) fn remove(&mut self, range: SequenceRange) {
        let mut emptied = Vec::new();
        for (&at, word) in self.words.range_mut(range.first / WORD..=range.last / WORD) {
            *word &= !mask(at, range);
            if *word == 0 {
                emptied.push(at);
            }
        }
        for at in emptied {
            self.words.remove(&at);
        }
    }
}

impl FromIterator<SequenceRange> for PlaceSet {
    fn from_iter<I: IntoIterator<Item = SequenceRange>>(ranges: I) -> Self {
        let mut set = Self::default();
        ranges.into_iter().for_each(|range| set.insert(range));
        set
    }
}

/// What of a range, which has some of it, is in the word with this number.
fn mask(at: u64, range: SequenceRange) -> u64 {
    let first = range.first.max(at * WORD) % WORD;
    let last = range.last.min(at * WORD + (WORD - 1)) % WORD;
    (u64::MAX >> (WORD - 1 - (last - first))) << first
}

/// Neighbors as one.
fn whole_ranges(runs: impl Iterator<Item = SequenceRange>) -> impl Iterator<Item = SequenceRange> {
    let mut runs = runs.peekable();
    std::iter::from_fn(move || {
        let mut range = runs.next()?;
        while runs.next_if(|next| range.join(*next)).is_some() {}
        Some(range)
    })
}

/// The members of a word as ranges.
fn runs_of(at: u64, mut word: u64) -> impl Iterator<Item = SequenceRange> {
    std::iter::from_fn(move || {
        let begin = u64::from(word.trailing_zeros());
        if begin == WORD {
            return None;
        }
        let count = u64::from((word >> begin).trailing_ones());
        let first: Sequence = at * WORD + begin;
        let run = SequenceRange { first, last: first + (count - 1) };
        word &= !mask(at, run);
        Some(run)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::message::Random;

    fn range(first: Sequence, last: Sequence) -> SequenceRange {
        SequenceRange { first, last }
    }

    #[test]
    fn neighbors_are_one_range_over_the_ends_of_words() {
        let set: PlaceSet = [range(3, 63), range(64, 200), range(202, 202)].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [range(3, 200), range(202, 202)]);
    }

    #[test]
    fn the_last_sequences_there_are_have_their_word_too() {
        let mut set = PlaceSet::default();
        set.insert(range(Sequence::MAX - 64, Sequence::MAX));
        set.remove(range(Sequence::MAX - 1, Sequence::MAX - 1));
        let expected =
            [range(Sequence::MAX - 64, Sequence::MAX - 2), range(Sequence::MAX, Sequence::MAX)];
        assert_eq!(set.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_other_one_of_many_is_a_bit_each() {
        let mut set = PlaceSet::default();
        (0..64_000).step_by(2).for_each(|place| set.insert(range(place, place)));
        assert_eq!((set.words.len(), set.iter().count()), (1000, 32_000));
    }

    #[test]
    fn any_order_of_steps_leaves_what_a_plain_set_has() {
        let mut random = Random::new([2, 9]);
        let (mut set, mut model) = (PlaceSet::default(), BTreeSet::new());
        for _ in 0..20_000 {
            let first = random.draw() % 500;
            let places = range(first, first + random.draw() % 100);
            if random.draw().is_multiple_of(2) {
                set.insert(places);
                model.extend(places.iter());
            } else {
                set.remove(places);
                model.retain(|place| !places.contains(*place));
            }
            let ranges: Vec<SequenceRange> = set.iter().collect();
            assert!(ranges.windows(2).all(|pair| pair[0].last + 1 < pair[1].first), "{ranges:?}");
            assert!(ranges.iter().flat_map(|range| range.iter()).eq(model.iter().copied()));
            assert_eq!(set.is_empty(), model.is_empty());
            let within = set.within(places).flat_map(|range| range.iter());
            assert!(within.eq(model.range(places.iter()).copied()));
        }
    }
}
