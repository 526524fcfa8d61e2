//! Turns: how much each consumer gets, and from whom credit is taken.

use super::*;
use crate::limits::TURN_COUNT_MAX;
use crate::protocol::field::FieldTable;
use crate::protocol::properties::Properties;

fn counts_by_consumer(queue: &mut Queue) -> Vec<(u64, usize)> {
    let mut effects = Vec::new();
    queue.dispatch(&mut effects);
    let count = |effect: &Effect| match effect {
        Effect::Deliver(id, run) => Some((id.0, run.len())),
        _ => None,
    };
    effects.iter().filter_map(count).collect()
}

fn queue_with(count: usize, consumers: impl IntoIterator<Item = Consumer>) -> Queue {
    let mut queue = Queue::new(QueueTraits::default());
    for consumer in consumers {
        queue.subscribe(consumer).unwrap();
    }
    for _ in 0..count {
        queue.enqueue(message("x"));
    }
    queue
}

#[test]
fn few_messages_are_dealt_out_one_by_one() {
    let mut queue = queue_with(10, [consumer(1), consumer(2)]);
    let order: Vec<(u64, Sequence)> =
        delivered(&mut queue).into_iter().map(|(id, sequence, _)| (id, sequence)).collect();
    let of_first = |sequence| (1, sequence);
    let of_second = |sequence| (2, sequence);
    let expected: Vec<_> =
        [0, 2, 4, 6, 8].map(of_first).into_iter().chain([1, 3, 5, 7, 9].map(of_second)).collect();
    assert_eq!(order, expected);
}

#[test]
fn many_messages_are_dealt_out_in_slices_and_evenly() {
    let mut queue = queue_with(10_000, (1..=4).map(consumer));
    let counts = counts_by_consumer(&mut queue);
    assert!(counts.iter().all(|(_, count)| (2470..=2530).contains(count)), "{counts:?}");
    assert_eq!(counts.iter().map(|(_, count)| count).sum::<usize>(), 10_000);
    assert!(out(&mut queue).len() < 500, "{} stretches", out(&mut queue).len());
}

#[test]
fn a_slice_has_a_bound() {
    let mut queue = queue_with(100_000, [consumer(1), consumer(2)]);
    let mut effects = Vec::new();
    queue.dispatch(&mut effects);
    let longest = out(&mut queue).iter().map(Stretch::len).max();
    assert_eq!(longest, Some(TURN_COUNT_MAX));
}

#[test]
fn prefetch_and_window_hold_within_a_slice() {
    let credit = Arc::new(Credit::new(9));
    let limited = Consumer { prefetch_count: 5, ..consumer(1) };
    let shared = Consumer { channel_credit: Some(credit), ..consumer(2) };
    // Credit is taken while some is left, so the last message may pass the window.
    let window = Arc::new(Credit::new(3 * (DELIVERY_OVERHEAD_SIZE + 1) + 1));
    let narrow = Consumer { window, ..consumer(3) };
    let mut queue = queue_with(1000, [limited, shared, narrow]);
    assert_eq!(counts_by_consumer(&mut queue), [(1, 5), (2, 9), (3, 4)]);
    queue.settle(&[range(0, 4)], Outcome::Accepted);
    assert_eq!(counts_by_consumer(&mut queue), [(1, 5)]);
}

#[test]
fn a_higher_priority_takes_all_it_can_before_others() {
    let high = Consumer { priority: 1, prefetch_count: 100, ..consumer(2) };
    let mut queue = queue_with(300, [consumer(1), high]);
    assert_eq!(dispatched(&mut queue)[..1], [Seen::Deliver(2, 0, 99)]);
}

#[test]
fn deliveries_in_a_row_to_one_consumer_are_one_stretch() {
    let mut queue = queue_with(50_000, [consumer(1)]);
    assert_eq!(dispatched(&mut queue), [Seen::Deliver(1, 0, 49_999)]);
    assert_eq!((out(&mut queue).len(), queue.counts().unsettled), (1, 50_000));
    queue.settle(&[range(10, 19), range(40, 40)], Outcome::Accepted);
    assert_eq!((out(&mut queue).len(), queue.counts().unsettled), (3, 49_989));
    queue.settle(&[range(0, 49_999)], Outcome::Requeued);
    assert_eq!((out(&mut queue).len(), queue.contents.base.returned.len()), (0, 3));
    assert_eq!(queue.counts().ready_bytes, 49_989);
}

