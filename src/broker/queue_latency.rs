//! How long messages of one queue wait from their publish to their delivery: measured of queues
//! whose times somebody asks for, from the first time on until nobody does. Of all others a
//! delivery costs a look at nothing. All queues together are in `measures`.

use super::listed_queue::ListedQueue;
use super::lock::lock;
use super::measures::WAIT_MS;
use crate::limits::LATENCY_FORGOTTEN_MS;
use crate::message::{HistogramFigures, Moment, OwnHistogram};

/// The times of a queue, under its lock.
#[derive(Debug)]
pub(super) struct Latency {
    waits_ms: OwnHistogram,
    /// When somebody asked last.
    asked_at: Moment,
}

/// So many messages waited so long.
#[inline]
pub(super) fn note(
    latency: &mut Option<Box<Latency>>,
    (waited_ms, count): (u64, usize),
    now: Moment,
) {
    if latency.is_some() {
        note_asked(latency, (waited_ms, count), now);
    }
}

#[inline(never)]
fn note_asked(latency: &mut Option<Box<Latency>>, (waited_ms, count): (u64, usize), now: Moment) {
    let is_forgotten =
        |latency: &mut Box<Latency>| now.since(latency.asked_at) >= LATENCY_FORGOTTEN_MS;
    latency.take_if(is_forgotten);
    if let Some(latency) = latency {
        latency.waits_ms.add(waited_ms, count as u64);
    }
}

impl ListedQueue {
    /// Milliseconds from the publish to the delivery to a consumer, of messages that were delivered
    /// since somebody asked for it first; of those that are delivered together, of their first.
    #[must_use]
    pub fn delivery_times(&self, now: Moment) -> HistogramFigures {
        let mut live = lock(&self.handle.live);
        let new = || Box::new(Latency { waits_ms: OwnHistogram::new(WAIT_MS), asked_at: now });
        let latency = live.latency.get_or_insert_with(new);
        latency.asked_at = now;
        latency.waits_ms.figures()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::test_world::World;

    #[test]
    fn the_times_of_a_queue_are_measured_while_somebody_asks_for_them() {
        let world = World::new();
        let mut client = world.client();
        ["q", "r"].iter().for_each(|queue| client.declare(queue, false));
        let asked = |at: u64| {
            let times = world.broker.queue("/", "q").unwrap().delivery_times(Moment(at));
            (times.counts.iter().sum::<u64>(), times.sum)
        };
        let is_measured = |queue: &str| {
            let queue = world.broker.queue("/", queue).unwrap();
            lock(&queue.handle.live).latency.is_some()
        };
        client.at(10).publish("q", &["a"]);
        client.at(20).consume("q", 1);
        assert!(!is_measured("q"), "nobody asked");
        assert_eq!(asked(30), (0, 0), "what was before nobody knows");
        client.at(40).publish("q", &["b", "c"]);
        assert_eq!(asked(50), (2, 0));
        client.at(60).publish("r", &["d"]);
        client.at(70).consume("r", 2);
        assert!(is_measured("q") && !is_measured("r"));
        let late = 50 + LATENCY_FORGOTTEN_MS;
        client.at(late - 1).publish("q", &["e"]);
        assert!(is_measured("q"));
        client.at(late).publish("q", &["f"]);
        assert!(!is_measured("q"), "nobody asks any more");
        assert_eq!(asked(late), (0, 0), "it begins anew");
    }

    #[test]
    fn a_message_of_a_queue_is_timed_from_its_publish() {
        let world = World::new();
        let mut client = world.client();
        client.declare("q", false);
        let queue = world.broker.queue("/", "q").unwrap();
        let _ = queue.delivery_times(Moment(0));
        client.at(10).publish("q", &["a", "b"]);
        client.at(25).consume("q", 1);
        let times = queue.delivery_times(Moment(25));
        assert_eq!((times.sum, times.counts.iter().sum::<u64>()), (30, 2));
        assert_eq!(times.counts, world.broker.figures().measured.deliver_ms.counts);
    }
}
