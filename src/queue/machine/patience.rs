//! Consumers that hold deliveries for too long. The queue serves them no more and says so; who they
//! belong to takes them out, together with what it knows of their deliveries.

use super::{Effect, Queue, Vigil};
use crate::message::{ConsumerId, Moment, Outcome, SequenceRange};
use crate::queue::patience::MarkId;

impl Queue {
    /// Deliveries go out to a consumer that may hold them for so long; tells the mark that counts
    /// them.
    pub(super) fn watch(&mut self, id: ConsumerId, count: usize, timeout_ms: u64) -> MarkId {
        let (now, of_queue_ms) = (self.now, self.traits.consumer_timeout_ms());
        let at = now.plus(timeout_ms);
        let vigil = &mut self.activity().vigil;
        if vigil.is_none_or(|vigil| at < vigil.at) {
            *vigil = Some(Vigil { at, timeout_ms: of_queue_ms });
        }
        self.consumers.give_out(id, count, now, timeout_ms)
    }

    /// The time that consumers may hold something was this: the next step reckons anew, also for
    /// what went out while there was none.
    pub(super) fn look_at_consumers(&mut self, timeout_ms: Option<u64>) {
        let at = self.now;
        if let Some(activity) = &mut self.activity {
            activity.vigil = Some(Vigil { at, timeout_ms });
        }
    }

    /// When to look for consumers that hold something for too long.
    pub(super) fn vigil_at(&self) -> Option<Moment> {
        Some(self.activity.as_ref()?.vigil?.at)
    }

    /// Looks for them, where it is time.
    pub(super) fn keep_vigil(&mut self, effects: &mut Vec<Effect>) {
        let Some(Vigil { at, timeout_ms }) = self.activity.as_ref().and_then(|one| one.vigil)
        else {
            return;
        };
        let of_queue_ms = self.traits.consumer_timeout_ms();
        if self.now < at && timeout_ms == of_queue_ms {
            return;
        }
        let (late, next) = self.consumers.time_out(self.now, of_queue_ms);
        effects.extend(late.into_iter().map(|(id, timeout_ms)| Effect::TimedOut(id, timeout_ms)));
        self.activity().vigil = next.map(|at| Vigil { at, timeout_ms: of_queue_ms });
    }

    /// Takes a consumer out together with all that it has, which goes back to its place, and tells
    /// which places these are. That it was delivered counts as no failure.
    pub fn expel(&mut self, id: ConsumerId, effects: &mut Vec<Effect>) -> Vec<SequenceRange> {
        let activity = self.activity.as_ref();
        let places = activity.map_or_else(Vec::new, |activity| activity.unsettled.held_by(id));
        self.unsubscribe(id, effects);
        self.settle(&places, Outcome::Requeued);
        places
    }
}
