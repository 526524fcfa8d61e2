//! The consumers of one queue and whose turn it is: by priority, then round-robin among those that
//! can take more. It does not know messages.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::Credit;
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
}

/// Where a consumer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the ring of its priority.
    Ready,
    /// Has no credit left; comes back with an acknowledgement or more credit.
    Blocked,
    /// A single active consumer is before it.
    Waiting,
}

#[derive(Debug)]
struct Slot {
    consumer: Consumer,
    unsettled_count: u32,
    state: State,
    /// Credit it took in this step: messages and bytes.
    taken: (u64, u64),
}

impl Slot {
    /// Takes credit for one delivery of `cost` bytes, everywhere or nowhere.
    fn take_credit(&mut self, cost: u64) -> bool {
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
    fn take_more(&mut self, count_max: usize, costs: impl Iterator<Item = u64>) -> usize {
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
    fn put_back_credit(&self, (count, cost): (u64, u64)) {
        let consumer = &self.consumer;
        if let Some(credit) = consumer.channel_credit.as_ref().filter(|_| !consumer.no_ack) {
            credit.put_back(count);
        }
        consumer.window.put_back(cost);
    }
}

/// All consumers of a queue, in the order they came.
#[derive(Debug, Default)]
pub struct ConsumerOrder {
    slots: BTreeMap<ConsumerId, Slot>,
    rings: BTreeMap<Reverse<i64>, VecDeque<ConsumerId>>,
    /// Only the first consumer is served.
    is_single_active: bool,
}

impl ConsumerOrder {
    /// No consumers yet.
    #[must_use]
    pub fn new(is_single_active: bool) -> Self {
        Self { is_single_active, ..Self::default() }
    }

    /// How many consumers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// One of them wants the queue for itself.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        self.slots.values().any(|slot| slot.consumer.is_exclusive)
    }

    /// All ids, oldest first.
    pub fn ids(&self) -> impl Iterator<Item = ConsumerId> + '_ {
        self.slots.keys().copied()
    }

    /// A consumer of this id, and whether its deliveries need an acknowledgement.
    #[must_use]
    pub fn consumer(&self, id: ConsumerId) -> Option<&Consumer> {
        self.slots.get(&id).map(|slot| &slot.consumer)
    }

    /// Lets one in; ids rise, so it comes last.
    pub fn add(&mut self, consumer: Consumer) {
        let waits = self.is_single_active && !self.slots.is_empty();
        let (id, priority) = (consumer.id, consumer.priority);
        let state = if waits { State::Waiting } else { State::Ready };
        self.slots.insert(id, Slot { consumer, unsettled_count: 0, state, taken: (0, 0) });
        if !waits {
            self.enter_ring(id, priority);
        }
    }

    /// Takes one out; the next in line becomes active where only one is. False where it was not
    /// here.
    pub fn remove(&mut self, id: ConsumerId) -> bool {
        let Some(slot) = self.slots.remove(&id) else { return false };
        if slot.state == State::Ready {
            self.leave_ring(id, slot.consumer.priority);
        }
        if self.is_single_active {
            self.activate_first();
        }
        true
    }

    /// The next consumer that can take a delivery of `cost` bytes; its credit is taken and its turn
    /// is over. Who has no credit leaves the ring until [`ConsumerOrder::unblock`].
    pub fn take_turn(&mut self, cost: u64) -> Option<&Consumer> {
        let id = self.next_with_credit(cost)?;
        self.slots.get(&id).map(|slot| &slot.consumer)
    }

    /// Takes credit for at most `count_max` more deliveries with these costs to a consumer that has
    /// its turn, and tells for how many it had some. It stays in the ring until its next turn.
    pub fn take_more(
        &mut self,
        id: ConsumerId,
        count_max: usize,
        costs: impl Iterator<Item = u64>,
    ) -> usize {
        self.slots.get_mut(&id).map_or(0, |slot| slot.take_more(count_max, costs))
    }

