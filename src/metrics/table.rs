//! The one table of metrics: every name with its help text and where its values come from. Names of
//! RabbitMQ are its own, help texts are ours; what it has not begins with `leveret_`.

use super::text::{Kind, Text};
use super::{MetricsOptions, ProcessFigures};
use crate::broker::{
    Alarm, BrokerFigures, DeadLetterFigures, DeadLettersSent, QueueFigures, Strategy,
};
use crate::connection::Consumed;
use crate::message::{DeathReason, Name, QueueKind};
use crate::store::Health;

/// What is told, all of one moment.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) options: &'a MetricsOptions,
    /// The name of the cluster.
    pub(super) cluster: Name,
    pub(super) process: ProcessFigures,
    pub(super) queues: QueueFigures,
    pub(super) broker: BrokerFigures,
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    values: fn(&Seen<'_>, &mut Values<'_>),
}

/// Takes the values of one metric.
#[derive(Debug)]
struct Values<'a> {
    text: &'a mut Text,
    name: &'static str,
}

/// The only protocol there is, as a label.
const AMQP: (&str, &str) = ("protocol", "amqp091");

/// Every metric, in the order of the answer.
pub(super) static FAMILIES: &[Family] = &[
    Family::gauge(
        "rabbitmq_build_info",
        "Versions of the broker, and of what it stands in for",
        build_info,
    ),
    Family::gauge("rabbitmq_identity_info", "Names of the node and its cluster", identity_info),
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
    Family::gauge(
        "rabbitmq_process_resident_memory_bytes",
        "Bytes of memory that the process has",
        |seen, values| values.any(seen.process.resident_bytes),
    ),
    Family::gauge(
        "rabbitmq_resident_memory_limit_bytes",
        "Bytes of memory above which publishers are blocked",
        |seen, values| values.one(seen.broker.memory_limit),
    ),
    Family::gauge(
        "rabbitmq_process_open_fds",
        "Files and sockets that the process has open",
        |seen, values| values.any(seen.process.open_files),
    ),
    Family::gauge(
        "rabbitmq_process_max_fds",
        "Files and sockets that the process may have open",
        |seen, values| values.any(seen.process.open_files_max),
    ),
    Family::gauge(
        "rabbitmq_erlang_uptime_seconds",
        "Seconds since the node started",
        |seen, values| values.one(seen.process.uptime_ms / 1000),
    ),
    Family::gauge(
        "rabbitmq_disk_space_available_bytes",
        "Free bytes of the disk with the data directory",
        |seen, values| values.one(seen.broker.store.free_bytes),
    ),
    Family::gauge(
        "rabbitmq_disk_space_available_limit_bytes",
        "Free bytes of the disk below which publishers are blocked",
        |seen, values| values.one(seen.broker.disk_free_limit),
    ),
    Family::gauge(
        "rabbitmq_alarms_free_disk_space_watermark",
        "is 1 while publishers are blocked because the disk is nearly full",
        |seen, values| values.one(seen.broker.alarms.has(Alarm::Disk).into()),
    ),
    Family::gauge(
        "rabbitmq_alarms_memory_used_watermark",
        "is 1 while publishers are blocked because the process has too much memory",
        |seen, values| values.one(seen.broker.alarms.has(Alarm::Memory).into()),
    ),
    Family::gauge(
        "rabbitmq_alarms_file_descriptor_limit",
        "is 1 while no further file or socket can be opened",
        file_descriptor_limit,
    ),
    Family::gauge(
        "rabbitmq_global_publishers",
        "Open channels on which something was published",
        |seen, values| values.amqp(seen.broker.churn.publishers.present()),
    ),
    Family::gauge("rabbitmq_global_consumers", "Consumers of all queues", |seen, values| {
        values.amqp(seen.queues.consumers)
    }),
    Family::counter(
        "rabbitmq_global_messages_received_total",
        "Messages that clients published",
        |seen, values| values.amqp(seen.broker.traffic.published.received),
    ),
    Family::counter(
        "rabbitmq_global_messages_received_confirm_total",
        "Messages published on channels with confirms or transactions",
        |seen, values| values.amqp(seen.broker.traffic.published.received_confirm),
    ),
    Family::counter(
        "rabbitmq_global_messages_confirmed_total",
        "Messages confirmed to their publishers",
        |seen, values| values.amqp(seen.broker.traffic.published.confirmed),
    ),
    Family::counter(
        "rabbitmq_global_messages_routed_total",
        "Messages given to queues, once for each queue",
        |seen, values| values.amqp(seen.broker.traffic.published.routed),
    ),
    Family::counter(
        "rabbitmq_global_messages_unroutable_dropped_total",
        "Messages that no queue took and that were dropped",
        |seen, values| values.amqp(seen.broker.traffic.published.dropped),
    ),
    Family::counter(
        "rabbitmq_global_messages_unroutable_returned_total",
        "Messages that no queue took and that went back to their publishers",
        |seen, values| values.amqp(seen.broker.traffic.published.returned),
    ),
    Family::counter(
        "rabbitmq_global_messages_delivered_total",
        "Messages delivered to consumers or fetched",
        |seen, values| by_queue_type(seen, values, |consumed| consumed.delivered()),
    ),
    Family::counter(
        "rabbitmq_global_messages_delivered_consume_auto_ack_total",
        "Messages delivered to consumers that acknowledge nothing",
        |seen, values| by_queue_type(seen, values, |consumed| consumed.consume_auto_ack),
    ),
    Family::counter(
        "rabbitmq_global_messages_delivered_consume_manual_ack_total",
        "Messages delivered to consumers that acknowledge",
        |seen, values| by_queue_type(seen, values, |consumed| consumed.consume_manual_ack),
    ),
    Family::counter(
        "rabbitmq_global_messages_delivered_get_auto_ack_total",
        "Messages fetched by basic.get without acknowledgement",
        |seen, values| by_queue_type(seen, values, |consumed| consumed.get_auto_ack),
    ),
    Family::counter(
        "rabbitmq_global_messages_delivered_get_manual_ack_total",
        "Messages fetched by basic.get, to be acknowledged",
        |seen, values| by_queue_type(seen, values, |consumed| consumed.get_manual_ack),
    ),
    Family::counter(
        "rabbitmq_global_messages_get_empty_total",
        "Times that basic.get found the queue empty",
        |seen, values| by_queue_type(seen, values, |consumed| consumed.get_empty),
    ),
    Family::counter(
        "rabbitmq_global_messages_redelivered_total",
        "Messages delivered again",
        |seen, values| by_queue_type(seen, values, |consumed| consumed.redelivered),
    ),
    Family::counter(
        "rabbitmq_global_messages_acknowledged_total",
        "Messages that clients acknowledged",
        |seen, values| by_queue_type(seen, values, |consumed| consumed.acknowledged),
    ),
    Family::counter(
        "rabbitmq_global_messages_dead_lettered_rejected_total",
        "Messages that consumers rejected and that left for a dead-letter exchange",
        |seen, values| dead_letters(seen, DeathReason::Rejected, values),
    ),
    Family::counter(
        "rabbitmq_global_messages_dead_lettered_expired_total",
        "Messages whose time was over and that left for a dead-letter exchange",
        |seen, values| dead_letters(seen, DeathReason::Expired, values),
    ),
    Family::counter(
        "rabbitmq_global_messages_dead_lettered_maxlen_total",
        "Messages that a full queue let go or refused and that left for a dead-letter exchange",
        |seen, values| dead_letters(seen, DeathReason::MaxLength, values),
    ),
    Family::counter(
        "rabbitmq_global_messages_dead_lettered_delivery_limit_total",
        "Messages delivered too often that left for a dead-letter exchange",
        |seen, values| dead_letters(seen, DeathReason::DeliveryLimit, values),
    ),
    Family::counter(
        "rabbitmq_global_messages_dead_lettered_confirmed_total",
        "Dead letters that came to their queues and would have stayed where they died otherwise",
        dead_letters_confirmed,
    ),
    Family::counter(
        "leveret_dead_letters_dropped_total",
        "Dead letters without an exchange or a route, in a cycle, or refused by a full queue",
        dead_letters_dropped,
    ),
    Family::gauge(
        "leveret_messages_waiting",
        "Messages that no consumer gets yet: delayed in their exchange, or before another try",
        messages_waiting,
    ),
    Family::counter(
        "leveret_duplicates_total",
        "Messages not taken because an exchange had seen their equal, or a queue still had it",
        duplicates,
    ),
    Family::counter(
        "leveret_store_quarantined_places_total",
        "Damaged places of the log: found at the start, and messages that reading found since",
        |seen, values| values.one(seen.broker.store.quarantined_places),
    ),
    Family::gauge(
        "leveret_store_quarantined_bytes",
        "Damaged bytes that the last start set aside in quarantine files",
        |seen, values| values.one(seen.broker.store.quarantined_bytes),
    ),
    Family::gauge(
        "leveret_store_torn_bytes",
        "Bytes never known to be on disk that the last start cut off the end of the log",
        |seen, values| values.one(seen.broker.store.torn_bytes),
    ),
    Family::gauge(
        "leveret_store_damaged_checkpoints",
        "Checkpoints that the last start found damaged and set aside",
        |seen, values| values.one(seen.broker.store.damaged_checkpoints),
    ),
    Family::gauge(
        "leveret_store_is_poisoned",
        "is 1 if a write or a sync failed for good: nothing is confirmed before a restart",
        |seen, values| values.one(matches!(seen.broker.health, Health::Poisoned(_)).into()),
    ),
    Family::gauge(
        "leveret_store_is_full",
        "is 1 while the disk is full: confirms wait until it has room",
        |seen, values| values.one((seen.broker.health == Health::Full).into()),
    ),
    Family::counter("leveret_store_written_bytes_total", "Bytes given to the disk", written_bytes),
    Family::counter("leveret_store_batches_total", "Batches written to the log", |seen, values| {
        values.one(seen.broker.store.batches);
    }),
    Family::counter("leveret_store_syncs_total", "Syncs of log files", |seen, values| {
        values.one(seen.broker.store.syncs);
    }),
    Family::gauge("leveret_store_log_files", "Log files in the data directory", |seen, values| {
        values.one(seen.broker.store.log_files);
    }),
    Family::gauge(
        "leveret_memory_body_bytes",
        "Bytes of message bodies in memory: on disk too, nowhere else, and on their way in",
        body_bytes,
    ),
];

