//! When queues have something to do by themselves, as exactly as their messages are to die: one
//! entry a queue, or a few where an earlier moment came up meanwhile. What they do then is in
//! `expiry`.

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
}

/// A queue that is to be looked at; who it is by itself keeps it alive no longer than it lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timer {
    pub(super) at: Moment,
    pub(super) queue: QueueId,
    pub(super) why: Why,
    pub(super) host: Name,
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

    /// The same for messages of a queue.
    pub(super) fn add_queue(&self, at: Moment, handle: &Arc<QueueHandle>, wakers: &mut Vec<Waker>) {
        let (queue, host) = (handle.id(), handle.virtual_host.clone());
        self.add(Timer { at, queue, why: Why::Messages, host }, wakers);
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
