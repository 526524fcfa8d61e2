//! The machine of one queue: contents, consumers, and what is out with them. Where bodies leave RAM
//! and come back is in `paging`, who is served in `serve`, what a full queue does in `overflow`,
//! what becomes of messages that die in `dead_letter`, when they do for their age in `expiry`, of
//! those that come back in `retry`, of consumers that hold theirs for too long in `patience`, what
//! a policy changes in `configure`, what is told to who looks in `report`, which messages have an
//! equal in a queue that takes each once, in `equals`.

use std::collections::VecDeque;

use super::consumer::{Consumer, Served};
use super::consumer_order::ConsumerOrder;
use super::due::Arrival;
use super::fact::{Fact, Facts};
use super::far::Far;
use super::held::Held;
use super::leaving::Leaving;
use super::paging::Pages;
use super::patience::MarkId;
use super::present_keys::PresentKeys;
use super::ready::Ready;
use super::stretch::{Marks, Stretch};
use super::totals::Totals;
use super::traits::QueueTraits;
use super::unsettled::{Holder, Unsettled};
use crate::message::{
    ConsumerId, DeathReason, Delivery, DeliveryCounts, GetId, Message, MessageRun, Moment, Outcome,
    Run, Sequence, SequenceRange,
};

mod configure;
mod dead_letter;
mod equals;
mod expiry;
mod overflow;
mod paging;
mod patience;
mod report;
mod retry;
mod serve;

pub use report::Report;

/// What a step of the queue wants done.
#[derive(Debug)]
pub enum Effect {
    /// Give this run to the consumer.
    Deliver(ConsumerId, Run),
    /// This consumer held a delivery for longer than so many milliseconds: take it out, by
    /// [`Queue::expel`]. It gets nothing more.
    TimedOut(ConsumerId, u64),
    /// An auto-delete queue lost its last consumer: delete it.
    Expire,
    /// Tell the log.
    Append(Fact),
    /// Read these bodies from the disk; answered by [`Queue::fetched`].
    Fetch(SequenceRange),
    /// Bring these messages to the dead-letter exchange.
    DeadLetter(DeadLetters),
    /// A get that had to wait has its answer: as [`Fetched::Got`], or the queue is empty.
    Got {
        /// The get.
        get: GetId,
        /// The message, and how many are left.
        got: Option<(Delivery, usize)>,
    },
}

/// Messages that died for the same reason, in the order in which they did.
#[derive(Debug)]
pub struct DeadLetters {
    /// Why.
    pub reason: DeathReason,
    /// The messages.
    pub messages: Vec<Message>,
    /// What the queue waits to hear, by [`Queue::left`], when they are where they belong; nothing
    /// where they never were in it.
    pub leave: Option<Leave>,
}

/// Messages that are still the queue's until they came to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave {
    /// Their places.
    pub places: SequenceRange,
    /// The log has them.
    pub is_logged: bool,
}

/// The answer to a get.
#[derive(Debug)]
pub enum Fetched {
    /// A message, and how many are left.
    Got(Delivery, usize),
    /// There is none.
    Empty,
    /// Its body must be read first; [`Effect::Got`] follows.
    Later,
}

/// Why a consumer is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeRefused {
    /// The queue is gone.
    Gone,
    /// Somebody has it, or wants it, for himself.
    InExclusiveUse,
}

/// Why a queue is not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteRefused {
    /// Somebody deleted it before.
    Gone,
    /// It has consumers and `if-unused` was asked for.
    InUse,
    /// It has messages and `if-empty` was asked for.
    NotEmpty,
}

/// The numbers a declare answers with, and those of listings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages waiting.
    pub ready: usize,
    /// Messages out with consumers.
    pub unsettled: usize,
    /// Messages that came back and wait before they are ready again: neither of both.
    pub delayed_retry: usize,
    /// Consumers, active or not.
    pub consumers: usize,
    /// Bytes of the waiting bodies.
    pub ready_bytes: u64,
}

