//! What a queue has at the moment, for who looks at it. Nothing here changes anything, and nothing
//! takes longer the more there is, but for consumers that wait before the one that is served.

use super::{Counts, Queue};
use crate::limits::MESSAGE_OVERHEAD_SIZE;
use crate::message::{ConsumerId, Message, Sequence};
use crate::queue::Totals;
use crate::queue::consumer::Consumer;
use crate::queue::stretch::Stretch;

/// What a queue has.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The numbers that are asked for most.
    pub counts: Counts,
    /// Bytes of the bodies that are out with consumers.
    pub unsettled_bytes: u64,
    /// Messages that died, and stay until another queue has them.
    pub dead_letters: usize,
    /// Of those that wait or are out, the ones whose bodies are in RAM.
    pub in_memory: usize,
    /// Bytes of these bodies.
    pub in_memory_bytes: u64,
    /// The next message, where its body is in RAM.
    pub head: Option<Message>,
    /// The place of the next message.
    pub next_ready: Option<Sequence>,
    /// The lowest place that is out with a consumer.
    pub first_unsettled: Option<Sequence>,
    /// Who has the queue for itself.
    pub exclusive_consumer: Option<ConsumerId>,
    /// Who is served, of a queue that serves one at a time.
    pub active_consumer: Option<ConsumerId>,
}

impl Queue {
    /// What it has now.
    #[must_use]
    pub fn report(&self) -> Report {
        let (ready, out) = (self.contents.totals(), self.out());
        Report {
            counts: self.counts(),
            unsettled_bytes: out.body_bytes,
            dead_letters: self.kept_dead_letters(),
            in_memory: in_memory(ready) + in_memory(out),
            in_memory_bytes: in_memory_bytes(ready) + in_memory_bytes(out),
            head: self.contents.first().and_then(|stretch| stretch.message(0)).cloned(),
            next_ready: self.contents.first().map(Stretch::first),
            first_unsettled: self.first_unsettled(),
            exclusive_consumer: self.consumers.exclusive(),
            active_consumer: self.active_consumer(),
        }
    }

    fn first_unsettled(&self) -> Option<Sequence> {
        self.activity.as_ref()?.unsettled.first()
    }

    /// No message that it has has a lower place, but for those that come again before their time.
    #[must_use]
    pub fn oldest(&self) -> Sequence {
        let next = self.contents.first().map(Stretch::first);
        let oldest = next.into_iter().chain(self.first_unsettled()).min();
        oldest.unwrap_or_else(|| self.next_sequence())
    }

    /// Its consumers, the oldest first, and whether each is served.
    pub fn consumers(&self) -> impl Iterator<Item = (&Consumer, bool)> {
        self.consumers.all()
    }

    /// All others are served together: nobody looks for the first of them.
    fn active_consumer(&self) -> Option<ConsumerId> {
        if self.is_single_active() { self.consumers.active() } else { None }
    }

    fn kept_dead_letters(&self) -> usize {
        match &self.activity {
            Some(activity) if self.traits.keeps_dead_letters => activity.leaving.kept().count,
            _ => 0,
        }
    }
}

fn in_memory(totals: Totals) -> usize {
    totals.count - totals.paged_count
}

/// Without what each message takes besides its body.
fn in_memory_bytes(totals: Totals) -> u64 {
    let resident = totals.resident.logged + totals.resident.unlogged;
    resident.saturating_sub(in_memory(totals) as u64 * MESSAGE_OVERHEAD_SIZE)
}
