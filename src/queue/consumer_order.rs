//! The consumers of one queue and whose turn it is: by priority, then round-robin among those that
//! can take more. It does not know messages.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use super::consumer::{Consumer, Served, Slot, State};
use super::patience::{MarkId, step_ms};
use super::retry::Backoff;
use crate::message::{ConsumerId, Moment};

/// All consumers of a queue, in the order they came.
#[derive(Debug, Default)]
pub struct ConsumerOrder {
    slots: BTreeMap<ConsumerId, Slot>,
    rings: BTreeMap<Reverse<i64>, VecDeque<ConsumerId>>,
    served: Served,
}

impl ConsumerOrder {
    /// No consumers yet.
    #[must_use]
    pub fn new(served: Served) -> Self {
        Self { served, ..Self::default() }
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
        self.exclusive().is_some()
    }

    /// The one that has the queue for itself: no other is there then.
    #[must_use]
    pub fn exclusive(&self) -> Option<ConsumerId> {
        let (id, slot) = self.slots.first_key_value()?;
        slot.consumer.is_exclusive.then_some(*id)
    }

    /// The first one that is served.
    #[must_use]
    pub fn active(&self) -> Option<ConsumerId> {
        self.slots.iter().find(|(_, slot)| slot.state.is_active()).map(|(id, _)| *id)
    }

    /// All of them, oldest first, and whether each is served.
    pub fn all(&self) -> impl Iterator<Item = (&Consumer, bool)> {
        self.slots.values().map(|slot| (&slot.consumer, slot.state.is_active()))
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
        let (id, state) = (consumer.id, State::Waiting);
        let slot = Slot { consumer, unsettled_count: 0, state, taken: (0, 0), watch: None };
        self.slots.insert(id, slot);
        match self.served {
            Served::All => self.activate(id),
            Served::First | Served::Highest => self.elect(),
        }
    }

    /// Takes one out; the next in line becomes active where only one is. False where it was not
    /// here.
    pub fn remove(&mut self, id: ConsumerId) -> bool {
        let Some(slot) = self.slots.remove(&id) else { return false };
        if slot.state == State::Ready {
            self.leave_ring(id, slot.consumer.priority);
        }
        self.elect();
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
        match self.served {
            Served::All => self.slots.len(),
            Served::First | Served::Highest => self.slots.len().min(1),
        }
    }

    /// `count` deliveries of this consumer, which this mark counts, were settled. Those without
    /// acknowledgement were never counted.
    pub fn settled(&mut self, id: ConsumerId, mark: MarkId, count: usize) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        if mark != MarkId::NONE
            && let Some(watch) = &mut slot.watch
        {
            watch.settled(mark, count);
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        slot.unsettled_count = slot.unsettled_count.saturating_sub(count);
        match slot.state {
            State::Blocked => self.unblock(id),
            State::Draining if slot.unsettled_count == 0 => self.elect(),
            State::Ready | State::Waiting | State::Draining | State::TimedOut => {}
        }
    }

    /// How long waits what this consumer gives back, where it says so and is still here.
    #[must_use]
    pub fn backoff(&self, id: ConsumerId) -> Option<Backoff> {
        self.slots.get(&id)?.consumer.backoff
    }

    /// Deliveries go out to a consumer that may hold them for so long; tells the mark that counts
    /// them.
    pub fn give_out(
        &mut self,
        id: ConsumerId,
        count: usize,
        now: Moment,
        timeout_ms: u64,
    ) -> MarkId {
        let Some(slot) = self.slots.get_mut(&id) else { return MarkId::NONE };
        slot.watch.get_or_insert_default().give_out(count, now, step_ms(timeout_ms))
    }

