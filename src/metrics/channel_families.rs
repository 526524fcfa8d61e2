//! Metrics of each channel.

use std::borrow::Cow;

use super::object_family::{Group, LABELS_MAX, Object, ObjectFamily};
use crate::broker::{ChannelReport, ListedChannel};

impl Object for ListedChannel {
    type Seen = ChannelReport;

    fn see(&self) -> ChannelReport {
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
pub(super) static CHANNELS: &[Group<ListedChannel>] =
    &[Group { name: "channel_metrics", labels: &["channel"], families: CHANNEL }];

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
