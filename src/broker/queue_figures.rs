//! What all queues hold together: the one figure for which somebody walks over them. To keep a sum
//! would take a step on a number that all share whenever a message comes or goes; a walk takes each
//! queue's lock for a moment, and only when somebody asks. Who asks again at once, a door decides.

use super::lock::{lock, read};
use super::shared::Broker;
use crate::message::{Moment, Sequence};

/// What the queues of all virtual hosts hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueFigures {
    /// Messages that wait for a consumer.
    pub ready: u64,
    /// Messages that are out with consumers.
    pub unacked: u64,
    /// Consumers.
    pub consumers: u64,
    /// Bytes of the bodies that wait.
    pub ready_bytes: u64,
    /// Bytes of the bodies that are out.
    pub unacked_bytes: u64,
    /// Of those that wait, the messages whose bodies are in memory.
    pub ready_in_memory: u64,
    /// The same of those that are out.
    pub unacked_in_memory: u64,
    /// Bytes of these bodies.
    pub in_memory_bytes: u64,
    /// When the one came that waits longest, of those that are next in their queues.
    pub next_came_at: Option<Moment>,
    /// The same of those that are out.
    pub unacked_came_at: Option<Moment>,
}

impl Broker {
    /// Looks at every queue, at one after the other: what goes from one to another meanwhile may be
    /// seen twice, or not at all.
    #[must_use]
    pub fn queue_figures(&self) -> QueueFigures {
        let hosts: Vec<_> = read(&self.virtual_hosts).values().cloned().collect();
        let mut sum = QueueFigures::default();
        for handle in hosts.iter().flat_map(|host| host.all_queues()) {
            let live = lock(&handle.live);
            let report = live.queue.brief_report();
            let came_at = |place: Option<Sequence>| place.and_then(|place| live.came_at(place));
            sum.next_came_at = earlier(sum.next_came_at, came_at(report.next_ready));
            sum.unacked_came_at = earlier(sum.unacked_came_at, came_at(report.first_unsettled));
            sum.ready += report.counts.ready as u64;
            sum.unacked += report.counts.unsettled as u64;
            sum.consumers += report.counts.consumers as u64;
            sum.ready_bytes += report.counts.ready_bytes;
            sum.unacked_bytes += report.unsettled_bytes;
            sum.ready_in_memory += report.ready_in_memory as u64;
            sum.unacked_in_memory += report.unsettled_in_memory as u64;
            sum.in_memory_bytes += report.in_memory_bytes;
        }
        sum
    }
}

fn earlier(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::test_world::{World, deliveries};
    use crate::message::{Outcome, SequenceRange};

    #[test]
    fn queues_are_added_up_with_what_is_out_and_who_consumes() {
        let world = World::new();
        let mut client = world.client();
        client.declare("q", true);
        client.declare("r", false);
        assert_eq!(world.broker.queue_figures(), QueueFigures::default());
        client.publish("q", &["a", "b", "c"]);
        client.publish("r", &["d"]);
        // Each body is one byte, and in memory.
        let figures = |ready, unacked, consumers| QueueFigures {
            ready,
            unacked,
            consumers,
            ready_bytes: ready,
            unacked_bytes: unacked,
            ready_in_memory: ready,
            unacked_in_memory: unacked,
            in_memory_bytes: ready + unacked,
            // All came at the beginning.
            next_came_at: (ready > 0).then_some(Moment(0)),
            unacked_came_at: (unacked > 0).then_some(Moment(0)),
        };
        assert_eq!(world.broker.queue_figures(), figures(4, 0, 0));
        client.consume("q", 1);
        assert_eq!(world.broker.queue_figures(), figures(1, 3, 1));
        let (queue, place, _) = deliveries(&client.events())[0].clone();
        client.settle(queue, SequenceRange::one(place), Outcome::Accepted);
        assert_eq!(world.broker.queue_figures(), figures(1, 2, 1));
        client.delete("q");
        assert_eq!(world.broker.queue_figures(), figures(1, 0, 0));
    }
}
