//! Metrics of what clients open, declare and leave: connections, channels, queues and logins.

use super::family::{Family, Seen};

/// In the order of the answer.
pub(super) static CLIENTS: &[Family] = &[
    Family::gauge(
        "rabbitmq_connections",
        "Open connections, with those that are logging in",
        |seen, values| {
            values.one(seen.broker.connections);
        },
    ),
    Family::counter(
        "rabbitmq_connections_opened_total",
        "Connections that entered a virtual host",
        |seen, values| values.one(seen.broker.churn.connections.opened),
    ),
    Family::counter(
        "rabbitmq_connections_closed_total",
        "Connections that had entered a virtual host and ended",
        |seen, values| values.one(seen.broker.churn.connections.closed),
    ),
    Family::gauge("rabbitmq_channels", "Open channels", |seen, values| {
        values.one(seen.broker.churn.channels.present())
    }),
    Family::counter(
        "rabbitmq_channels_opened_total",
        "Channels that clients opened",
        |seen, values| values.one(seen.broker.churn.channels.opened),
    ),
    Family::counter(
        "rabbitmq_channels_closed_total",
        "Channels that were closed, or ended with their connection",
        |seen, values| values.one(seen.broker.churn.channels.closed),
    ),
    Family::gauge("rabbitmq_consumers", "Consumers of all queues", |seen, values| {
        values.one(seen.queues.consumers)
    }),
    Family::gauge("rabbitmq_queues", "Queues of all virtual hosts", |seen, values| {
        values.one(seen.broker.queues);
    }),
    Family::counter(
        "rabbitmq_queues_declared_total",
        "Declarations of queues, also of those that were there",
        |seen, values| values.one(seen.broker.churn.queues_declared),
    ),
    Family::counter(
        "rabbitmq_queues_created_total",
        "Queues that clients created",
        |seen, values| values.one(seen.broker.churn.queues_created),
    ),
    Family::counter(
        "rabbitmq_queues_deleted_total",
        "Queues that were deleted, or went by themselves",
        |seen, values| values.one(seen.broker.churn.queues_deleted),
    ),
    Family::gauge(
        "rabbitmq_queue_messages_ready",
        "Messages that wait for a consumer, in all queues",
        |seen, values| values.one(seen.queues.ready),
    ),
    Family::gauge(
        "rabbitmq_queue_messages_unacked",
        "Messages that are out with consumers, of all queues",
        |seen, values| values.one(seen.queues.unacked),
    ),
    Family::gauge(
        "rabbitmq_queue_messages",
        "Messages that wait for a consumer or are out with one",
        |seen, values| values.one(seen.queues.ready + seen.queues.unacked),
    ),
    Family::gauge(
        "rabbitmq_queue_messages_bytes",
        "Bytes of all queues' bodies, waiting or out with consumers",
        |seen, values| values.one(seen.queues.ready_bytes + seen.queues.unacked_bytes),
    ),
    Family::gauge(
        "rabbitmq_queue_messages_ready_bytes",
        "Bytes of all queues' bodies that wait for a consumer",
        |seen, values| values.one(seen.queues.ready_bytes),
    ),
    Family::gauge(
        "rabbitmq_queue_messages_unacked_bytes",
        "Bytes of all queues' bodies that are out with consumers",
        |seen, values| values.one(seen.queues.unacked_bytes),
    ),
    Family::gauge(
        "rabbitmq_queue_messages_ram",
        "Messages of all queues whose bodies are in memory",
        |seen, values| values.one(in_memory(seen)),
    ),
    Family::gauge(
        "rabbitmq_queue_messages_ready_ram",
        "Messages of all queues that wait and whose bodies are in memory",
        |seen, values| values.one(seen.queues.ready_in_memory),
    ),
    Family::gauge(
        "rabbitmq_queue_messages_unacked_ram",
        "Messages of all queues that are out and whose bodies are in memory",
        |seen, values| values.one(seen.queues.unacked_in_memory),
    ),
    Family::gauge(
        "rabbitmq_queue_messages_paged_out",
        "Messages of all queues whose bodies are on disk only",
        |seen, values| {
            let all = seen.queues.ready + seen.queues.unacked;
            values.one(all.saturating_sub(in_memory(seen)));
        },
    ),
    Family::gauge(
        "rabbitmq_queue_messages_paged_out_bytes",
        "Bytes of all queues' bodies that are on disk only",
        |seen, values| {
            let all = seen.queues.ready_bytes + seen.queues.unacked_bytes;
            values.one(all.saturating_sub(seen.queues.in_memory_bytes));
        },
    ),
    Family::gauge(
        "rabbitmq_queue_messages_ram_bytes",
        "Bytes of all queues' bodies that are in memory",
        |seen, values| values.one(seen.queues.in_memory_bytes),
    ),
    Family::gauge(
        "leveret_queue_oldest_ready_age_seconds",
        "Age of the message that is next in its queue and waits longest of these",
        |seen, values| values.age(seen.queues.next_came_at, seen.now),
    ),
    Family::gauge(
        "leveret_queue_oldest_unacked_age_seconds",
        "Age of the message that is the oldest of those that are out",
        |seen, values| values.age(seen.queues.unacked_came_at, seen.now),
    ),
    Family::gauge("rabbitmq_queue_consumers", "Consumers of all queues", |seen, values| {
        values.one(seen.queues.consumers)
    }),
    Family::counter(
        "rabbitmq_auth_attempts_total",
        "Clients that tried to log in",
        |seen, values| {
            let churn = &seen.broker.churn;
            values.amqp(churn.logins_succeeded + churn.logins_failed);
        },
    ),
    Family::counter(
        "rabbitmq_auth_attempts_succeeded_total",
        "Clients that logged in",
        |seen, values| values.amqp(seen.broker.churn.logins_succeeded),
    ),
    Family::counter(
        "rabbitmq_auth_attempts_failed_total",
        "Clients that were refused, for what they said of themselves",
        |seen, values| values.amqp(seen.broker.churn.logins_failed),
    ),
];

fn in_memory(seen: &Seen<'_>) -> u64 {
    seen.queues.ready_in_memory + seen.queues.unacked_in_memory
}
