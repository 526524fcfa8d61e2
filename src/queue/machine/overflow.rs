//! A queue that is full: the oldest messages go, or the new ones are refused. Only what is ready
//! counts, and of what a consumer can have at once nothing is in the way.

use super::{Effect, Queue};
use crate::message::{DeathReason, MessageRun};

impl Queue {
    /// Adds the messages of a run for which there is room, and tells the places in the run of those
    /// that are refused. What consumers can have at once is handed out before any is.
    pub fn offer_run(&mut self, messages: MessageRun, effects: &mut Vec<Effect>) -> Vec<usize> {
        if self.has_room(messages.len() as u64, messages.body_bytes()) {
            self.enqueue_run(messages);
            return Vec::new();
        }
        let mut refused = Vec::new();
        for (place, message) in messages.into_messages().enumerate() {
            let size = message.body_size();
            if !self.has_room(1, size) {
                self.dispatch(effects);
            }
            if self.has_room(1, size) {
                self.enqueue(message);
            } else {
                refused.push(place);
                self.refuse(message, effects);
            }
        }
        refused
    }

    fn has_room(&self, count: u64, bytes: u64) -> bool {
        let refusing = self.traits.length_limit().filter(|limit| limit.refuses);
        refusing.is_none_or(|limit| limit.has_room(self.contents.totals(), count, bytes))
    }

    /// Lets the oldest messages go while there are too many. After a restart some may be over their
    /// time, which only the disk knows: these are to go first.
    pub(super) fn drop_excess(&mut self) {
        if self.contents.has_dying() && self.contents.wants_due(self.now).is_some() {
            return;
        }
        while let Some(limit) = self.traits.length_limit().filter(|limit| !limit.refuses)
            && let excess = limit.excess(self.contents.totals())
            && excess > 0
            && let Some(dropped) = self.contents.pop(excess)
        {
            self.die(dropped, DeathReason::MaxLength);
        }
    }
}
