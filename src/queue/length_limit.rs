//! How long a queue may get, and what there is room for. Not what becomes of what is over.

use super::totals::Totals;
use crate::message::queue_options::{Overflow, QueueOptions};

/// The limits of one queue, on what is ready: messages, and bytes of their bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LengthLimit {
    /// `x-max-length`.
    pub count_max: Option<u64>,
    /// `x-max-length-bytes`.
    pub bytes_max: Option<u64>,
    /// A message for which there is no room is refused; otherwise it is taken, and the oldest go.
    pub refuses: bool,
    /// What is refused goes where dead letters go.
    pub buries_refused: bool,
}

impl LengthLimit {
    /// What a queue's arguments say; `None` where they set no limit.
    #[must_use]
    pub fn of(options: &QueueOptions) -> Option<Self> {
        let (count_max, bytes_max) = (options.length_max, options.length_bytes_max);
        let overflow = options.overflow.unwrap_or_default();
        let refuses = overflow != Overflow::DropHead;
        let buries_refused = overflow == Overflow::RejectPublishDeadLetter;
        let is_set = count_max.is_some() || bytes_max.is_some();
        is_set.then_some(Self { count_max, bytes_max, refuses, buries_refused })
    }

    /// So many messages with so many bytes may come to those that are ready.
    #[must_use]
    pub fn has_room(&self, ready: Totals, count: u64, bytes: u64) -> bool {
        let within = |max: Option<u64>, sum: u64| max.is_none_or(|max| sum <= max);
        within(self.count_max, ready.count as u64 + count)
            && within(self.bytes_max, ready.body_bytes + bytes)
    }

    /// How many of the oldest must go at least, to be asked again when they are gone.
    #[must_use]
    pub fn excess(&self, ready: Totals) -> usize {
        if ready.count == 0 || self.has_room(ready, 0, 0) {
            return 0;
        }
        let over = self.count_max.map_or(0, |max| (ready.count as u64).saturating_sub(max));
        usize::try_from(over).unwrap_or(usize::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(count: usize, body_bytes: u64) -> Totals {
        Totals { count, body_bytes, ..Totals::default() }
    }

    #[test]
    fn both_limits_hold_at_once() {
        let limit =
            LengthLimit { count_max: Some(3), bytes_max: Some(10), ..LengthLimit::default() };
        assert!(limit.has_room(ready(2, 9), 1, 1));
        assert!(!limit.has_room(ready(2, 9), 1, 2));
        assert!(!limit.has_room(ready(3, 0), 1, 0));
        assert!(LengthLimit::default().has_room(ready(usize::MAX - 1, 9), 1, 9));
    }

    #[test]
    fn what_must_go_is_counted_and_by_bytes_one_after_the_other() {
        let limit =
            LengthLimit { count_max: Some(3), bytes_max: Some(10), ..LengthLimit::default() };
        assert_eq!(limit.excess(ready(3, 10)), 0);
        assert_eq!(limit.excess(ready(8, 10)), 5);
        assert_eq!(limit.excess(ready(3, 11)), 1);
        let none = LengthLimit { count_max: Some(0), ..LengthLimit::default() };
        assert_eq!((none.excess(ready(0, 0)), none.excess(ready(1, 0))), (0, 1));
    }

    #[test]
    fn only_with_that_overflow_dead_letters_are_made_of_what_is_refused() {
        let options = QueueOptions { length_max: Some(1), ..QueueOptions::default() };
        for (overflow, refuses, buries_refused) in [
            (None, false, false),
            (Some(Overflow::DropHead), false, false),
            (Some(Overflow::RejectPublish), true, false),
            (Some(Overflow::RejectPublishDeadLetter), true, true),
        ] {
            let limit = LengthLimit::of(&QueueOptions { overflow, ..options.clone() }).unwrap();
            assert_eq!((limit.refuses, limit.buries_refused), (refuses, buries_refused));
        }
        assert_eq!(LengthLimit::of(&QueueOptions::default()), None);
    }
}
