//! Messages that died on their way to other queues: routed through the dead-letter exchange of
//! theirs, and only when they are there the queue they died in lets go of them. It holds no lock of
//! one queue while it takes another's, so no circle of queues can wait for itself.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tracing::debug;

use super::batch::{Group, Groups};
use super::lock::lock;
use super::queue_handle::QueueHandle;
use super::shared::Broker;
use super::timers::Timer;
use super::virtual_host::VirtualHost;
use super::work::Work;
use crate::limits::{DEAD_LETTER_PAUSE_MS, DEAD_LETTER_TURNS_MAX};
use crate::message::{DeadLetter, Death, DeathReason, Message, MessageRun, QueueKind};
use crate::queue::DeadLetters;

/// Why a dead letter came to no queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dropped {
    /// The exchange is not there, or no binding takes it further.
    Unroutable,
    /// It would go round for ever.
    Cycle,
    /// A queue has no room for it, or is out of service.
    Refused,
}

/// How many messages died, and why some of them came to no queue.
#[derive(Debug, Default)]
pub(super) struct DeadLetterCounts {
    classic: [AtomicU64; DeathReason::ALL.len()],
    quorum: [AtomicU64; DeathReason::ALL.len()],
    unroutable: AtomicU64,
    cycles: AtomicU64,
    refused: AtomicU64,
}

/// The same at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetterFigures {
    /// Messages that left queues of a type for a dead-letter exchange.
    pub sent: Vec<(QueueKind, DeathReason, u64)>,
    /// Those for which there was no exchange or no route.
    pub unroutable: u64,
    /// Those not given to a queue because they would have gone round for ever.
    pub cycles: u64,
    /// Those that a queue had no room for.
    pub refused: u64,
}

impl DeadLetterCounts {
    fn of_kind(&self, kind: QueueKind) -> impl Iterator<Item = (DeathReason, &AtomicU64)> {
        let counters = match kind {
            QueueKind::Classic => &self.classic,
            QueueKind::Quorum => &self.quorum,
        };
        DeathReason::ALL.into_iter().zip(counters)
    }

