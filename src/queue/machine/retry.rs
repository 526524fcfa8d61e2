//! Messages that come back: they are ready again at once, or wait for a while first. What waits is
//! neither ready nor out; when its time is over it is ready at the place that it always had.
//!
//! ```text
//! out --requeued, failed--> held --its moment--> ready
//! ```
//!
//! The log knows nothing of it: after a restart all that waited is ready, with its counts.

use super::Queue;
use crate::message::{Moment, Outcome};
use crate::queue::due::end_of;
use crate::queue::retry::Backoff;
use crate::queue::stretch::Stretch;
use crate::queue::unsettled::Holder;

impl Queue {
    /// Messages come back whose delivery ended like this.
    pub(super) fn take_back(&mut self, stretch: Stretch, holder: Holder, outcome: Outcome) {
        let backoff = self.backoff(holder, outcome);
        let wait_ms = backoff.map_or(0, |backoff| backoff.wait_ms(stretch.marks().counts.failed));
        if wait_ms == 0 || !self.may_hold(&stretch) {
            return self.contents.put_back(stretch);
        }
        let (until, due) = (end_of(self.now, wait_ms), stretch.marks().due);
        // Whose life ends before that is ready right after its end: nobody gets it, and it dies.
        let dies_first = due.is_exact() && due.at() < until;
        let until = if dies_first { due.at().plus(1) } else { until };
        self.activity().held.push(until, stretch);
    }

    /// Of a queue that is in memory only, no more may wait than may be ready: nothing else would
    /// bound it.
    fn may_hold(&self, stretch: &Stretch) -> bool {
        let limit = self.traits.length_limit().filter(|_| self.traits.stays_in_memory());
        limit.is_none_or(|limit| {
            limit.has_room(self.held(), stretch.len() as u64, stretch.body_bytes())
        })
    }

    /// What the consumer asked for goes before what the queue says. Who is no consumer any more,
    /// because its channel closed or it was canceled, asks for nothing.
    fn backoff(&self, holder: Holder, outcome: Outcome) -> Option<Backoff> {
        let own = match holder {
            Holder::Consumer(id, _) => self.consumers.backoff(id),
            Holder::Getter => None,
        };
        own.or_else(|| self.traits.retry()?.backoff(outcome))
    }

    /// When the first of those that wait are ready.
    pub(super) fn held_until(&self) -> Option<Moment> {
        self.activity.as_ref()?.held.next()
    }

    /// What waited until this moment is ready.
    #[inline]
    pub(super) fn release(&mut self, now: Moment) {
        // Most queues never had anything that waits.
        if self.activity.is_some() {
            self.release_held(now);
        }
    }

    fn release_held(&mut self, now: Moment) {
        while self.held_until().is_some_and(|until| until <= now)
            && let Some(stretch) = self.activity().held.pop(now)
        {
            self.contents.put_back(stretch);
        }
    }
}
