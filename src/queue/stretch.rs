//! Consecutive messages that are alike, with their bodies or without. It does not know where in a
//! queue it stands, or with whom it is out.

use std::num::NonZeroU32;

use super::due::Due;
use super::messages::{Messages, Sizes};
use super::totals::{Resident, Totals};
use crate::limits::{MESSAGE_OVERHEAD_SIZE, STRETCH_COUNT_MAX};
use crate::message::{DeliveryCounts, Message, MessageRun, Sequence, SequenceRange};

/// What a queue knows of a message besides its place and its body; neighbors that have the same
/// are alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// It was given to the log.
    pub is_logged: bool,
    /// It was delivered before.
    pub is_redelivered: bool,
    /// How often it was given to somebody and came back, as far as the queue counts that.
    pub counts: DeliveryCounts,
    /// Its priority, where it is another than the queue takes without being told.
    pub level: Option<u8>,
    /// When its time is over.
    pub due: Due,
}

/// Where the bodies are. In RAM a message costs a pointer, on disk nothing.
#[derive(Debug)]
enum Bodies {
    Resident(Messages),
    Paged(usize),
}

/// Consecutive messages that are alike; never empty.
#[derive(Debug)]
pub struct Stretch {
    first: Sequence,
    body_bytes: u64,
    /// The size of every body, where they are known to have the same: then nobody needs to look
    /// at each. One more than that, so that it takes no more room than the number.
    even_size_plus_one: Option<NonZeroU32>,
    marks: Marks,
    bodies: Bodies,
}

impl Stretch {
    /// One message with its body.
    #[must_use]
    pub fn one(first: Sequence, message: Message, marks: Marks) -> Self {
        Self::of(first, MessageRun::one(message), marks)
    }

    /// Messages with their bodies.
    #[must_use]
    pub fn of(first: Sequence, messages: MessageRun, marks: Marks) -> Self {
        Self {
            first,
            body_bytes: messages.body_bytes(),
            even_size_plus_one: messages.even_size().and_then(plus_one),
            marks,
            bodies: Bodies::Resident(Messages::of(messages)),
        }
    }

    /// Messages whose bodies are on disk only.
    #[must_use]
    pub fn paged(range: SequenceRange, body_bytes: u64, marks: Marks) -> Self {
        let count = usize::try_from(range.count()).unwrap_or(usize::MAX);
        Self {
            first: range.first,
            body_bytes,
            even_size_plus_one: None,
            marks,
            bodies: Bodies::Paged(count),
        }
    }

