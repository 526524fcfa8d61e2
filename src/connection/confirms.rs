//! Publisher confirms of one channel: numbers for publishes, and how their answers are put
//! together. It does not decide when a message is safe.

use std::collections::BTreeMap;

/// An acknowledgement to send: a tag, and whether it stands for all before it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ack {
    /// The publish's number.
    pub(super) tag: u64,
    /// All up to it are meant.
    pub(super) multiple: bool,
}

/// Which publishes of a channel wait for their answer.
#[derive(Debug)]
pub(super) struct Confirms {
    last: u64,
    /// Everything below is answered.
    lowest: u64,
    /// Answered runs above the lowest, first to last.
    answered: BTreeMap<u64, u64>,
}

impl Default for Confirms {
    fn default() -> Self {
        Self { last: 0, lowest: 1, answered: BTreeMap::new() }
    }
}

impl Confirms {
    /// The number of the next publish; the first is 1.
    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Publishes `first` to `last` are safe: what to tell the client. One answer stands for many
    /// only where nothing below waits; otherwise each gets its own.
    pub(super) fn confirm(&mut self, first: u64, last: u64) -> impl Iterator<Item = Ack> + use<> {
        let in_order = first == self.lowest;
        self.answer(first, last);
        let singles = if in_order { last..=last } else { first..=last };
        singles.map(move |tag| Ack { tag, multiple: in_order && last > first })
    }

    /// Publish `number` was refused.
    pub(super) fn reject(&mut self, number: u64) {
        self.answer(number, number);
    }

    fn answer(&mut self, first: u64, last: u64) {
        self.answered.insert(first, last);
        while let Some((&first, &last)) = self.answered.first_key_value()
            && first <= self.lowest
        {
            self.answered.pop_first();
            self.lowest = self.lowest.max(last + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acks(confirms: &mut Confirms, first: u64, last: u64) -> Vec<(u64, bool)> {
        confirms.confirm(first, last).map(|ack| (ack.tag, ack.multiple)).collect()
    }

    #[test]
    fn numbers_start_at_one() {
        let mut confirms = Confirms::default();
        assert_eq!((confirms.next(), confirms.next()), (1, 2));
    }

    #[test]
    fn a_run_from_the_lowest_is_one_answer() {
        let mut confirms = Confirms::default();
        assert_eq!(acks(&mut confirms, 1, 1), [(1, false)]);
        assert_eq!(acks(&mut confirms, 2, 9), [(9, true)]);
    }

    #[test]
    fn nothing_below_that_waits_is_covered() {
        let mut confirms = Confirms::default();
        assert_eq!(acks(&mut confirms, 3, 4), [(3, false), (4, false)]);
        assert_eq!(acks(&mut confirms, 1, 2), [(2, true)]);
        assert_eq!(acks(&mut confirms, 5, 6), [(6, true)]);
    }

    #[test]
    fn a_refused_publish_counts_as_answered() {
        let mut confirms = Confirms::default();
        confirms.reject(1);
        assert_eq!(acks(&mut confirms, 2, 3), [(3, true)]);
    }
}
