//! A queue that is full: the oldest messages go, or the new ones are refused. Only what is ready
//! counts, and of what a consumer can have at once nothing is in the way.

use super::{Effect, Queue};
use crate::message::{DeathReason, MessageRun};
use crate::queue::totals::Totals;

impl Queue {
    /// Adds the messages of a run for which there is room, and tells the places in the run of those
    /// that are refused. What consumers can have at once is handed out before any is.
    pub fn offer_run(&mut self, messages: MessageRun, effects: &mut Vec<Effect>) -> Vec<usize> {
        if self.has_room(messages.len() as u64, messages.body_bytes(), Self::kept) {
            self.enqueue_run(messages);
            return Vec::new();
        }
        let mut refused = Vec::new();
        for (place, message) in messages.into_messages().enumerate() {
            if self.makes_room(message.body_size(), Self::kept, effects) {
                self.enqueue(message);
            } else {
                refused.push(place);
                self.refuse(message, effects);
            }
        }
        refused
    }

    /// Adds dead letters of another queue where there is room for them; false where there is none:
    /// then they die here too, where that is asked for, unless the other queue keeps them.
    ///
    /// Only what is ready is in their way, not dead letters that this queue keeps: else two queues
    /// that are full of what each has for the other would wait for ever.
    pub fn accept(
        &mut self,
        messages: MessageRun,
        is_kept: bool,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let has_room = self.makes_room(messages.body_bytes(), Self::nothing, effects);
        if has_room {
            self.enqueue_run(messages);
        } else if !is_kept {
            messages.into_messages().for_each(|message| self.refuse(message, effects));
        }
        has_room
    }

    /// Whether there is room for one more, at the latest when consumers have what they can.
    fn makes_room(
        &mut self,
        size: u64,
        besides: fn(&Self) -> Totals,
        effects: &mut Vec<Effect>,
    ) -> bool {
        if !self.has_room(1, size, besides) {
            self.dispatch(effects);
        }
        self.has_room(1, size, besides)
    }

    /// Whether there is room besides what is ready, and something more that counts.
    fn has_room(&self, count: u64, bytes: u64, besides: fn(&Self) -> Totals) -> bool {
        let refusing = self.traits.length_limit().filter(|limit| limit.refuses);
        refusing.is_none_or(|limit| {
            let mut held = self.contents.totals();
            held += besides(self);
            limit.has_room(held, count, bytes)
        })
    }

    /// Dead letters that stay where no queue takes them.
    fn kept(&self) -> Totals {
        match &self.activity {
            Some(activity) if self.traits.keeps_dead_letters => activity.leaving.kept(),
            _ => Self::nothing(self),
        }
    }

    fn nothing(&self) -> Totals {
        Totals::default()
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