#[test]
fn settling_backwards_one_by_one_returns_one_stretch() {
    let mut queue = queue_with(5000, [consumer(1)]);
    queue.dispatch(&mut Vec::new());
    queue.unsubscribe(ConsumerId(1), &mut Vec::new());
    for sequence in (0..5000).rev() {
        queue.settle(&[SequenceRange::one(sequence)], Outcome::Requeued);
    }
    assert_eq!((queue.contents.base.returned.len(), queue.counts().ready), (1, 5000));
    queue.subscribe(consumer(2)).unwrap();
    assert_eq!(dispatched(&mut queue), [Seen::Deliver(2, 0, 4999)]);
}

#[test]
fn where_counts_are_told_a_delivery_says_how_often_it_came_back_and_what_is_kept_does_not() {
    let traits = QueueTraits { has_dead_letters: true, tells_counts: true, ..Default::default() };
    let mut queue = Queue::new(traits);
    queue.enqueue(message("x"));
    let mut told = Vec::new();
    for outcome in [Outcome::Requeued, Outcome::Failed, Outcome::Failed, Outcome::Requeued] {
        let Fetched::Got(delivery, _) = queue.get(false, GetId(1)) else { panic!("a message") };
        told.push(headers(&delivery.message));
        queue.settle(&[range(0, 0)], outcome);
    }
    queue.subscribe(consumer(1)).unwrap();
    let mut effects = Vec::new();
    queue.dispatch(&mut effects);
    let [Effect::Deliver(_, run)] = &effects[..] else { panic!("{effects:?}") };
    told.push(headers(&run[0].message));
    let (failed, back) = ("x-delivery-count", "x-acquired-count");
    let expected = [
        vec![],
        vec![(back, 1)],
        vec![(failed, 1), (back, 2)],
        vec![(failed, 2), (back, 3)],
        vec![(failed, 2), (back, 4)],
    ];
    assert_eq!(told, expected.map(table));
    queue.settle(&[range(0, 0)], Outcome::Rejected);
    effects.clear();
    queue.dispatch(&mut effects);
    let [Effect::DeadLetter(dead)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(headers(&dead.messages[0]), table(vec![]));
}

#[test]
fn what_was_told_and_seen_by_nobody_is_kept_without_headers_and_counted_on() {
    let traits = QueueTraits { has_dead_letters: true, tells_counts: true, ..Default::default() };
    let mut queue = Queue::new(traits);
    queue.enqueue(message("x"));
    assert!(got(&mut queue, false).is_some());
    queue.settle(&[range(0, 0)], Outcome::Failed);
    queue.subscribe(Consumer { no_ack: true, ..consumer(1) }).unwrap();
    let mut effects = Vec::new();
    queue.dispatch(&mut effects);
    let Some(Effect::Deliver(id, run)) = effects.pop() else { panic!("a run") };
    queue.unsubscribe(id, &mut effects);
    queue.return_unseen(id, run);
    let ready = queue.contents.first().unwrap();
    assert_eq!(
        (ready.marks().counts, headers(ready.message(0).unwrap())),
        (times(1, 1), table(vec![]))
    );
    assert!(got(&mut queue, false).is_some());
    queue.settle(&[range(0, 0)], Outcome::Requeued);
    let (delivery, _) = got(&mut queue, false).unwrap();
    let counts = vec![("x-delivery-count", 1), ("x-acquired-count", 2)];
    assert_eq!(headers(&delivery.message), table(counts));
}

fn headers(message: &Message) -> FieldTable {
    Properties::decode(message.properties()).unwrap().headers.unwrap_or_default()
}

fn table(counts: Vec<(&str, i64)>) -> FieldTable {
    counts.into_iter().collect()
}
