//! Messages whose time is over: each dies in its moment, wherever it stands, unless somebody takes
//! it at that very moment. What is out with a consumer does not, before it comes back.

use super::Queue;
use crate::message::{DeathReason, Message, MessageRun, Moment};
use crate::queue::due::Arrival;

impl Queue {
    /// Time passed. It never runs backward here, also where the steps of several clients, each with
    /// a look at the clock of its own, come in another order.
    pub fn elapse(&mut self, now: Moment) {
        self.now = self.now.max(now);
    }

    /// When the last step was done.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.now
    }

    /// When [`Queue::dispatch`] has something to do by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        let due = self.contents.next_due(self.now);
        let Some(activity) = &self.activity else { return due };
        let far = activity.far.as_ref().and_then(|far| far.deadline(self.now));
        let waiting = sooner(activity.held.next(), far);
        sooner(sooner(due, activity.vigil.map(|vigil| vigil.at)), waiting)
    }

    /// What it holds may die, or be too much: [`Queue::dispatch`] has something to do, though
    /// nothing happened.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.contents.has_dying() || self.traits.length_limit().is_some()
    }

    /// When messages die that come now, and which priority they have.
    #[inline]
    pub(super) fn arrival_of(&self, messages: &MessageRun) -> Arrival {
        // Most queues have no limits, and most messages no end.
        let expires = messages.first().is_some_and(Message::has_expiration);
        if self.traits.limits.is_none() && !expires {
            return Arrival::LASTING;
        }
        self.arrival_by_limits(messages)
    }

    fn arrival_by_limits(&self, messages: &MessageRun) -> Arrival {
        let Some(first) = messages.first() else { return Arrival::LASTING };
        let arrival = self.traits.lifetime().arrival(self.now, first);
        match self.traits.priorities() {
            None => arrival,
            Some(priorities) => Arrival { level: priorities.level(first.priority()), ..arrival },
        }
    }

    /// What was to be taken before this moment dies.
    pub(super) fn expire(&mut self, before: Moment) {
        while let Some(stretch) = self.contents.take_due(before) {
            self.die(stretch, DeathReason::Expired);
        }
    }
}

fn sooner(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
