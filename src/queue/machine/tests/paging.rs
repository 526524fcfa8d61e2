//! Bodies that leave RAM and come back.

use super::*;
use crate::limits::{FETCH_COUNT_MAX, FETCH_SIZE_MAX, MESSAGE_OVERHEAD_SIZE, PATCHES_MAX};

/// What a message of one byte takes in RAM.
const SIZE: u64 = MESSAGE_OVERHEAD_SIZE + 1;

const FETCH: u64 = FETCH_COUNT_MAX as u64;

fn read(queue: &mut Queue, first: Sequence, last: Sequence) {
    assert_eq!(queue.fetched(range(first, last), bodies(range(first, last))), 0);
}

#[test]
fn ready_bodies_beyond_the_first_bytes_are_forgotten_where_they_are_stored() {
    let mut queue = logged_queue(10);
    assert_eq!(queue.shed(8, 3 * SIZE), 5 * SIZE);
    let paged: Vec<(SequenceRange, bool)> =
        queue.contents.stretches().map(|part| (part.range(), part.is_paged())).collect();
    let expected = [(range(0, 2), false), (range(3, 7), true), (range(8, 9), false)];
    assert_eq!(paged, expected);
    assert_eq!(queue.resident(), Resident { logged: 5 * SIZE, unlogged: 0 });
    assert_eq!((queue.counts().ready, queue.counts().ready_bytes), (10, 10));
    assert_eq!(queue.shed(8, 3 * SIZE), 0);
    assert_eq!(queue.shed(10, 0), 5 * SIZE);
    assert_eq!(queue.contents.stretches().count(), 1);
}

#[test]
fn what_is_not_logged_stays() {
    let mut queue = Queue::new(durable());
    for is_persistent in [true, false, true] {
        queue.enqueue(message_of("x", is_persistent));
    }
    assert_eq!(queue.shed(9, 0), 2 * SIZE);
    assert_eq!(queue.resident(), Resident { logged: 0, unlogged: SIZE });
}

#[test]
fn a_long_queue_of_persistent_and_transient_messages_in_turns_is_few_stretches() {
    let (mut queue, count) = (Queue::new(durable()), 10_000);
    for number in 0..count {
        queue.enqueue(message_of("x", number % 2 == 0));
    }
    assert_eq!(queue.contents.stretches().count(), PATCHES_MAX + 1);
    let behind = PATCHES_MAX as u64;
    let mut expected: Vec<Seen> = (0..behind).step_by(2).map(|place| Seen::Add(place, 1)).collect();
    expected.push(Seen::Add(behind, 10_000 - PATCHES_MAX));
    assert_eq!(dispatched(&mut queue), expected, "the log gets all that are behind");
    queue.shed(count, 0);
    queue.store_transient(u64::MAX);
    queue.shed(count, 0);
    assert_eq!((queue.resident(), queue.contents.stretches().count()), (Resident::default(), 1));
}

#[test]
fn of_a_queue_that_stays_in_memory_the_log_hears_nothing() {
    let (mut queue, count) = (Queue::new(in_memory()), 10_000);
    for number in 0..count {
        queue.enqueue(message_of("x", number % 2 == 0));
    }
    assert!(!queue.store_transient(u64::MAX));
    queue.shed(count, 0);
    assert_eq!(queue.resident(), Resident { logged: 0, unlogged: count * SIZE });
    queue.subscribe(consumer(1)).unwrap();
    let delivered = dispatched(&mut queue);
    assert!(delivered.iter().all(|seen| matches!(seen, Seen::Deliver(..))), "{delivered:?}");
    queue.settle(&[range(0, 0)], Outcome::Failed);
    queue.settle(&[range(1, count - 1)], Outcome::Accepted);
    drop(queue.purge());
    let seen = dispatched(&mut queue);
    assert!(seen.iter().all(|seen| matches!(seen, Seen::Deliver(..))), "{seen:?}");
}

