//! Metrics of each queue.

use std::borrow::Cow;

use super::object_family::{Group, LABELS_MAX, Object, ObjectFamily};
use crate::broker::{ListedQueue, QueueReport};
use crate::message::Moment;
use crate::protocol::properties::Properties;

/// A queue as it was at a moment.
#[derive(Debug)]
pub(super) struct QueueSeen {
    report: QueueReport,
    now: Moment,
}

impl Object for ListedQueue {
    type Seen = QueueSeen;

    fn see(&self, now: Moment) -> QueueSeen {
        QueueSeen { report: self.brief_report(), now }
    }

    fn labels(&self) -> [Cow<'_, str>; LABELS_MAX] {
        let definition = self.definition();
        let kind = definition.options.kind.module_name();
        [self.virtual_host().into(), (&*definition.name).into(), kind.into()]
    }
}

type QueueFamily = ObjectFamily<ListedQueue>;

const OF_QUEUE: &[&str] = &["vhost", "queue"];

/// All there are, in the order of the answer.
pub(super) static QUEUES: &[Group<ListedQueue>] = &[
    Group { name: "queue_coarse_metrics", labels: OF_QUEUE, families: COARSE },
    Group { name: "queue_consumer_count", labels: OF_QUEUE, families: CONSUMERS },
    Group { name: "queue_metrics", labels: OF_QUEUE, families: DETAILS },
    Group { name: "queue_delivery_metrics", labels: OF_QUEUE, families: DELIVERIES },
    Group { name: "queue_exchange_metrics", labels: OF_QUEUE, families: PUBLISHES },
    Group {
        name: "channel_queue_exchange_metrics",
        labels: &["queue_vhost", "queue"],
        families: PUBLISHES_BEFORE,
    },
];

/// Ages of messages, by names of our own.
pub(super) static QUEUE_AGES: Group<ListedQueue> = Group {
    name: "leveret_queue_ages",
    labels: OF_QUEUE,
    families: &[
        QueueFamily::thousandths(
            "queue_oldest_ready_age_seconds",
            "Age of the message that is next in the queue",
            |_, seen| age_ms(seen, seen.report.next_came_at),
        ),
        QueueFamily::thousandths(
            "queue_oldest_unacked_age_seconds",
            "Age of the message that is the oldest of those that are out",
            |_, seen| age_ms(seen, seen.report.unsettled_came_at),
        ),
    ],
};

/// Delivery times, which are measured of the queues whose times somebody asks for.
pub(super) static QUEUE_LATENCIES: Group<ListedQueue> = Group {
    name: "leveret_queue_latencies",
    labels: OF_QUEUE,
    families: &[QueueFamily::histogram(
        "queue_deliver_seconds",
        "Time from the publish to the delivery to a consumer of the queue",
        1e3,
        |queue, seen| queue.delivery_times(seen.now),
    )],
};

/// Told with any of the others.
pub(super) static QUEUE_INFO: Group<ListedQueue> = Group {
    name: "queue_info",
    labels: &["vhost", "queue", "queue_type"],
    families: &[QueueFamily::gauge("queue_info", "is 1 for each queue, with its type", |_, _| {
        Some(1)
    })],
};

const COARSE: &[QueueFamily] = &[
    QueueFamily::gauge(
        "queue_messages_ready",
        "Messages of the queue that wait for a consumer",
        |_, seen| Some(seen.report.held.counts.ready as u64),
    ),
    QueueFamily::gauge(
        "queue_messages_unacked",
        "Messages of the queue that are out with consumers",
        |_, seen| Some(seen.report.held.counts.unsettled as u64),
    ),
    QueueFamily::gauge(
        "queue_messages",
        "Messages of the queue that wait for a consumer or are out with one",
        |_, seen| Some(messages(seen)),
    ),
];

const CONSUMERS: &[QueueFamily] =
    &[QueueFamily::gauge("queue_consumers", "Consumers of the queue", |_, seen| {
        Some(seen.report.held.counts.consumers as u64)
    })];

