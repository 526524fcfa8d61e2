//! Messages that die in a queue.

use super::*;
use crate::limits::DEAD_LETTERS_OUT_MAX;
use crate::queue::LengthLimit;

const OUT_MAX: u64 = DEAD_LETTERS_OUT_MAX as u64;

fn burying() -> QueueTraits {
    QueueTraits { has_dead_letters: true, ..durable() }
}

fn full(limit: LengthLimit) -> Queue {
    Queue::new(burying().limited(Limits { length: Some(limit), ..Limits::default() }))
}

fn of_count(count: u64) -> LengthLimit {
    LengthLimit { count_max: Some(count), ..LengthLimit::default() }
}

fn filled(traits: QueueTraits, count: u64) -> Queue {
    let mut queue = Queue::new(traits);
    add(&mut queue, count);
    dispatched(&mut queue);
    queue
}

fn add(queue: &mut Queue, count: u64) {
    for _ in 0..count {
        queue.enqueue(persistent("x"));
    }
}

/// All ready messages, fetched.
fn take_out(queue: &mut Queue, count: u64) {
    queue.subscribe(consumer(1)).unwrap();
    assert_eq!(dispatched(queue), [Seen::Deliver(1, 0, count - 1)]);
    queue.unsubscribe(ConsumerId(1), &mut Vec::new());
}

fn leave(first: Sequence, last: Sequence) -> Leave {
    Leave { places: range(first, last), is_logged: true }
}

#[test]
fn a_rejected_message_is_the_queues_until_it_has_left() {
    let mut queue = filled(burying(), 3);
    take_out(&mut queue, 3);
    queue.settle(&[range(1, 1)], Outcome::Rejected);
    assert_eq!(dispatched(&mut queue), [Seen::Bury(DeathReason::Rejected, 1, Some((1, 1)))]);
    assert_eq!(dispatched(&mut queue), [], "it is sent once");
    queue.left(leave(1, 1));
    assert_eq!(dispatched(&mut queue), [Seen::Remove(1, 1)]);
}

#[test]
fn without_a_dead_letter_exchange_what_dies_is_gone() {
    let mut queue = filled(durable(), 2);
    take_out(&mut queue, 2);
    queue.settle(&[range(0, 1)], Outcome::Rejected);
    assert_eq!(dispatched(&mut queue), [Seen::Remove(0, 1)]);
}

#[test]
fn what_the_log_does_not_know_leaves_without_a_fact() {
    let mut queue = Queue::new(burying());
    queue.enqueue(message("x"));
    take_out(&mut queue, 1);
    queue.settle(&[range(0, 0)], Outcome::Rejected);
    assert_eq!(dispatched(&mut queue), [Seen::Bury(DeathReason::Rejected, 1, Some((0, 0)))]);
    queue.left(Leave { is_logged: false, ..leave(0, 0) });
    assert_eq!(dispatched(&mut queue), []);
}

#[test]
fn a_delivery_that_fails_once_too_often_is_a_death() {
    let mut queue =
        filled(burying().limited(Limits { deliveries: Some(1), ..Limits::default() }), 1);
    take_out(&mut queue, 1);
    queue.settle(&[range(0, 0)], Outcome::Failed);
    assert_eq!(dispatched(&mut queue), [Seen::Return(0, 0, times(1, 1))]);
    take_out(&mut queue, 1);
    queue.settle(&[range(0, 0)], Outcome::Failed);
    assert_eq!(dispatched(&mut queue), [Seen::Bury(DeathReason::DeliveryLimit, 1, Some((0, 0)))]);
}

#[test]
fn what_a_full_queue_lets_go_leaves_in_its_order() {
    let mut queue = full(of_count(2));
    add(&mut queue, 5);
    let bury = Seen::Bury(DeathReason::MaxLength, 3, Some((0, 2)));
    assert_eq!(dispatched(&mut queue), [Seen::Add(0, 5), bury]);
    assert_eq!(queue.counts().ready, 2);
}

