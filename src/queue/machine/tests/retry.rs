//! Messages that come back and wait before they are tried again.

use super::*;
use crate::queue::{LengthLimit, Lifetime};

const BACKOFF: Backoff = Backoff { step_ms: 100, max_ms: Some(250) };

fn retrying(failed: bool, returned: bool) -> Limits {
    Limits { retry: Some(Retry { failed, returned, backoff: BACKOFF }), ..Limits::default() }
}

/// With so many messages, of which a consumer with number 1 has the first.
fn queue_with(limits: Limits, count: usize) -> Queue {
    let mut queue = Queue::new(durable().limited(limits));
    for _ in 0..count {
        queue.enqueue(persistent("x"));
    }
    queue.subscribe(Consumer { prefetch_count: 1, ..consumer(1) }).unwrap();
    assert_eq!(dispatched(&mut queue), [Seen::Add(0, count), Seen::Deliver(1, 0, 0)]);
    queue
}

fn at(queue: &mut Queue, now: u64) -> Vec<Seen> {
    queue.elapse(Moment(now));
    dispatched(queue)
}

fn settle(queue: &mut Queue, place: Sequence, outcome: Outcome) -> Vec<Seen> {
    queue.settle(&[SequenceRange::one(place)], outcome);
    dispatched(queue)
}

fn counts(queue: &Queue) -> (usize, usize, usize) {
    let counts = queue.counts();
    (counts.ready, counts.unsettled, counts.delayed_retry)
}

#[test]
fn each_failure_makes_the_wait_longer_up_to_the_longest() {
    let mut queue = queue_with(retrying(true, true), 1);
    let mut now = 0;
    for (count, wait_ms) in (1..).zip([100, 200, 250, 250]) {
        let failed = Seen::Return(0, 0, times(count, count));
        assert_eq!(settle(&mut queue, 0, Outcome::Failed), [failed]);
        assert_eq!(counts(&queue), (0, 0, 1), "neither ready nor out");
        now += wait_ms;
        assert_eq!(queue.deadline(), Some(Moment(now)));
        assert_eq!(at(&mut queue, now - 1), []);
        assert_eq!(at(&mut queue, now), [Seen::Deliver(1, 0, 0)]);
    }
    assert_eq!(queue.deadline(), None);
}

#[test]
fn what_is_given_back_waits_as_after_one_failure_at_least() {
    let mut queue = queue_with(retrying(true, true), 1);
    for (outcome, wait_ms) in [
        (Outcome::Requeued, 100),
        (Outcome::Requeued, 100),
        (Outcome::Failed, 100),
        (Outcome::Failed, 200),
        (Outcome::Requeued, 200),
    ] {
        settle(&mut queue, 0, outcome);
        let now = queue.now().0 + wait_ms;
        assert_eq!(at(&mut queue, now - 1), []);
        assert_eq!(at(&mut queue, now), [Seen::Deliver(1, 0, 0)]);
    }
}

#[test]
fn the_queue_says_which_returns_wait() {
    for (failed, returned) in [(true, false), (false, true)] {
        let mut queue = queue_with(retrying(failed, returned), 1);
        let again = Seen::Deliver(1, 0, 0);
        assert_eq!(settle(&mut queue, 0, Outcome::Requeued).contains(&again), !returned);
        at(&mut queue, 1000);
        assert_eq!(settle(&mut queue, 0, Outcome::Failed).contains(&again), !failed);
    }
}

#[test]
fn a_message_that_waited_is_ready_at_its_place() {
    let mut queue = queue_with(retrying(true, true), 3);
    assert_eq!(settle(&mut queue, 0, Outcome::Requeued), [Seen::Deliver(1, 1, 1)]);
    assert_eq!(at(&mut queue, 100), [], "the consumer has something");
    assert_eq!(settle(&mut queue, 1, Outcome::Accepted)[1..], [Seen::Deliver(1, 0, 0)]);
    assert_eq!(settle(&mut queue, 0, Outcome::Accepted)[1..], [Seen::Deliver(1, 2, 2)]);
}

#[test]
fn what_a_consumer_asks_for_goes_before_what_its_queue_says() {
    let mut queue = queue_of(&["a"]);
    queue.traits = durable().limited(retrying(true, false));
    let own = Some(Backoff { step_ms: 7, max_ms: None });
    queue.subscribe(Consumer { backoff: own, ..consumer(1) }).unwrap();
    assert_eq!(at(&mut queue, 0), [Seen::Deliver(1, 0, 0)]);
    for (outcome, wait_ms) in [
        (Outcome::Requeued, 7),
        (Outcome::Failed, 7),
        (Outcome::Failed, 14),
        (Outcome::Failed, 21),
        (Outcome::Requeued, 21),
    ] {
        assert_eq!(settle(&mut queue, 0, outcome), []);
        let now = queue.now().0 + wait_ms;
        assert_eq!(queue.deadline(), Some(Moment(now)));
        assert_eq!(at(&mut queue, now), [Seen::Deliver(1, 0, 0)]);
    }
}

