//! The machine of one queue: contents, consumers, and what is out with them.

use hashbrown::HashMap;

use crate::limits::DELIVERY_OVERHEAD_SIZE;
use crate::message::{ConsumerId, Delivery, Message, Outcome, Run, Sequence};
use crate::queue::consumer::{Consumer, ConsumerOrder};
use crate::queue::contents::{Contents, Entry};
use crate::queue::dispatch::Gathered;

/// What does not change while a queue lives.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueueTraits {
    /// Goes with its last consumer.
    pub is_auto_delete: bool,
    /// Serves one consumer at a time.
    pub is_single_active: bool,
    /// A message whose delivery fails more often is dropped.
    pub delivery_limit: Option<u64>,
}

/// What a step of the queue wants done.
#[derive(Debug)]
pub enum Effect {
    /// Give this run to the consumer.
    Deliver(ConsumerId, Run),
    /// An auto-delete queue lost its last consumer: delete it.
    Expire,
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
    pub contents: Contents,
}

#[derive(Debug)]
struct Unsettled {
    entry: Entry,
    /// None for what was fetched with get.
    consumer: Option<ConsumerId>,
}

/// One queue.
#[derive(Debug, Default)]
pub struct Queue {
    traits: QueueTraits,
    contents: Contents,
    consumers: ConsumerOrder,
    unsettled: HashMap<Sequence, Unsettled, foldhash::fast::FixedState>,
    is_gone: bool,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(traits: QueueTraits) -> Self {
        let consumers = ConsumerOrder::new(traits.is_single_active);
        Self { traits, consumers, ..Self::default() }
    }

    /// It was deleted; who comes late looks it up again.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// The numbers of the moment.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            ready: self.contents.len(),
            unsettled: self.unsettled.len(),
            consumers: self.consumers.len(),
            ready_bytes: self.contents.body_bytes(),
        }
    }

    /// Serves one consumer at a time.
    #[must_use]
    pub fn is_single_active(&self) -> bool {
        self.traits.is_single_active
    }

    /// Adds a message at the end; nothing is delivered before [`Queue::dispatch`].
    pub fn enqueue(&mut self, message: Message) -> Sequence {
        self.contents.push(message)
    }

    /// Hands ready messages to consumers while both are there.
    pub fn dispatch(&mut self, effects: &mut Vec<Effect>) {
        let mut gathered = Gathered::default();
        while let Some(first) = self.contents.first() {
            let cost = first.message.body_size() + DELIVERY_OVERHEAD_SIZE;
            let Some(consumer) = self.consumers.take_turn(cost) else { break };
            let (id, no_ack) = (consumer.id, consumer.no_ack);
            let Some(entry) = self.contents.pop() else { break };
            gathered.push(id, delivery(&entry));
            if !no_ack {
                self.unsettled.insert(entry.sequence, Unsettled { entry, consumer: Some(id) });
            }
        }
        effects.extend(gathered.into_runs().map(|(id, run)| Effect::Deliver(id, run)));
    }

    /// Ends deliveries. Sequences that are not out (settled before, or the queue lost them) are
    /// passed over: the channel has already checked the tags.
    pub fn settle(&mut self, sequences: &[Sequence], outcome: Outcome) {
        for sequence in sequences {
            let Some(Unsettled { mut entry, consumer }) = self.unsettled.remove(sequence) else {
                continue;
            };
            if let Some(id) = consumer {
                self.consumers.settled(id);
            }
            entry.is_redelivered = true;
            if self.comes_back(&mut entry, outcome) {
                self.contents.put_back(entry);
            }
        }
        if self.unsettled.is_empty() && self.unsettled.capacity() > 64 {
            self.unsettled = HashMap::default();
        }
    }

    /// Whether a settled message is delivered again.
    fn comes_back(&self, entry: &mut Entry, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Accepted | Outcome::Rejected => false,
            Outcome::Requeued => true,
            Outcome::Failed => {
                entry.failure_count = entry.failure_count.saturating_add(1);
                let limit = self.traits.delivery_limit;
                limit.is_none_or(|limit| u64::from(entry.failure_count) <= limit)
            }
        }
    }

    /// Gives back deliveries that never reached their consumer's session: they keep the redelivered
    /// flag they had, since nobody saw them.
    pub fn return_unseen(&mut self, consumer: ConsumerId, run: Run) {
        if self.is_gone {
            return;
        }
        for delivery in run {
            let out = self.unsettled.remove(&delivery.sequence);
            self.consumers.settled(consumer);
            let entry = out.map_or_else(|| entry(&delivery), |unsettled| unsettled.entry);
            self.contents.put_back(entry);
        }
    }

    /// Fetches one message without a consumer.
    pub fn get(&mut self, no_ack: bool) -> Option<(Delivery, usize)> {
        let entry = self.contents.pop()?;
        let delivery = delivery(&entry);
        if !no_ack {
            self.unsettled.insert(entry.sequence, Unsettled { entry, consumer: None });
        }
        Some((delivery, self.contents.len()))
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
    pub fn purge(&mut self) -> Contents {
        self.contents.take_all()
    }

    /// Deletes the queue.
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
        if if_empty && !self.contents.is_empty() {
            return Err(DeleteRefused::NotEmpty);
        }
        self.is_gone = true;
        let consumers = self.consumers.ids().collect();
        self.consumers = ConsumerOrder::default();
        self.unsettled = HashMap::default();
        let contents = self.contents.take_all();
        Ok(Remains { ready_count: contents.len(), consumers, contents })
    }
}

fn delivery(entry: &Entry) -> Delivery {
    Delivery {
        sequence: entry.sequence,
        message: entry.message.clone(),
        is_redelivered: entry.is_redelivered,
    }
}

fn entry(delivery: &Delivery) -> Entry {
    Entry {
        sequence: delivery.sequence,
        message: delivery.message.clone(),
        is_redelivered: delivery.is_redelivered,
        failure_count: 0,
    }
}

#[cfg(test)]
mod tests;