#[test]
fn what_a_full_queue_refuses_dies_only_where_that_is_asked_for() {
    for buries_refused in [true, false] {
        let mut queue = full(LengthLimit { refuses: true, buries_refused, ..of_count(1) });
        let mut effects = Vec::new();
        for _ in 0..2 {
            queue.offer_run(MessageRun::one(persistent("x")), &mut effects);
        }
        effects.retain(|effect| matches!(effect, Effect::DeadLetter(_)));
        let expected = [Seen::Bury(DeathReason::MaxLength, 1, None)];
        let expected = if buries_refused { &expected[..] } else { &[] };
        assert_eq!(effects.into_iter().map(seen).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn not_more_than_a_slice_is_on_its_way_at_once() {
    let mut queue = filled(burying(), OUT_MAX + 10);
    take_out(&mut queue, OUT_MAX + 10);
    queue.settle(&[range(0, OUT_MAX + 9)], Outcome::Rejected);
    let first = Seen::Bury(DeathReason::Rejected, DEAD_LETTERS_OUT_MAX, Some((0, OUT_MAX - 1)));
    assert_eq!(dispatched(&mut queue), [first]);
    queue.left(leave(0, OUT_MAX - 1));
    let rest = Seen::Bury(DeathReason::Rejected, 10, Some((OUT_MAX, OUT_MAX + 9)));
    assert_eq!(dispatched(&mut queue), [Seen::Remove(0, OUT_MAX - 1), rest]);
}

#[test]
fn bodies_on_disk_are_read_before_what_died_later_leaves() {
    let mut queue = filled(burying(), 4);
    take_out(&mut queue, 4);
    queue.shed(2, 0);
    queue.settle(&[range(1, 1), range(3, 3)], Outcome::Rejected);
    assert_eq!(dispatched(&mut queue), [Seen::Fetch(1, 1)]);
    assert_eq!(queue.fetched(range(1, 1), bodies(range(1, 1))), 0);
    let expected = [
        Seen::Bury(DeathReason::Rejected, 1, Some((1, 1))),
        Seen::Bury(DeathReason::Rejected, 1, Some((3, 3))),
    ];
    assert_eq!(dispatched(&mut queue), expected);
}

#[test]
fn a_long_stretch_on_disk_is_read_piece_by_piece() {
    let mut queue = full(of_count(0));
    add(&mut queue, 4);
    // They are in the way of nobody before the queue looks at its length.
    let mut effects = Vec::new();
    queue.tell(&mut effects);
    queue.shed(4, 0);
    assert_eq!(dispatched(&mut queue), [Seen::Fetch(0, 3)]);
    assert_eq!(queue.fetched(range(0, 1), bodies(range(0, 1))), 0);
    let expected = [Seen::Bury(DeathReason::MaxLength, 2, Some((0, 1))), Seen::Fetch(2, 3)];
    assert_eq!(dispatched(&mut queue), expected);
    assert_eq!(queue.fetched(range(2, 3), bodies(range(3, 3))), 1, "one is damaged");
    assert_eq!(dispatched(&mut queue), [Seen::Remove(2, 2)], "the first ones are on their way");
    queue.left(leave(0, 1));
    let expected = [Seen::Remove(0, 1), Seen::Bury(DeathReason::MaxLength, 1, Some((3, 3)))];
    assert_eq!(dispatched(&mut queue), expected);
}

#[test]
fn dead_letters_and_consumers_take_turns_at_the_disk() {
    let mut queue = full(of_count(600));
    add(&mut queue, 300);
    dispatched(&mut queue);
    queue.shed(300, 0);
    queue.subscribe(Consumer { prefetch_count: 1, ..consumer(1) }).unwrap();
    assert_eq!(dispatched(&mut queue), [Seen::Fetch(0, 255)]);
    let mut effects = Vec::new();
    let dead = queue.contents.pop(290).unwrap();
    queue.die(dead, DeathReason::Rejected);
    queue.fetched(range(0, 255), bodies(range(0, 255)));
    queue.dispatch(&mut effects);
    assert_eq!(effects.pop().map(seen), Some(Seen::Fetch(0, 255)), "dead letters");
    queue.fetched(range(0, 255), bodies(range(0, 255)));
    effects.clear();
    queue.dispatch(&mut effects);
    assert_eq!(effects.pop().map(seen), Some(Seen::Fetch(290, 299)), "the consumer's");
    assert_eq!(effects.len(), 1, "dead letters whose bodies are there leave meanwhile");
}

#[test]
fn bodies_that_wait_behind_others_are_counted_and_can_leave_ram() {
    let mut queue = filled(burying(), 3);
    take_out(&mut queue, 3);
    queue.shed(1, 0);
    queue.settle(&[range(0, 2)], Outcome::Rejected);
    assert_eq!(dispatched(&mut queue), [Seen::Fetch(0, 0)]);
    assert!(queue.resident().logged > 0);
    assert!(queue.shed(3, 0) > 0);
    assert_eq!(queue.resident(), Resident::default());
    queue.fetched(range(0, 0), bodies(range(0, 0)));
    let expected = [Seen::Bury(DeathReason::Rejected, 1, Some((0, 0))), Seen::Fetch(1, 2)];
    assert_eq!(dispatched(&mut queue), expected);
}

#[test]
fn what_waits_to_leave_at_a_clean_stop_was_delivered() {
    let mut queue = filled(burying(), 3);
    take_out(&mut queue, 3);
    queue.shed(3, 0);
    queue.settle(&[range(0, 1)], Outcome::Rejected);
    assert_eq!(dispatched(&mut queue), [Seen::Fetch(0, 1)]);
    assert_eq!(queue.redelivered(), [range(0, 1), range(2, 2)].map(|places| (places, times(0, 0))));
}

#[test]
fn a_deleted_queue_hears_no_more_of_what_left() {
    let mut queue = filled(burying(), 1);
    take_out(&mut queue, 1);
    queue.settle(&[range(0, 0)], Outcome::Rejected);
    dispatched(&mut queue);
    queue.delete(false, false).unwrap();
    queue.left(leave(0, 0));
    assert_eq!(dispatched(&mut queue), []);
}

#[test]
fn what_was_delivered_and_is_on_its_way_is_told_so_at_a_clean_stop() {
    let mut queue = Queue::new(QueueTraits { has_dead_letters: true, ..durable() });
    queue.subscribe(consumer(1)).unwrap();
    for _ in 0..3 {
        queue.enqueue(persistent("x"));
    }
    queue.dispatch(&mut Vec::new());
    queue.settle(&[range(0, 2)], Outcome::Rejected);
    queue.dispatch(&mut Vec::new());
    assert_eq!(queue.redelivered(), [(range(0, 2), times(0, 0))]);
    queue.left(Leave { places: range(1, 1), is_logged: true });
    assert_eq!(queue.redelivered(), [range(0, 0), range(2, 2)].map(|places| (places, times(0, 0))));
}