/// The text of an answer.
pub(super) fn text(seen: &Seen<'_>) -> String {
    let mut text = Text::default();
    for family in FAMILIES {
        text.head(family.name, family.kind, family.help);
        (family.values)(seen, &mut Values { text: &mut text, name: family.name });
    }
    text.into_string()
}

fn build_info(seen: &Seen<'_>, values: &mut Values<'_>) {
    let version = env!("CARGO_PKG_VERSION");
    let labels = [
        ("rabbitmq_version", seen.options.rabbitmq_version.as_str()),
        ("prometheus_plugin_version", version),
        ("prometheus_client_version", version),
        ("erlang_version", "none"),
        ("product_name", "Leveret"),
        ("product_version", version),
    ];
    values.labeled(&labels, 1);
}

/// A single node has no cluster's permanent number; to Prometheus an empty label is none.
fn identity_info(seen: &Seen<'_>, values: &mut Values<'_>) {
    let labels = [
        ("rabbitmq_node", seen.options.node.as_str()),
        ("rabbitmq_cluster", &*seen.cluster),
        ("rabbitmq_cluster_permanent_id", ""),
        ("rabbitmq_endpoint", "aggregated"),
    ];
    values.labeled(&labels, 1);
}

fn file_descriptor_limit(seen: &Seen<'_>, values: &mut Values<'_>) {
    let open = seen.process.open_files.zip(seen.process.open_files_max);
    values.one(open.is_some_and(|(open, max)| open >= max).into());
}