    /// Serves those no more that hold something for too long: tells who they are, with the time
    /// that they had, and when to look at the others.
    pub fn time_out(
        &mut self,
        now: Moment,
        of_queue_ms: Option<u64>,
    ) -> (Vec<(ConsumerId, u64)>, Option<Moment>) {
        let (mut late, mut next) = (Vec::new(), None);
        for (&id, slot) in &mut self.slots {
            let timeout_ms = slot.consumer.patience.timeout_ms(of_queue_ms);
            let oldest = slot.watch.as_ref().and_then(|watch| watch.oldest());
            let (Some(timeout_ms), Some(oldest)) = (timeout_ms, oldest) else { continue };
            let due = oldest.plus(timeout_ms);
            if slot.state == State::TimedOut {
                continue;
            }
            if due <= now {
                late.push((id, timeout_ms));
            } else {
                let look_at = due.max(now.plus(step_ms(timeout_ms)));
                next = next.into_iter().chain([look_at]).min();
            }
        }
        for (id, _) in &late {
            self.retire(*id, State::TimedOut);
        }
        (late, next)
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

    /// Where only one is served: chooses which.
    fn elect(&mut self) {
        if self.served == Served::All {
            return;
        }
        let all = self.slots.iter().map(|(id, slot)| (*id, slot.consumer.priority, slot));
        let active = all.clone().find(|(_, _, slot)| slot.state.is_active());
        let mut waiting = all.filter(|(_, _, slot)| slot.state == State::Waiting);
        let next = match self.served {
            Served::Highest => waiting.min_by_key(|(_, priority, _)| Reverse(*priority)),
            Served::First | Served::All => waiting.next(),
        };
        match (active, next) {
            (None, None) => {}
            (None, Some((id, ..))) | (Some((id, ..)), None) => self.activate(id),
            (Some((id, priority, slot)), Some((next, higher, _))) => {
                let gives_way = self.served == Served::Highest && higher > priority;
                match (gives_way, slot.unsettled_count) {
                    (false, _) => self.activate(id),
                    (true, 0) => {
                        self.retire(id, State::Waiting);
                        self.activate(next);
                    }
                    (true, _) => self.retire(id, State::Draining),
                }
            }
        }
    }

    /// Serves a consumer that was not served.
    fn activate(&mut self, id: ConsumerId) {
        if let Some(slot) = self.slots.get_mut(&id)
            && matches!(slot.state, State::Waiting | State::Draining)
        {
            slot.state = State::Ready;
            let priority = slot.consumer.priority;
            self.enter_ring(id, priority);
        }
    }

    /// Serves a consumer no more.
    fn retire(&mut self, id: ConsumerId, state: State) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let (before, priority) =
            (std::mem::replace(&mut slot.state, state), slot.consumer.priority);
        if before == State::Ready {
            self.leave_ring(id, priority);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::queue::{Credit, Patience};

    fn consumer(id: u64) -> Consumer {
        Consumer {
            id: ConsumerId(id),
            no_ack: false,
            is_exclusive: false,
            priority: 0,
            prefetch_count: 0,
            channel_credit: None,
            window: Arc::new(Credit::new(0)),
            patience: Patience::default(),
            backoff: None,
        }
    }

    fn turns(order: &mut ConsumerOrder, count: usize) -> Vec<u64> {
        (0..count).map_while(|_| order.take_turn(1).map(|consumer| consumer.id.0)).collect()
    }

    #[test]
    fn equals_are_served_in_turn() {
        let mut order = ConsumerOrder::default();
        (1..=3).for_each(|id| order.add(consumer(id)));
        assert_eq!(turns(&mut order, 7), [1, 2, 3, 1, 2, 3, 1]);
    }

    #[test]
    fn a_higher_priority_is_served_until_it_is_blocked() {
        let mut order = ConsumerOrder::default();
        order.add(consumer(1));
        order.add(Consumer { priority: 5, prefetch_count: 2, ..consumer(2) });
        assert_eq!(turns(&mut order, 4), [2, 2, 1, 1]);
        order.settled(ConsumerId(2), MarkId::NONE, 1);
        assert_eq!(turns(&mut order, 2), [2, 1]);
    }

    #[test]
    fn prefetch_holds_back_until_something_is_settled() {
        let mut order = ConsumerOrder::default();
        order.add(Consumer { prefetch_count: 1, ..consumer(1) });
        assert_eq!(turns(&mut order, 3), [1]);
        order.settled(ConsumerId(1), MarkId::NONE, 1);
        assert_eq!(turns(&mut order, 3), [1]);
    }

    #[test]
    fn without_acknowledgements_prefetch_does_not_count() {
        let mut order = ConsumerOrder::default();
        order.add(Consumer { prefetch_count: 1, no_ack: true, ..consumer(1) });
        assert_eq!(turns(&mut order, 3), [1, 1, 1]);
    }

    #[test]
    fn a_channel_limit_is_shared_by_its_consumers() {
        let credit = Arc::new(Credit::new(3));
        let mut order = ConsumerOrder::default();
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
        let mut order = ConsumerOrder::default();
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
        let mut order = ConsumerOrder::new(Served::First);
        (1..=2).for_each(|id| order.add(consumer(id)));
        assert_eq!(turns(&mut order, 2), [1, 1]);
        assert!(order.remove(ConsumerId(1)));
        assert_eq!(turns(&mut order, 2), [2, 2]);
    }

    #[test]
    fn a_removed_consumer_gets_nothing_more() {
        let mut order = ConsumerOrder::default();
        (1..=2).for_each(|id| order.add(consumer(id)));
        assert!(order.remove(ConsumerId(1)));
        assert!(!order.remove(ConsumerId(1)));
        assert_eq!(turns(&mut order, 2), [2, 2]);
    }

    #[test]
    fn the_first_of_single_active_consumers_stays_whatever_priority_comes() {
        let mut order = ConsumerOrder::new(Served::First);
        order.add(consumer(1));
        order.add(Consumer { priority: 9, ..consumer(2) });
        order.add(Consumer { priority: 99, ..consumer(3) });
        assert_eq!(turns(&mut order, 1), [1]);
        assert!(order.remove(ConsumerId(1)));
        assert_eq!(turns(&mut order, 1), [2]);
    }

    #[test]
    fn a_higher_priority_takes_over_once_the_active_consumer_has_settled_all() {
        let mut order = ConsumerOrder::new(Served::Highest);
        order.add(consumer(1));
        assert_eq!(turns(&mut order, 2), [1, 1]);
        order.add(Consumer { priority: 5, ..consumer(2) });
        assert_eq!(turns(&mut order, 1), [0; 0], "nothing new for the one that gives way");
        order.settled(ConsumerId(1), MarkId::NONE, 1);
        assert_eq!(turns(&mut order, 1), [0; 0]);
        order.settled(ConsumerId(1), MarkId::NONE, 1);
        assert_eq!(turns(&mut order, 2), [2, 2]);
        assert!(order.remove(ConsumerId(2)));
        assert_eq!(turns(&mut order, 1), [1]);
    }

    #[test]
    fn an_active_consumer_with_nothing_out_gives_way_at_once() {
        let mut order = ConsumerOrder::new(Served::Highest);
        order.add(consumer(1));
        order.add(Consumer { priority: 5, ..consumer(2) });
        order.add(Consumer { priority: 5, ..consumer(3) });
        assert_eq!(turns(&mut order, 2), [2, 2], "an equal one waits");
        assert!(order.remove(ConsumerId(2)));
        assert_eq!(turns(&mut order, 1), [3]);
    }

    #[test]
    fn of_several_that_wait_the_highest_takes_over() {
        let mut order = ConsumerOrder::new(Served::Highest);
        order.add(consumer(1));
        assert_eq!(turns(&mut order, 1), [1]);
        order.add(Consumer { priority: 5, ..consumer(2) });
        order.add(Consumer { priority: 7, ..consumer(3) });
        order.settled(ConsumerId(1), MarkId::NONE, 1);
        assert_eq!(turns(&mut order, 1), [3]);
    }

    #[test]
    fn who_gave_way_to_one_that_is_gone_goes_on() {
        let mut order = ConsumerOrder::new(Served::Highest);
        order.add(consumer(1));
        assert_eq!(turns(&mut order, 1), [1]);
        order.add(Consumer { priority: 5, ..consumer(2) });
        assert!(order.remove(ConsumerId(2)));
        assert_eq!(turns(&mut order, 2), [1, 1]);
    }

    #[test]
    fn who_timed_out_is_told_once_and_served_no_more() {
        let mut order = ConsumerOrder::new(Served::First);
        let patience = Patience { own_ms: Some(640), otherwise_ms: None };
        (1..=2).for_each(|id| order.add(Consumer { patience, ..consumer(id) }));
        assert_eq!(turns(&mut order, 1), [1]);
        order.give_out(ConsumerId(1), 1, Moment(0), 640);
        assert_eq!(order.time_out(Moment(639), None), (vec![], Some(Moment(649))));
        assert_eq!(order.time_out(Moment(649), None), (vec![(ConsumerId(1), 640)], None));
        assert_eq!(order.time_out(Moment(999), None), (vec![], None));
        assert_eq!(turns(&mut order, 1), [0; 0]);
        assert!(order.remove(ConsumerId(1)));
        assert_eq!(turns(&mut order, 1), [2]);
    }
}
