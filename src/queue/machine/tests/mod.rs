//! The queue by values: one operation each, and the effects it has.

use std::sync::Arc;

use super::*;
use crate::limits::DELIVERY_OVERHEAD_SIZE;
use crate::message::{Body, Envelope, ReadBack, RecoveredRun};
use crate::queue::{Backoff, Credit, Limits, Patience, Resident, Retry};

mod configure;
mod dead_letter;
mod delay;
mod equals;
mod expiry;
mod log;
mod model;
mod overflow;
mod paging;
mod patience;
mod report;
mod retry;
mod serve;

fn message_of(body: &str, is_persistent: bool) -> Message {
    let envelope = Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent };
    Message::new(envelope, Body::Copied(body.as_bytes()))
}

fn message(body: &str) -> Message {
    message_of(body, false)
}

fn persistent(body: &str) -> Message {
    message_of(body, true)
}

/// Effects in few words.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// Consumer, first and last place.
    Deliver(u64, Sequence, Sequence),
    Add(Sequence, usize),
    Remove(Sequence, Sequence),
    Return(Sequence, Sequence, DeliveryCounts),
    Fetch(Sequence, Sequence),
    /// The get, the place of its message, and how many are left.
    Got(u64, Option<(Sequence, usize)>),
    /// The consumer, and the time it had.
    TimedOut(u64, u64),
    Expire,
    /// The reason, how many messages, and the places that are to leave.
    Bury(DeathReason, usize, Option<(Sequence, Sequence)>),
}

fn seen(effect: Effect) -> Seen {
    match effect {
        Effect::Deliver(id, run) => {
            let (first, last) = (run[0].sequence, run[run.len() - 1].sequence);
            assert_eq!(last - first + 1, run.len() as u64, "a run without gaps");
            Seen::Deliver(id.0, first, last)
        }
        Effect::Append(Fact::Added { first, messages, .. }) => Seen::Add(first, messages.len()),
        Effect::Append(Fact::Removed(range)) => Seen::Remove(range.first, range.last),
        Effect::Append(Fact::Returned { range, counts }) => {
            Seen::Return(range.first, range.last, counts)
        }
        Effect::Fetch(range) => Seen::Fetch(range.first, range.last),
        Effect::Got { get, got } => {
            Seen::Got(get.0, got.map(|(delivery, left)| (delivery.sequence, left)))
        }
        Effect::TimedOut(id, timeout_ms) => Seen::TimedOut(id.0, timeout_ms),
        Effect::Expire => Seen::Expire,
        Effect::DeadLetter(DeadLetters { reason, messages, leave }) => {
            let places = leave.map(|leave| (leave.places.first, leave.places.last));
            Seen::Bury(reason, messages.len(), places)
        }
    }
}

/// What the queue wants done now.
fn dispatched(queue: &mut Queue) -> Vec<Seen> {
    let mut effects = Vec::new();
    queue.dispatch(&mut effects);
    let mut totals = Totals::default();
    queue.contents.stretches().for_each(|stretch| totals += stretch.totals());
    assert_eq!(queue.contents.totals(), totals, "what is ready adds up");
    effects.into_iter().map(seen).collect()
}

/// What is out.
fn out(queue: &mut Queue) -> &mut Unsettled {
    &mut queue.activity().unsettled
}

/// How often something failed, and how often it came back.
fn times(failed: u32, acquired: u32) -> DeliveryCounts {
    DeliveryCounts { failed, acquired }
}

fn range(first: Sequence, last: Sequence) -> SequenceRange {
    SequenceRange { first, last }
}

fn durable() -> QueueTraits {
    QueueTraits { is_durable: true, ..QueueTraits::default() }
}

/// What a durable queue is that keeps all in memory.
fn in_memory() -> QueueTraits {
    let limits = Limits { stays_in_memory: true, ..Limits::default() };
    QueueTraits::default().limited(limits)
}

/// A durable queue with so many persistent messages of one byte, which the log has heard of.
fn logged_queue(count: u64) -> Queue {
    let mut queue = Queue::new(durable());
    for _ in 0..count {
        queue.enqueue(persistent("x"));
    }
    queue.dispatch(&mut Vec::new());
    queue
}

/// The same after a restart: all bodies are on disk.
fn recovered_queue(count: u64) -> Queue {
    let run = RecoveredRun {
        range: range(0, count - 1),
        bytes: count,
        is_redelivered: false,
        counts: DeliveryCounts::NONE,
        expires: false,
        level: None,
    };
    Queue::recovered(durable(), count, [run])
}

