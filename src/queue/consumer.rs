//! One consumer of a queue: what it asked for, what it has out, and what credit it may take. It
//! knows neither messages nor the other consumers.

use std::sync::Arc;

use super::Credit;
use super::patience::{Patience, Watch};
use super::retry::Backoff;
use crate::message::ConsumerId;

/// One consumer as its queue sees it.
#[derive(Debug)]
pub struct Consumer {
    /// Its number in the node.
    pub id: ConsumerId,
    /// Deliveries need no acknowledgement.
    pub no_ack: bool,
    /// No other consumer is let in.
    pub is_exclusive: bool,
    /// Higher ones are served first.
    pub priority: i64,
    /// How many deliveries may be unacknowledged; 0 means any number.
    pub prefetch_count: u32,
    /// The limit its channel shares over all its consumers, where it has one.
    pub channel_credit: Option<Arc<Credit>>,
    /// The bytes its session may have on the way.
    pub window: Arc<Credit>,
    /// How long it may hold a delivery.
    pub patience: Patience,
    /// How long waits what it gives back, where it says so.
    pub backoff: Option<Backoff>,
}

/// Whom of its consumers a queue serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Served {
    /// Everybody.
    #[default]
    All,
    /// The one that came first, until it goes.
    First,
    /// The one of the highest priority; who comes later with a higher one takes over when the one
    /// before has settled what it has.
    Highest,
}

/// Where a consumer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// In the ring of its priority.
    Ready,
    /// Has no credit left; comes back with an acknowledgement or more credit.
    Blocked,
    /// A single active consumer is before it.
    Waiting,
    /// It is the active one, and gives way to another when it has settled what it has.
    Draining,
    /// It held something for too long, and is about to be taken out.
    TimedOut,
}

impl State {
    /// Of a queue that serves one at a time, it is this one.
    pub(super) fn is_active(self) -> bool {
        matches!(self, Self::Ready | Self::Blocked | Self::Draining)
    }
}

/// A consumer and what it has out.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) consumer: Consumer,
    pub(super) unsettled_count: u32,
    pub(super) state: State,
    /// Credit it took in this step: messages and bytes.
    pub(super) taken: (u64, u64),
    /// Since when it holds what it has, where that ever mattered.
    pub(super) watch: Option<Box<Watch>>,
}

impl Slot {
    /// Takes credit for one delivery of `cost` bytes, everywhere or nowhere.
    pub(super) fn take_credit(&mut self, cost: u64) -> bool {
        let consumer = &self.consumer;
        let counts = !consumer.no_ack;
        let limit = consumer.prefetch_count;
        if counts && limit != 0 && self.unsettled_count >= limit {
            return false;
        }
        if let Some(credit) = consumer.channel_credit.as_ref().filter(|_| counts)
            && !credit.take(1)
        {
            return false;
        }
        if !consumer.window.take(cost) {
            if let Some(credit) = consumer.channel_credit.as_ref().filter(|_| counts) {
                credit.put_back(1);
            }
            return false;
        }
        if counts {
            self.unsettled_count += 1;
        }
        self.taken.0 += 1;
        self.taken.1 += cost;
        true
    }

    /// Takes credit for at most `count_max` further deliveries with these costs, as far as it goes;
    /// tells for how many.
    pub(super) fn take_more(
        &mut self,
        count_max: usize,
        costs: impl Iterator<Item = u64>,
    ) -> usize {
        let consumer = &self.consumer;
        let counts = !consumer.no_ack;
        let shared = consumer.channel_credit.as_ref().filter(|_| counts);
        let mut granted = count_max as u64;
        if counts && consumer.prefetch_count != 0 {
            let left = consumer.prefetch_count.saturating_sub(self.unsettled_count);
            granted = granted.min(left.into());
        }
        if let Some(credit) = shared {
            granted = credit.take_at_most(granted);
        }
        let (count, cost) = consumer.window.take_run(costs.take(clamped(granted)));
        if let Some(credit) = shared {
            credit.put_back(granted - count);
        }
        if counts {
            self.unsettled_count += u32::try_from(count).unwrap_or(u32::MAX);
        }
        self.taken.0 += count;
        self.taken.1 += cost;
        clamped(count)
    }

    /// Puts credit back that other queues share, for `count` deliveries of `cost` bytes together.
    pub(super) fn put_back_credit(&self, (count, cost): (u64, u64)) {
        let consumer = &self.consumer;
        if let Some(credit) = consumer.channel_credit.as_ref().filter(|_| !consumer.no_ack) {
            credit.put_back(count);
        }
        consumer.window.put_back(cost);
    }
}

fn clamped(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
