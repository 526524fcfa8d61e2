//! Consumers that hold deliveries for too long.

use super::*;

/// Whose consumers may hold a delivery for a second, where they do not say otherwise.
fn impatient(count: usize) -> Queue {
    let limits = Limits { consumer_timeout_ms: Some(1000), ..Limits::default() };
    let mut queue = Queue::new(QueueTraits::default().limited(limits));
    for _ in 0..count {
        queue.enqueue(message("x"));
    }
    queue
}

fn at(queue: &mut Queue, now: u64) -> Vec<Seen> {
    queue.elapse(Moment(now));
    dispatched(queue)
}

fn own(id: u64, own_ms: u64) -> Consumer {
    Consumer { patience: Patience { own_ms: Some(own_ms), otherwise_ms: None }, ..consumer(id) }
}

fn expelled(queue: &mut Queue, id: u64) -> (Vec<SequenceRange>, Vec<Seen>) {
    let mut effects = Vec::new();
    let places = queue.expel(ConsumerId(id), &mut effects);
    (places, effects.into_iter().map(seen).collect())
}

#[test]
fn a_consumer_that_holds_a_delivery_for_too_long_times_out_once_and_in_its_moment() {
    let mut queue = impatient(1);
    queue.subscribe(consumer(1)).unwrap();
    assert_eq!(at(&mut queue, 50), [Seen::Deliver(1, 0, 0)]);
    assert_eq!(queue.deadline(), Some(Moment(1050)));
    assert_eq!(at(&mut queue, 1049), []);
    assert_eq!(at(&mut queue, 1050), [Seen::TimedOut(1, 1000)]);
    assert_eq!((at(&mut queue, 9999), queue.deadline()), (vec![], None));
}

#[test]
fn what_it_had_goes_back_to_its_place_and_is_no_failed_delivery() {
    let mut queue = impatient(3);
    queue.subscribe(consumer(1)).unwrap();
    assert_eq!(at(&mut queue, 0), [Seen::Deliver(1, 0, 2)]);
    queue.settle(&[range(1, 1)], Outcome::Accepted);
    assert_eq!(at(&mut queue, 1000), [Seen::TimedOut(1, 1000)]);
    queue.enqueue(message("y"));
    assert_eq!(at(&mut queue, 1000), [], "it gets nothing more");
    assert_eq!(expelled(&mut queue, 1), (vec![range(0, 0), range(2, 2)], vec![]));
    assert_eq!((queue.counts().consumers, queue.counts().unsettled), (0, 0));
    queue.subscribe(consumer(2)).unwrap();
    assert_eq!(delivered(&mut queue), [(2, 0, true), (2, 2, true), (2, 3, false)]);
    assert!(out(&mut queue).iter().all(|stretch| stretch.marks().counts.is_none()));
}

#[test]
fn where_counts_are_told_what_it_had_came_back_once_more() {
    let mut queue = impatient(2);
    queue.traits.tells_counts = true;
    queue.subscribe(consumer(1)).unwrap();
    assert_eq!(at(&mut queue, 0), [Seen::Deliver(1, 0, 1)]);
    at(&mut queue, 1000);
    expelled(&mut queue, 1);
    let ready: Vec<DeliveryCounts> =
        queue.contents.stretches().map(|stretch| stretch.marks().counts).collect();
    assert_eq!(ready, [times(0, 1)]);
}

#[test]
fn who_settles_in_time_never_times_out() {
    let mut queue = impatient(0);
    queue.subscribe(consumer(1)).unwrap();
    for step in 0..100 {
        let place = queue.enqueue(message("x"));
        assert_eq!(at(&mut queue, step * 900), [Seen::Deliver(1, place, place)]);
        assert_eq!(at(&mut queue, step * 900 + 899), []);
        queue.settle(&[SequenceRange::one(place)], Outcome::Accepted);
    }
    assert_eq!((at(&mut queue, 1_000_000), queue.deadline()), (vec![], None));
}

#[test]
fn a_delivery_is_timed_by_itself_however_many_others_come_and_go() {
    let mut queue = impatient(1);
    queue.subscribe(consumer(1)).unwrap();
    dispatched(&mut queue);
    let mut now = 0;
    let seen = loop {
        now += 1;
        let place = queue.enqueue(message("x"));
        let seen = at(&mut queue, now);
        if seen != [Seen::Deliver(1, place, place)] {
            break seen;
        }
        queue.settle(&[SequenceRange::one(place)], Outcome::Accepted);
    };
    assert_eq!(seen, [Seen::TimedOut(1, 1000)]);
    assert!((1000..=1032).contains(&now), "{now}");
}

