//! Whether every message arrived, once, and in the order in which it was sent. It knows stamps only
//! by their numbers.

use std::collections::VecDeque;

use serde::Serialize;

/// How far numbers may be ahead of what is missing, before they count as nobody's: what is between
/// costs a bit each.
const SPREAD_MAX: u64 = 1 << 30;

/// What came of the messages of all queues. A run is valid where all but `received` are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(in crate::perf) struct Check {
    pub(in crate::perf) received: u64,
    pub(in crate::perf) lost: u64,
    pub(in crate::perf) duplicated: u64,
    /// Arrived at a consumer after a later one.
    pub(in crate::perf) reordered: u64,
    /// Sent by nobody in this run, or to another queue.
    pub(in crate::perf) foreign: u64,
}

impl Check {
    pub(in crate::perf) fn is_valid(&self) -> bool {
        let Self { received: _, lost, duplicated, reordered, foreign } = self;
        [lost, duplicated, reordered, foreign] == [&0; 4]
    }

    pub(in crate::perf) fn merge(&mut self, other: &Self) {
        self.received += other.received;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.foreign += other.foreign;
    }
}

/// The sequences of all publishers in all queues, each of which counts from 0.
#[derive(Debug)]
pub(in crate::perf) struct Sequences {
    /// By queue and publisher.
    queues: Vec<Vec<Sequence>>,
    publisher_count: u32,
    /// Whether one consumer sees all of a queue, so that what comes late is out of order.
    is_ordered: bool,
    check: Check,
}

impl Sequences {
    pub(in crate::perf) fn new(queue_count: u32, publisher_count: u32, is_ordered: bool) -> Self {
        let queues = vec![Vec::new(); queue_count as usize];
        Self { queues, publisher_count, is_ordered, check: Check::default() }
    }

    /// Messages that have arrived so far, whatever they were.
    pub(in crate::perf) fn received(&self) -> u64 {
        self.check.received
    }

    /// Takes note of an arrival.
    pub(in crate::perf) fn arrive(&mut self, queue: u32, publisher: u32, number: u64) {
        self.check.received += 1;
        let Some(sequences) = self.queues.get_mut(queue as usize) else {
            self.check.foreign += 1;
            return;
        };
        if sequences.len() <= publisher as usize && publisher < self.publisher_count {
            sequences.resize(publisher as usize + 1, Sequence::default());
        }
        match sequences.get_mut(publisher as usize).map(|sequence| sequence.arrive(number)) {
            Some(Arrival::Next) => {}
            Some(Arrival::Late) => self.check.reordered += u64::from(self.is_ordered),
            Some(Arrival::Duplicate) => self.check.duplicated += 1,
            Some(Arrival::Foreign) | None => self.check.foreign += 1,
        }
    }

    /// A consumer that shares its queue saw a message after a later one.
    pub(in crate::perf) fn reorder(&mut self) {
        self.check.reordered += 1;
    }

    /// A message went to another queue than it was sent to.
    pub(in crate::perf) fn misroute(&mut self) {
        self.check.received += 1;
        self.check.foreign += 1;
    }

    /// The result, where each publisher sent so many to each of these queues.
    pub(in crate::perf) fn finish(
        mut self,
        queues: impl IntoIterator<Item = u32>,
        sent: impl Fn(u32, u32) -> u64,
    ) -> Check {
        for queue in queues {
            let sequences = self.queues.get_mut(queue as usize).map(std::mem::take);
            let mut sequences = sequences.unwrap_or_default();
            sequences.resize(self.publisher_count as usize, Sequence::default());
            for (publisher, sequence) in (0..).zip(&sequences) {
                let sent = sent(queue, publisher);
                self.check.lost += sequence.missing() + sent.saturating_sub(sequence.end);
                self.check.foreign += sequence.end.saturating_sub(sent);
            }
        }
        self.check
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    /// After all that have arrived.
    Next,
    /// Before one that has arrived.
    Late,
    Duplicate,
    /// So far ahead that nobody can have sent it.
    Foreign,
}

/// The numbers that have arrived: all below `base`, and those whose bits are set.
///
/// ```text
/// 0 ... base | words: a bit for each number from 64 * first_word on ... | end
/// ```
#[derive(Clone, Debug, Default)]
struct Sequence {
    base: u64,
    /// One more than the largest.
    end: u64,
    /// Empty where nothing is missing below `end`.
    words: VecDeque<u64>,
    first_word: u64,
}

impl Sequence {
    fn arrive(&mut self, number: u64) -> Arrival {
        if number == self.base && self.words.is_empty() {
            self.base += 1;
            self.end = self.base;
            return Arrival::Next;
        }
        if number < self.base {
            return Arrival::Duplicate;
        }
        if number - self.base > SPREAD_MAX {
            return Arrival::Foreign;
        }
        self.mark(number)
    }