    /// How many messages.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        match &self.bodies {
            Bodies::Resident(messages) => messages.len(),
            Bodies::Paged(count) => *count,
        }
    }

    /// The place of the first message.
    #[must_use]
    pub fn first(&self) -> Sequence {
        self.first
    }

    /// The place of the last message.
    #[must_use]
    pub fn last(&self) -> Sequence {
        self.first + (self.len() as u64).saturating_sub(1)
    }

    /// All places.
    #[must_use]
    pub fn range(&self) -> SequenceRange {
        SequenceRange { first: self.first, last: self.last() }
    }

    /// What its messages have in common.
    #[must_use]
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// Changes what its messages have in common.
    pub fn mark(&mut self, marks: Marks) {
        self.marks = marks;
    }

    /// The bodies are on disk only.
    #[must_use]
    pub fn is_paged(&self) -> bool {
        matches!(self.bodies, Bodies::Paged(_))
    }

    /// Bytes of the bodies. What is split off while they are on disk gets an even share of them.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Corrects the bytes of bodies on disk, when more is known of them.
    pub fn set_body_bytes(&mut self, body_bytes: u64) {
        if self.is_paged() {
            self.body_bytes = body_bytes;
        }
    }

    /// What it adds to sums.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let count = self.len();
        Totals {
            count,
            paged_count: if self.is_paged() { count } else { 0 },
            body_bytes: self.body_bytes,
            resident: Resident::of(self.resident_size(), self.marks.is_logged),
        }
    }

    /// Bytes it takes in RAM.
    #[must_use]
    pub fn resident_size(&self) -> u64 {
        match self.is_paged() {
            true => 0,
            false => self.body_bytes + self.len() as u64 * MESSAGE_OVERHEAD_SIZE,
        }
    }

    /// The message at this index; `None` where its body is on disk only.
    #[must_use]
    pub fn message(&self, index: usize) -> Option<&Message> {
        match &self.bodies {
            Bodies::Resident(messages) => messages.get(index),
            Bodies::Paged(_) => None,
        }
    }

    /// The messages that are in RAM: all or none.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = &Message> {
        let count = if self.is_paged() { 0 } else { self.len() };
        (0..count).filter_map(|index| self.message(index))
    }

    /// The same, taken out.
    pub fn into_messages(self) -> impl Iterator<Item = Message> {
        let resident = match self.bodies {
            Bodies::Resident(messages) => Some(messages.into_iter()),
            Bodies::Paged(_) => None,
        };
        resident.into_iter().flatten()
    }

    /// The size of every body, where they are known to have the same.
    #[must_use]
    pub fn even_size(&self) -> Option<u64> {
        self.even_size_plus_one.map(|size| u64::from(size.get()) - 1)
    }

    /// Cuts `count` messages off the front; `None` where that leaves nothing on one side.
    pub fn split_front(&mut self, count: usize) -> Option<Self> {
        let sizes = Sizes { all: self.body_bytes, each: self.even_size() };
        let (bodies, body_bytes) = match &mut self.bodies {
            Bodies::Resident(messages) => {
                let (front, bytes) = messages.split_front(count, sizes)?;
                (Bodies::Resident(front), bytes)
            }
            Bodies::Paged(all) => {
                let left = all.checked_sub(count).filter(|left| *left > 0 && count > 0)?;
                let bytes = self.body_bytes / *all as u64 * count as u64;
                *all = left;
                (Bodies::Paged(count), bytes)
            }
        };
        let Self { first, marks, even_size_plus_one, .. } = *self;
        let front = Self { first, body_bytes, even_size_plus_one, marks, bodies };
        self.body_bytes -= body_bytes;
        self.first += count as u64;
        Some(front)
    }

    /// More may be added: on disk it costs nothing, in RAM the list has an end.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.is_paged() || self.len() < STRETCH_COUNT_MAX
    }

    /// Whether `next` could be one with this.
    #[must_use]
    pub fn continues_in(&self, next: &Self) -> bool {
        self.last() + 1 == next.first
            && self.marks == next.marks
            && self.is_paged() == next.is_paged()
    }

    /// Takes in what continues it.
    ///
    /// # Errors
    /// `next` comes back where it does not.
    pub fn join(&mut self, next: Self) -> Result<(), Self> {
        if !self.continues_in(&next) {
            return Err(next);
        }
        match (&mut self.bodies, next.bodies) {
            (Bodies::Resident(messages), Bodies::Resident(more)) => messages.append(more),
            (Bodies::Paged(count), Bodies::Paged(more)) => *count += more,
            // Both are in one place, as was just asked.
            (Bodies::Resident(_), Bodies::Paged(_)) | (Bodies::Paged(_), Bodies::Resident(_)) => {}
        }
        self.body_bytes += next.body_bytes;
        let next_size = next.even_size_plus_one;
        self.even_size_plus_one = self.even_size_plus_one.filter(|size| next_size == Some(*size));
        Ok(())
    }

    /// Takes in what follows and dies later, where bodies of neither are in RAM: what is left of
    /// when they die is the first of these moments.
    ///
    /// # Errors
    /// `next` comes back where it is otherwise.
    pub fn join_later(&mut self, mut next: Self) -> Result<(), Self> {
        let (due, next_due) = (self.marks.due, next.marks.due);
        let is_later = !due.is_never() && !next_due.is_never() && due.at() <= next_due.at();
        if !is_later || !self.is_paged() {
            return Err(next);
        }
        next.marks.due = due;
        self.join(next).map_err(|mut next| {
            next.marks.due = next_due;
            next
        })?;
        if due != next_due {
            self.marks.due = Due::not_before(due.at());
        }
        Ok(())
    }

    /// Forgets the bodies.
    pub fn forget(&mut self) {
        self.bodies = Bodies::Paged(self.len());
        self.even_size_plus_one = None;
    }
}