/// What is left of a deleted queue, to be told to its consumers and dropped without a lock.
#[derive(Debug)]
pub struct Remains {
    /// Messages that were ready.
    pub ready_count: usize,
    /// Consumers that lost their queue.
    pub consumers: Vec<ConsumerId>,
    /// What it held.
    pub contents: Ready,
    /// What waited to be ready again.
    pub held: Held,
}

/// What only a queue in use needs; there may be very many that are idle.
#[derive(Debug, Default)]
struct Activity {
    unsettled: Unsettled,
    /// Gets that wait for a body, and whether each needs no acknowledgement.
    gets: VecDeque<(GetId, bool)>,
    facts: Facts,
    /// What was asked for and not answered.
    fetching: Option<Fetching>,
    leaving: Leaving,
    held: Held,
    /// Messages that went to consumers again since somebody looked.
    handed_out_again: u64,
    /// Messages that died since somebody looked and go nowhere.
    lost: Vec<(DeathReason, usize)>,
    /// Of a queue whose messages only wait for their time.
    far: Option<Box<Far>>,
    /// Whose turn it is to have bodies read, of those who need some.
    reading_turn: usize,
    /// When to look for consumers that hold something for too long.
    vigil: Option<Vigil>,
    /// Where it takes no two equal messages at once.
    present: Option<Box<PresentKeys>>,
}

/// A look at consumers that is to come.
#[derive(Clone, Copy, Debug)]
struct Vigil {
    at: Moment,
    /// What the queue said then of how long they may hold a delivery.
    timeout_ms: Option<u64>,
}

/// Bodies that were asked for.
#[derive(Clone, Copy, Debug)]
struct Fetching {
    range: SequenceRange,
    /// They are of messages that leave for the dead-letter exchange.
    is_leaving: bool,
}

/// One queue.
#[derive(Debug, Default)]
pub struct Queue {
    traits: QueueTraits,
    contents: Ready,
    consumers: ConsumerOrder,
    activity: Option<Box<Activity>>,
    /// Messages left since the last look at what to fetch.
    has_progress: bool,
    /// Messages that went to consumers so far.
    handed_out: u64,
    /// When the step of the moment is done.
    now: Moment,
    /// Messages go, or went, to a dead-letter exchange.
    buries: bool,
    is_gone: bool,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(traits: QueueTraits) -> Self {
        let consumers =
            ConsumerOrder::new(match (traits.is_single_active, traits.is_active_by_priority) {
                (false, _) => Served::All,
                (true, false) => Served::First,
                (true, true) => Served::Highest,
            });
        let base = traits.priorities().map(|priorities| priorities.base);
        let contents = base.map(Ready::with_base).unwrap_or_default();
        let buries = traits.has_dead_letters;
        Self { traits, contents, consumers, buries, ..Self::default() }
    }

