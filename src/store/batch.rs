//! What gathers for the log until it is cut: references to messages, not bytes. What is settled
//! before the cut leaves no trace. It encodes nothing.

use std::sync::Arc;

use hashbrown::HashMap;

use super::queue_facts::{Added, QueueFacts, Stay, Tail, low_half, size_of_message};
use super::ranges::RangeCounts;
use crate::message::{DeliveryCounts, Message, QueueId, Sequence, SequenceRange};

/// A definition under its key, or that it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is of.
    pub key: Vec<u8>,
    /// None where it is gone.
    pub value: Option<Vec<u8>>,
}

/// Everything that gathers.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) changes: Vec<Change>,
    pub(super) forgotten: Vec<QueueId>,
    /// What is kept under keys and is no definition.
    pub(super) notes: Vec<Change>,
    /// In the order in which they came first.
    pub(super) queues: Vec<QueueFacts>,
    by_id: HashMap<QueueId, usize, foldhash::fast::FixedState>,
    /// Where in `changes` a key stands.
    by_key: HashMap<Vec<u8>, usize, foldhash::fast::FixedState>,
    /// About as many bytes as it will be on disk.
    pub(super) size: u64,
    /// About as many of those as hold messages.
    pub(super) body_size: u64,
}

/// What another fact takes, about.
const FACT_OVERHEAD: u64 = 40;

impl Batch {
    /// Nothing is to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.forgotten.is_empty()
            && self.notes.is_empty()
            && self.queues.iter().all(QueueFacts::is_empty)
    }

    /// The last value of a key is all that is written.
    pub(super) fn changed(&mut self, change: Change) {
        let next = self.changes.len();
        let at = *self.by_key.entry_ref(change.key.as_slice()).or_insert(next);
        self.size += size_of_change(&change);
        match self.changes.get_mut(at) {
            Some(known) => {
                self.size = self.size.saturating_sub(size_of_change(known));
                *known = change;
            }
            None => self.changes.push(change),
        }
    }

    /// Something is kept under a key, or no longer. It is on disk no sooner than what came before.
    pub(super) fn noted(&mut self, change: Change) {
        self.size += size_of_change(&change);
        self.notes.push(change);
    }

    fn take_changes(&mut self) -> Vec<Change> {
        self.by_key.clear();
        std::mem::take(&mut self.changes)
    }

    /// A queue is gone with all it held, also what is still here.
    pub(super) fn forget(&mut self, queue: QueueId) {
        self.size += FACT_OVERHEAD;
        self.forgotten.push(queue);
        if let Some(facts) = self.by_id.get(&queue).and_then(|at| self.queues.get_mut(*at)) {
            let bytes: u64 = facts.added.iter().map(Added::size).sum();
            facts.added.clear();
            facts.removed.clear();
            facts.returned = RangeCounts::default();
            self.size = self.size.saturating_sub(bytes);
            self.body_size = self.body_size.saturating_sub(bytes);
        }
    }

    pub(super) fn added(
        &mut self,
        tail: &Arc<Tail>,
        first: Sequence,
        messages: Vec<Message>,
        stay: Stay,
    ) {
        let facts = self.facts(tail);
        let mut bytes = 0;
        let Stay { is_durable, arrived, level } = stay;
        let arrived = low_half(arrived);
        for (sequence, message) in (first..).zip(messages) {
            bytes += size_of_message(&message);
            let is_transient = !is_durable || !message.is_persistent();
            let is_shared = message.is_shared();
            facts.push(Added { sequence, message, is_transient, is_shared, level, arrived });
        }
        self.size += bytes;
        self.body_size += bytes;
    }

    /// Places are free: what of it is here is taken back, the rest is a fact.
    pub(super) fn removed(&mut self, tail: &Arc<Tail>, range: SequenceRange) {
        let facts = self.facts(tail);
        let bytes = facts.cancel(range);
        self.body_size = self.body_size.saturating_sub(bytes);
        self.size = (self.size + FACT_OVERHEAD).saturating_sub(bytes);
    }

    pub(super) fn returned(
        &mut self,
        tail: &Arc<Tail>,
        range: SequenceRange,
        counts: DeliveryCounts,
    ) {
        let returned = &mut self.facts(tail).returned;
        let before = returned.len();
        returned.insert(range, counts);
        let more = returned.len().saturating_sub(before) as u64;
        self.size += more * FACT_OVERHEAD;
    }

    pub(super) fn delivered(&mut self, tail: &Arc<Tail>, range: SequenceRange) {
        self.facts(tail).delivered.push(range);
        self.size += FACT_OVERHEAD;
    }

    /// Puts what came later behind this, which could not be written.
    pub(super) fn append(&mut self, later: Self) {
        for facts in later.queues {
            for range in &facts.removed {
                self.removed(&facts.tail, *range);
            }
            let bytes: u64 = facts.added.iter().map(Added::size).sum();
            self.size += bytes;
            self.body_size += bytes;
            let own = self.facts(&facts.tail);
            facts.added.into_iter().for_each(|added| own.push(added));
            facts.returned.iter().for_each(|(range, counts)| own.returned.insert(range, counts));
            own.delivered.extend(facts.delivered);
            own.next_sequence = own.next_sequence.max(facts.next_sequence);
        }
        later.changes.into_iter().for_each(|change| self.changed(change));
        later.forgotten.into_iter().for_each(|queue| self.forget(queue));
        later.notes.into_iter().for_each(|note| self.noted(note));
    }

    /// Takes what comes first, where this is too much to be written at once: definitions, then
    /// messages. What is settled or noted stays with the rest, so that nothing is gone before what
    /// follows it is there, and nothing noted before it has happened.
    pub(super) fn take_first(&mut self, size_max: u64) -> Option<Self> {
        if self.body_size <= size_max {
            return None;
        }
        let mut first = Self::default();
        self.take_changes().into_iter().for_each(|change| first.changed(change));
        for facts in &mut self.queues {
            let mut taken = 0;
            let mut messages = Vec::new();
            while first.body_size + taken < size_max
                && let Some(added) = facts.added.pop_front()
            {
                taken += added.size();
                messages.push(added);
            }
            let own = first.facts(&facts.tail);
            messages.into_iter().for_each(|added| own.push(added));
            first.body_size += taken;
            if first.body_size >= size_max {
                break;
            }
        }
        first.size += first.body_size;
        self.body_size = self.body_size.saturating_sub(first.body_size);
        self.size = self.size.saturating_sub(first.size);
        Some(first)
    }

    fn facts(&mut self, tail: &Arc<Tail>) -> &mut QueueFacts {
        let next = self.queues.len();
        let at = *self.by_id.entry(tail.queue()).or_insert(next);
        if at == next {
            self.queues.push(QueueFacts::new(tail.clone()));
        }
        // It was pushed just now, where it was not there.
        #[expect(clippy::indexing_slicing, reason = "the map holds places in the list")]
        &mut self.queues[at]
    }
}