fn by_queue_type(seen: &Seen<'_>, values: &mut Values<'_>, value: fn(&Consumed) -> u64) {
    let traffic = &seen.broker.traffic;
    for (kind, consumed) in
        [(QueueKind::Classic, &traffic.classic), (QueueKind::Quorum, &traffic.quorum)]
    {
        let labels = [AMQP, ("queue_type", kind.module_name())];
        values.labeled(&labels, value(consumed));
    }
}

fn dead_letters(seen: &Seen<'_>, reason: DeathReason, values: &mut Values<'_>) {
    for sent in &seen.broker.dead_letters.sent {
        for (_, count) in sent.by_reason.iter().filter(|(known, _)| *known == reason) {
            values.labeled(&way(sent), *count);
        }
    }
}

fn dead_letters_confirmed(seen: &Seen<'_>, values: &mut Values<'_>) {
    let sent = seen.broker.dead_letters.sent.iter();
    for sent in sent.filter(|sent| sent.strategy == Strategy::AtLeastOnce) {
        values.labeled(&way(sent), sent.confirmed);
    }
}

fn way(sent: &DeadLettersSent) -> [(&'static str, &'static str); 2] {
    let strategy = match sent.strategy {
        Strategy::AtMostOnce => "at_most_once",
        Strategy::AtLeastOnce => "at_least_once",
    };
    [("queue_type", sent.kind.module_name()), ("dead_letter_strategy", strategy)]
}

