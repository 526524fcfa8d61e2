//! What a queue holds ready, in order. Not what is out with consumers, and not who gets it.

use std::collections::VecDeque;

use super::due::Arrival;
use super::dying::Dying;
use super::stretch::{Marks, Stretch};
use super::stretch_map::StretchMap;
use super::totals::Totals;
use crate::limits::PATCHES_MAX;
use crate::message::{MessageRun, Sequence};

/// Stretches up to which an empty queue keeps room.
const CAPACITY_KEPT: usize = 32;

/// Ready messages.
///
/// ```text
/// returned: 3, 7..8             5001     came back, each to the place it had; or dies too early
/// fresh:          9..5000,      5002..9000     never delivered, or recovered
/// ```
///
/// Fresh ones leave in order, and die in order where they do not live for ever: what dies before
/// one that came earlier is apart, with those that came back. Whichever has the lowest place is
/// next.
#[derive(Debug, Default)]
pub struct Contents {
    pub(super) returned: StretchMap<()>,
    pub(super) fresh: VecDeque<Stretch>,
    pub(super) totals: Totals,
    next_sequence: Sequence,
    /// Of few queues.
    pub(super) dying: Option<Box<Dying>>,
}

impl Contents {
    /// Adds what was found on disk behind what was found before.
    pub(super) fn recover(&mut self, stretch: Stretch, expires: bool) {
        self.go_on_from(stretch.last() + 1);
        match stretch.marks().due.is_never() {
            true => self.push_lasting(stretch),
            false => self.recover_dying(stretch, !expires),
        }
    }

    /// Appends messages that just arrived and tells the place of the first.
    #[inline]
    pub fn push(&mut self, messages: MessageRun, is_logged: bool, arrival: Arrival) -> Sequence {
        let first = self.next_sequence;
        self.next_sequence += messages.len() as u64;
        let Arrival { due, is_uniform, level } = arrival;
        let stretch =
            Stretch::of(first, messages, Marks { is_logged, due, level, ..Marks::default() });
        match due.is_never() {
            true => self.push_lasting(stretch),
            false => self.push_dying(stretch, is_uniform),
        }
        first
    }

    /// Puts delivered messages back at their original places.
    pub fn put_back(&mut self, stretch: Stretch) {
        self.totals += stretch.totals();
        self.list_dying(stretch.first(), stretch.marks().due);
        self.returned.insert(stretch, ());
    }

    /// The stretch whose first message would be delivered next.
    #[inline]
    #[must_use]
    pub fn first(&self) -> Option<&Stretch> {
        if self.is_fresh_next() { self.fresh.front() } else { self.returned.first() }
    }

    /// Takes at most `count` of the messages that are to be delivered next, and are alike.
    #[inline]
    pub fn pop(&mut self, count: usize) -> Option<Stretch> {
        let is_fresh_next = self.is_fresh_next();
        let taken = if is_fresh_next { self.pop_fresh(count) } else { self.pop_returned(count) }?;
        self.totals -= taken.totals();
        Some(taken)
    }

    /// None that came back has a lower place.
    #[inline]
    fn is_fresh_next(&self) -> bool {
        let Some(returned) = self.returned.first() else { return true };
        self.fresh.front().is_some_and(|fresh| fresh.first() < returned.first())
    }

    fn pop_returned(&mut self, count: usize) -> Option<Stretch> {
        let taken = self.returned.pop(count)?;
        if let Some(rest) = self.returned.first().filter(|_| self.dying.is_some()) {
            // Where part of a stretch is left, it has another first place.
            let (first, due) = (rest.first(), rest.marks().due);
            self.list_dying(first, due);
        }
        Some(taken)
    }

    /// How many are ready.
    #[must_use]
    pub fn len(&self) -> usize {
        self.totals.count
    }

