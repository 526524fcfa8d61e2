//! What gathers for the log of one queue: messages that were added, places that are free again. It
//! knows no batch, and encodes nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ranges::RangeCounts;
use super::record::Came;
use crate::message::{Message, Moment, QueueId, Sequence, SequenceRange};

/// A queue as the log knows it: its number, and how far it is on disk.
#[derive(Debug)]
pub struct Tail {
    queue: QueueId,
    /// All that was given to the log below this place is in a file (synced or not).
    stored_below: AtomicU64,
    /// So many of its messages were written.
    written: AtomicU64,
}

impl Tail {
    /// The tail of a queue; what is below `stored_below` is on disk already.
    #[must_use]
    pub fn new(queue: QueueId, stored_below: Sequence) -> Self {
        Self { queue, stored_below: AtomicU64::new(stored_below), written: AtomicU64::new(0) }
    }

    /// The queue.
    #[must_use]
    pub fn queue(&self) -> QueueId {
        self.queue
    }

    /// All that was given to the log below this place can be read back.
    #[must_use]
    pub fn stored_below(&self) -> Sequence {
        self.stored_below.load(Ordering::Acquire)
    }

    /// How many messages were written so far: those that were settled before are not.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    pub(super) fn stored(&self, below: Sequence, written: usize) {
        self.stored_below.fetch_max(below, Ordering::AcqRel);
        self.written.fetch_add(written as u64, Ordering::Relaxed);
    }
}

/// What a queue says of messages it gives to the log, besides what is in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The queue survives this boot, and with it what is persistent.
    pub is_durable: bool,
    /// When they came; 0 is when they are written.
    pub arrived: Moment,
    /// Their priority, where it is another than the queue takes without being told.
    pub level: Option<u8>,
}

impl Stay {
    /// In a queue that is durable and knows no priorities.
    #[must_use]
    pub fn durable(arrived: Moment) -> Self {
        Self { is_durable: true, arrived, level: None }
    }
}

/// A message on its way to disk for one queue.
#[derive(Clone, Debug)]
pub(super) struct Added {
    pub(super) sequence: Sequence,
    pub(super) message: Message,
    pub(super) is_transient: bool,
    /// It went to several queues, as it was when it came here.
    pub(super) is_shared: bool,
    pub(super) level: Option<u8>,
    /// The low half of the moment at which it came; 0 is when the batch is cut.
    pub(super) arrived: u32,
}

/// The facts of one queue.
#[derive(Debug)]
pub(super) struct QueueFacts {
    pub(super) tail: Arc<Tail>,
    /// Rising, but for what is written late.
    pub(super) added: VecDeque<Added>,
    pub(super) removed: Vec<SequenceRange>,
    pub(super) returned: RangeCounts,
    pub(super) delivered: Vec<SequenceRange>,
    /// Above every place that was ever given.
    pub(super) next_sequence: Sequence,
}

/// What a message takes besides what it says, about.
const MESSAGE_OVERHEAD: u64 = 64;

pub(super) fn size_of_message(message: &Message) -> u64 {
    let names = message.exchange().len() + message.routing_key().len();
    message.body_size() + (message.properties().len() + names) as u64 + MESSAGE_OVERHEAD
}

impl Added {
    pub(super) fn size(&self) -> u64 {
        size_of_message(&self.message)
    }

    /// How it came, told at a moment that is at most weeks later.
    pub(super) fn came(&self, now: Moment) -> Came {
        let arrived = match self.arrived {
            0 => now.0,
            // Who looked at the clock for this batch may have done so a little earlier.
            arrived => now.0.saturating_add_signed(difference(arrived, low_half(now))),
        };
        Came { arrived, level: self.level }
    }
}

/// How much later one is than the other, or earlier; both are less than weeks apart.
fn difference(one: u32, other: u32) -> i64 {
    i64::from(one.wrapping_sub(other).cast_signed())
}

/// Half of a moment is enough for a while, and a batch may have very many.
#[expect(clippy::cast_possible_truncation, reason = "the other half is known")]
pub(super) fn low_half(moment: Moment) -> u32 {
    moment.0 as u32
}

impl QueueFacts {
    pub(super) fn new(tail: Arc<Tail>) -> Self {
        Self {
            tail,
            added: VecDeque::new(),
            removed: Vec::new(),
            returned: RangeCounts::default(),
            delivered: Vec::new(),
            next_sequence: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.returned.is_empty()
            && self.delivered.is_empty()
    }

    pub(super) fn push(&mut self, added: Added) {
        self.next_sequence = self.next_sequence.max(added.sequence + 1);
        if self.added.back().is_none_or(|last| last.sequence < added.sequence) {
            return self.added.push_back(added);
        }
        let at = self.added.partition_point(|known| known.sequence < added.sequence);
        self.added.insert(at, added);
    }

    /// Takes back what was added in a range, and notes the parts that were not. Gives its size.
    pub(super) fn cancel(&mut self, range: SequenceRange) -> u64 {
        self.returned.remove(range);
        let start = self.added.partition_point(|known| known.sequence < range.first);
        let end = self.added.partition_point(|known| known.sequence <= range.last);
        let mut bytes = 0;
        let mut next = range.first;
        let mut gaps: Vec<SequenceRange> = Vec::new();
        for added in self.added.drain(start..end) {
            bytes += added.size();
            if added.sequence > next {
                gaps.push(SequenceRange { first: next, last: added.sequence - 1 });
            }
            next = added.sequence + 1;
        }
        if next <= range.last {
            gaps.push(SequenceRange { first: next, last: range.last });
        }
        gaps.into_iter().for_each(|gap| self.note_removed(gap));
        bytes
    }

    fn note_removed(&mut self, range: SequenceRange) {
        if let Some(last) = self.removed.last_mut()
            && last.last + 1 == range.first
        {
            last.last = range.last;
            return;
        }
        self.removed.push(range);
    }
}