fn dead_letters_dropped(seen: &Seen<'_>, values: &mut Values<'_>) {
    let DeadLetterFigures { unroutable, cycles, refused, .. } = seen.broker.dead_letters;
    for (reason, count) in [("unroutable", unroutable), ("cycle", cycles), ("refused", refused)] {
        values.labeled(&[("reason", reason)], count);
    }
}

fn messages_waiting(seen: &Seen<'_>, values: &mut Values<'_>) {
    values.of_kind("delay", seen.broker.messages.delayed);
    values.of_kind("retry", seen.broker.messages.retried);
}

fn duplicates(seen: &Seen<'_>, values: &mut Values<'_>) {
    values.of_kind("exchange", seen.broker.messages.seen_by_exchanges);
    values.of_kind("queue", seen.broker.messages.present_in_queues);
}

fn written_bytes(seen: &Seen<'_>, values: &mut Values<'_>) {
    let store = &seen.broker.store;
    values.of_kind("log", store.log_bytes);
    values.of_kind("index", store.index_bytes);
    values.of_kind("checkpoint", store.checkpoint_bytes);
    values.of_kind("moved", store.moved_bytes);
}

fn body_bytes(seen: &Seen<'_>, values: &mut Values<'_>) {
    values.of_kind("logged", seen.broker.logged_body_bytes);
    values.of_kind("unlogged", seen.broker.unlogged_body_bytes);
    values.of_kind("sessions", seen.broker.session_bytes);
}

impl Family {
    const fn counter(
        name: &'static str,
        help: &'static str,
        values: fn(&Seen<'_>, &mut Values<'_>),
    ) -> Self {
        Self { name, kind: Kind::Counter, help, values }
    }

    const fn gauge(
        name: &'static str,
        help: &'static str,
        values: fn(&Seen<'_>, &mut Values<'_>),
    ) -> Self {
        Self { name, kind: Kind::Gauge, help, values }
    }
}

impl Values<'_> {
    fn one(&mut self, value: u64) {
        self.text.sample(self.name, &[], value);
    }

    /// Of the only protocol there is.
    fn amqp(&mut self, value: u64) {
        self.text.sample(self.name, &[AMQP], value);
    }

    /// Nothing where it is not known.
    fn any(&mut self, value: Option<u64>) {
        value.into_iter().for_each(|value| self.one(value));
    }

    fn of_kind(&mut self, kind: &str, value: u64) {
        self.text.sample(self.name, &[("kind", kind)], value);
    }

    fn labeled(&mut self, labels: &[(&str, &str)], value: u64) {
        self.text.sample(self.name, labels, value);
    }
}
