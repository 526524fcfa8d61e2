//! Policies change what a queue is: what becomes of messages that are there, and of those that
//! come.

use super::*;
use crate::message::Era;
use crate::queue::{LengthLimit, Lifetime};

fn limited(count_max: u64) -> QueueTraits {
    let length = LengthLimit { count_max: Some(count_max), ..LengthLimit::default() };
    durable().limited(Limits { length: Some(length), ..Limits::default() })
}

fn living(ttl_ms: Option<u64>) -> QueueTraits {
    let lifetime = Lifetime { ttl_ms, ..Lifetime::default() };
    durable().limited(Limits { lifetime, ..Limits::default() })
}

fn era(until: u64, ttl_ms: Option<u64>) -> Era {
    Era { until: Moment(until), ttl_ms }
}

#[test]
fn what_is_too_much_for_a_new_limit_goes_at_once() {
    let mut queue = logged_queue(5);
    assert_eq!(queue.configure(limited(2)), None);
    assert_eq!(dispatched(&mut queue), [Seen::Remove(0, 2)]);
    queue.configure(durable());
    queue.enqueue(persistent("x"));
    queue.enqueue(persistent("x"));
    assert_eq!(dispatched(&mut queue), [Seen::Add(5, 2)]);
    assert_eq!(queue.counts().ready, 4);
}

#[test]
fn where_messages_are_changes_for_those_that_come_from_then_on() {
    let mut queue = Queue::new(durable());
    queue.enqueue(persistent("x"));
    queue.configure(in_memory());
    queue.enqueue(persistent("x"));
    assert!(!queue.store_transient(u64::MAX));
    queue.configure(durable());
    queue.enqueue(persistent("x"));
    assert_eq!(dispatched(&mut queue), [Seen::Add(0, 1), Seen::Add(2, 1)]);
    drop(queue.purge());
    assert_eq!(dispatched(&mut queue), [Seen::Remove(0, 0), Seen::Remove(2, 2)]);
}

#[test]
fn where_counts_are_told_from_now_on_earlier_failures_are_known_and_polite_returns_are_not() {
    let mut queue = logged_queue(1);
    for outcome in [Outcome::Requeued, Outcome::Failed, Outcome::Requeued] {
        assert!(got(&mut queue, false).is_some());
        queue.settle(&[range(0, 0)], outcome);
    }
    queue.configure(QueueTraits { tells_counts: true, ..durable() });
    assert!(got(&mut queue, false).is_some());
    queue.settle(&[range(0, 0)], Outcome::Requeued);
    let facts = [times(1, 1), times(1, 2)].map(|counts| Seen::Return(0, 0, counts));
    assert_eq!(dispatched(&mut queue), facts);
    queue.configure(durable());
    assert!(got(&mut queue, false).is_some());
    queue.settle(&[range(0, 0)], Outcome::Failed);
    assert_eq!(dispatched(&mut queue), [Seen::Return(0, 0, times(2, 3))]);
}

#[test]
fn a_message_keeps_the_time_to_live_that_it_came_with() {
    let mut queue = Queue::new(durable());
    queue.elapse(Moment(100));
    queue.enqueue(persistent("x"));
    assert_eq!(queue.configure(living(Some(10))), Some(vec![era(101, None)]));
    queue.elapse(Moment(105));
    queue.enqueue(persistent("x"));
    assert_eq!(queue.configure(living(Some(2))), Some(vec![era(101, None), era(106, Some(10))]));
    queue.elapse(Moment(110));
    queue.enqueue(persistent("x"));
    let added = dispatched(&mut queue);
    assert_eq!(added, [Seen::Add(0, 1), Seen::Add(1, 1), Seen::Add(2, 1)]);
    assert_eq!(queue.deadline(), Some(Moment(112)));
    queue.elapse(Moment(113));
    assert_eq!(dispatched(&mut queue), [Seen::Remove(2, 2)]);
    queue.elapse(Moment(1000));
    assert_eq!(dispatched(&mut queue), [Seen::Remove(1, 1)]);
    assert_eq!(queue.counts().ready, 1);
}

#[test]
fn what_comes_right_after_a_change_lives_by_it() {
    let mut queue = Queue::new(durable());
    queue.elapse(Moment(100));
    queue.enqueue(persistent("x"));
    queue.configure(living(Some(10)));
    queue.elapse(Moment(100));
    queue.enqueue(persistent("x"));
    queue.dispatch(&mut Vec::new());
    assert_eq!(queue.deadline(), Some(Moment(111)));
}

#[test]
fn of_an_empty_queue_no_earlier_time_is_remembered() {
    let mut queue = Queue::new(living(Some(5)));
    queue.elapse(Moment(100));
    assert_eq!(queue.configure(living(Some(7))), None);
    queue.enqueue(persistent("x"));
    assert_eq!(queue.configure(living(Some(9))), Some(vec![era(102, Some(7))]));
    drop(queue.purge());
    assert_eq!(queue.configure(living(Some(9))), Some(vec![]), "it may be forgotten");
}

#[test]
fn nothing_is_told_anew_where_the_time_stays() {
    let mut queue = logged_queue(1);
    assert_eq!(queue.configure(limited(5)), None);
    assert_eq!(queue.configure(limited(7)), None);
}

#[test]
fn dead_letters_on_their_way_go_on_when_the_exchange_is_taken_away() {
    let mut queue = Queue::new(QueueTraits { has_dead_letters: true, ..durable() });
    for _ in 0..crate::limits::DEAD_LETTERS_OUT_MAX + 1 {
        queue.enqueue(persistent("x"));
    }
    queue.configure(QueueTraits { has_dead_letters: true, ..limited(0) });
    let on_its_way = dispatched(&mut queue);
    let Some(Seen::Bury(DeathReason::MaxLength, count, Some((first, last)))) = on_its_way.last()
    else {
        panic!("{on_its_way:?}")
    };
    queue.configure(durable());
    queue.left(Leave { places: range(*first, *last), is_logged: true });
    let rest = dispatched(&mut queue);
    assert_eq!((*count, rest.len()), (crate::limits::DEAD_LETTERS_OUT_MAX, 2), "{rest:?}");
    assert!(matches!(rest[1], Seen::Bury(DeathReason::MaxLength, 1, _)), "{rest:?}");
}

#[test]
fn with_an_exchange_set_later_messages_that_die_from_then_on_go_there() {
    let mut queue = logged_queue(3);
    queue.configure(limited(2));
    assert_eq!(dispatched(&mut queue), [Seen::Remove(0, 0)]);
    queue.configure(QueueTraits { has_dead_letters: true, ..limited(1) });
    assert_eq!(dispatched(&mut queue), [Seen::Bury(DeathReason::MaxLength, 1, Some((1, 1)))]);
}

#[test]
fn a_consumer_timeout_that_is_set_again_is_for_what_is_out_too() {
    let timed = |consumer_timeout_ms| {
        durable().limited(Limits { consumer_timeout_ms, ..Limits::default() })
    };
    let mut queue = Queue::new(timed(Some(50)));
    queue.subscribe(consumer(1)).unwrap();
    queue.enqueue(persistent("x"));
    queue.dispatch(&mut Vec::new());
    for timeout_ms in [None, Some(60)] {
        queue.configure(timed(timeout_ms));
        queue.dispatch(&mut Vec::new());
    }
    let at = queue.deadline().expect("somebody looks");
    queue.elapse(at.plus(60));
    let mut effects = Vec::new();
    queue.dispatch(&mut effects);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::TimedOut(..))), "{effects:?}");
}
