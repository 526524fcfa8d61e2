//! `message_stats`: how many messages came and went so far, and how fast they do now. Figures that
//! belong together are told together, once one of them is not zero, as in RabbitMQ.

use serde_json::{Map, Value};

use super::look::Look;
use super::spans::Span;
use crate::broker::{QueueTraffic, TrafficFigures};
use crate::connection::{Consumed, Published};
use crate::routing::ExchangeFigures;
use crate::store::StoreFigures;

type Group = Vec<(&'static str, u64)>;

/// Figures in their groups.
#[derive(Clone, Debug, Default)]
pub(super) struct MessageStats(Vec<Group>);

impl MessageStats {
    /// Of a channel, or of all in a virtual host or on the node.
    pub(super) fn of_channels(traffic: &TrafficFigures) -> Self {
        Self(vec![published(&traffic.published), consumed(&traffic.consumed())])
    }

    /// Of what comes in alone.
    pub(super) fn of_publishes(publishes: &Published) -> Self {
        Self(vec![published(publishes)])
    }

    pub(super) fn of_queue(traffic: &QueueTraffic) -> Self {
        let QueueTraffic { published, disk_reads, disk_writes, .. } = *traffic;
        let disk = disk(disk_reads, disk_writes);
        Self(vec![vec![("publish", published)], consumed(&traffic_out(traffic)), disk])
    }

    /// With what all queues of the node read from the log and wrote to it.
    pub(super) fn with_disk(mut self, store: &StoreFigures) -> Self {
        self.0.push(disk(store.read_messages, store.written_messages));
        self
    }

    pub(super) fn of_exchange(figures: ExchangeFigures) -> Self {
        let ExchangeFigures { published_in, published_out, .. } = figures;
        Self(vec![vec![("publish_in", published_in), ("publish_out", published_out)]])
    }

    /// The figures, as samples have them.
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.0.iter().flatten().map(|(_, count)| *count).collect()
    }

    /// Everything with its rate, of a look at these numbers; nothing where nothing happened yet.
    pub(super) fn shape(&self, look: &Look, span: Option<Span>) -> Option<Value> {
        let mut shape = Map::new();
        let mut first = 0;
        for group in &self.0 {
            if group.iter().any(|(_, count)| *count > 0) {
                shape.extend(look.told(group, first, span));
            }
            first += group.len();
        }
        (!shape.is_empty()).then_some(Value::Object(shape))
    }
}

fn published(published: &Published) -> Group {
    vec![
        ("publish", published.received),
        ("confirm", published.confirmed),
        ("return_unroutable", published.returned),
        ("drop_unroutable", published.dropped),
    ]
}

fn disk(reads: u64, writes: u64) -> Group {
    vec![("disk_reads", reads), ("disk_writes", writes)]
}

fn consumed(consumed: &Consumed) -> Group {
    vec![
        ("deliver", consumed.consume_manual_ack),
        ("deliver_no_ack", consumed.consume_auto_ack),
        ("get", consumed.get_manual_ack),
        ("get_no_ack", consumed.get_auto_ack),
        ("get_empty", consumed.get_empty),
        ("deliver_get", consumed.delivered()),
        ("redeliver", consumed.redelivered),
        ("ack", consumed.acknowledged),
    ]
}

fn traffic_out(traffic: &QueueTraffic) -> Consumed {
    Consumed {
        consume_auto_ack: traffic.delivered_no_ack,
        consume_manual_ack: traffic.delivered,
        get_auto_ack: traffic.got_no_ack,
        get_manual_ack: traffic.got,
        get_empty: traffic.got_empty,
        redelivered: traffic.redelivered,
        acknowledged: traffic.acknowledged,
    }
}