#[test]
fn who_is_gone_asks_for_nothing() {
    let own = Some(Backoff { step_ms: 7, max_ms: None });
    for (limits, held) in [(Limits::default(), 0), (retrying(true, false), 1)] {
        let mut queue = queue_with(limits, 1);
        settle(&mut queue, 0, Outcome::Requeued);
        queue.unsubscribe(ConsumerId(1), &mut Vec::new());
        settle(&mut queue, 0, Outcome::Requeued);
        queue.subscribe(Consumer { backoff: own, ..consumer(2) }).unwrap();
        assert_eq!(dispatched(&mut queue), [Seen::Deliver(2, 0, 0)]);
        queue.unsubscribe(ConsumerId(2), &mut Vec::new());
        settle(&mut queue, 0, Outcome::Failed);
        assert_eq!(queue.counts().delayed_retry, held);
    }
}

#[test]
fn what_was_fetched_with_get_waits_as_the_queue_says() {
    let mut queue = queue_of(&["a"]);
    queue.traits = QueueTraits::default().limited(retrying(true, true));
    assert!(got(&mut queue, false).is_some());
    settle(&mut queue, 0, Outcome::Failed);
    queue.elapse(Moment(99));
    assert!(got(&mut queue, false).is_none());
    queue.elapse(Moment(100));
    assert!(got(&mut queue, false).is_some(), "also where nobody looked at the queue before");
}

#[test]
fn what_nobody_saw_does_not_wait() {
    let mut queue = queue_of(&["a"]);
    queue.traits = QueueTraits::default().limited(retrying(true, true));
    queue.subscribe(consumer(1)).unwrap();
    let mut effects = Vec::new();
    queue.dispatch(&mut effects);
    let Some(Effect::Deliver(id, run)) = effects.pop() else { panic!("one delivery") };
    queue.return_unseen(id, run);
    assert_eq!(delivered(&mut queue), [(1, 0, false)]);
}

#[test]
fn what_failed_too_often_dies_and_waits_no_more() {
    let mut queue = queue_with(Limits { deliveries: Some(1), ..retrying(true, true) }, 1);
    settle(&mut queue, 0, Outcome::Failed);
    assert_eq!(at(&mut queue, 100), [Seen::Deliver(1, 0, 0)]);
    assert_eq!(settle(&mut queue, 0, Outcome::Failed), [Seen::Remove(0, 0)]);
    assert_eq!((counts(&queue), queue.deadline()), ((0, 0, 0), None));
}

#[test]
fn a_message_whose_life_ends_while_it_waits_dies_then() {
    let lifetime = Lifetime { ttl_ms: Some(60), ..Lifetime::default() };
    let mut queue = queue_with(Limits { lifetime, ..retrying(true, true) }, 1);
    settle(&mut queue, 0, Outcome::Requeued);
    assert_eq!(at(&mut queue, 60), []);
    assert_eq!(queue.deadline(), Some(Moment(61)));
    assert_eq!(at(&mut queue, 61), [Seen::Remove(0, 0)]);
    assert_eq!((counts(&queue), queue.deadline()), ((0, 0, 0), None));
}

#[test]
fn what_waits_is_in_nobodys_way_and_comes_back_to_a_full_queue_all_the_same() {
    let length = LengthLimit { count_max: Some(2), refuses: true, ..LengthLimit::default() };
    let mut queue = queue_with(Limits { length: Some(length), ..retrying(true, true) }, 3);
    assert_eq!(settle(&mut queue, 0, Outcome::Requeued), [Seen::Deliver(1, 1, 1)]);
    let mut effects = Vec::new();
    let refused = |queue: &mut Queue, effects: &mut Vec<Effect>| {
        queue.offer_run(MessageRun::one(persistent("x")), effects).len()
    };
    assert_eq!(refused(&mut queue, &mut effects), 0);
    assert_eq!(refused(&mut queue, &mut effects), 1);
    at(&mut queue, 100);
    assert_eq!(counts(&queue), (3, 1, 0));
}

#[test]
fn a_purge_leaves_what_waits_and_a_delete_takes_it_along() {
    let mut queue = queue_with(retrying(true, true), 2);
    settle(&mut queue, 0, Outcome::Requeued);
    assert_eq!(queue.purge().len(), 0);
    assert_eq!(settle(&mut queue, 1, Outcome::Accepted), [Seen::Remove(1, 1)]);
    assert!(matches!(queue.delete(false, true), Err(DeleteRefused::NotEmpty)), "one waits");
    let remains = queue.delete(false, false).unwrap();
    assert_eq!((remains.ready_count, remains.held.totals().count), (0, 1));
    assert_eq!((counts(&queue), queue.deadline()), ((0, 0, 0), None));
}