/// What the disk has at these places.
fn bodies(range: SequenceRange) -> Vec<ReadBack> {
    range.iter().map(|sequence| read_back(sequence, persistent("x"))).collect()
}

fn read_back(sequence: Sequence, message: Message) -> ReadBack {
    ReadBack { sequence, arrived: Moment(0), message }
}

fn queue_of(bodies: &[&str]) -> Queue {
    let mut queue = Queue::new(QueueTraits::default());
    for body in bodies {
        queue.enqueue(message(body));
    }
    queue
}

fn consumer(id: u64) -> Consumer {
    Consumer {
        id: ConsumerId(id),
        no_ack: false,
        is_exclusive: false,
        priority: 0,
        prefetch_count: 0,
        channel_credit: None,
        window: Arc::new(Credit::new(0)),
        patience: Patience::default(),
        backoff: None,
    }
}

/// What is delivered now: consumer, sequence, redelivered.
fn delivered(queue: &mut Queue) -> Vec<(u64, Sequence, bool)> {
    let mut effects = Vec::new();
    queue.dispatch(&mut effects);
    effects
        .into_iter()
        .flat_map(|effect| match effect {
            Effect::Deliver(id, run) => run
                .into_iter()
                .map(|delivery| (id.0, delivery.sequence, delivery.is_redelivered))
                .collect::<Vec<_>>(),
            other => panic!("only deliveries here: {other:?}"),
        })
        .collect()
}

/// What a get that does not have to wait is answered with.
fn got(queue: &mut Queue, no_ack: bool) -> Option<(Delivery, usize)> {
    match queue.get(no_ack, GetId(1)) {
        Fetched::Got(delivery, left) => Some((delivery, left)),
        Fetched::Empty => None,
        Fetched::Later => panic!("all bodies are in RAM"),
    }
}

#[test]
fn one_dispatch_gives_each_consumer_one_run() {
    let mut queue = queue_of(&["a", "b", "c", "d", "e"]);
    queue.subscribe(consumer(1)).unwrap();
    queue.subscribe(consumer(2)).unwrap();
    let mut effects = Vec::new();
    queue.dispatch(&mut effects);
    let runs: Vec<(u64, usize)> = effects
        .iter()
        .map(|effect| match effect {
            Effect::Deliver(id, run) => (id.0, run.len()),
            other => panic!("only deliveries here: {other:?}"),
        })
        .collect();
    assert_eq!(runs, [(1, 3), (2, 2)]);
}

#[test]
fn a_requeued_message_goes_back_to_its_place_and_is_flagged() {
    let mut queue = queue_of(&["a", "b", "c"]);
    queue.subscribe(Consumer { prefetch_count: 2, ..consumer(1) }).unwrap();
    assert_eq!(delivered(&mut queue), [(1, 0, false), (1, 1, false)]);
    queue.settle(&[SequenceRange::one(1)], Outcome::Requeued);
    assert_eq!(delivered(&mut queue), [(1, 1, true)]);
    queue.settle(&[SequenceRange { first: 0, last: 1 }], Outcome::Accepted);
    assert_eq!(delivered(&mut queue), [(1, 2, false)]);
}

#[test]
fn a_delivery_nobody_saw_keeps_its_flag() {
    let mut queue = queue_of(&["a"]);
    queue.subscribe(consumer(1)).unwrap();
    let mut effects = Vec::new();
    queue.dispatch(&mut effects);
    let Some(Effect::Deliver(id, run)) = effects.pop() else { panic!("one delivery") };
    queue.return_unseen(id, run);
    assert_eq!(delivered(&mut queue), [(1, 0, false)]);
}

#[test]
fn settling_what_is_not_out_changes_nothing() {
    let mut queue = queue_of(&["a"]);
    queue.settle(&[0, 7].map(SequenceRange::one), Outcome::Requeued);
    assert_eq!(queue.counts(), Counts { ready: 1, ready_bytes: 1, ..Counts::default() });
}

#[test]
fn counts_tell_ready_and_unsettled_apart() {
    let mut queue = queue_of(&["aa", "bb"]);
    let (delivery, left) = got(&mut queue, false).unwrap();
    assert_eq!((delivery.sequence, left), (0, 1));
    let counts = Counts { ready: 1, unsettled: 1, ready_bytes: 2, ..Counts::default() };
    assert_eq!(queue.counts(), counts);
    queue.settle(&[SequenceRange::one(0)], Outcome::Rejected);
    assert_eq!(queue.counts(), Counts { unsettled: 0, ..counts });
}

