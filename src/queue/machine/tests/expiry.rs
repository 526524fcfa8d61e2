//! Messages whose time is over.

use super::*;
use crate::protocol::properties::Properties;
use crate::queue::Lifetime;

fn living(ttl_ms: u64) -> QueueTraits {
    let lifetime = Lifetime { ttl_ms: Some(ttl_ms), ..Lifetime::default() };
    durable().limited(Limits { lifetime, ..Limits::default() })
}

fn at(queue: &mut Queue, now: u64) -> Vec<Seen> {
    queue.elapse(Moment(now));
    dispatched(queue)
}

fn expiring(expiration: &str) -> Message {
    let mut properties = Vec::new();
    let expiration = Some(expiration.into());
    Properties { expiration, delivery_mode: Some(2), ..Properties::default() }
        .encode(&mut properties);
    let envelope =
        Envelope { exchange: "", routing_key: "q", properties: &properties, is_persistent: true };
    Message::new(envelope, Body::Copied(b"x"))
}

#[test]
fn what_nobody_takes_dies_in_its_moment() {
    let mut queue = Queue::new(living(10));
    assert_eq!((at(&mut queue, 100), queue.deadline()), (vec![], None));
    queue.enqueue(persistent("x"));
    assert_eq!(at(&mut queue, 100), [Seen::Add(0, 1)]);
    assert_eq!(queue.deadline(), Some(Moment(110)));
    queue.elapse(Moment(109));
    queue.enqueue(persistent("x"));
    assert_eq!(at(&mut queue, 109), [Seen::Add(1, 1)]);
    assert_eq!(at(&mut queue, 110), [Seen::Remove(0, 0)]);
    assert_eq!((queue.counts().ready, queue.deadline()), (1, Some(Moment(119))));
    assert_eq!((at(&mut queue, 1000), queue.deadline()), (vec![Seen::Remove(1, 1)], None));
}

#[test]
fn a_shorter_time_of_a_message_is_kept_wherever_it_stands() {
    let mut queue = Queue::new(durable());
    for message in [expiring("50"), persistent("x"), expiring("20"), expiring("70")] {
        queue.enqueue(message);
    }
    dispatched(&mut queue);
    assert_eq!(at(&mut queue, 20), [Seen::Remove(2, 2)]);
    assert_eq!(at(&mut queue, 69), [Seen::Remove(0, 0)]);
    assert_eq!(at(&mut queue, 70), [Seen::Remove(3, 3)]);
    assert_eq!((queue.counts().ready, queue.deadline()), (1, None));
}

#[test]
fn no_time_at_all_is_enough_for_a_consumer_that_waits() {
    let mut queue = Queue::new(living(0));
    queue.enqueue(persistent("x"));
    assert_eq!(at(&mut queue, 5), [Seen::Add(0, 1), Seen::Remove(0, 0)]);
    queue.subscribe(consumer(1)).unwrap();
    queue.elapse(Moment(6));
    queue.enqueue(persistent("x"));
    assert_eq!(at(&mut queue, 6), [Seen::Add(1, 1), Seen::Deliver(1, 1, 1)]);
}

#[test]
fn what_is_late_is_neither_delivered_nor_fetched() {
    let mut queue = Queue::new(living(10));
    queue.enqueue(persistent("x"));
    at(&mut queue, 0);
    queue.subscribe(consumer(1)).unwrap();
    assert_eq!(at(&mut queue, 11), [Seen::Remove(0, 0)]);
    queue.unsubscribe(ConsumerId(1), &mut Vec::new());
    queue.elapse(Moment(12));
    queue.enqueue(persistent("x"));
    at(&mut queue, 12);
    queue.elapse(Moment(22));
    assert!(matches!(queue.get(false, GetId(1)), Fetched::Empty));
}

#[test]
fn what_is_out_dies_when_it_comes_back_too_late() {
    let mut queue = Queue::new(living(10));
    queue.enqueue(persistent("x"));
    queue.enqueue(persistent("x"));
    queue.subscribe(consumer(1)).unwrap();
    assert_eq!(at(&mut queue, 0), [Seen::Add(0, 2), Seen::Deliver(1, 0, 1)]);
    queue.unsubscribe(ConsumerId(1), &mut Vec::new());
    assert_eq!((at(&mut queue, 20), queue.counts().unsettled), (vec![], 2));
    queue.settle(&[range(0, 0)], Outcome::Requeued);
    assert_eq!(at(&mut queue, 21), [Seen::Remove(0, 0)]);
    queue.settle(&[range(1, 1)], Outcome::Accepted);
    assert_eq!(at(&mut queue, 22), [Seen::Remove(1, 1)]);
}

#[test]
fn the_dead_go_where_dead_letters_go() {
    let mut queue = Queue::new(QueueTraits { has_dead_letters: true, ..living(10) });
    queue.enqueue(persistent("x"));
    queue.enqueue(persistent("x"));
    at(&mut queue, 0);
    assert_eq!(at(&mut queue, 10), [Seen::Bury(DeathReason::Expired, 2, Some((0, 1)))]);
}