    fn mark(&mut self, number: u64) -> Arrival {
        if self.words.is_empty() {
            self.first_word = self.base / 64;
            self.words.push_back((1 << (self.base % 64)) - 1);
        }
        let index = usize::try_from(number / 64 - self.first_word).unwrap_or(usize::MAX);
        if index >= self.words.len() {
            self.words.resize(index + 1, 0);
        }
        let bit = 1 << (number % 64);
        let Some(word) = self.words.get_mut(index) else { return Arrival::Foreign };
        if *word & bit != 0 {
            return Arrival::Duplicate;
        }
        *word |= bit;
        let arrival = if number >= self.end { Arrival::Next } else { Arrival::Late };
        self.end = self.end.max(number + 1);
        self.settle();
        arrival
    }

    /// Forgets the bits at the front as far as nothing is missing there.
    fn settle(&mut self) {
        while self.words.pop_front_if(|word| *word == u64::MAX).is_some() {
            self.first_word += 1;
        }
        let front = self.words.front().copied().unwrap_or_default();
        self.base = self.first_word * 64 + u64::from(front.trailing_ones());
        if self.base == self.end {
            self.words.clear();
        }
    }

    fn missing(&self) -> u64 {
        let arrived: u64 = self.words.iter().map(|word| u64::from(word.count_ones())).sum();
        if self.words.is_empty() { 0 } else { self.end - self.first_word * 64 - arrived }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result for one queue that was sent so many, with `received` left out.
    fn check_where(is_ordered: bool, sent: u64, arrivals: &[u64]) -> (u64, u64, u64, u64) {
        let mut sequences = Sequences::new(1, 1, is_ordered);
        arrivals.iter().for_each(|number| sequences.arrive(0, 0, *number));
        let check = sequences.finish([0], |_, _| sent);
        assert_eq!(check.received, arrivals.len() as u64);
        let counts = (check.lost, check.duplicated, check.reordered, check.foreign);
        assert_eq!(check.is_valid(), counts == (0, 0, 0, 0));
        counts
    }

    fn check(sent: u64, arrivals: &[u64]) -> (u64, u64, u64, u64) {
        check_where(true, sent, arrivals)
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
        let all_but_one: Vec<u64> = (0..1000).filter(|number| *number != 100).collect();
        assert_eq!(check(1000, &all_but_one), (1, 0, 0, 0));
    }

    #[test]
    fn a_message_that_came_twice_is_duplicated() {
        assert_eq!(check(3, &[0, 1, 1, 2, 0]), (0, 2, 0, 0));
        assert_eq!(check(200, &(0..200).chain([70]).collect::<Vec<_>>()), (0, 1, 0, 0));
    }

    #[test]
    fn a_message_that_came_late_is_reordered_and_not_lost() {
        assert_eq!(check(5, &[0, 4, 2, 1, 3]), (0, 0, 3, 0));
        assert_eq!(check(5, &[0, 4, 2, 2]), (2, 1, 1, 0));
    }

    #[test]
    fn a_message_that_nobody_sent_is_foreign() {
        assert_eq!(check(2, &[0, 1, 2]), (0, 0, 0, 1));
        assert_eq!(check(1, &[0, 1 << 43]), (0, 0, 0, 1));
        let mut sequences = Sequences::new(1, 1, true);
        sequences.arrive(1, 0, 0);
        sequences.arrive(0, 1, 0);
        sequences.misroute();
        assert_eq!(sequences.finish([0], |_, _| 0).foreign, 3);
    }

    #[test]
    fn each_publisher_has_a_sequence_of_its_own_in_each_queue() {
        let mut sequences = Sequences::new(2, 2, true);
        for (queue, publisher, number) in [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 0, 1), (1, 0, 3)] {
            sequences.arrive(queue, publisher, number);
        }
        let sent = |queue, publisher| [[1, 2], [4, 0]][queue as usize][publisher as usize];
        let check = sequences.finish([0, 1], sent);
        assert_eq!((check.received, check.lost, check.reordered), (5, 2, 0));
    }

    #[test]
    fn where_consumers_share_a_queue_their_messages_may_come_in_any_order_but_once() {
        let arrivals: Vec<u64> = (0..5000).map(|n| n ^ 0x55).collect();
        assert_eq!(check_where(false, 5120, &arrivals).2, 0);
        let all: Vec<u64> = (0..4096).map(|n| n ^ 0x155).collect();
        assert_eq!(check_where(false, 4096, &all), (0, 0, 0, 0));
        assert_eq!(check_where(false, 4096, &all[1..]), (1, 0, 0, 0));
        let twice: Vec<u64> = all.iter().chain(&all[7..9]).copied().collect();
        assert_eq!(check_where(false, 4096, &twice), (0, 2, 0, 0));
    }

    #[test]
    fn nothing_is_kept_where_nothing_is_missing() {
        let mut sequence = Sequence::default();
        for number in [5, 4, 3, 2, 1, 0, 6] {
            sequence.arrive(number);
        }
        assert!(sequence.words.is_empty());
        assert_eq!((sequence.base, sequence.end), (7, 7));
    }
}