#[test]
fn a_consumers_own_time_counts_more_than_that_of_its_queue() {
    let mut queue = impatient(3);
    for consumer in [own(1, 5000), own(2, 10), own(3, 0)] {
        queue.subscribe(Consumer { prefetch_count: 1, ..consumer }).unwrap();
    }
    assert_eq!(at(&mut queue, 0).len(), 3);
    assert_eq!(at(&mut queue, 10), [Seen::TimedOut(2, 10)]);
    assert_eq!(at(&mut queue, 4999), []);
    assert_eq!(at(&mut queue, 5100), [Seen::TimedOut(1, 5000)]);
    assert_eq!((at(&mut queue, 1_000_000), queue.deadline()), (vec![], None));
}

#[test]
fn what_the_node_says_is_for_queues_and_consumers_that_say_nothing() {
    let patience = Patience { own_ms: None, otherwise_ms: Some(300) };
    let mut queue = impatient(1);
    queue.subscribe(Consumer { patience, ..consumer(1) }).unwrap();
    assert_eq!(at(&mut queue, 0).len(), 1);
    assert_eq!(queue.deadline(), Some(Moment(1000)));
    let mut queue = queue_of(&["a"]);
    queue.subscribe(Consumer { patience, ..consumer(1) }).unwrap();
    assert_eq!(at(&mut queue, 0).len(), 1);
    assert_eq!(queue.deadline(), Some(Moment(300)));
}

#[test]
fn without_acknowledgements_and_with_get_nothing_is_held() {
    let mut queue = impatient(2);
    assert!(got(&mut queue, false).is_some());
    queue.subscribe(Consumer { no_ack: true, ..consumer(1) }).unwrap();
    assert_eq!(at(&mut queue, 0), [Seen::Deliver(1, 1, 1)]);
    assert_eq!((queue.deadline(), at(&mut queue, 1_000_000)), (None, vec![]));
}

#[test]
fn an_auto_delete_queue_goes_with_its_last_consumer_this_way_too() {
    let limits = Limits { consumer_timeout_ms: Some(10), ..Limits::default() };
    let traits = QueueTraits { is_auto_delete: true, ..QueueTraits::default() };
    let mut queue = Queue::new(traits.limited(limits));
    queue.subscribe(consumer(1)).unwrap();
    queue.enqueue(message("x"));
    assert_eq!(at(&mut queue, 0).len(), 1);
    assert_eq!(at(&mut queue, 10), [Seen::TimedOut(1, 10)]);
    assert_eq!(expelled(&mut queue, 1), (vec![range(0, 0)], vec![Seen::Expire]));
}

#[test]
fn what_is_timed_costs_a_stretch_for_each_step_and_not_for_each_message() {
    let mut queue = impatient(0);
    queue.subscribe(own(1, 64_000)).unwrap();
    for now in 0..10_000 {
        queue.enqueue(message("x"));
        at(&mut queue, now);
    }
    assert_eq!((out(&mut queue).len(), queue.counts().unsettled), (10, 10_000));
}

/// The queue's time changes while it lives: by a policy, which holds at once.
#[test]
fn a_shorter_time_of_the_queue_holds_for_what_is_out_already() {
    let mut queue = impatient(1);
    queue.subscribe(consumer(1)).unwrap();
    assert_eq!(at(&mut queue, 0).len(), 1);
    let limits = Limits { consumer_timeout_ms: Some(200), ..Limits::default() };
    queue.traits = QueueTraits::default().limited(limits);
    assert_eq!(at(&mut queue, 100), []);
    assert_eq!(queue.deadline(), Some(Moment(200)));
    assert_eq!(at(&mut queue, 200), [Seen::TimedOut(1, 200)]);
}

#[test]
fn on_a_queue_that_serves_the_highest_a_higher_consumer_takes_over_when_all_is_settled() {
    let traits = QueueTraits {
        is_single_active: true,
        is_active_by_priority: true,
        ..QueueTraits::default()
    };
    let mut queue = Queue::new(traits);
    queue.subscribe(consumer(1)).unwrap();
    queue.enqueue(message("a"));
    assert_eq!(dispatched(&mut queue), [Seen::Deliver(1, 0, 0)]);
    queue.subscribe(Consumer { priority: 1, ..consumer(2) }).unwrap();
    queue.enqueue(message("b"));
    assert_eq!(dispatched(&mut queue), []);
    queue.settle(&[range(0, 0)], Outcome::Requeued);
    assert_eq!(delivered(&mut queue), [(2, 0, true), (2, 1, false)]);
}