const DETAILS: &[QueueFamily] = &[
    QueueFamily::thousandths(
        "queue_consumer_capacity",
        "Part of the time since an earlier scrape in which consumers of the queue could take more",
        |queue, seen| Some(queue.capacity(seen.now)),
    ),
    QueueFamily::thousandths(
        "queue_consumer_utilisation",
        "The same as queue_consumer_capacity, by its older name",
        |queue, seen| Some(queue.capacity(seen.now)),
    ),
    QueueFamily::gauge(
        "queue_messages_ram",
        "Messages of the queue whose bodies are in memory",
        |_, seen| Some(seen.report.held.in_memory() as u64),
    ),
    QueueFamily::gauge(
        "queue_messages_ram_bytes",
        "Bytes of the queue's bodies that are in memory",
        |_, seen| Some(seen.report.held.in_memory_bytes),
    ),
    QueueFamily::gauge(
        "queue_messages_ready_ram",
        "Messages of the queue that wait and whose bodies are in memory",
        |_, seen| Some(seen.report.held.ready_in_memory as u64),
    ),
    QueueFamily::gauge(
        "queue_messages_unacked_ram",
        "Messages of the queue that are out and whose bodies are in memory",
        |_, seen| Some(seen.report.held.unsettled_in_memory as u64),
    ),
    QueueFamily::gauge(
        "queue_process_memory_bytes",
        "Bytes of memory that the queue takes, about, with its messages and consumers",
        |_, seen| Some(seen.report.memory_bytes),
    ),
    QueueFamily::gauge(
        "queue_messages_persistent",
        "Messages of the queue that the log has",
        |queue, _| Some(queue.logged().0 as u64),
    ),
    QueueFamily::gauge(
        "queue_messages_persistent_bytes",
        "Bytes of the queue's bodies that the log has",
        |queue, _| Some(queue.logged().1),
    ),
    QueueFamily::gauge(
        "queue_messages_bytes",
        "Bytes of the queue's bodies, waiting or out with consumers",
        |_, seen| Some(bytes(seen)),
    ),
    QueueFamily::gauge(
        "queue_messages_ready_bytes",
        "Bytes of the queue's bodies that wait for a consumer",
        |_, seen| Some(seen.report.held.counts.ready_bytes),
    ),
    QueueFamily::gauge(
        "queue_messages_unacked_bytes",
        "Bytes of the queue's bodies that are out with consumers",
        |_, seen| Some(seen.report.held.unsettled_bytes),
    ),
    QueueFamily::gauge(
        "queue_messages_paged_out",
        "Messages of the queue whose bodies are on disk only",
        |_, seen| Some(messages(seen).saturating_sub(seen.report.held.in_memory() as u64)),
    ),
    QueueFamily::gauge(
        "queue_messages_paged_out_bytes",
        "Bytes of the queue's bodies that are on disk only",
        |_, seen| Some(bytes(seen).saturating_sub(seen.report.held.in_memory_bytes)),
    ),
    QueueFamily::gauge(
        "queue_head_message_timestamp",
        "Timestamp that the publisher gave to the next message of the queue",
        |_, seen| head_timestamp(seen),
    ),
    QueueFamily::counter(
        "queue_disk_reads_total",
        "Bodies that the queue read back from the log",
        |_, seen| Some(seen.report.traffic.disk_reads),
    ),
    QueueFamily::counter(
        "queue_disk_writes_total",
        "Messages of the queue that were written to the log",
        |_, seen| Some(seen.report.traffic.disk_writes),
    ),
];

const DELIVERIES: &[QueueFamily] = &[
    QueueFamily::counter(
        "queue_get_ack_total",
        "Messages of the queue fetched by basic.get, to be acknowledged",
        |_, seen| Some(seen.report.traffic.got),
    ),
    QueueFamily::counter(
        "queue_get_total",
        "Messages of the queue fetched by basic.get without acknowledgement",
        |_, seen| Some(seen.report.traffic.got_no_ack),
    ),
    QueueFamily::counter(
        "queue_messages_delivered_ack_total",
        "Messages of the queue delivered to consumers that acknowledge",
        |_, seen| Some(seen.report.traffic.delivered),
    ),
    QueueFamily::counter(
        "queue_messages_delivered_total",
        "Messages of the queue delivered to consumers that acknowledge nothing",
        |_, seen| Some(seen.report.traffic.delivered_no_ack),
    ),
    QueueFamily::counter(
        "queue_messages_redelivered_total",
        "Messages of the queue delivered again",
        |_, seen| Some(seen.report.traffic.redelivered),
    ),
    QueueFamily::counter(
        "queue_messages_acked_total",
        "Messages of the queue that clients acknowledged",
        |_, seen| Some(seen.report.traffic.acknowledged),
    ),
    QueueFamily::counter(
        "queue_get_empty_total",
        "Times that basic.get found the queue empty",
        |_, seen| Some(seen.report.traffic.got_empty),
    ),
];

const PUBLISHES: &[QueueFamily] = &[QueueFamily::counter(
    "queue_exchange_messages_published_total",
    "Messages that clients published to the queue, by whichever exchange",
    |_, seen| Some(seen.report.traffic.published),
)];

/// The same by the name that it had before RabbitMQ 4.
const PUBLISHES_BEFORE: &[QueueFamily] = &[QueueFamily::counter(
    "queue_messages_published_total",
    "Messages that clients published to the queue, by whichever exchange",
    |_, seen| Some(seen.report.traffic.published),
)];

fn messages(seen: &QueueSeen) -> u64 {
    (seen.report.held.counts.ready + seen.report.held.counts.unsettled) as u64
}

fn bytes(seen: &QueueSeen) -> u64 {
    seen.report.held.counts.ready_bytes + seen.report.held.unsettled_bytes
}

fn age_ms(seen: &QueueSeen, came_at: Option<Moment>) -> Option<u64> {
    Some(seen.now.since(came_at?))
}

fn head_timestamp(seen: &QueueSeen) -> Option<u64> {
    let head = seen.report.held.head.as_ref()?;
    Properties::decode(head.properties()).ok()?.timestamp
}