#[test]
fn bodies_on_disk_die_without_being_read() {
    let mut queue = Queue::new(living(10));
    queue.enqueue(persistent("x"));
    at(&mut queue, 0);
    queue.shed(1, 0);
    assert_eq!(at(&mut queue, 10), [Seen::Remove(0, 0)]);
}

#[test]
fn after_a_restart_the_head_is_read_to_know_when_it_dies() {
    let run = RecoveredRun {
        range: range(0, 999),
        bytes: 1000,
        is_redelivered: false,
        counts: DeliveryCounts::NONE,
        expires: false,
        level: None,
    };
    let mut queue = Queue::recovered(living(10), 1000, [run]);
    assert_eq!(at(&mut queue, 500), [Seen::Fetch(0, 255)]);
    let arrived = |sequence| if sequence < 100 { 480 } else { 495 };
    let read = |sequence| ReadBack {
        arrived: Moment(arrived(sequence)),
        ..read_back(sequence, persistent("x"))
    };
    queue.fetched(range(0, 255), range(0, 255).iter().map(read).collect());
    assert_eq!(at(&mut queue, 501), [Seen::Remove(0, 99)]);
    assert_eq!(queue.deadline(), Some(Moment(505)));
    assert_eq!(at(&mut queue, 505), [Seen::Remove(100, 255), Seen::Fetch(256, 511)]);
}

#[test]
fn after_a_restart_messages_with_times_of_their_own_are_all_read_and_others_are_not() {
    let run = |first, last, expires| RecoveredRun {
        range: range(first, last),
        bytes: 1,
        is_redelivered: false,
        counts: DeliveryCounts::NONE,
        expires,
        level: None,
    };
    let runs = [run(0, 9, false), run(10, 10, true), run(11, 20, false), run(21, 22, true)];
    let mut queue = Queue::recovered(durable(), 30, runs);
    assert_eq!(at(&mut queue, 500), [Seen::Fetch(10, 10)]);
    let read = |sequence, expiration| ReadBack {
        arrived: Moment(480),
        ..read_back(sequence, expiring(expiration))
    };
    queue.fetched(range(10, 10), vec![read(10, "40")]);
    assert_eq!(at(&mut queue, 500), [Seen::Fetch(21, 22)]);
    queue.fetched(range(21, 22), vec![read(21, "15"), read(22, "25")]);
    assert_eq!(at(&mut queue, 500), [Seen::Remove(21, 21)]);
    assert_eq!(queue.deadline(), Some(Moment(505)));
    assert_eq!(at(&mut queue, 600), [Seen::Remove(22, 22), Seen::Remove(10, 10)]);
    assert_eq!(queue.counts().ready, 20);
}

#[test]
fn a_long_queue_on_disk_keeps_only_the_first_moment_of_many() {
    let mut queue = Queue::new(living(1_000_000));
    for number in 0..10_000 {
        queue.elapse(Moment(number * 4));
        queue.enqueue(persistent("x"));
        queue.dispatch(&mut Vec::new());
    }
    queue.shed(10_000, 0);
    assert!(queue.contents.stretches().count() < 1100);
    assert_eq!(queue.deadline(), Some(Moment(1_000_000)));
}

#[test]
fn what_dies_together_and_came_apart_is_told_so() {
    let mut queue = Queue::new(durable());
    for (now, expiration) in [(0, "50"), (10, "40"), (10, "40"), (30, "20")] {
        queue.elapse(Moment(now));
        let mut properties = Vec::new();
        let expiration = Some(expiration.into());
        Properties { expiration, ..Properties::default() }.encode(&mut properties);
        let envelope = Envelope {
            exchange: "",
            routing_key: "q",
            properties: &properties,
            is_persistent: false,
        };
        queue.enqueue(Message::new(envelope, Body::Copied(b"x")));
    }
    assert_eq!(queue.contents.stretches().count(), 1, "all die at 50");
    queue.store_transient(u64::MAX);
    let mut effects = Vec::new();
    queue.dispatch(&mut effects);
    let told = effects.into_iter().map(|effect| match effect {
        Effect::Append(Fact::Added { first, messages, arrived, .. }) => {
            (first, messages.len(), arrived.0)
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(told.collect::<Vec<_>>(), [(0, 1, 0), (1, 2, 10), (3, 1, 30)]);
}

#[test]
fn what_leaves_ram_late_is_told_when_it_came() {
    let mut queue = Queue::new(living(100));
    queue.elapse(Moment(7));
    queue.enqueue(message("x"));
    queue.dispatch(&mut Vec::new());
    queue.elapse(Moment(50));
    queue.store_transient(u64::MAX);
    let mut effects = Vec::new();
    queue.dispatch(&mut effects);
    let [Effect::Append(Fact::Added { arrived, .. })] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(*arrived, Moment(7));
}
