//! A queue is told anew what it is: policies changed. What that makes of messages which are there
//! shows in the next [`Queue::dispatch`]; where a policy comes from is not its business.

use super::Queue;
use crate::message::Era;
use crate::queue::traits::{Limits, QueueTraits};

impl Queue {
    /// From now on the queue is as these traits say. Messages that are there keep the time to live
    /// that they came with. Gives the earlier times that must be known in a later life of the
    /// queue, where they are others than before.
    pub fn configure(&mut self, traits: QueueTraits) -> Option<Vec<Era>> {
        let known = self.traits.lifetime().clone();
        let lifetime = known.clone().changed(traits.lifetime().ttl_ms, self.now, self.is_spent());
        if lifetime.ttl_ms != known.ttl_ms {
            // What comes in this very moment is told from what came before.
            self.now = self.now.plus(1);
        }
        let is_new = lifetime.before != known.before;
        let before = lifetime.before.clone();
        let limits = traits.limits.as_deref().cloned().unwrap_or_default();
        self.traits = traits.limited(Limits { lifetime, ..limits });
        // What is on its way goes on, also to an exchange that is no longer set.
        let is_leaving = self.activity.as_ref().is_some_and(|activity| activity.leaving.has_any());
        self.buries = self.traits.has_dead_letters || is_leaving;
        is_new.then_some(before)
    }

    /// No message is in it, whether ready, out or leaving.
    fn is_spent(&self) -> bool {
        let is_held = |activity: &super::Activity| {
            activity.unsettled.totals().count > 0 || activity.leaving.has_any()
        };
        self.contents.is_empty() && !self.activity.as_deref().is_some_and(is_held)
    }
}
