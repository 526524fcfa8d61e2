//! Messages that queues know more of than sessions do, counted where they come and go: those that
//! wait in their exchange or for another try, and those that were not taken because their equal was
//! there. It walks over nothing, and knows no queue.

use std::sync::atomic::{AtomicU64, Ordering};

use super::dead_letter_counts::DeadLetterCounts;
use super::measures::WAIT_MS;
use crate::message::Histogram;

/// Of all virtual hosts together.
#[derive(Debug)]
pub(super) struct MessageCounts {
    /// Milliseconds from a publish to its delivery to a consumer.
    pub(super) deliver_ms: Histogram,
    pub(super) dead_letters: DeadLetterCounts,
    delayed: AtomicU64,
    retried: AtomicU64,
    seen_by_exchanges: AtomicU64,
    present_in_queues: AtomicU64,
}

impl Default for MessageCounts {
    fn default() -> Self {
        Self {
            deliver_ms: Histogram::new(WAIT_MS),
            dead_letters: DeadLetterCounts::default(),
            delayed: AtomicU64::default(),
            retried: AtomicU64::default(),
            seen_by_exchanges: AtomicU64::default(),
            present_in_queues: AtomicU64::default(),
        }
    }
}

/// The same at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageFigures {
    /// Messages that wait in the exchange that they were published to.
    pub delayed: u64,
    /// Messages that came back to their queue and wait there before they are ready again.
    pub retried: u64,
    /// Messages that an exchange did not let pass because it had seen their equal.
    pub seen_by_exchanges: u64,
    /// Messages that a queue did not take because their equal was in it.
    pub present_in_queues: u64,
}

/// Where a message waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// In its exchange, for the time that it asked for.
    Delay,
    /// In its queue, for another try.
    Retry,
}

impl MessageCounts {
    /// One queue has other messages that wait than before.
    pub(super) fn waiting(&self, wait: Wait, before: usize, now: usize) {
        let gauge = match wait {
            Wait::Delay => &self.delayed,
            Wait::Retry => &self.retried,
        };
        // Added before it is taken away elsewhere, or the other way round: modulo 2^64 it is right.
        gauge.fetch_add((now as u64).wrapping_sub(before as u64), Ordering::Relaxed);
    }

    /// Exchanges had seen the equals of so many messages.
    pub(super) fn seen_by_exchanges(&self, count: usize) {
        self.seen_by_exchanges.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Queues had the equals of so many messages.
    pub(super) fn present_in_queues(&self, count: usize) {
        self.present_in_queues.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn figures(&self) -> MessageFigures {
        let told = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MessageFigures {
            delayed: told(&self.delayed),
            retried: told(&self.retried),
            seen_by_exchanges: told(&self.seen_by_exchanges),
            present_in_queues: told(&self.present_in_queues),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::broker::test_world::{World, declaration, deliveries};
    use crate::connection::command::DeclareQueue;
    use crate::message::{Moment, Outcome, SequenceRange};
    use crate::protocol::field::FieldValue;

    #[test]
    fn messages_are_counted_while_they_wait_for_another_try() {
        let mut world = World::new();
        let mut client = world.client();
        let arguments = [
            ("x-delayed-retry-type", FieldValue::from("all")),
            ("x-delayed-retry-min", FieldValue::from(50)),
        ];
        let arguments = arguments.into_iter().collect();
        client.declare_as(&DeclareQueue { durable: true, arguments, ..declaration("q") });
        client.publish("q", &["a", "b", "c"]);
        client.consume("q", 1);
        let taken = deliveries(&client.events());
        let retried = |world: &World| world.broker.figures().messages.retried;
        assert_eq!((taken.len(), retried(&world)), (3, 0));
        for (queue, place, _) in &taken[..2] {
            client.settle(*queue, SequenceRange::one(*place), Outcome::Failed);
        }
        client.session.look_after_queues();
        assert_eq!(retried(&world), 2);
        world.broker.elapse(Moment(60_000));
        assert_eq!(retried(&world), 0, "they are tried again");
        for (queue, place, _) in deliveries(&client.events()) {
            client.at(60_000).settle(queue, SequenceRange::one(place), Outcome::Failed);
        }
        assert_eq!(retried(&world), 2);
        client.plant("q");
        world.turn();
        assert_eq!(retried(&world), 0, "a queue that left service has none that wait");
    }
}
