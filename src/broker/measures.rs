//! How large messages are and how long things take, as histograms: each adds once for many
//! messages. Times are handed in; nothing here reads a clock.

use super::session::Session;
use super::shared::Broker;
use crate::message::{Histogram, HistogramFigures, MessageRun, Tally};

/// Bytes: the buckets of RabbitMQ 4.x.
pub(super) const SIZES: &[u64] =
    &[100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 50_000_000, 100_000_000];

/// Microseconds of one sync.
const SYNC_US: &[u64] = &[
    50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 5_000_000,
];

/// Adds the sizes of these messages, of most runs with one look.
#[inline]
pub(super) fn count_sizes(messages: &MessageRun, sizes: &mut Tally) {
    match messages.even_size() {
        Some(size) => sizes.count(SIZES, size, messages.len()),
        None => messages.iter().for_each(|message| sizes.count(SIZES, message.body_size(), 1)),
    }
}

/// Milliseconds, which is as fine as the broker's clock is.
pub(super) const WAIT_MS: &[u64] =
    &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 60_000];

/// All of them.
#[derive(Debug)]
pub(super) struct Measures {
    /// Bytes of bodies that clients published.
    pub(super) sizes: Histogram,
    /// From the publish to the confirm, of messages whose confirm waited for the disk.
    pub(super) confirm_ms: Histogram,
    /// How long syncs of the log took.
    pub(super) sync_us: Histogram,
}

/// What they came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeasuredFigures {
    /// Bytes of bodies that clients published.
    pub sizes: HistogramFigures,
    /// Milliseconds from the publish to the confirm, of messages whose confirm waited for the disk.
    pub confirm_ms: HistogramFigures,
    /// Microseconds that syncs of the log took.
    pub sync_us: HistogramFigures,
    /// Milliseconds from the publish to the delivery to a consumer; of messages that are delivered
    /// together, of their first.
    pub deliver_ms: HistogramFigures,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            sizes: Histogram::new(SIZES),
            confirm_ms: Histogram::new(WAIT_MS),
            sync_us: Histogram::new(SYNC_US),
        }
    }
}

impl Measures {
    /// What they came to, with what queues measure by themselves.
    pub(super) fn figures(&self, deliver_ms: HistogramFigures) -> MeasuredFigures {
        MeasuredFigures {
            sizes: self.sizes.figures(),
            confirm_ms: self.confirm_ms.figures(),
            sync_us: self.sync_us.figures(),
            deliver_ms,
        }
    }
}

impl Session {
    /// What this step published is seen from now on.
    #[inline(never)]
    pub(super) fn tell_sizes(&mut self) {
        self.broker.measures.sizes.add_all(self.id.0, &mut self.meter.sizes);
    }
}

impl Broker {
    /// A sync of the log took so long.
    pub fn count_sync(&self, microseconds: u64) {
        self.measures.sync_us.add(0, microseconds, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::test_world::World;
    use crate::message::{Body, Envelope, Message, Moment};

    fn message(size: usize) -> Message {
        let envelope =
            Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: false };
        Message::new(envelope, Body::Copied(&vec![b'x'; size]))
    }

    #[test]
    fn what_clients_publish_is_counted_by_its_size() {
        let world = World::new();
        let mut client = world.client();
        client.declare("q", false);
        client.publish("q", &["a", "b", &"c".repeat(5000)]);
        client.session.pay();
        let sizes = world.broker.figures().measured.sizes;
        assert_eq!((&sizes.counts[..4], sizes.sum), (&[2, 0, 1, 0][..], 5002));
    }

    #[test]
    fn each_message_of_an_uneven_run_is_counted_by_its_own_size() {
        let mut run = MessageRun::one(message(1));
        run.push(message(100));
        run.push(message(101));
        let (histogram, mut tally) = (Histogram::new(SIZES), Tally::default());
        count_sizes(&run, &mut tally);
        histogram.add_all(1, &mut tally);
        let sizes = histogram.figures();
        assert_eq!((&sizes.counts[..3], sizes.sum), (&[2, 1, 0][..], 202));
    }

    #[test]
    fn a_confirm_that_waits_for_the_disk_is_timed() {
        let mut world = World::new();
        let mut client = world.client();
        client.declare("q", true);
        client.publish("q", &["a", "b"]);
        let then = client.session.work.now;
        world.turn();
        assert!(client.session.awaits_disk());
        client.session.learn_time(then.plus(7));
        assert_eq!(client.outcomes(), (vec![1, 2], vec![]));
        let waited = world.broker.figures().measured.confirm_ms;
        assert_eq!((waited.sum, waited.counts.iter().sum::<u64>()), (14, 2));
        assert!(!client.session.awaits_disk());
    }

    #[test]
    fn a_delivery_is_timed_from_the_publish() {
        let world = World::new();
        let mut client = world.client();
        client.declare("q", false);
        client.at(10).publish("q", &["a", "b"]);
        client.at(25).consume("q", 1);
        let waited = || {
            let waited = world.broker.figures().measured.deliver_ms;
            (waited.sum, waited.counts.iter().sum::<u64>())
        };
        assert_eq!(waited(), (30, 2));
        client.at(40).publish("q", &["c"]);
        assert_eq!(waited(), (30, 3), "it did not wait");
        assert_eq!(world.broker.queue_figures().unacked_came_at, Some(Moment(10)));
    }

    #[test]
    fn a_sync_is_counted_by_what_it_took() {
        let world = World::new();
        world.broker.count_sync(700);
        let took = world.broker.figures().measured.sync_us;
        assert_eq!((took.sum, took.counts.iter().sum::<u64>()), (700, 1));
    }
}
