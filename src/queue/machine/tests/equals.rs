//! A queue that takes no two equal messages at once.

use super::*;
use crate::protocol::properties::Properties;
use crate::queue::{LengthLimit, Lifetime};

fn keyed(key: &str) -> Message {
    let mut properties = Vec::new();
    let headers = Some([("x-deduplication-header", key)].into_iter().collect());
    Properties { headers, delivery_mode: Some(2), ..Properties::default() }.encode(&mut properties);
    let envelope =
        Envelope { exchange: "", routing_key: "q", properties: &properties, is_persistent: true };
    Message::new(envelope, Body::Copied(b"x"))
}

fn unique() -> QueueTraits {
    QueueTraits { is_unique: true, ..durable() }
}

/// Offers a message. True where it has no equal there.
fn offer(queue: &mut Queue, key: &str) -> bool {
    let run = queue.without_equals(MessageRun::one(keyed(key)));
    run.is_some_and(|run| queue.offer_run(run, &mut Vec::new()).is_empty())
}

/// A queue in which `a` is, at place 0.
fn queue_with_a(traits: QueueTraits) -> Queue {
    let mut queue = Queue::new(traits);
    assert!(offer(&mut queue, "a"));
    queue.dispatch(&mut Vec::new());
    queue
}

#[test]
fn a_message_has_an_equal_as_long_as_that_is_ready_or_out() {
    let mut queue = queue_with_a(unique());
    assert!(!offer(&mut queue, "a") && offer(&mut queue, "b"));
    assert!(got(&mut queue, false).is_some());
    assert!(!offer(&mut queue, "a"));
    queue.settle(&[range(0, 0)], Outcome::Requeued);
    assert!(!offer(&mut queue, "a"));
    assert!(got(&mut queue, false).is_some());
    queue.settle(&[range(0, 0)], Outcome::Accepted);
    assert!(offer(&mut queue, "a") && !offer(&mut queue, "b"));
}

#[test]
fn other_queues_and_messages_without_a_key_know_no_equals() {
    let mut queue = queue_with_a(durable());
    assert!(offer(&mut queue, "a"));
    let mut queue = queue_with_a(unique());
    for _ in 0..2 {
        let run = queue.without_equals(MessageRun::one(persistent("x")));
        queue.enqueue_run(run.unwrap());
    }
    assert_eq!(queue.counts().ready, 3);
}

#[test]
fn of_a_run_the_first_one_is_left() {
    let mut queue = Queue::new(unique());
    let mut run = MessageRun::one(keyed("a"));
    run.push(keyed("a"));
    assert_eq!(queue.without_equals(run.clone()).map(|run| run.len()), Some(1));
    assert_eq!(Queue::new(durable()).without_equals(run).map(|run| run.len()), Some(2));
}

#[test]
fn what_is_delivered_without_acknowledgement_is_gone_at_once() {
    let transient = QueueTraits { is_unique: true, ..QueueTraits::default() };
    let mut queue = queue_with_a(transient.clone());
    assert!(got(&mut queue, true).is_some());
    assert!(offer(&mut queue, "a"));
    let mut queue = queue_with_a(transient);
    queue.subscribe(Consumer { no_ack: true, ..consumer(1) }).unwrap();
    let mut effects = Vec::new();
    queue.dispatch(&mut effects);
    let Some(Effect::Deliver(id, run)) = effects.pop() else { panic!("one delivery") };
    assert!(offer(&mut queue, "b"));
    queue.return_unseen(id, run);
    assert!(!offer(&mut queue, "a"), "it came back");
}

#[test]
fn what_dies_or_is_purged_is_gone() {
    let mut queue = queue_with_a(QueueTraits { has_dead_letters: true, ..unique() });
    assert!(got(&mut queue, false).is_some());
    queue.settle(&[range(0, 0)], Outcome::Rejected);
    assert!(offer(&mut queue, "a"), "also before it is where dead letters go");
    drop(queue.purge());
    assert!(offer(&mut queue, "a"));
}

#[test]
fn what_is_over_its_time_is_in_nobodys_way() {
    let lifetime = Lifetime { ttl_ms: Some(10), ..Lifetime::default() };
    let mut queue = queue_with_a(unique().limited(Limits { lifetime, ..Limits::default() }));
    queue.elapse(Moment(10));
    assert!(!offer(&mut queue, "a"));
    queue.elapse(Moment(11));
    assert!(offer(&mut queue, "a"));
}

#[test]
fn what_a_full_queue_lets_go_is_gone_and_what_it_refuses_never_came() {
    let limited = |refuses| {
        let length = LengthLimit { count_max: Some(1), refuses, ..LengthLimit::default() };
        unique().limited(Limits { length: Some(length), ..Limits::default() })
    };
    let mut queue = queue_with_a(limited(false));
    assert!(offer(&mut queue, "b"));
    queue.dispatch(&mut Vec::new());
    assert!(offer(&mut queue, "a"));
    let mut queue = queue_with_a(limited(true));
    assert!(!offer(&mut queue, "b"));
    drop(queue.purge());
    assert!(offer(&mut queue, "b"));
}

#[test]
fn a_queue_that_comes_back_is_told_what_it_has() {
    let run = RecoveredRun {
        range: range(0, 1),
        bytes: 2,
        is_redelivered: false,
        counts: DeliveryCounts::NONE,
        expires: false,
        level: None,
    };
    let mut queue = Queue::recovered(unique(), 2, [run]);
    let key = |text: &str| crate::message::DeduplicationKey::of(&text.into());
    queue.know_keys([(0, key("a")), (1, key("b"))]);
    assert!(!offer(&mut queue, "a") && !offer(&mut queue, "b") && offer(&mut queue, "c"));
    // The second one is damaged.
    queue.subscribe(consumer(1)).unwrap();
    queue.dispatch(&mut Vec::new());
    assert_eq!(queue.fetched(range(0, 1), bodies(range(0, 0))), 1);
    assert!(offer(&mut queue, "b"));
}
