//! Dice with a seed: everything random in a run comes from here, so that a seed repeats it. Not the
//! broker's own randomness, which is seeded beside it.

use leveret::message::Random;

/// A generator of small decisions.
#[derive(Debug)]
pub(crate) struct Chance(Random);

impl Chance {
    /// Decisions of one seed; `purpose` keeps several sequences of a seed apart.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        Self(Random::new([seed, purpose]))
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.draw() % (end as u64)).unwrap()
    }

    /// True once in `count` times.
    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// One of several.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        if choices.is_empty() { None } else { choices.get(self.below(choices.len())) }
    }

    /// One of several that are counted first.
    pub(crate) fn pick_from<T>(&mut self, choices: impl IntoIterator<Item = T>) -> Option<T> {
        let mut choices: Vec<T> = choices.into_iter().collect();
        if choices.is_empty() { None } else { Some(choices.swap_remove(self.below(choices.len()))) }
    }
}
