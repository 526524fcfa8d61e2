//! What a step wants done after its locks are released: sessions to wake, queues to delete or to
//! read again, dead letters to bring away. It is carried out by the same caller, so nothing waits
//! upward.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use super::burial::Burial;
use super::out_of_service::Broken;
use super::queue_handle::QueueHandle;
use super::timers::Deadline;
use crate::message::{Moment, Name};
use crate::store::Position;

/// Things left to do.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Sessions that have something to read.
    pub(super) wakers: Vec<Waker>,
    /// Auto-delete queues that lost their last consumer.
    pub(super) expired: Vec<Arc<QueueHandle>>,
    /// Queues that left service.
    pub(super) broken: Vec<Broken>,
    /// Messages that died, and the queues they died in.
    pub(super) dead_letters: VecDeque<Burial>,
    /// Queues that are to be looked at by then.
    pub(super) deadlines: Vec<Deadline>,
    /// Where in the log the last fact of this step stands; 0 where there was none.
    pub(super) position: Position,
    /// When this step is done.
    pub(super) now: Moment,
    /// In whose name; none is nobody's but the node's.
    pub(super) user: Option<Name>,
    /// The queue of the last step has more than its consumers need for now.
    pub(super) is_ahead: bool,
}

impl Work {
    /// Something is left to do with queues, which after most steps is not so.
    #[inline]
    pub(super) fn is_for_queues(&self) -> bool {
        !(self.broken.is_empty() && self.dead_letters.is_empty() && self.deadlines.is_empty())
    }

    /// Wakes all there are to wake. No lock may be held.
    pub(super) fn wake(&mut self) {
        if !self.wakers.is_empty() {
            self.wakers.drain(..).for_each(Waker::wake);
        }
    }
}