/// As it is kept; none where four bytes cannot say it.
fn plus_one(size: u64) -> Option<NonZeroU32> {
    u32::try_from(size.wrapping_add(1)).ok().and_then(NonZeroU32::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, Envelope};

    fn message(body: &str) -> Message {
        let envelope =
            Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: true };
        Message::new(envelope, Body::Copied(body.as_bytes()))
    }

    /// Messages from place 10 on, each with its own number of bytes.
    fn resident(count: usize) -> Stretch {
        let mut run = MessageRun::one(message("x"));
        for size in 2..=count {
            run.push(message(&"x".repeat(size)));
        }
        Stretch::of(10, run, Marks::default())
    }

    fn sizes(stretch: &Stretch) -> Vec<u64> {
        stretch.messages().map(Message::body_size).collect()
    }

    #[test]
    fn a_split_gives_each_side_its_messages_and_bytes() {
        for at in 1..6 {
            let mut rest = resident(6);
            let front = rest.split_front(at).unwrap();
            let expected: Vec<u64> = (1..=6).collect();
            assert_eq!(
                (sizes(&front), sizes(&rest)),
                (expected[..at].into(), expected[at..].into())
            );
            for side in [&front, &rest] {
                assert_eq!(side.body_bytes(), sizes(side).iter().sum::<u64>());
            }
            assert_eq!((front.last() + 1, rest.last()), (rest.first(), 15));
        }
    }

    #[test]
    fn a_split_must_leave_something_on_both_sides() {
        for mut stretch in
            [resident(1), resident(3), Stretch::paged(SequenceRange::one(1), 1, Marks::default())]
        {
            assert!(stretch.split_front(0).is_none());
            assert!(stretch.split_front(stretch.len()).is_none());
            assert!(stretch.split_front(usize::MAX).is_none());
        }
    }

    #[test]
    fn what_is_split_joins_again_from_either_side() {
        for at in 1..40 {
            let mut rest = resident(40);
            let mut front = rest.split_front(at).unwrap();
            front.join(rest).unwrap();
            assert_eq!(sizes(&front), (1..=40).collect::<Vec<u64>>());
            assert_eq!(front.body_bytes(), 820);
        }
    }

    #[test]
    fn only_what_follows_and_is_alike_joins() {
        let mut stretch = resident(2);
        let other = Marks { is_redelivered: true, ..Marks::default() };
        for next in [
            Stretch::one(13, message("x"), Marks::default()),
            Stretch::one(12, message("x"), other),
            Stretch::paged(SequenceRange::one(12), 1, Marks::default()),
        ] {
            assert!(stretch.join(next).is_err());
        }
        assert!(stretch.join(Stretch::one(12, message("x"), Marks::default())).is_ok());
        assert_eq!(stretch.len(), 3);
    }

    #[test]
    fn bodies_on_disk_are_shared_out_evenly_and_none_is_lost() {
        let places = SequenceRange { first: 0, last: 9 };
        let mut rest = Stretch::paged(places, 109, Marks::default());
        let front = rest.split_front(4).unwrap();
        assert_eq!((front.body_bytes(), rest.body_bytes()), (40, 69));
        assert_eq!((front.range().count(), rest.first()), (4, 4));
    }

    #[test]
    fn a_forgotten_stretch_takes_no_memory_and_keeps_its_counts() {
        let mut stretch = resident(5);
        stretch.forget();
        let totals = Totals { count: 5, paged_count: 5, body_bytes: 15, ..Totals::default() };
        assert_eq!((stretch.totals(), stretch.message(0).is_none()), (totals, true));
    }

    #[test]
    fn a_list_that_was_long_gives_memory_back() {
        let mut stretch = resident(20_000);
        while stretch.len() > 100 {
            assert!(stretch.split_front(50).is_some());
        }
        let Bodies::Resident(Messages::Many(messages)) = &stretch.bodies else { panic!("many") };
        assert!(messages.capacity() <= 1024, "{}", messages.capacity());
    }

    #[test]
    fn a_stretch_is_small() {
        assert!(size_of::<Stretch>() <= 72, "{}", size_of::<Stretch>());
    }
}