    /// What this consumer took credit for is on its way.
    pub fn handed_out(&mut self, id: ConsumerId) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.taken = (0, 0);
        }
    }

    /// This run of so many messages and bytes does not reach its consumer.
    pub fn put_back(&self, id: ConsumerId, count: u64, cost: u64) {
        if let Some(slot) = self.slots.get(&id) {
            slot.put_back_credit((count, cost));
        }
    }

    /// The step ended before what was taken was handed out.
    pub fn put_back_taken(&mut self) {
        for slot in self.slots.values_mut() {
            let taken = std::mem::take(&mut slot.taken);
            slot.put_back_credit(taken);
        }
    }

    /// Some consumer may be able to take something.
    #[must_use]
    pub fn has_ready(&self) -> bool {
        self.rings.values().any(|ring| !ring.is_empty())
    }

    /// How many consumers share what is ready.
    #[must_use]
    pub fn served_count(&self) -> usize {
        if self.is_single_active { self.slots.len().min(1) } else { self.slots.len() }
    }

    /// `count` deliveries of this consumer were settled. Those that need no acknowledgement were
    /// never counted.
    pub fn settled(&mut self, id: ConsumerId, count: usize) {
        if let Some(slot) = self.slots.get_mut(&id) {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            slot.unsettled_count = slot.unsettled_count.saturating_sub(count);
            self.unblock(id);
        }
    }

    /// Lets a blocked consumer try again: it may have more credit now.
    pub fn unblock(&mut self, id: ConsumerId) {
        if let Some(slot) = self.slots.get_mut(&id)
            && slot.state == State::Blocked
        {
            slot.state = State::Ready;
            let priority = slot.consumer.priority;
            self.enter_ring(id, priority);
        }
    }

    fn next_with_credit(&mut self, cost: u64) -> Option<ConsumerId> {
        for ring in self.rings.values_mut() {
            while let Some(id) = ring.pop_front() {
                let Some(slot) = self.slots.get_mut(&id) else { continue };
                if slot.take_credit(cost) {
                    ring.push_back(id);
                    return Some(id);
                }
                slot.state = State::Blocked;
            }
        }
        None
    }

    fn activate_first(&mut self) {
        if let Some((&id, slot)) = self.slots.iter_mut().next()
            && slot.state == State::Waiting
        {
            slot.state = State::Ready;
            let priority = slot.consumer.priority;
            self.enter_ring(id, priority);
        }
    }

    fn enter_ring(&mut self, id: ConsumerId, priority: i64) {
        self.rings.entry(Reverse(priority)).or_default().push_back(id);
    }

    fn leave_ring(&mut self, id: ConsumerId, priority: i64) {
        if let Some(ring) = self.rings.get_mut(&Reverse(priority)) {
            ring.retain(|other| *other != id);
            if ring.is_empty() {
                self.rings.remove(&Reverse(priority));
            }
        }
    }
}

fn clamped(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumer(id: u64) -> Consumer {
        Consumer {
            id: ConsumerId(id),
            no_ack: false,
            is_exclusive: false,
            priority: 0,
            prefetch_count: 0,
            channel_credit: None,
            window: Arc::new(Credit::new(0)),
        }
    }

    fn turns(order: &mut ConsumerOrder, count: usize) -> Vec<u64> {
        (0..count).map_while(|_| order.take_turn(1).map(|consumer| consumer.id.0)).collect()
    }

    #[test]
    fn equals_are_served_in_turn() {
        let mut order = ConsumerOrder::new(false);
        (1..=3).for_each(|id| order.add(consumer(id)));
        assert_eq!(turns(&mut order, 7), [1, 2, 3, 1, 2, 3, 1]);
    }

    #[test]
    fn a_higher_priority_is_served_until_it_is_blocked() {
        let mut order = ConsumerOrder::new(false);
        order.add(consumer(1));
        order.add(Consumer { priority: 5, prefetch_count: 2, ..consumer(2) });
        assert_eq!(turns(&mut order, 4), [2, 2, 1, 1]);
        order.settled(ConsumerId(2), 1);
        assert_eq!(turns(&mut order, 2), [2, 1]);
    }

    #[test]
    fn prefetch_holds_back_until_something_is_settled() {
        let mut order = ConsumerOrder::new(false);
        order.add(Consumer { prefetch_count: 1, ..consumer(1) });
        assert_eq!(turns(&mut order, 3), [1]);
        order.settled(ConsumerId(1), 1);
        assert_eq!(turns(&mut order, 3), [1]);
    }

    #[test]
    fn without_acknowledgements_prefetch_does_not_count() {
        let mut order = ConsumerOrder::new(false);
        order.add(Consumer { prefetch_count: 1, no_ack: true, ..consumer(1) });
        assert_eq!(turns(&mut order, 3), [1, 1, 1]);
    }

    #[test]
    fn a_channel_limit_is_shared_by_its_consumers() {
        let credit = Arc::new(Credit::new(3));
        let mut order = ConsumerOrder::new(false);
        for id in 1..=2 {
            order.add(Consumer { channel_credit: Some(credit.clone()), ..consumer(id) });
        }
        assert_eq!(turns(&mut order, 9), [1, 2, 1]);
        assert!(credit.give(1));
        order.unblock(ConsumerId(2));
        assert_eq!(turns(&mut order, 9), [2]);
    }

    #[test]
    fn a_full_window_blocks_and_gives_the_channel_credit_back() {
        let (window, credit) = (Arc::new(Credit::new(10)), Arc::new(Credit::new(5)));
        let mut order = ConsumerOrder::new(false);
        order.add(Consumer {
            window: window.clone(),
            channel_credit: Some(credit.clone()),
            ..consumer(1)
        });
        assert!(order.take_turn(11).is_some());
        assert!(order.take_turn(11).is_none());
        assert!((0..4).all(|_| credit.take(1)));
        assert!(!credit.take(1));
    }

    #[test]
    fn only_the_first_of_single_active_consumers_is_served() {
        let mut order = ConsumerOrder::new(true);
        (1..=2).for_each(|id| order.add(consumer(id)));
        assert_eq!(turns(&mut order, 2), [1, 1]);
        assert!(order.remove(ConsumerId(1)));
        assert_eq!(turns(&mut order, 2), [2, 2]);
    }

    #[test]
    fn a_removed_consumer_gets_nothing_more() {
        let mut order = ConsumerOrder::new(false);
        (1..=2).for_each(|id| order.add(consumer(id)));
        assert!(order.remove(ConsumerId(1)));
        assert!(!order.remove(ConsumerId(1)));
        assert_eq!(turns(&mut order, 2), [2, 2]);
    }
}
