//! The way into the log: facts are appended to the batch that gathers, under the log's lock. What
//! becomes of the batch is in `log`.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::task::Waker;

use super::batch::{Batch, Change};
use super::log::{Health, Inner, Log, Position};
use super::queue_facts::{Stay, Tail};
use crate::message::{DeliveryCounts, Message, QueueId, Sequence, SequenceRange};

/// Facts are appended through this; the log is locked as long as it lives.
#[derive(Debug)]
pub struct Appender<'a> {
    pub(super) log: &'a Log,
    pub(super) inner: MutexGuard<'a, Inner>,
    /// Below the lock, so that it is free when the turner wakes and takes it.
    pub(super) woken: Woken,
}

/// Wakes the turner at its end.
#[derive(Debug, Default)]
pub(super) struct Woken(Option<Waker>);

impl Drop for Woken {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Waker::wake);
    }
}

impl Appender<'_> {
    /// The position of what is appended now.
    #[must_use]
    pub fn position(&self) -> Position {
        self.inner.number
    }

    /// A definition holds, or no longer.
    pub fn changed(&mut self, change: Change) {
        self.with_batch(|batch| batch.changed(change));
    }

    /// Something is kept under a key that is no definition, or no longer. It is on disk no sooner
    /// than what was appended before.
    pub fn noted(&mut self, change: Change) {
        self.with_batch(|batch| batch.noted(change));
    }

    /// A queue is gone with all it held.
    pub fn forgotten(&mut self, queue: QueueId) {
        self.with_batch(|batch| batch.forget(queue));
    }

    /// Messages took consecutive places of a queue. What is not persistent, or is in a queue that
    /// is not durable, does not survive this boot.
    pub fn added(&mut self, tail: &Arc<Tail>, first: Sequence, messages: Vec<Message>, stay: Stay) {
        self.with_batch(|batch| batch.added(tail, first, messages, stay));
    }

    /// Places of a queue are free again.
    pub fn removed(&mut self, tail: &Arc<Tail>, range: SequenceRange) {
        self.with_batch(|batch| batch.removed(tail, range));
    }

    /// These places came back so often.
    pub fn returned(&mut self, tail: &Arc<Tail>, range: SequenceRange, counts: DeliveryCounts) {
        self.with_batch(|batch| batch.returned(tail, range, counts));
    }

    /// At a clean stop: these were delivered before.
    pub fn delivered(&mut self, tail: &Arc<Tail>, range: SequenceRange) {
        self.with_batch(|batch| batch.delivered(tail, range));
    }

    fn with_batch(&mut self, step: impl FnOnce(&mut Batch)) {
        let inner = &mut *self.inner;
        if matches!(inner.health, Health::Poisoned(_)) {
            return;
        }
        step(&mut inner.open);
        inner.is_open = true;
        let pending = inner.open.body_size + inner.writing_size;
        self.log.pending_size.store(pending, Ordering::Relaxed);
    }
}

impl Drop for Appender<'_> {
    /// A batch that became due is told to who turns the log.
    fn drop(&mut self) {
        if self.inner.is_due() {
            self.woken.0 = self.inner.turner.take();
        }
    }
}