    /// Nothing is ready.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.returned.is_empty() && self.fresh.is_empty()
    }

    /// Neighbors differ again and again: each more of them that does costs a stretch.
    #[must_use]
    pub fn is_patchy(&self) -> bool {
        self.fresh.len() >= PATCHES_MAX
    }

    /// Some bodies are on disk only.
    #[must_use]
    pub fn has_paged(&self) -> bool {
        self.totals.paged_count > 0
    }

    /// The place that the next message will have.
    #[must_use]
    pub fn next_sequence(&self) -> Sequence {
        self.next_sequence
    }

    /// No message has a place below this one from now on.
    pub(super) fn go_on_from(&mut self, sequence: Sequence) {
        self.next_sequence = self.next_sequence.max(sequence);
    }

    /// All stretches, in the order in which they are to be delivered.
    pub fn stretches(&self) -> impl Iterator<Item = &Stretch> {
        let (mut returned, mut fresh) =
            (self.returned.iter().peekable(), self.fresh.iter().peekable());
        std::iter::from_fn(move || match (returned.peek(), fresh.peek()) {
            (Some(one), Some(other)) if other.first() < one.first() => fresh.next(),
            (Some(_), _) => returned.next(),
            (None, _) => fresh.next(),
        })
    }

    /// Takes everything out; sequences go on where they were. Dropping what comes back may take a
    /// while, so the caller does it without a lock.
    #[must_use]
    pub fn take_all(&mut self) -> Self {
        let next_sequence = self.next_sequence;
        std::mem::replace(self, Self { next_sequence, ..Self::default() })
    }

    /// Adds a stretch at the end of the fresh ones.
    #[inline]
    pub(super) fn append(&mut self, stretch: Stretch) {
        self.totals += stretch.totals();
        let is_patchy = self.is_patchy();
        let left = match self.fresh.back_mut() {
            Some(back) if back.has_room() => match back.join(stretch) {
                Err(stretch) if is_patchy => back.join_later(stretch),
                joined => joined,
            },
            _ => Err(stretch),
        };
        self.fresh.extend(left.err());
    }

    pub(super) fn pop_fresh(&mut self, count: usize) -> Option<Stretch> {
        let front = self.fresh.front_mut()?;
        let part = if front.len() > count { front.split_front(count) } else { None };
        let taken = part.or_else(|| self.fresh.pop_front())?;
        if self.fresh.is_empty() && self.fresh.capacity() > CAPACITY_KEPT {
            self.fresh = VecDeque::new();
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::super::paging::Pages;
    use super::*;
    use crate::limits::STRETCH_COUNT_MAX;
    use crate::message::{Body, Envelope, Message};

    fn message(body: &str) -> MessageRun {
        let envelope =
            Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: false };
        MessageRun::one(Message::new(envelope, Body::Copied(body.as_bytes())))
    }

    fn filled(count: u64) -> Contents {
        let mut contents = Contents::default();
        for number in 0..count {
            assert_eq!(contents.push(message("x"), false, Arrival::LASTING), number);
        }
        contents
    }

    fn order(contents: &mut Contents) -> Vec<Sequence> {
        std::iter::from_fn(|| contents.pop(2)).flat_map(|stretch| stretch.range().iter()).collect()
    }

    #[test]
    fn messages_leave_in_the_order_they_came() {
        assert_eq!(order(&mut filled(5)), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_returned_message_goes_back_to_its_place() {
        let mut contents = filled(5);
        let taken: Vec<Stretch> = (0..3).filter_map(|_| contents.pop(1)).collect();
        for stretch in taken.into_iter().rev().step_by(2) {
            contents.put_back(stretch);
        }
        assert_eq!(order(&mut contents), [0, 2, 3, 4]);
    }

    #[test]
    fn many_alike_are_one_stretch_and_another_kind_begins_the_next() {
        let mut contents = filled(1000);
        assert_eq!(contents.stretches().count(), 1);
        contents.push(message("y"), true, Arrival::LASTING);
        contents.push(message("y"), true, Arrival::LASTING);
        let ranges: Vec<_> = contents.stretches().map(Stretch::range).collect();
        assert_eq!(ranges.iter().map(|range| range.count()).collect::<Vec<_>>(), [1000, 2]);
        assert_eq!(contents.pop(5000).map(|stretch| stretch.len()), Some(1000));
        assert_eq!(contents.len(), 2);
    }

    #[test]
    fn a_long_queue_is_several_lists_of_which_none_is_long() {
        let count = 2 * STRETCH_COUNT_MAX as u64 + 1;
        let mut contents = filled(count);
        let lengths: Vec<usize> = contents.stretches().map(Stretch::len).collect();
        assert_eq!(lengths, [STRETCH_COUNT_MAX, STRETCH_COUNT_MAX, 1]);
        let whole: Vec<Sequence> = (0..count).collect();
        assert_eq!(order(&mut contents), whole);
    }

    #[test]
    fn bytes_count_ready_bodies_only() {
        let mut contents = filled(3);
        assert_eq!(contents.totals().body_bytes, 3);
        let stretch = contents.pop(1).unwrap();
        assert_eq!(contents.totals().body_bytes, 2);
        contents.put_back(stretch);
        assert_eq!(contents.totals().body_bytes, 3);
        drop(contents.take_all());
        assert_eq!((contents.totals().body_bytes, contents.len()), (0, 0));
    }

    #[test]
    fn sequences_are_not_used_again_after_everything_was_taken() {
        let mut contents = filled(3);
        drop(contents.take_all());
        assert_eq!(contents.push(message("y"), false, Arrival::LASTING), 3);
    }

    #[test]
    fn a_drained_queue_keeps_little_memory() {
        let mut contents = Contents::default();
        for number in 0..1000 {
            contents.push(message("x"), number % 2 == 0, Arrival::LASTING);
        }
        assert_eq!(contents.fresh.len(), 1000);
        while contents.pop(7).is_some() {}
        assert!(contents.fresh.capacity() <= CAPACITY_KEPT);
        assert_eq!(contents.totals(), Totals::default());
    }
}
