//! When queues have something to do by themselves, as exactly as their messages are to die: an
//! entry for each queue that has. What they do then is in `expiry`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use super::lock::lock;
use super::queue_handle::QueueHandle;
use crate::message::{Moment, Name, QueueId};

/// What a queue is looked at for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// Messages in it may die.
    Messages,
    /// It may be unused for too long.
    Unused,
    /// No queue: dead letters of any were put off.
    DeadLetters,
    /// No queue: what happened is to be told.
    Events,
}

/// A queue that is to be looked at; who it is by itself keeps it alive no longer than it lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timer {
    pub(super) at: Moment,
    pub(super) queue: QueueId,
    pub(super) why: Why,
    pub(super) host: Name,
}

impl Timer {
    /// Something is to be told, at once.
    pub(super) fn for_events() -> Self {
        let at = Moment::default();
        Self { at, queue: QueueId(0), why: Why::Events, host: "".into() }
    }

    /// Dead letters were put off until then.
    pub(super) fn for_dead_letters(at: Moment) -> Self {
        Self { at, queue: QueueId(0), why: Why::DeadLetters, host: "".into() }
    }
}

/// A queue is to be looked at by this moment.
#[derive(Debug)]
pub(super) struct Deadline {
    pub(super) at: Moment,
    /// It was to be looked at only then.
    pub(super) instead_of: Option<Moment>,
    pub(super) handle: Arc<QueueHandle>,
}

/// All timers there are.
#[derive(Debug, Default)]
pub(super) struct Timers(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    timers: BTreeSet<Timer>,
    /// Who waits for the first one.
    waker: Option<Waker>,
}

impl Timers {
    /// Looks at a queue at this moment. The waker goes to `wakers` where nobody would come so
    /// early.
    pub(super) fn add(&self, timer: Timer, wakers: &mut Vec<Waker>) {
        let mut inner = lock(&self.0);
        let is_first = inner.timers.first().is_none_or(|first| timer.at < first.at);
        inner.timers.insert(timer);
        if is_first {
            wakers.extend(inner.waker.take());
        }
    }

    /// The same for messages of a queue, of which there is one timer.
    pub(super) fn add_queue(&self, deadline: Deadline, wakers: &mut Vec<Waker>) {
        let Deadline { at, instead_of, handle } = deadline;
        let (queue, host) = (handle.id(), handle.virtual_host.clone());
        let timer = Timer { at, queue, why: Why::Messages, host };
        if let Some(at) = instead_of {
            lock(&self.0).timers.remove(&Timer { at, ..timer.clone() });
        }
        self.add(timer, wakers);
    }

    /// The same for a queue that is deleted when nobody uses it, of which there is one timer too.
    pub(super) fn watch(&self, handle: &QueueHandle, at: Moment, wakers: &mut Vec<Waker>) {
        let (queue, host) = (handle.id(), handle.virtual_host.clone());
        let timer = Timer { at, queue, why: Why::Unused, host };
        if let Some(at) = handle.watched(Some(at)) {
            lock(&self.0).timers.remove(&Timer { at, ..timer.clone() });
        }
        self.add(timer, wakers);
    }

    /// The next one whose moment is there.
    pub(super) fn pop_due(&self, now: Moment) -> Option<Timer> {
        let mut inner = lock(&self.0);
        inner.timers.first().filter(|timer| timer.at <= now)?;
        inner.timers.pop_first()
    }

    /// The moment of the first one.
    pub(super) fn first(&self) -> Option<Moment> {
        lock(&self.0).timers.first().map(|timer| timer.at)
    }

    /// One has to be looked at before this moment; otherwise `waker` is told when that comes up.
    pub(super) fn is_before(&self, moment: Option<Moment>, waker: &Waker) -> bool {
        let mut inner = lock(&self.0);
        let first = inner.timers.first().map(|timer| timer.at);
        if first.is_some_and(|first| moment.is_none_or(|moment| first < moment)) {
            return true;
        }
        inner.waker = Some(waker.clone());
        false
    }
}