#[test]
fn failures_count_towards_the_delivery_limit_and_returns_do_not() {
    let mut queue = Queue::new(
        QueueTraits::default().limited(Limits { deliveries: Some(2), ..Limits::default() }),
    );
    queue.enqueue(message("poison"));
    for outcome in [Outcome::Failed, Outcome::Requeued, Outcome::Failed, Outcome::Failed] {
        assert!(got(&mut queue, false).is_some());
        queue.settle(&[SequenceRange::one(0)], outcome);
    }
    assert_eq!(queue.counts(), Counts::default());
}

#[test]
fn without_acknowledgement_nothing_is_out() {
    let mut queue = queue_of(&["a"]);
    assert!(got(&mut queue, true).is_some() && got(&mut queue, true).is_none());
    assert_eq!(queue.counts(), Counts::default());
}

#[test]
fn an_exclusive_consumer_is_alone() {
    let mut queue = queue_of(&[]);
    let exclusive = |id| Consumer { is_exclusive: true, ..consumer(id) };
    queue.subscribe(consumer(1)).unwrap();
    assert_eq!(queue.subscribe(exclusive(2)), Err(SubscribeRefused::InExclusiveUse));
    queue.unsubscribe(ConsumerId(1), &mut Vec::new());
    queue.subscribe(exclusive(2)).unwrap();
    assert_eq!(queue.subscribe(consumer(3)), Err(SubscribeRefused::InExclusiveUse));
}

#[test]
fn a_single_active_queue_takes_no_exclusive_consumer() {
    let traits = QueueTraits { is_single_active: true, ..QueueTraits::default() };
    let mut queue = Queue::new(traits);
    let exclusive = Consumer { is_exclusive: true, ..consumer(1) };
    assert_eq!(queue.subscribe(exclusive), Err(SubscribeRefused::InExclusiveUse));
}

#[test]
fn the_last_consumer_takes_an_auto_delete_queue_along() {
    let mut queue = Queue::new(QueueTraits { is_auto_delete: true, ..QueueTraits::default() });
    let mut effects = Vec::new();
    queue.unsubscribe(ConsumerId(9), &mut effects);
    assert!(effects.is_empty(), "it never had a consumer");
    queue.subscribe(consumer(1)).unwrap();
    queue.unsubscribe(ConsumerId(1), &mut effects);
    assert!(matches!(effects.as_slice(), [Effect::Expire]));
}

#[test]
fn a_purge_takes_ready_messages_only() {
    let mut queue = queue_of(&["a", "b", "c"]);
    assert!(got(&mut queue, false).is_some());
    assert_eq!(queue.purge().len(), 2);
    assert_eq!((queue.counts().ready, queue.counts().unsettled), (0, 1));
    queue.settle(&[SequenceRange::one(0)], Outcome::Requeued);
    assert_eq!(queue.counts().ready, 1);
}

#[test]
fn conditions_of_a_delete_are_checked() {
    let mut queue = queue_of(&["a"]);
    assert!(matches!(queue.delete(false, true), Err(DeleteRefused::NotEmpty)));
    queue.subscribe(consumer(1)).unwrap();
    assert!(matches!(queue.delete(true, false), Err(DeleteRefused::InUse)));
    let remains = queue.delete(false, false).unwrap();
    assert_eq!((remains.ready_count, remains.consumers), (1, vec![ConsumerId(1)]));
    assert!(matches!(queue.delete(false, false), Err(DeleteRefused::Gone)));
    assert_eq!(queue.subscribe(consumer(2)), Err(SubscribeRefused::Gone));
}

#[test]
fn a_blocked_consumer_is_served_again_when_its_window_opens() {
    let window = Arc::new(Credit::new(1));
    let mut queue = queue_of(&["a", "b"]);
    queue.subscribe(Consumer { window: window.clone(), ..consumer(1) }).unwrap();
    assert_eq!(delivered(&mut queue), [(1, 0, false)]);
    assert!(window.give(DELIVERY_OVERHEAD_SIZE + 1));
    assert_eq!(delivered(&mut queue), []);
    queue.resume(ConsumerId(1));
    assert_eq!(delivered(&mut queue), [(1, 1, false)]);
}

#[test]
fn an_idle_queue_is_small() {
    assert!(size_of::<Queue>() <= 224, "{}", size_of::<Queue>());
}
