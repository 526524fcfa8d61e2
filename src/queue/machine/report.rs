//! What a queue has at the moment, for who looks at it. Nothing here changes anything, and nothing
//! takes longer the more there is, but for consumers that wait before the one that is served.

use super::{Counts, Queue};
use crate::limits::MESSAGE_OVERHEAD_SIZE;
use crate::message::{ConsumerId, Message, Sequence};
use crate::queue::Totals;
use crate::queue::consumer::Consumer;
use crate::queue::stretch::Stretch;

/// Stretches that are looked at to tell which messages the log has, where it has some and not
/// others: well below a millisecond.
const SURVEYED_STRETCHES_MAX: usize = 4096;

/// What a queue has.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The numbers that are asked for most.
    pub counts: Counts,
    /// Bytes of the bodies that are out with consumers.
    pub unsettled_bytes: u64,
    /// Messages that died, and stay until another queue has them.
    pub dead_letters: usize,
    /// Bytes of their bodies.
    pub dead_letter_bytes: u64,
    /// Of those that wait, the ones whose bodies are in RAM.
    pub ready_in_memory: usize,
    /// The same of those that are out.
    pub unsettled_in_memory: usize,
    /// Bytes of the bodies of both.
    pub in_memory_bytes: u64,
    /// Bytes in RAM, with what each message takes besides its body.
    pub resident_bytes: u64,
    /// Of those that wait or are out, the ones that the log has: those that are persistent, and
    /// others that made room.
    pub logged: usize,
    /// Bytes of their bodies.
    pub logged_bytes: u64,
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

impl Report {
    /// Of those that wait or are out, the ones whose bodies are in RAM.
    #[must_use]
    pub fn in_memory(&self) -> usize {
        self.ready_in_memory + self.unsettled_in_memory
    }
}

impl Queue {
    /// What it has now.
    #[must_use]
    pub fn report(&self) -> Report {
        let (logged, logged_bytes) = self.logged();
        Report { logged, logged_bytes, ..self.brief_report() }
    }

    /// The same without what the log has: for who looks at very many queues, again and again.
    #[must_use]
    pub fn brief_report(&self) -> Report {
        let (ready, out) = (self.contents.totals(), self.out());
        let dead_letters = self.kept_dead_letters();
        Report {
            counts: self.counts(),
            logged: 0,
            logged_bytes: 0,
            resident_bytes: [ready, out, self.held()].into_iter().map(resident_bytes).sum(),
            unsettled_bytes: out.body_bytes,
            dead_letters: dead_letters.count,
            dead_letter_bytes: dead_letters.body_bytes,
            ready_in_memory: in_memory(ready),
            unsettled_in_memory: in_memory(out),
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

    /// Messages that the log has, and the bytes of their bodies. Mostly it has all or none; else as
    /// many stretches are looked at as is quickly done, and the others taken to be like them.
    #[must_use]
    pub fn logged(&self) -> (usize, u64) {
        let mut all = self.contents.totals();
        all += self.out();
        match (all.resident.logged, all.resident.unlogged) {
            (_, 0) => return (all.count, all.body_bytes),
            (0, _) if all.paged_count == 0 => return (0, 0),
            _ => {}
        }
        let out = self.activity.iter().flat_map(|activity| activity.unsettled.iter());
        let stretches = self.contents.stretches().chain(out).take(SURVEYED_STRETCHES_MAX);
        let (mut seen, mut logged) = (Totals::default(), Totals::default());
        for stretch in stretches {
            seen += stretch.totals();
            if stretch.marks().is_logged {
                logged += stretch.totals();
            }
        }
        let share = |part: u64, of: u64, all: u64| {
            let whole = u128::from(part) * u128::from(all) / u128::from(of.max(1));
            u64::try_from(whole).unwrap_or(all)
        };
        let count = share(logged.count as u64, seen.count as u64, all.count as u64);
        let bytes = share(logged.body_bytes, seen.body_bytes, all.body_bytes);
        (usize::try_from(count).unwrap_or(all.count), bytes)
    }

    fn kept_dead_letters(&self) -> Totals {
        match &self.activity {
            Some(activity) if self.traits.keeps_dead_letters => activity.leaving.kept(),
            _ => Totals::default(),
        }
    }
}

fn in_memory(totals: Totals) -> usize {
    totals.count - totals.paged_count
}

fn resident_bytes(totals: Totals) -> u64 {
    totals.resident.logged + totals.resident.unlogged
}

/// Without what each message takes besides its body.
fn in_memory_bytes(totals: Totals) -> u64 {
    resident_bytes(totals).saturating_sub(in_memory(totals) as u64 * MESSAGE_OVERHEAD_SIZE)
}