#[test]
fn many_that_wait_for_one_moment_are_one_stretch() {
    let mut queue = queue_of(&["x"; 1000]);
    queue.traits = QueueTraits::default().limited(retrying(true, true));
    queue.subscribe(consumer(1)).unwrap();
    dispatched(&mut queue);
    for place in (0..1000).rev() {
        queue.settle(&[SequenceRange::one(place)], Outcome::Requeued);
    }
    assert_eq!((queue.activity().held.iter().count(), counts(&queue)), (1, (0, 0, 1000)));
    assert_eq!(at(&mut queue, 100), [Seen::Deliver(1, 0, 999)]);
}

#[test]
fn long_waits_end_in_steps_and_never_early() {
    let backoff = Backoff { step_ms: 1001, max_ms: None };
    let mut queue = queue_of(&["a"]);
    queue.subscribe(Consumer { backoff: Some(backoff), ..consumer(1) }).unwrap();
    at(&mut queue, 2);
    settle(&mut queue, 0, Outcome::Requeued);
    assert_eq!(queue.deadline(), Some(Moment(1004)));
}

#[test]
fn where_nothing_is_to_wait_any_more_all_is_ready_and_otherwise_it_waits_on() {
    let mut queue = queue_with(retrying(true, true), 1);
    settle(&mut queue, 0, Outcome::Requeued);
    let longer =
        Retry { failed: true, returned: false, backoff: Backoff { step_ms: 5000, max_ms: None } };
    queue.configure(durable().limited(Limits { retry: Some(longer), ..Limits::default() }));
    assert_eq!((dispatched(&mut queue), queue.deadline()), (vec![], Some(Moment(100))));
    queue.configure(durable());
    assert_eq!(dispatched(&mut queue), [Seen::Deliver(1, 0, 0)]);
    // What a consumer asked for is not the queue's to take back, where it says nothing.
    queue.consumers.remove(ConsumerId(1));
    settle(&mut queue, 0, Outcome::Requeued);
    queue.subscribe(Consumer { backoff: Some(BACKOFF), ..consumer(2) }).unwrap();
    dispatched(&mut queue);
    settle(&mut queue, 0, Outcome::Requeued);
    queue.configure(durable());
    assert_eq!((dispatched(&mut queue), counts(&queue)), (vec![], (0, 0, 1)));
}

#[test]
fn bodies_of_what_waits_leave_ram_and_are_read_when_it_is_ready() {
    let mut queue = queue_with(retrying(true, true), 1);
    settle(&mut queue, 0, Outcome::Requeued);
    let resident = queue.resident().logged;
    assert_eq!(queue.shed(1, 0), resident);
    assert_eq!((queue.resident(), counts(&queue)), (Resident::default(), (0, 0, 1)));
    assert_eq!(at(&mut queue, 100), [Seen::Fetch(0, 0)]);
    assert_eq!(queue.fetched(range(0, 0), bodies(range(0, 0))), 0);
    assert_eq!(delivered(&mut queue), [(1, 0, true)]);
}

#[test]
fn what_waits_and_is_in_ram_only_is_given_to_the_log_where_room_is_needed() {
    let mut queue = Queue::new(durable().limited(retrying(true, true)));
    queue.enqueue(message("a"));
    queue.enqueue(message("b"));
    assert!(got(&mut queue, false).is_some());
    settle(&mut queue, 0, Outcome::Requeued);
    queue.store_transient(u64::MAX);
    assert_eq!(dispatched(&mut queue), [Seen::Add(0, 1), Seen::Add(1, 1)]);
    assert_eq!(queue.resident().unlogged, 0);
}

#[test]
fn after_a_restart_what_waited_is_ready_and_has_failed_as_often() {
    let mut queue = queue_with(retrying(true, true), 1);
    settle(&mut queue, 0, Outcome::Failed);
    assert_eq!(queue.redelivered(), [(range(0, 0), times(1, 1))]);
    let run = RecoveredRun {
        range: range(0, 0),
        bytes: 1,
        is_redelivered: true,
        counts: times(1, 1),
        expires: false,
        level: None,
    };
    let mut queue = Queue::recovered(durable().limited(retrying(true, true)), 1, [run]);
    queue.subscribe(consumer(1)).unwrap();
    assert_eq!(dispatched(&mut queue), [Seen::Fetch(0, 0)]);
    assert_eq!(queue.fetched(range(0, 0), bodies(range(0, 0))), 0);
    assert_eq!(delivered(&mut queue), [(1, 0, true)]);
    assert_eq!(settle(&mut queue, 0, Outcome::Failed), [Seen::Return(0, 0, times(2, 2))]);
    assert_eq!(queue.deadline(), Some(Moment(200)));
}