    fn died(&self, kind: QueueKind, reason: DeathReason, count: usize) {
        if let Some((_, counter)) = self.of_kind(kind).find(|(known, _)| *known == reason) {
            counter.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    fn dropped(&self, why: Dropped, count: usize) {
        let counter = match why {
            Dropped::Unroutable => &self.unroutable,
            Dropped::Cycle => &self.cycles,
            Dropped::Refused => &self.refused,
        };
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn figures(&self) -> DeadLetterFigures {
        let told = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let sent = [QueueKind::Classic, QueueKind::Quorum].into_iter().flat_map(|kind| {
            let counters = self.of_kind(kind);
            counters.map(move |(reason, counter)| (kind, reason, told(counter)))
        });
        DeadLetterFigures {
            sent: sent.collect(),
            unroutable: told(&self.unroutable),
            cycles: told(&self.cycles),
            refused: told(&self.refused),
        }
    }
}

/// Dead letters that wait: too many came at once, or the log has to write first.
#[derive(Debug, Default)]
pub(super) struct PutOff(Mutex<VecDeque<Burial>>);

/// Where dead letters of a queue go by what is in force now.
struct Way<'a> {
    queue: &'a str,
    reason: DeathReason,
    exchange: Box<str>,
    routing_key: Option<Box<str>>,
}

impl<'a> Way<'a> {
    /// None where the exchange was taken away since they died.
    fn of(source: &'a QueueHandle, reason: DeathReason) -> Option<Self> {
        let queue = &*source.definition.name;
        source.with_options(|options| {
            let exchange = options.dead_letter_exchange.clone()?;
            let routing_key = options.dead_letter_routing_key.clone();
            Some(Self { queue, reason, exchange, routing_key })
        })
    }
}

/// Dead letters and the queue they died in.
pub(super) type Burial = (Arc<QueueHandle>, DeadLetters);

impl PutOff {
    fn take(&self) -> VecDeque<Burial> {
        std::mem::take(&mut *lock(&self.0))
    }

    fn add(&self, burials: &mut VecDeque<Burial>) {
        lock(&self.0).append(burials);
    }
}

impl Broker {
    /// Does what a step left to do with queues: those that left service come back, dead letters go
    /// where they belong, also those that this makes, and deadlines are noted. No lock may be held.
    /// What is too much for one step is done at [`Broker::deadline`].
    #[inline]
    pub(super) fn look_after(&self, work: &mut Work) {
        if work.is_for_queues() {
            self.look_after_some(work);
        }
    }

    fn look_after_some(&self, work: &mut Work) {
        self.mend(work);
        let is_congested = || self.durability.as_ref().is_some_and(|d| d.log.is_congested());
        for _ in 0..DEAD_LETTER_TURNS_MAX {
            if work.dead_letters.is_empty() || is_congested() {
                break;
            }
            if let Some((source, letters)) = work.dead_letters.pop_front() {
                self.bring_away(&source, letters, work);
                self.mend(work);
                // Consumers, and the reader of bodies, are not to wait for all the others.
                work.wake();
            }
        }
        let rest = std::mem::take(&mut work.dead_letters);
        if !rest.is_empty() {
            self.put_off(rest, work);
        }
        for deadline in work.deadlines.drain(..) {
            self.timers.add_queue(deadline, &mut work.wakers);
        }
    }

    /// They wait a moment: for their turn, for the log, or for a queue that is read again.
    fn put_off(&self, mut burials: VecDeque<Burial>, work: &mut Work) {
        self.put_off.add(&mut burials);
        let at = work.now.plus(DEAD_LETTER_PAUSE_MS);
        self.timers.add(Timer::for_dead_letters(at), &mut work.wakers);
    }

    /// Goes on with dead letters that were put off.
    pub(super) fn bury_rest(&self, work: &mut Work) {
        work.dead_letters.append(&mut self.put_off.take());
    }

    /// Gives dead letters to their queues, then tells the one they died in.
    fn bring_away(&self, source: &Arc<QueueHandle>, letters: DeadLetters, work: &mut Work) {
        if let Some(host) = self.virtual_host(&source.virtual_host) {
            let mut groups = Groups::default();
            if let Some(way) = Way::of(source, letters.reason) {
                letters
                    .messages
                    .iter()
                    .for_each(|message| self.route_dead(&host, &way, message, work, &mut groups));
            }
            if groups.iter().any(|group| group.queue.is_broken()) {
                // It comes back soon; until then they are in the queue they died in.
                return self.put_off([(Arc::clone(source), letters)].into(), work);
            }
            for Group { queue, runs, numbers, .. } in groups.drain() {
                let count = runs.iter().map(MessageRun::len).sum();
                let refused = queue.with(work, |live| live.take_in(runs, numbers.as_deref()).len());
                self.dead_letters.dropped(Dropped::Refused, refused.unwrap_or(count));
            }
            // That is for publishers, and nobody is to be held back here.
            work.is_ahead = false;
        }
        let DeadLetters { reason, messages, leave } = letters;
        self.dead_letters.died(source.definition.options.kind, reason, messages.len());
        drop(messages);
        if let Some(leave) = leave {
            // What left service is read again, and these may be doubled then.
            let _ = source.with(work, |live| live.queue.left(leave));
        }
    }

    /// Finds the queues of a dead letter.
    fn route_dead(
        &self,
        host: &VirtualHost,
        way: &Way<'_>,
        message: &Message,
        work: &Work,
        groups: &mut Groups,
    ) {
        let Way { queue, reason, exchange, routing_key } = way;
        let (reason, routing_key) = (*reason, routing_key.as_deref());
        let death = Death { reason, queue, now: work.now, exchange, routing_key };
        let letter = DeadLetter::of(message, death);
        let random = lock(&self.random).draw();
        let mut targets = host.targets(&letter.message, &letter.carbon_copies, random);
        if targets.is_empty() {
            self.dead_letters.dropped(Dropped::Unroutable, 1);
        }
        targets.retain(|target| {
            let target = &*target.definition.name;
            let is_cycle = letter.is_cycle(target);
            if is_cycle {
                debug!(
                    target: "queue",
                    queue = *queue, target, reason = reason.name(),
                    "a message is dropped: dead-letter queues cycle detected"
                );
                self.dead_letters.dropped(Dropped::Cycle, 1);
            }
            !is_cycle
        });
        groups.add_to_all(&targets, MessageRun::one(letter.message), None, (0, 0));
    }
}
