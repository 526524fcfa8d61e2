//! How many messages died, in which way they left, and what became of them. Who brings them away is
//! in `dead_letters`.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::message::{DeathReason, QueueKind};

/// Why a dead letter came to no queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// The exchange is not there, or no binding takes it further.
    Unroutable,
    /// It would go round for ever.
    Cycle,
    /// A queue has no room for it, or is out of service.
    Refused,
}

/// What a queue does with dead letters that no queue takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// It has none: there is no dead-letter exchange, and they are gone.
    Disabled,
    /// They are dropped.
    AtMostOnce,
    /// They stay where they died, and are tried again.
    AtLeastOnce,
}

/// Messages that left queues of one type in one way.
#[derive(Debug, Default)]
struct Left {
    by_reason: [AtomicU64; DeathReason::ALL.len()],
    confirmed: AtomicU64,
}

/// How many messages died, and why some of them came to no queue.
#[derive(Debug, Default)]
pub(super) struct DeadLetterCounts {
    left: [Left; WAYS.len()],
    unroutable: AtomicU64,
    cycles: AtomicU64,
    refused: AtomicU64,
}

/// The type of the queue in which messages died, and what it does with them.
pub(super) type Way = (QueueKind, Strategy);

/// All ways that there are.
const WAYS: [Way; 6] = [
    (QueueKind::Classic, Strategy::Disabled),
    (QueueKind::Classic, Strategy::AtMostOnce),
    (QueueKind::Classic, Strategy::AtLeastOnce),
    (QueueKind::Quorum, Strategy::Disabled),
    (QueueKind::Quorum, Strategy::AtMostOnce),
    (QueueKind::Quorum, Strategy::AtLeastOnce),
];

/// The same at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetterFigures {
    /// Messages that died, by what became of them.
    pub sent: Vec<DeadLettersSent>,
    /// Those for which there was no exchange or no route.
    pub unroutable: u64,
    /// Those not given to a queue because they would have gone round for ever.
    pub cycles: u64,
    /// Those that a queue had no room for.
    pub refused: u64,
}

/// Messages that died in queues of one type and left them in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLettersSent {
    /// The type of the queue.
    pub kind: QueueKind,
    /// What it does with those that no queue takes.
    pub strategy: Strategy,
    /// How many died, for each reason.
    pub by_reason: Vec<(DeathReason, u64)>,
    /// How many came to their queues, where they would have stayed otherwise.
    pub confirmed: u64,
}

impl DeadLetterCounts {
    fn left(&self, way: Way) -> Option<&Left> {
        WAYS.iter().zip(&self.left).find(|(known, _)| **known == way).map(|(_, left)| left)
    }

    /// So many died.
    pub(super) fn died(&self, way: Way, reason: DeathReason, count: usize) {
        let counters = self.left(way).into_iter().flat_map(|left| &left.by_reason);
        let mut of_reasons = DeathReason::ALL.iter().zip(counters);
        if let Some((_, counter)) = of_reasons.find(|(known, _)| **known == reason) {
            counter.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    /// So many came to their queues that would have stayed otherwise.
    pub(super) fn confirmed(&self, kind: QueueKind, count: usize) {
        if let Some(left) = self.left((kind, Strategy::AtLeastOnce)) {
            left.confirmed.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    /// So many came to no queue.
    pub(super) fn dropped(&self, why: Dropped, count: usize) {
        let counter = match why {
            Dropped::Unroutable => &self.unroutable,
            Dropped::Cycle => &self.cycles,
            Dropped::Refused => &self.refused,
        };
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn figures(&self) -> DeadLetterFigures {
        let sent = WAYS.iter().zip(&self.left).map(|((kind, strategy), left)| DeadLettersSent {
            kind: *kind,
            strategy: *strategy,
            by_reason: DeathReason::ALL.into_iter().zip(left.by_reason.iter().map(told)).collect(),
            confirmed: told(&left.confirmed),
        });
        DeadLetterFigures {
            sent: sent.collect(),
            unroutable: told(&self.unroutable),
            cycles: told(&self.cycles),
            refused: told(&self.refused),
        }
    }
}

fn told(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
