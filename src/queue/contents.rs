//! What a queue holds ready, in order. Not what is out with consumers, and not who gets it.

use std::collections::{BTreeMap, VecDeque};

use crate::message::{Message, Sequence};

/// A message at its place in a queue.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The place: rising in order of arrival.
    pub sequence: Sequence,
    /// The message itself.
    pub message: Message,
    /// It was delivered before.
    pub is_redelivered: bool,
    /// How often its delivery failed.
    pub failure_count: u32,
}

/// Ready messages.
///
/// ```text
/// returned: 3, 7        came back, each to the place it had
/// fresh:          9, 10, 11, 12   never delivered
/// ```
///
/// Fresh ones leave in order, so what was delivered and comes back is always older than the first
/// fresh one: the returned ones, in their order, are in front.
#[derive(Debug, Default)]
pub struct Contents {
    returned: BTreeMap<Sequence, Entry>,
    fresh: VecDeque<Entry>,
    next_sequence: Sequence,
    body_bytes: u64,
}

impl Contents {
    /// Appends a message that just arrived and tells its place.
    pub fn push(&mut self, message: Message) -> Sequence {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.body_bytes += message.body_size();
        self.fresh.push_back(Entry { sequence, message, is_redelivered: false, failure_count: 0 });
        sequence
    }

    /// Puts a delivered entry back at its original place.
    pub fn put_back(&mut self, entry: Entry) {
        self.body_bytes += entry.message.body_size();
        self.returned.insert(entry.sequence, entry);
    }

    /// The entry that would be delivered next.
    #[must_use]
    pub fn first(&self) -> Option<&Entry> {
        self.returned.first_key_value().map(|(_, entry)| entry).or_else(|| self.fresh.front())
    }

    /// Takes the entry that is to be delivered next.
    pub fn pop(&mut self) -> Option<Entry> {
        let entry = match self.returned.pop_first() {
            Some((_, entry)) => Some(entry),
            None => self.pop_fresh(),
        }?;
        self.body_bytes -= entry.message.body_size();
        Some(entry)
    }

    /// How many are ready.
    #[must_use]
    pub fn len(&self) -> usize {
        self.returned.len() + self.fresh.len()
    }

    /// Nothing is ready.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.returned.is_empty() && self.fresh.is_empty()
    }

    /// Bytes of the ready bodies.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Takes everything out; sequences go on where they were. Dropping what comes back may take a
    /// while, so the caller does it without a lock.
    #[must_use]
    pub fn take_all(&mut self) -> Self {
        let next_sequence = self.next_sequence;
        std::mem::replace(self, Self { next_sequence, ..Self::default() })
    }

    /// A queue that was long once gives its memory back when it is short again.
    fn pop_fresh(&mut self) -> Option<Entry> {
        let entry = self.fresh.pop_front();
        let capacity = self.fresh.capacity();
        if capacity > 1024 && self.fresh.len() < capacity / 8 {
            self.fresh.shrink_to(capacity / 4);
        } else if self.fresh.is_empty() && capacity > 32 {
            self.fresh = VecDeque::new();
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, Envelope};

    fn message(body: &str) -> Message {
        let envelope =
            Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: false };
        Message::new(envelope, Body::Copied(body.as_bytes()))
    }

    fn filled(count: u64) -> Contents {
        let mut contents = Contents::default();
        for number in 0..count {
            assert_eq!(contents.push(message("x")), number);
        }
        contents
    }

    fn order(contents: &mut Contents) -> Vec<Sequence> {
        std::iter::from_fn(|| contents.pop()).map(|entry| entry.sequence).collect()
    }

    #[test]
    fn messages_leave_in_the_order_they_came() {
        assert_eq!(order(&mut filled(4)), [0, 1, 2, 3]);
    }

    #[test]
    fn a_returned_message_goes_back_to_its_place() {
        let mut contents = filled(5);
        let taken: Vec<Entry> = (0..3).filter_map(|_| contents.pop()).collect();
        for entry in taken.into_iter().rev().step_by(2) {
            contents.put_back(entry);
        }
        assert_eq!(order(&mut contents), [0, 2, 3, 4]);
    }

    #[test]
    fn bytes_count_ready_bodies_only() {
        let mut contents = filled(3);
        assert_eq!(contents.body_bytes(), 3);
        let entry = contents.pop().unwrap();
        assert_eq!(contents.body_bytes(), 2);
        contents.put_back(entry);
        assert_eq!(contents.body_bytes(), 3);
        drop(contents.take_all());
        assert_eq!((contents.body_bytes(), contents.len()), (0, 0));
    }

    #[test]
    fn sequences_are_not_used_again_after_everything_was_taken() {
        let mut contents = filled(3);
        drop(contents.take_all());
        assert_eq!(contents.push(message("y")), 3);
    }

    #[test]
    fn a_drained_queue_keeps_little_memory() {
        let mut contents = filled(100_000);
        while contents.pop().is_some() {}
        assert!(contents.fresh.capacity() <= 1024);
    }
}
