//! What a queue tells to who looks at it.

use super::*;

fn told(queue: &Queue) -> (usize, u64, Option<u64>) {
    let report = queue.report();
    let (in_memory, head) = (report.in_memory(), report.head);
    (in_memory, report.in_memory_bytes, head.map(|message| message.body_size()))
}

#[test]
fn what_is_in_memory_is_told_apart_from_what_is_on_disk_only() {
    let mut queue = logged_queue(10);
    assert_eq!(told(&queue), (10, 10, Some(1)));
    queue.shed(10, 0);
    assert_eq!(told(&queue), (0, 0, None));
    assert_eq!(queue.report().counts.ready, 10);
    queue.enqueue(persistent("abc"));
    assert_eq!(told(&queue), (1, 3, None));
}

#[test]
fn what_is_out_counts_with_its_bytes() {
    let mut queue = logged_queue(3);
    queue.subscribe(consumer(1)).unwrap();
    dispatched(&mut queue);
    let report = queue.report();
    assert_eq!((report.counts.unsettled, report.unsettled_bytes), (3, 3));
    assert_eq!(told(&queue), (3, 3, None));
}

#[test]
fn consumers_that_stand_out_are_told() {
    let mut queue = Queue::new(QueueTraits { is_single_active: true, ..durable() });
    assert_eq!(queue.report().active_consumer, None);
    for id in [1, 2] {
        queue.subscribe(consumer(id)).unwrap();
    }
    assert_eq!(queue.report().active_consumer, Some(ConsumerId(1)));
    let served: Vec<_> = queue.consumers().map(|(one, is_active)| (one.id.0, is_active)).collect();
    assert_eq!(served, [(1, true), (2, false)]);
    let mut queue = Queue::new(durable());
    queue.subscribe(Consumer { is_exclusive: true, ..consumer(3) }).unwrap();
    let report = queue.report();
    assert_eq!((report.exclusive_consumer, report.active_consumer), (Some(ConsumerId(3)), None));
}

#[test]
fn dead_letters_count_while_they_are_the_queues() {
    let keeping = QueueTraits { has_dead_letters: true, keeps_dead_letters: true, ..durable() };
    let mut queue = Queue::new(keeping);
    (0..3).for_each(|_| {
        queue.enqueue(persistent("x"));
    });
    queue.subscribe(consumer(1)).unwrap();
    dispatched(&mut queue);
    queue.settle(&[range(0, 1)], Outcome::Rejected);
    dispatched(&mut queue);
    assert_eq!(queue.report().dead_letters, 2);
    queue.left(Leave { places: range(0, 1), is_logged: true });
    assert_eq!(queue.report().dead_letters, 0);
}
