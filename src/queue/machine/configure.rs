//! A queue is told anew what it is: policies changed. What that makes of messages which are there
//! shows in the next [`Queue::dispatch`]; where a policy comes from is not its business.

use super::Queue;
use crate::message::{Era, Moment};
use crate::queue::traits::{Limits, QueueTraits};

impl Queue {
    /// From now on the queue is as these traits say. Messages that are there keep the time to live
    /// that they came with. What waits to be tried again waits on, however long others will; where
    /// nothing is to wait any more, all of it is ready. Gives the earlier times that must be known
    /// in a later life of the queue, where they are others than before.
    pub fn configure(&mut self, traits: QueueTraits) -> Option<Vec<Era>> {
        let known = self.traits.lifetime().clone();
        let lifetime = known.clone().changed(traits.lifetime().ttl_ms, self.now, self.is_spent());
        if lifetime.ttl_ms != known.ttl_ms {
            // What comes in this very moment is told from what came before.
            self.now = self.now.plus(1);
        }
        let is_new = lifetime.before != known.before;
        let before = lifetime.before.clone();
        let timeout_before = self.traits.consumer_timeout_ms();
        let (retried, retries) = (self.traits.retry().is_some(), traits.retry().is_some());
        let limits = traits.limits.as_deref().cloned().unwrap_or_default();
        self.traits = traits.limited(Limits { lifetime, ..limits });
        // What is on its way goes on, also to an exchange that is no longer set.
        let is_leaving = self.activity.as_ref().is_some_and(|activity| activity.leaving.has_any());
        self.buries = self.traits.has_dead_letters || is_leaving;
        if retried && !retries {
            self.release(Moment(u64::MAX));
        }
        if self.traits.consumer_timeout_ms() != timeout_before {
            self.look_at_consumers(timeout_before);
        }
        is_new.then_some(before)
    }

    /// No message is in it, whether ready, out, leaving or waiting to be tried again.
    fn is_spent(&self) -> bool {
        let is_held = |activity: &super::Activity| {
            activity.unsettled.totals().count > 0
                || activity.leaving.has_any()
                || !activity.held.is_empty()
        };
        self.contents.is_empty() && !self.activity.as_deref().is_some_and(is_held)
    }
}