    /// It was deleted; who comes late looks it up again.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// The numbers of the moment.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let ready = self.contents.totals();
        Counts {
            ready: ready.count,
            unsettled: self.out().count,
            delayed_retry: self.held().count,
            consumers: self.consumers.len(),
            ready_bytes: ready.body_bytes,
        }
    }

    /// How many messages came back and wait before they are ready again.
    #[must_use]
    pub fn delayed_retry_count(&self) -> usize {
        self.held().count
    }

    /// What is out adds up to this.
    fn out(&self) -> Totals {
        self.activity.as_ref().map_or_else(Totals::default, |activity| activity.unsettled.totals())
    }

    /// What waits before it is ready again adds up to this.
    fn held(&self) -> Totals {
        self.activity.as_ref().map_or_else(Totals::default, |activity| activity.held.totals())
    }

    fn activity(&mut self) -> &mut Activity {
        self.activity.get_or_insert_default()
    }

    /// Serves one consumer at a time.
    #[must_use]
    pub fn is_single_active(&self) -> bool {
        self.traits.is_single_active
    }

    /// Messages may be delivered in another order than that of their places.
    #[must_use]
    pub fn has_priorities(&self) -> bool {
        self.contents.has_levels()
    }

    /// How many messages went to consumers so far.
    #[must_use]
    pub fn handed_out(&self) -> u64 {
        self.handed_out
    }

    /// Messages that had been delivered before went to consumers since the last look.
    #[must_use]
    pub fn has_handed_out_again(&self) -> bool {
        self.activity.as_ref().is_some_and(|activity| activity.handed_out_again > 0)
    }

    /// How many these are.
    pub fn take_handed_out_again(&mut self) -> u64 {
        let activity = self.activity.as_mut();
        activity.map_or(0, |activity| std::mem::take(&mut activity.handed_out_again))
    }

    /// The place that the next message will have.
    #[must_use]
    pub fn next_sequence(&self) -> Sequence {
        self.contents.next_sequence()
    }

    /// Adds a message at the end; nothing is delivered before [`Queue::dispatch`].
    pub fn enqueue(&mut self, message: Message) -> Sequence {
        self.enqueue_run(MessageRun::one(message))
    }

    /// The same with several messages that are alike; tells the place of the first.
    ///
    /// Where persistent messages and others take turns in a long queue, the others are given to the
    /// log as well: they leave RAM with their neighbors, and are one stretch with them.
    pub fn enqueue_run(&mut self, messages: MessageRun) -> Sequence {
        let arrival = self.arrival_of(&messages);
        if self.traits.is_unique {
            self.note_keys(&messages);
        }
        if !self.traits.is_durable || !(messages.is_persistent() || self.contents.is_patchy()) {
            return self.contents.push(messages, false, arrival);
        }
        let logged = messages.iter().cloned().collect();
        let first = self.contents.push(messages, true, arrival);
        let now = self.now;
        self.activity().facts.add(first, logged, now, arrival.level);
        first
    }

    /// Ends deliveries. Sequences that are not out (settled before, or the queue lost them) are
    /// passed over: the channel has already checked the tags.
    pub fn settle(&mut self, ranges: &[SequenceRange], outcome: Outcome) {
        for range in ranges {
            let mut places = *range;
            while places.first <= places.last
                && let Some((stretch, holder)) = self.activity().unsettled.take(places)
            {
                places.first = stretch.last() + 1;
                if let Holder::Consumer(id, mark) = holder {
                    self.consumers.settled(id, mark, stretch.len());
                }
                self.end(stretch, holder, outcome);
            }
        }
        self.drop_excess();
    }

    /// What becomes of messages whose delivery ended.
    fn end(&mut self, mut stretch: Stretch, holder: Holder, outcome: Outcome) {
        let mut marks = Marks { is_redelivered: true, ..stretch.marks() };
        match outcome {
            Outcome::Accepted => return self.remove(&stretch),
            Outcome::Rejected => {
                stretch.mark(marks);
                return self.die(stretch, DeathReason::Rejected);
            }
            // Where nobody is told, what was given back politely stays like its neighbors.
            Outcome::Requeued if !self.traits.tells_counts => {}
            Outcome::Requeued => marks.counts = marks.counts.after_return(),
            Outcome::Failed => marks.counts = marks.counts.after_failure(),
        }
        let has_news = marks.counts != stretch.marks().counts;
        stretch.mark(marks);
        if outcome == Outcome::Failed && self.is_beyond_limit(marks.counts) {
            return self.die(stretch, DeathReason::DeliveryLimit);
        }
        if has_news && marks.is_logged {
            self.activity().facts.take_back(stretch.range(), marks.counts);
        }
        self.take_back(stretch, holder, outcome);
    }

    /// Deliveries failed more often than the queue allows.
    fn is_beyond_limit(&self, counts: DeliveryCounts) -> bool {
        let limit = self.traits.delivery_limit();
        limit.is_some_and(|limit| u64::from(counts.failed) > limit)
    }

    /// Messages are gone for good.
    fn remove(&mut self, stretch: &Stretch) {
        self.forget_keys(stretch.range());
        if stretch.marks().is_logged {
            self.activity().facts.remove(stretch.range());
        }
    }

    /// Gives back deliveries that never reached their consumer's session: they keep the redelivered
    /// flag they had, since nobody saw them.
    pub fn return_unseen(&mut self, consumer: ConsumerId, run: Run) {
        if self.is_gone {
            return;
        }
        for delivery in run {
            let out = self.activity().unsettled.take(SequenceRange::one(delivery.sequence));
            let (stretch, mark) = match out {
                Some((stretch, Holder::Consumer(_, mark))) => (stretch, mark),
                Some((stretch, Holder::Getter)) => (stretch, MarkId::NONE),
                None => {
                    self.note_key(delivery.sequence, &delivery.message);
                    (self.unsettled_no_more(delivery), MarkId::NONE)
                }
            };
            self.consumers.settled(consumer, mark, 1);
            self.contents.put_back(stretch);
        }
        self.drop_excess();
    }

    /// A delivery that needed no acknowledgement, about as it was in the queue: nothing was kept of
    /// it there, so it lives as long as if it came now.
    fn unsettled_no_more(&self, delivery: Delivery) -> Stretch {
        let Delivery { sequence, message, is_redelivered, .. } = delivery;
        // Nothing else knows what it was told with.
        let (counts, message) = match self.traits.tells_counts && is_redelivered {
            true => DeliveryCounts::untell(&message),
            false => (DeliveryCounts::NONE, message),
        };
        let run = MessageRun::one(message);
        let Arrival { due, level, .. } = self.arrival_of(&run);
        let marks = Marks { is_redelivered, counts, due, level, ..Marks::default() };
        Stretch::of(sequence, run, marks)
    }

    /// Lets a consumer in.
    ///
    /// # Errors
    /// The queue is gone, or exclusive consumers forbid it.
    pub fn subscribe(&mut self, consumer: Consumer) -> Result<(), SubscribeRefused> {
        if self.is_gone {
            return Err(SubscribeRefused::Gone);
        }
        let wants_all = consumer.is_exclusive && !self.consumers.is_empty();
        let never_exclusive = consumer.is_exclusive && self.traits.is_single_active;
        if wants_all || never_exclusive || self.consumers.is_exclusive() {
            return Err(SubscribeRefused::InExclusiveUse);
        }
        self.consumers.add(consumer);
        Ok(())
    }

    /// Takes a consumer out. What it has unsettled stays out until its channel settles it.
    pub fn unsubscribe(&mut self, id: ConsumerId, effects: &mut Vec<Effect>) {
        let was_here = self.consumers.remove(id);
        if was_here && self.traits.is_auto_delete && self.consumers.is_empty() {
            effects.push(Effect::Expire);
        }
    }

    /// A shared credit has room again: this consumer may take more.
    pub fn resume(&mut self, id: ConsumerId) {
        self.consumers.unblock(id);
    }

    /// Takes all ready messages out and tells how many; the caller drops them without a lock.
    #[must_use]
    pub fn purge(&mut self) -> Ready {
        let purged = self.contents.take_all();
        for stretch in purged.stretches() {
            self.remove(stretch);
        }
        purged
    }

    /// Deletes the queue. The log hears that from the definitions, so there are no facts.
    ///
    /// # Errors
    /// It is gone already, or in use or not empty and that was asked for.
    pub fn delete(&mut self, if_unused: bool, if_empty: bool) -> Result<Remains, DeleteRefused> {
        if self.is_gone {
            return Err(DeleteRefused::Gone);
        }
        if if_unused && !self.consumers.is_empty() {
            return Err(DeleteRefused::InUse);
        }
        if if_empty && !(self.contents.is_empty() && self.held().count == 0) {
            return Err(DeleteRefused::NotEmpty);
        }
        self.is_gone = true;
        let mut held = Held::default();
        let consumers = self.consumers.ids().collect();
        self.consumers = ConsumerOrder::default();
        if let Some(activity) = &mut self.activity {
            activity.unsettled = Unsettled::default();
            activity.facts = Facts::default();
            activity.leaving = Leaving::default();
            activity.far = None;
            held = std::mem::take(&mut activity.held);
            activity.present = None;
        }
        let contents = self.contents.take_all();
        Ok(Remains { ready_count: contents.len(), consumers, contents, held })
    }
}

#[cfg(test)]
mod tests;
