//! Whether every message arrived, once, and in the order in which it was sent. It knows stamps only
//! by their numbers.

use std::collections::BTreeMap;

use serde::Serialize;

/// What came of the messages of all queues. A run is valid where all but `received` are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) received: u64,
    pub(super) lost: u64,
    pub(super) duplicated: u64,
    /// Arrived after a later one.
    pub(super) reordered: u64,
    /// Sent by nobody in this run.
    pub(super) foreign: u64,
}

impl Check {
    pub(super) fn is_valid(&self) -> bool {
        let Self { received: _, lost, duplicated, reordered, foreign } = self;
        [lost, duplicated, reordered, foreign] == [&0; 4]
    }
}

/// The sequences of queues, each of which counts from 0.
#[derive(Debug)]
pub(super) struct Sequences {
    queues: Vec<Sequence>,
    check: Check,
}

#[derive(Clone, Debug, Default)]
struct Sequence {
    next: u64,
    /// What was passed over, as first and last number of each gap.
    gaps: BTreeMap<u64, u64>,
}

impl Sequences {
    pub(super) fn of(queue_count: u16) -> Self {
        let queues = vec![Sequence::default(); queue_count.into()];
        Self { queues, check: Check::default() }
    }

    /// Messages that have arrived so far, whatever they were.
    pub(super) fn received(&self) -> u64 {
        self.check.received
    }

    /// Takes note of an arrival.
    pub(super) fn arrive(&mut self, queue: u16, number: u64) {
        self.check.received += 1;
        let Some(sequence) = self.queues.get_mut(usize::from(queue)) else {
            self.check.foreign += 1;
            return;
        };
        if number == sequence.next {
            sequence.next += 1;
        } else if number > sequence.next {
            sequence.gaps.insert(sequence.next, number - 1);
            sequence.next = number + 1;
        } else if sequence.fill(number) {
            self.check.reordered += 1;
        } else {
            self.check.duplicated += 1;
        }
    }

    /// The result, where each queue was sent so many.
    pub(super) fn finish(mut self, sent: &[u64]) -> Check {
        for (sequence, sent) in self.queues.iter().zip(sent) {
            self.check.lost += sequence.missing() + sent.saturating_sub(sequence.next);
            self.check.foreign += sequence.next.saturating_sub(*sent);
        }
        self.check
    }
}

impl Sequence {
    /// Takes a number out of the gap it is in; false where it is in none.
    fn fill(&mut self, number: u64) -> bool {
        let Some((&first, &last)) = self.gaps.range(..=number).next_back() else { return false };
        if last < number {
            return false;
        }
        self.gaps.remove(&first);
        if first < number {
            self.gaps.insert(first, number - 1);
        }
        if number < last {
            self.gaps.insert(number + 1, last);
        }
        true
    }

    fn missing(&self) -> u64 {
        self.gaps.iter().map(|(first, last)| last - first + 1).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result for one queue that was sent so many, with `received` left out.
    fn check(sent: u64, arrivals: &[u64]) -> (u64, u64, u64, u64) {
        let mut sequences = Sequences::of(1);
        arrivals.iter().for_each(|number| sequences.arrive(0, *number));
        let check = sequences.finish(&[sent]);
        assert_eq!(check.received, arrivals.len() as u64);
        let counts = (check.lost, check.duplicated, check.reordered, check.foreign);
        assert_eq!(check.is_valid(), counts == (0, 0, 0, 0));
        counts
    }

    #[test]
    fn messages_in_order_are_valid() {
        assert_eq!(check(4, &[0, 1, 2, 3]), (0, 0, 0, 0));
        assert_eq!(check(0, &[]), (0, 0, 0, 0));
    }

    #[test]
    fn a_message_that_never_came_is_lost_wherever_it_was() {
        assert_eq!(check(4, &[1, 2, 3]), (1, 0, 0, 0));
        assert_eq!(check(4, &[0, 3]), (2, 0, 0, 0));
        assert_eq!(check(4, &[0, 1]), (2, 0, 0, 0));
    }

    #[test]
    fn a_message_that_came_twice_is_duplicated() {
        assert_eq!(check(3, &[0, 1, 1, 2, 0]), (0, 2, 0, 0));
    }

    #[test]
    fn a_message_that_came_late_is_reordered_and_not_lost() {
        assert_eq!(check(5, &[0, 4, 2, 1, 3]), (0, 0, 3, 0));
        assert_eq!(check(5, &[0, 4, 2, 2]), (2, 1, 1, 0));
    }

    #[test]
    fn a_message_that_nobody_sent_is_foreign() {
        assert_eq!(check(2, &[0, 1, 2]), (0, 0, 0, 1));
        let mut sequences = Sequences::of(1);
        sequences.arrive(1, 0);
        assert_eq!(sequences.finish(&[0]).foreign, 1);
    }

    #[test]
    fn each_queue_has_a_sequence_of_its_own() {
        let mut sequences = Sequences::of(2);
        for (queue, number) in [(0, 0), (1, 0), (1, 1), (0, 1), (1, 3)] {
            sequences.arrive(queue, number);
        }
        let check = sequences.finish(&[2, 4]);
        assert_eq!((check.received, check.lost, check.reordered), (5, 1, 0));
    }
}
