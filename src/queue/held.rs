//! Messages that wait before they are tried again, by the moment at which they do. It does not know
//! why they wait, nor what becomes of them then.

use std::collections::BTreeMap;

use super::paging::Pages;
use super::stretch::Stretch;
use super::totals::Totals;
use crate::message::{Moment, Sequence};

/// Messages that wait.
///
/// ```text
/// until 700:  3, 7..8
/// until 704:  1..2, 5        what waits for one moment and is alike is one stretch
/// ```
#[derive(Debug, Default)]
pub struct Held {
    /// By the moment at which they are ready again, and their first place.
    stretches: BTreeMap<(Moment, Sequence), Stretch>,
    totals: Totals,
}

impl Held {
    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }

    /// When the first ones are ready again.
    #[must_use]
    pub fn next(&self) -> Option<Moment> {
        self.stretches.first_key_value().map(|((until, _), _)| *until)
    }

    /// What waits, in the order in which it is ready again.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Stretch> {
        self.stretches.values()
    }

    /// Adds messages that are ready again at this moment.
    pub(super) fn push(&mut self, until: Moment, mut stretch: Stretch) {
        self.totals += stretch.totals();
        let next = (until, stretch.last() + 1);
        if self.stretches.get(&next).is_some_and(|next| stretch.continues_in(next))
            && let Some(next) = self.stretches.remove(&next)
        {
            // It continues it, so nothing comes back.
            let _ = stretch.join(next);
        }
        let before = self.stretches.range_mut((until, 0)..(until, stretch.first())).next_back();
        let left = match before {
            Some((_, before)) => before.join(stretch),
            None => Err(stretch),
        };
        if let Err(stretch) = left {
            self.stretches.insert((until, stretch.first()), stretch);
        }
    }

    /// Takes messages that are ready again at this moment.
    pub(super) fn pop(&mut self, now: Moment) -> Option<Stretch> {
        let first = self.stretches.first_entry().filter(|first| first.key().0 <= now)?;
        let stretch = first.remove();
        self.totals -= stretch.totals();
        Some(stretch)
    }
}

impl Pages for Held {
    fn totals(&self) -> Totals {
        self.totals
    }

    /// What waits longest is at the back.
    fn change_back(
        &mut self,
        kind: impl Fn(Totals) -> u64,
        keep_bytes: u64,
        mut change: impl FnMut(Stretch, u64, &mut dyn FnMut(Stretch)),
    ) {
        let mut taken = Vec::new();
        while kind(self.totals) > keep_bytes
            && let Some(((until, _), stretch)) = self.stretches.pop_last()
        {
            self.totals -= stretch.totals();
            taken.push((until, stretch, keep_bytes.saturating_sub(kind(self.totals))));
        }
        for (until, stretch, keep) in taken.into_iter().rev() {
            change(stretch, keep, &mut |part| self.push(until, part));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, Envelope, Message, MessageRun, SequenceRange};
    use crate::queue::paging::Forgetting;
    use crate::queue::stretch::Marks;

    fn message() -> Message {
        let envelope =
            Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: true };
        Message::new(envelope, Body::Copied(b"x"))
    }

    fn stretch(first: Sequence, last: Sequence, is_logged: bool) -> Stretch {
        let mut run = MessageRun::one(message());
        (first..last).for_each(|_| run.push(message()));
        Stretch::of(first, run, Marks { is_logged, ..Marks::default() })
    }

    fn held(stretches: &[(u64, Sequence, Sequence)]) -> Held {
        let mut held = Held::default();
        for (until, first, last) in stretches {
            held.push(Moment(*until), stretch(*first, *last, true));
        }
        held
    }

    fn order(held: &mut Held, now: u64) -> Vec<SequenceRange> {
        std::iter::from_fn(|| held.pop(Moment(now))).map(|stretch| stretch.range()).collect()
    }

    fn range(first: Sequence, last: Sequence) -> SequenceRange {
        SequenceRange { first, last }
    }

    #[test]
    fn each_waits_until_its_moment() {
        let mut held = held(&[(70, 0, 1), (50, 9, 9), (60, 4, 5)]);
        assert_eq!(held.next(), Some(Moment(50)));
        assert_eq!(order(&mut held, 49), []);
        assert_eq!(order(&mut held, 60), [range(9, 9), range(4, 5)]);
        assert_eq!((held.next(), held.totals().count), (Some(Moment(70)), 2));
        assert_eq!(order(&mut held, 700), [range(0, 1)]);
        assert_eq!((held.is_empty(), held.totals()), (true, Totals::default()));
    }

    #[test]
    fn what_waits_for_one_moment_is_one_stretch_in_whichever_order_it_came() {
        for places in [[0, 1, 2, 3], [3, 2, 1, 0], [0, 3, 1, 2], [2, 0, 3, 1]] {
            let mut held = held(&places.map(|place| (50, place, place)));
            assert_eq!(held.iter().count(), 1, "{places:?}");
            held.push(Moment(51), stretch(4, 4, true));
            assert_eq!(order(&mut held, 60), [range(0, 3), range(4, 4)]);
        }
    }

    #[test]
    fn bodies_are_forgotten_that_the_log_has() {
        let mut held = held(&[(50, 0, 3), (60, 10, 13)]);
        held.push(Moment(50), stretch(4, 4, false));
        let before = held.totals();
        let mut forgetting = Forgetting { stored_below: 12, fetching: None, forgotten: 0 };
        held.forget(0, &mut forgetting);
        let after = held.totals();
        assert_eq!((after.count, after.paged_count), (before.count, 6));
        assert_eq!(before.resident.logged - after.resident.logged, forgetting.forgotten);
        assert_eq!(after.resident.unlogged, before.resident.unlogged);
        let left = [range(0, 3), range(4, 4), range(10, 11), range(12, 13)];
        assert_eq!(order(&mut held, 60), left);
    }

    #[test]
    fn what_is_in_ram_only_is_given_to_the_log_once() {
        let mut held = Held::default();
        held.push(Moment(50), stretch(0, 2, false));
        held.push(Moment(60), stretch(7, 8, false));
        let added = |held: &mut Held, bytes| -> Vec<(Sequence, usize)> {
            let added = held.log_unlogged(bytes).into_iter();
            added.map(|(first, messages, _)| (first, messages.len())).collect()
        };
        assert_eq!(added(&mut held, 1), [(8, 1)], "about as much as was asked for");
        assert_eq!(added(&mut held, u64::MAX), [(0, 3), (7, 1)]);
        assert_eq!(added(&mut held, u64::MAX), []);
        assert_eq!((held.totals().resident.unlogged, held.totals().count), (0, 5));
    }
}
