//! Queues that are full.

use super::*;
use crate::queue::LengthLimit;

fn limited(limit: LengthLimit) -> Queue {
    Queue::new(durable().limited(Limits { length: Some(limit), ..Limits::default() }))
}

fn of_count(count: u64) -> LengthLimit {
    LengthLimit { count_max: Some(count), ..LengthLimit::default() }
}

fn run(count: usize) -> MessageRun {
    let mut run = MessageRun::one(persistent("x"));
    (1..count).for_each(|_| run.push(persistent("x")));
    run
}

fn ready(queue: &Queue) -> Vec<SequenceRange> {
    queue.contents.stretches().map(Stretch::range).collect()
}

#[test]
fn what_goes_is_told_to_the_log_after_what_came() {
    let mut queue = limited(of_count(3));
    queue.enqueue_run(run(5));
    assert_eq!(dispatched(&mut queue), [Seen::Add(0, 5), Seen::Remove(0, 1)]);
    assert_eq!(ready(&queue), [range(2, 4)]);
    assert_eq!(dispatched(&mut queue), []);
}

#[test]
fn consumers_get_what_they_can_before_anything_goes() {
    let mut queue = limited(of_count(1));
    queue.subscribe(Consumer { prefetch_count: 2, ..consumer(1) }).unwrap();
    queue.enqueue_run(run(5));
    let expected = [Seen::Add(0, 5), Seen::Deliver(1, 0, 1), Seen::Remove(2, 3)];
    assert_eq!(dispatched(&mut queue), expected);
    queue.settle(&[range(0, 1)], Outcome::Requeued);
    assert_eq!(ready(&queue), [range(4, 4)], "what came back is the oldest");
    assert_eq!(dispatched(&mut queue), [Seen::Remove(0, 1), Seen::Deliver(1, 4, 4)]);
}

#[test]
fn messages_whose_bodies_are_on_disk_go_without_being_read() {
    let mut queue = limited(of_count(3));
    queue.enqueue_run(run(3));
    dispatched(&mut queue);
    queue.shed(3, 0);
    queue.enqueue(persistent("x"));
    assert_eq!(dispatched(&mut queue), [Seen::Add(3, 1), Seen::Remove(0, 0)]);
    assert_eq!(ready(&queue), [range(1, 2), range(3, 3)]);
}

#[test]
fn what_came_back_unseen_counts_again() {
    let mut queue = limited(of_count(1));
    queue.subscribe(consumer(1)).unwrap();
    queue.enqueue(persistent("x"));
    let mut effects = Vec::new();
    queue.dispatch(&mut effects);
    let Some(Effect::Deliver(id, given)) = effects.pop() else { panic!("a delivery") };
    queue.unsubscribe(id, &mut effects);
    queue.enqueue(persistent("x"));
    dispatched(&mut queue);
    queue.return_unseen(id, given);
    assert_eq!(dispatched(&mut queue), [Seen::Remove(0, 0)]);
    assert_eq!(ready(&queue), [range(1, 1)]);
}

#[test]
fn a_refusing_queue_tells_which_of_a_run_it_has_no_room_for() {
    let mut queue = limited(LengthLimit { refuses: true, ..of_count(3) });
    let mut effects = Vec::new();
    assert_eq!(queue.offer_run(run(2), &mut effects), [0; 0]);
    assert_eq!(queue.offer_run(run(3), &mut effects), [1, 2]);
    assert_eq!(queue.counts().ready, 3);
    assert_eq!(effects.into_iter().map(seen).collect::<Vec<_>>(), [Seen::Add(0, 3)]);
    assert_eq!(dispatched(&mut queue), [], "nothing goes for it");
}

#[test]
fn a_refusing_queue_hands_out_what_it_can_before_it_refuses() {
    let mut queue = limited(LengthLimit { refuses: true, ..of_count(1) });
    queue.subscribe(Consumer { prefetch_count: 2, ..consumer(1) }).unwrap();
    let mut effects = Vec::new();
    assert_eq!(queue.offer_run(run(5), &mut effects), [3, 4]);
    effects.retain(|effect| matches!(effect, Effect::Deliver(..)));
    assert_eq!(effects.len(), 2);
    assert_eq!((queue.counts().ready, queue.counts().unsettled), (1, 2));
}