#[test]
fn a_transient_message_in_a_queue_of_few_stretches_is_not_for_the_log() {
    let mut queue = Queue::new(durable());
    for number in 0..200_000 {
        queue.enqueue(message_of("x", number == 0));
    }
    assert_eq!(dispatched(&mut queue), [Seen::Add(0, 1)]);
}

#[test]
fn a_fetch_is_asked_for_once_and_what_it_brings_is_delivered_in_order() {
    let mut queue = logged_queue(5);
    queue.shed(4, SIZE);
    queue.subscribe(consumer(1)).unwrap();
    assert_eq!(dispatched(&mut queue), [Seen::Deliver(1, 0, 0), Seen::Fetch(1, 3)]);
    assert_eq!(dispatched(&mut queue), []);
    read(&mut queue, 1, 3);
    assert_eq!(dispatched(&mut queue), [Seen::Deliver(1, 1, 4)]);
    assert_eq!(queue.counts().unsettled, 5);
}

#[test]
fn nobody_asks_for_bodies_that_nobody_waits_for() {
    let mut queue = recovered_queue(5);
    assert_eq!(dispatched(&mut queue), []);
    assert_eq!(queue.wants(), Some(range(0, 4)));
    queue.subscribe(Consumer { prefetch_count: 1, ..consumer(1) }).unwrap();
    assert_eq!(dispatched(&mut queue), [Seen::Fetch(0, 4)]);
}

#[test]
fn a_drain_asks_for_the_next_bodies_before_the_last_ones_are_gone() {
    let mut queue = recovered_queue(1000);
    queue.subscribe(Consumer { prefetch_count: 100, ..consumer(1) }).unwrap();
    assert_eq!(dispatched(&mut queue), [Seen::Fetch(0, FETCH - 1)]);
    read(&mut queue, 0, FETCH - 1);
    assert_eq!(dispatched(&mut queue), [Seen::Deliver(1, 0, 99)], "156 are left");
    queue.settle(&[range(0, 99)], Outcome::Accepted);
    let next = [Seen::Remove(0, 99), Seen::Deliver(1, 100, 199), Seen::Fetch(FETCH, 2 * FETCH - 1)];
    assert_eq!(dispatched(&mut queue), next, "56 are left");
    read(&mut queue, FETCH, 2 * FETCH - 1);
    assert_eq!(queue.contents.stretches().count(), 2, "what was read is one with what was left");
    queue.settle(&[range(100, 199)], Outcome::Accepted);
    assert_eq!(dispatched(&mut queue), [Seen::Remove(100, 199), Seen::Deliver(1, 200, 299)]);
}

#[test]
fn a_fetch_of_large_bodies_is_bounded_by_their_size() {
    let run = |bytes| RecoveredRun {
        range: range(0, 99),
        bytes,
        is_redelivered: false,
        counts: DeliveryCounts::NONE,
        expires: false,
        level: None,
    };
    let queue = Queue::recovered(durable(), 100, [run(25 * FETCH_SIZE_MAX)]);
    assert_eq!(queue.wants(), Some(range(0, 3)));
    let queue = Queue::recovered(durable(), 100, [run(1000 * FETCH_SIZE_MAX)]);
    assert_eq!(queue.wants(), Some(range(0, 0)), "at least one");
}

#[test]
fn one_fetch_reaches_over_gaps_and_over_what_is_in_ram() {
    let mut queue = Queue::new(durable());
    for number in 0..20 {
        queue.enqueue(message_of("x", number % 4 != 1));
    }
    queue.dispatch(&mut Vec::new());
    queue.shed(20, 0);
    assert_eq!(queue.wants(), Some(range(0, 19)));
    queue.subscribe(consumer(1)).unwrap();
    assert_eq!(dispatched(&mut queue), [Seen::Fetch(0, 19)]);
    let found = bodies(range(0, 19)).into_iter().filter(|read| read.sequence % 4 != 1);
    assert_eq!(queue.fetched(range(0, 19), found.collect()), 0);
    assert_eq!(dispatched(&mut queue), [Seen::Deliver(1, 0, 19)]);
}

