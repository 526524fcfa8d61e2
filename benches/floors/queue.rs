//! Floor 3: the machine of one queue with one consumer. Messages go in and are dispatched, and
//! their deliveries end, so many for each dispatch. The message itself is made before.

use std::sync::Arc;

use leveret::message::{ConsumerId, GetId, MessageRun, Outcome, SequenceRange};
use leveret::queue::{Consumer, Credit, Effect, Fetched, Patience, Queue, QueueTraits};

use crate::wire::Content;
use crate::{Operation, Round};

/// Messages of one round, or somewhat more.
const COUNT: u64 = 100;

/// Messages that are added at once where a queue is filled.
const FILL_STEP: u64 = 1000;

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        Operation::new("queue_enqueue_dispatch_settle", || enqueue_dispatch(1, false)),
        Operation::new("queue_enqueue_dispatch_settle_100", || enqueue_dispatch(100, false)),
        Operation::new("queue_enqueue_dispatch", || enqueue_dispatch(1, true)),
        Operation::new("queue_enqueue_dispatch_100", || enqueue_dispatch(100, true)),
        Operation::new("queue_enqueue_get_behind_0", || enqueue_get(0)),
        Operation::new("queue_enqueue_get_behind_1000", || enqueue_get(1000)),
        Operation::new("queue_enqueue_get_behind_1000000", || enqueue_get(1_000_000)),
        Operation::new("queue_mixed_shed_behind_1000", || mixed_shed(1000)),
        Operation::new("queue_mixed_shed_behind_1000000", || mixed_shed(1_000_000)),
    ]
}

/// `count` messages for each dispatch; with `no_ack` nothing is settled.
fn enqueue_dispatch(count: u64, no_ack: bool) -> Round {
    let mut queue = Queue::new(QueueTraits::default());
    let consumer = Consumer {
        id: ConsumerId(1),
        no_ack,
        is_exclusive: false,
        priority: 0,
        prefetch_count: 1000,
        channel_credit: None,
        window: Arc::new(Credit::new(0)),
        patience: Patience::default(),
        backoff: None,
    };
    queue.subscribe(consumer).expect("nobody else is there");
    let (message, mut effects) = (Content::transient(16).message(), Vec::new());
    Box::new(move || {
        for _ in 0..COUNT / count {
            let first = queue.next_sequence();
            for _ in 0..count {
                queue.enqueue(message.clone());
            }
            queue.dispatch(&mut effects);
            assert_eq!(dispatched(&effects), count, "a delivery is missing");
            effects.clear();
            if !no_ack {
                let range = SequenceRange { first, last: first + count - 1 };
                queue.settle(&[range], Outcome::Accepted);
            }
        }
        let counts = queue.counts();
        assert_eq!((counts.ready, counts.unsettled), (0, 0), "something is left");
        COUNT
    })
}

/// A message more at the end, and the first one fetched, where so many wait.
fn enqueue_get(waiting_count: u64) -> Round {
    let mut queue = Queue::new(QueueTraits::default());
    let message = Content::transient(16).message();
    let mut run = MessageRun::one(message.clone());
    (1..FILL_STEP).for_each(|_| run.push(message.clone()));
    (0..waiting_count / FILL_STEP).for_each(|_| {
        queue.enqueue_run(run.clone());
    });
    Box::new(move || {
        for _ in 0..COUNT {
            queue.enqueue(message.clone());
            let got = queue.get(true, GetId(0));
            assert!(matches!(got, Fetched::Got(_, left) if left as u64 == waiting_count));
        }
        COUNT
    })
}

/// Messages more at the end, of which every other one is persistent, and their bodies forgotten,
/// where so many like them wait.
fn mixed_shed(waiting_count: u64) -> Round {
    let mut queue = Queue::new(QueueTraits { is_durable: true, ..QueueTraits::default() });
    let messages = [Content::transient(16).message(), Content::persistent(16).message()];
    let mut effects = Vec::new();
    let mut add = move |count: u64| {
        for message in messages.iter().cycle().take(usize::try_from(count).expect("few")) {
            queue.enqueue(message.clone());
        }
        queue.dispatch(&mut effects);
        assert!(!effects.is_empty(), "nothing for the log");
        effects.clear();
        queue.shed(queue.next_sequence(), 0)
    };
    add(waiting_count);
    Box::new(move || {
        assert!(add(COUNT) > 0, "nothing was forgotten");
        COUNT
    })
}

fn dispatched(effects: &[Effect]) -> u64 {
    let runs = effects.iter().map(|effect| match effect {
        Effect::Deliver(_, run) => run.len() as u64,
        _ => 0,
    });
    runs.sum()
}
