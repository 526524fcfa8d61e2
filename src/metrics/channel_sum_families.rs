//! Metrics of all channels together, by RabbitMQ's older names: what `message_families` tells by
//! the type of queue, dashboards of its 3.x series ask for by these.

use super::family::{Family, Seen};
use crate::connection::Consumed;

/// In the order of the answer.
pub(super) static CHANNELS_TOGETHER: &[Family] = &[
    Family::gauge("rabbitmq_channel_consumers", "Consumers of all channels", |seen, values| {
        values.one(seen.queues.consumers)
    }),
    Family::counter(
        "rabbitmq_channel_messages_published_total",
        "Messages published on all channels",
        |seen, values| values.one(seen.broker.traffic.published.received),
    ),
    Family::counter(
        "rabbitmq_channel_messages_confirmed_total",
        "Messages confirmed on all channels",
        |seen, values| values.one(seen.broker.traffic.published.confirmed),
    ),
    Family::counter(
        "rabbitmq_channel_messages_unroutable_returned_total",
        "Messages of all channels that went back to their publishers",
        |seen, values| values.one(seen.broker.traffic.published.returned),
    ),
    Family::counter(
        "rabbitmq_channel_messages_unroutable_dropped_total",
        "Messages of all channels that no queue took and that were dropped",
        |seen, values| values.one(seen.broker.traffic.published.dropped),
    ),
    Family::counter(
        "rabbitmq_channel_get_ack_total",
        "Messages fetched on all channels, to be acknowledged",
        |seen, values| values.one(of_all(seen, |consumed| consumed.get_manual_ack)),
    ),
    Family::counter(
        "rabbitmq_channel_get_total",
        "Messages fetched on all channels without acknowledgement",
        |seen, values| values.one(of_all(seen, |consumed| consumed.get_auto_ack)),
    ),
    Family::counter(
        "rabbitmq_channel_messages_delivered_ack_total",
        "Messages delivered on all channels to consumers that acknowledge",
        |seen, values| values.one(of_all(seen, |consumed| consumed.consume_manual_ack)),
    ),
    Family::counter(
        "rabbitmq_channel_messages_delivered_total",
        "Messages delivered on all channels to consumers that acknowledge nothing",
        |seen, values| values.one(of_all(seen, |consumed| consumed.consume_auto_ack)),
    ),
    Family::counter(
        "rabbitmq_channel_messages_redelivered_total",
        "Messages delivered again on all channels",
        |seen, values| values.one(of_all(seen, |consumed| consumed.redelivered)),
    ),
    Family::counter(
        "rabbitmq_channel_messages_acked_total",
        "Messages acknowledged on all channels",
        |seen, values| values.one(of_all(seen, |consumed| consumed.acknowledged)),
    ),
    Family::counter(
        "rabbitmq_channel_get_empty_total",
        "Times that basic.get found a queue empty, on all channels",
        |seen, values| values.one(of_all(seen, |consumed| consumed.get_empty)),
    ),
    Family::counter(
        "rabbitmq_queue_messages_published_total",
        "Messages given to queues, once for each queue",
        |seen, values| values.one(seen.broker.traffic.published.routed),
    ),
    Family::counter(
        "rabbitmq_queue_disk_reads_total",
        "Bodies that queues read back from the log",
        |seen, values| values.one(seen.broker.store.read_messages),
    ),
    Family::counter(
        "rabbitmq_queue_disk_writes_total",
        "Messages of queues that were written to the log",
        |seen, values| values.one(seen.broker.store.written_messages),
    ),
];

/// From queues of every type.
fn of_all(seen: &Seen<'_>, value: fn(&Consumed) -> u64) -> u64 {
    value(&seen.broker.traffic.classic) + value(&seen.broker.traffic.quorum)
}