#[test]
fn what_was_asked_for_and_not_found_is_lost_and_removed() {
    let mut queue = recovered_queue(6);
    queue.subscribe(consumer(1)).unwrap();
    assert_eq!(dispatched(&mut queue), [Seen::Fetch(0, 5)]);
    let found = [5, 0, 3].map(|sequence| read_back(sequence, persistent("x")));
    assert_eq!(queue.fetched(range(0, 5), found.into()), 3);
    assert_eq!((queue.counts().ready, queue.counts().ready_bytes), (3, 3));
    let mut effects = Vec::new();
    queue.dispatch(&mut effects);
    let Some(Effect::Deliver(_, run)) = effects.pop() else { panic!("a run") };
    assert_eq!(run.iter().map(|delivery| delivery.sequence).collect::<Vec<_>>(), [0, 3, 5]);
    let facts: Vec<Seen> = effects.into_iter().map(seen).collect();
    assert_eq!(facts, [Seen::Remove(1, 2), Seen::Remove(4, 4)]);
}

#[test]
fn an_answer_that_comes_after_a_purge_brings_nothing_back() {
    let mut queue = recovered_queue(4);
    queue.subscribe(consumer(1)).unwrap();
    assert_eq!(dispatched(&mut queue), [Seen::Fetch(0, 3)]);
    assert_eq!(queue.purge().len(), 4);
    read(&mut queue, 0, 3);
    assert_eq!(dispatched(&mut queue), [Seen::Remove(0, 3)]);
    assert_eq!(queue.counts(), Counts { consumers: 1, ..Counts::default() });
}

#[test]
fn what_a_fetch_asks_for_is_not_forgotten_before_it_came() {
    let mut queue = Queue::new(durable());
    for is_persistent in [true, false, true] {
        queue.enqueue(message_of("x", is_persistent));
    }
    queue.shed(3, 0);
    queue.subscribe(consumer(1)).unwrap();
    assert_eq!(dispatched(&mut queue), [Seen::Add(0, 1), Seen::Add(2, 1), Seen::Fetch(0, 2)]);
    queue.store_transient(u64::MAX);
    assert_eq!(queue.shed(3, 0), 0);
    let found = [0, 2].map(|sequence| read_back(sequence, persistent("x")));
    assert_eq!(queue.fetched(range(0, 2), found.into()), 0);
    assert_eq!(dispatched(&mut queue), [Seen::Add(1, 1), Seen::Deliver(1, 0, 2)]);
}

#[test]
fn bytes_are_exact_again_when_bodies_were_read() {
    let run = RecoveredRun {
        range: range(0, 1),
        bytes: 110,
        is_redelivered: false,
        counts: DeliveryCounts::NONE,
        expires: false,
        level: None,
    };
    let mut queue = Queue::recovered(durable(), 2, [run]);
    let long = "x".repeat(100);
    assert_eq!(queue.fetched(range(0, 0), vec![read_back(0, persistent(&long))]), 0);
    assert_eq!(queue.counts().ready_bytes, 110);
    assert!(got(&mut queue, false).is_some());
    assert_eq!(queue.counts().ready_bytes, 10, "not an even share");
}

#[test]
fn a_get_waits_for_its_body_and_is_answered_before_consumers() {
    let mut queue = recovered_queue(3);
    queue.subscribe(consumer(1)).unwrap();
    assert!(matches!(queue.get(false, GetId(7)), Fetched::Later));
    assert_eq!(dispatched(&mut queue), [Seen::Fetch(0, 2)]);
    assert!(matches!(queue.get(true, GetId(8)), Fetched::Later));
    read(&mut queue, 0, 2);
    let answers = [Seen::Got(7, Some((0, 2))), Seen::Got(8, Some((1, 1))), Seen::Deliver(1, 2, 2)];
    assert_eq!(dispatched(&mut queue), answers);
    assert_eq!(queue.counts().unsettled, 3);
}