fn size_of_change(change: &Change) -> u64 {
    let size = change.key.len() + change.value.as_ref().map_or(0, Vec::len);
    size as u64 + FACT_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, Envelope, Moment};

    fn message() -> Message {
        let envelope =
            Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: true };
        Message::new(envelope, Body::Copied(b"body"))
    }

    fn tail() -> Arc<Tail> {
        Arc::new(Tail::new(QueueId(1), 0))
    }

    fn range(first: Sequence, last: Sequence) -> SequenceRange {
        SequenceRange { first, last }
    }

    fn batch_of(tail: &Arc<Tail>, first: Sequence, count: usize) -> Batch {
        let mut batch = Batch::default();
        batch.added(tail, first, vec![message(); count], Stay::durable(Moment(0)));
        batch
    }

    fn sequences(batch: &Batch) -> Vec<Sequence> {
        batch.queues[0].added.iter().map(|added| added.sequence).collect()
    }

    #[test]
    fn a_message_came_when_it_did_also_where_the_clock_was_read_earlier_or_its_half_is_full() {
        let tail = Arc::new(Tail::new(QueueId(1), 0));
        for (arrived, now) in [
            (1_796_000_000_123, 1_796_000_000_456),
            (1_796_000_000_456, 1_796_000_000_123),
            (u64::from(u32::MAX) * 7 + 5, u64::from(u32::MAX) * 7 + 8),
            (u64::from(u32::MAX) - 1, u64::from(u32::MAX) + 4),
            (9, 7),
        ] {
            let mut batch = Batch::default();
            batch.added(&tail, 0, vec![message()], Stay::durable(Moment(arrived)));
            assert_eq!(batch.queues[0].added[0].came(Moment(now)).arrived, arrived);
        }
    }

    #[test]
    fn what_is_settled_before_the_cut_leaves_no_trace() {
        let tail = tail();
        let mut batch = batch_of(&tail, 0, 3);
        batch.removed(&tail, range(0, 2));
        assert!(batch.is_empty());
        assert_eq!(batch.body_size, 0);
    }

    #[test]
    fn what_was_written_before_is_noted_as_removed() {
        let tail = tail();
        let mut batch = batch_of(&tail, 5, 3);
        batch.removed(&tail, range(2, 5));
        batch.removed(&tail, range(7, 7));
        assert_eq!(batch.queues[0].removed, [range(2, 4)]);
        assert_eq!(sequences(&batch), [6]);
    }

    #[test]
    fn neighbors_that_are_removed_are_one_range() {
        let tail = tail();
        let mut batch = Batch::default();
        for sequence in 0..5 {
            batch.removed(&tail, range(sequence, sequence));
        }
        assert_eq!(batch.queues[0].removed, [range(0, 4)]);
    }

    #[test]
    fn what_could_not_be_written_is_settled_by_what_came_later() {
        let tail = tail();
        let mut first = batch_of(&tail, 0, 3);
        let mut later = batch_of(&tail, 3, 2);
        later.removed(&tail, range(1, 3));
        first.append(later);
        assert_eq!(sequences(&first), [0, 4]);
        assert!(first.queues[0].removed.is_empty());
    }

    #[test]
    fn a_forgotten_queue_is_forgotten_here_too() {
        let tail = tail();
        let mut batch = batch_of(&tail, 0, 3);
        batch.forget(QueueId(1));
        assert!(batch.queues[0].added.is_empty());
        assert_eq!((batch.forgotten.as_slice(), batch.body_size), (&[QueueId(1)][..], 0));
    }

    #[test]
    fn what_could_not_be_written_keeps_how_far_it_came() {
        let tail = tail();
        let mut first = batch_of(&tail, 0, 1);
        let mut later = batch_of(&tail, 1, 1);
        later.removed(&tail, range(1, 1));
        first.append(later);
        assert_eq!((sequences(&first), first.queues[0].next_sequence), (vec![0], 2));
    }

    #[test]
    fn returns_of_the_same_places_take_the_room_of_one() {
        let tail = tail();
        let mut batch = Batch::default();
        let last = DeliveryCounts { failed: 1, acquired: 999 };
        for acquired in 1..1000 {
            batch.returned(&tail, range(0, 9), DeliveryCounts { acquired, ..last });
        }
        assert_eq!(batch.queues[0].returned.iter().collect::<Vec<_>>(), [(range(0, 9), last)]);
        assert_eq!(batch.size, FACT_OVERHEAD);
    }

    #[test]
    fn only_the_last_value_of_a_definition_takes_room() {
        let mut batch = Batch::default();
        let change =
            |key: &[u8], value: &[u8]| Change { key: key.to_vec(), value: Some(value.to_vec()) };
        for number in 0..1000_u32 {
            batch.changed(change(b"a", &number.to_le_bytes()));
            batch.changed(change(b"b", b"long"));
        }
        batch.changed(change(b"b", b"b"));
        assert_eq!(batch.changes, [change(b"a", &999_u32.to_le_bytes()), change(b"b", b"b")]);
        assert_eq!(batch.size, 2 * FACT_OVERHEAD + 7);
    }

    #[test]
    fn too_much_is_taken_in_parts_messages_before_what_is_settled() {
        let tail = tail();
        let mut batch = batch_of(&tail, 5, 3);
        batch.removed(&tail, range(0, 0));
        let (whole, message) = (batch.size, batch.body_size / 3);
        let first = batch.take_first(message + 1).unwrap();
        assert_eq!((sequences(&first), sequences(&batch)), (vec![5, 6], vec![7]));
        assert_eq!((first.queues[0].removed.len(), batch.queues[0].removed.len()), (0, 1));
        assert_eq!(first.size + batch.size, whole);
        assert!(batch.take_first(message).is_none());
    }

    #[test]
    fn what_is_noted_is_written_with_the_last_part() {
        let tail = tail();
        let mut batch = batch_of(&tail, 5, 3);
        let note = |key: &[u8]| Change { key: key.to_vec(), value: Some(b"value".to_vec()) };
        batch.noted(note(b"a"));
        let (whole, message) = (batch.size, batch.body_size / 3);
        let mut first = batch.take_first(message + 1).unwrap();
        assert_eq!((first.notes.len(), batch.notes.len()), (0, 1));
        assert_eq!(first.size + batch.size, whole);
        let mut later = Batch::default();
        later.noted(note(b"b"));
        batch.append(later);
        first.append(batch);
        assert_eq!(first.notes, [note(b"a"), note(b"b")]);
        assert!(!Batch { notes: first.notes, ..Batch::default() }.is_empty());
    }

    #[test]
    fn what_is_written_late_stands_in_order() {
        let tail = tail();
        let mut batch = batch_of(&tail, 5, 2);
        batch.added(
            &tail,
            3,
            vec![message()],
            Stay { is_durable: false, ..Stay::durable(Moment(0)) },
        );
        assert_eq!(sequences(&batch), [3, 5, 6]);
        assert!(batch.queues[0].added[0].is_transient);
    }
}
