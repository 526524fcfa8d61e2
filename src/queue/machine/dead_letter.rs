//! What becomes of messages that die: they are dropped, or leave for the dead-letter exchange.
//! Until they came to a queue there the log has them in this one, so a crash may double them and
//! loses none.
//!
//! ```text
//! ready, out --die--> leaving --dead letter--> on their way --left--> gone
//!                     (bodies on disk are read first)
//! ```

use super::{DeadLetters, Effect, Leave, Queue};
use crate::message::{DeathReason, Message};
use crate::queue::due::Due;
use crate::queue::stretch::{Marks, Stretch};

impl Queue {
    /// Messages died.
    pub(super) fn die(&mut self, mut stretch: Stretch, reason: DeathReason) {
        // It may come back here by way of the exchange.
        self.forget_keys(stretch.range());
        match self.traits.has_dead_letters {
            true => {
                // When they were to die is of no matter any more: neighbors are one stretch.
                let marks = stretch.marks();
                stretch.mark(Marks { due: Due::NEVER, ..marks });
                self.activity().leaving.push(reason, stretch);
            }
            false => {
                self.note_lost(reason, stretch.len());
                self.remove(&stretch);
            }
        }
    }

    fn note_lost(&mut self, reason: DeathReason, count: usize) {
        let lost = &mut self.activity().lost;
        match lost.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, sum)) => *sum += count,
            None => lost.push((reason, count)),
        }
    }

    /// Messages died and go nowhere.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        self.activity.as_ref().is_some_and(|activity| !activity.lost.is_empty())
    }

    /// Messages that died since this was last asked and go nowhere, for there is no dead-letter
    /// exchange.
    pub fn take_lost(&mut self) -> Vec<(DeathReason, usize)> {
        let activity = self.activity.as_mut();
        activity.map_or_else(Vec::new, |activity| std::mem::take(&mut activity.lost))
    }

    /// A message for which there is no room was refused: it goes where dead letters go, if that is
    /// asked for.
    pub(super) fn refuse(&self, message: Message, effects: &mut Vec<Effect>) {
        let limit = self.traits.length_limit();
        if self.traits.has_dead_letters && limit.is_some_and(|limit| limit.buries_refused) {
            let reason = DeathReason::MaxLength;
            let letters = DeadLetters { reason, messages: vec![message], leave: None };
            effects.push(Effect::DeadLetter(letters));
        }
    }

    /// Sends dead letters on their way, not too many at a time, and the next ones when these are
    /// there.
    pub(super) fn bury(&mut self, effects: &mut Vec<Effect>) {
        let Some(activity) = &mut self.activity else { return };
        if activity.leaving.is_busy() {
            return;
        }
        while let Some((reason, stretch)) = activity.leaving.pop() {
            let is_logged = stretch.marks().is_logged;
            let leave = Some(Leave { places: stretch.range(), is_logged });
            let messages = stretch.into_messages().collect();
            effects.push(Effect::DeadLetter(DeadLetters { reason, messages, leave }));
        }
    }

    /// Messages that left came to where they belong: they are in this queue no longer.
    pub fn left(&mut self, leave: Leave) {
        if self.is_gone {
            return;
        }
        let activity = self.activity();
        activity.leaving.left(leave.places);
        if leave.is_logged {
            activity.facts.remove(leave.places);
        }
    }
}