#[test]
fn gets_keep_their_order_and_those_that_find_nothing_are_told() {
    let mut queue = recovered_queue(1);
    for number in 1..=3 {
        assert!(matches!(queue.get(false, GetId(number)), Fetched::Later));
    }
    assert_eq!(dispatched(&mut queue), [Seen::Fetch(0, 0)]);
    read(&mut queue, 0, 0);
    let answers = [Seen::Got(1, Some((0, 0))), Seen::Got(2, None), Seen::Got(3, None)];
    assert_eq!(dispatched(&mut queue), answers);
    assert!(matches!(queue.get(false, GetId(4)), Fetched::Empty));
}

#[test]
fn a_get_that_waits_while_the_queue_is_deleted_finds_nothing() {
    let mut queue = recovered_queue(1);
    assert!(matches!(queue.get(false, GetId(1)), Fetched::Later));
    queue.delete(false, false).unwrap();
    assert_eq!(dispatched(&mut queue), [Seen::Got(1, None)]);
}

#[test]
fn ten_million_out_with_their_bodies_on_disk_are_one_stretch() {
    let count = 10_000_000;
    let mut queue = recovered_queue(count);
    queue.subscribe(consumer(1)).unwrap();
    let steps = 40;
    for step in 0..steps {
        let (first, last) = (step * FETCH, (step + 1) * FETCH - 1);
        assert_eq!(dispatched(&mut queue).pop(), Some(Seen::Fetch(first, last)));
        read(&mut queue, first, last);
        queue.dispatch(&mut Vec::new());
        queue.activity().fetching = None;
        queue.shed(count, 0);
    }
    let given = steps * FETCH;
    assert_eq!((out(&mut queue).len(), queue.counts().unsettled as u64), (1, given));
    assert_eq!(queue.counts().ready as u64, count - given);
    assert_eq!((queue.contents.stretches().count(), queue.resident()), (1, Resident::default()));
    queue.settle(&[range(5, given - 5)], Outcome::Accepted);
    let last = given - 1;
    queue.settle(&[range(0, last)], Outcome::Requeued);
    let left: Vec<SequenceRange> =
        queue.contents.base.returned.iter().map(Stretch::range).collect();
    assert_eq!(left, [range(0, 4), range(given - 4, last)]);
}

#[test]
fn a_mass_return_of_paged_messages_is_one_stretch() {
    let count = 10_000_000;
    let run = RecoveredRun {
        range: range(0, count - 1),
        bytes: count,
        is_redelivered: false,
        counts: DeliveryCounts::NONE,
        expires: false,
        level: None,
    };
    let mut queue = Queue::new(durable());
    let paged = Queue::recovered(durable(), count, [run]).contents.pop(usize::MAX).unwrap();
    out(&mut queue).insert(paged, Holder::Getter);
    assert_eq!(queue.counts().unsettled as u64, count);
    for sequence in 0..1000 {
        queue.settle(&[SequenceRange::one(sequence)], Outcome::Failed);
    }
    queue.settle(&[range(1000, count - 1)], Outcome::Failed);
    assert_eq!((queue.contents.base.returned.len(), out(&mut queue).len()), (1, 0));
    assert_eq!(queue.counts().ready as u64, count);
    assert_eq!(dispatched(&mut queue), [Seen::Return(0, count - 1, times(1, 1))]);
}

#[test]
fn a_recovered_queue_goes_on_where_it_was() {
    let run = |first, last, is_redelivered, failed| RecoveredRun {
        range: range(first, last),
        bytes: last - first + 1,
        is_redelivered,
        counts: times(failed, 5),
        expires: false,
        level: None,
    };
    let runs = [run(6, 9, false, 0), run(0, 2, true, 3), run(3, 4, true, 3)];
    let mut queue = Queue::recovered(durable(), 8, runs);
    assert_eq!(queue.contents.stretches().count(), 2, "neighbors that are alike are one");
    assert_eq!((queue.counts().ready, queue.counts().ready_bytes), (9, 9));
    assert_eq!(queue.redelivered(), [(range(0, 4), times(3, 5))]);
    assert_eq!(queue.next_sequence(), 10, "no place is used twice");
    assert_eq!(queue.enqueue(persistent("y")), 10);
    assert_eq!(Queue::recovered(durable(), 20, []).enqueue(persistent("y")), 20);
}
