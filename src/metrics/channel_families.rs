//! Metrics of each channel.

use std::borrow::Cow;

use super::object_family::{Group, LABELS_MAX, Object, ObjectFamily};
use crate::broker::{ChannelReport, ListedChannel};
use crate::message::Moment;

impl Object for ListedChannel {
    type Seen = ChannelReport;

    fn see(&self, _now: Moment) -> ChannelReport {
        self.report()
    }

    /// The name by which listings know it, where RabbitMQ has the number of an Erlang process.
    fn labels(&self) -> [Cow<'_, str>; LABELS_MAX] {
        let name = format!("{} ({})", self.connection.name(), self.number);
        [name.into(), self.connection.virtual_host().into(), "".into()]
    }
}

type ChannelFamily = ObjectFamily<ListedChannel>;

/// All there are, in the order of the answer.
pub(super) static CHANNELS: &[Group<ListedChannel>] = &[
    Group { name: "channel_metrics", labels: &["channel"], families: CHANNEL },
    Group { name: "channel_exchange_metrics", labels: OF_HOST, families: PUBLISHES },
    Group { name: "channel_queue_metrics", labels: OF_HOST, families: DELIVERIES },
];

/// RabbitMQ tells these of each exchange or queue by itself.
const OF_HOST: &[&str] = &["channel", "vhost"];

const PUBLISHES: &[ChannelFamily] = &[
    ChannelFamily::counter(
        "channel_messages_published_total",
        "Messages published on the channel",
        |_, seen| Some(seen.traffic.published.received),
    ),
    ChannelFamily::counter(
        "channel_messages_confirmed_total",
        "Messages confirmed on the channel",
        |_, seen| Some(seen.traffic.published.confirmed),
    ),
    ChannelFamily::counter(
        "channel_messages_unroutable_returned_total",
        "Messages of the channel that went back to their publisher",
        |_, seen| Some(seen.traffic.published.returned),
    ),
    ChannelFamily::counter(
        "channel_messages_unroutable_dropped_total",
        "Messages of the channel that no queue took and that were dropped",
        |_, seen| Some(seen.traffic.published.dropped),
    ),
];

const DELIVERIES: &[ChannelFamily] = &[
    ChannelFamily::counter(
        "channel_get_ack_total",
        "Messages fetched on the channel, to be acknowledged",
        |_, seen| Some(seen.traffic.consumed().get_manual_ack),
    ),
    ChannelFamily::counter(
        "channel_get_total",
        "Messages fetched on the channel without acknowledgement",
        |_, seen| Some(seen.traffic.consumed().get_auto_ack),
    ),
    ChannelFamily::counter(
        "channel_messages_delivered_ack_total",
        "Messages delivered on the channel to consumers that acknowledge",
        |_, seen| Some(seen.traffic.consumed().consume_manual_ack),
    ),
    ChannelFamily::counter(
        "channel_messages_delivered_total",
        "Messages delivered on the channel to consumers that acknowledge nothing",
        |_, seen| Some(seen.traffic.consumed().consume_auto_ack),
    ),
    ChannelFamily::counter(
        "channel_messages_redelivered_total",
        "Messages delivered again on the channel",
        |_, seen| Some(seen.traffic.consumed().redelivered),
    ),
    ChannelFamily::counter(
        "channel_messages_acked_total",
        "Messages acknowledged on the channel",
        |_, seen| Some(seen.traffic.consumed().acknowledged),
    ),
    ChannelFamily::counter(
        "channel_get_empty_total",
        "Times that basic.get on the channel found a queue empty",
        |_, seen| Some(seen.traffic.consumed().get_empty),
    ),
];

const CHANNEL: &[ChannelFamily] = &[
    ChannelFamily::gauge("channel_consumers", "Consumers of the channel", |_, seen| {
        Some(seen.consumers)
    }),
    ChannelFamily::gauge(
        "channel_messages_unacked",
        "Messages that are out on the channel",
        |_, seen| Some(seen.unsettled),
    ),
    ChannelFamily::gauge(
        "channel_messages_unconfirmed",
        "Publishes on the channel that wait for their confirm",
        |_, seen| Some(seen.unconfirmed),
    ),
    ChannelFamily::gauge(
        "channel_messages_uncommitted",
        "Publishes on the channel that wait for tx.commit",
        |_, seen| Some(seen.uncommitted),
    ),
    ChannelFamily::gauge(
        "channel_acks_uncommitted",
        "Settlements on the channel that wait for tx.commit",
        |_, seen| Some(seen.acks_uncommitted),
    ),
    ChannelFamily::gauge(
        "consumer_prefetch",
        "Unacknowledged messages that a new consumer of the channel may have; 0 is any number",
        |_, seen| Some(seen.prefetch_count.into()),
    ),
    ChannelFamily::gauge(
        "channel_prefetch",
        "Unacknowledged messages of all consumers of the channel together; 0 is any number",
        |_, seen| Some(seen.global_prefetch_count),
    ),
];
