//! Metrics of messages on their way, of all clients and queues together.

use super::family::{AMQP, Family, Seen, Values};
use crate::broker::{DeadLetterFigures, DeadLettersSent, Strategy};
use crate::connection::Consumed;
use crate::message::{DeathReason, QueueKind};

/// In the order of the answer.
pub(super) static MESSAGES: &[Family] = &[
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
        "Messages that consumers rejected; disabled: there was no dead-letter exchange for them",
        |seen, values| dead_letters(seen, DeathReason::Rejected, values),
    ),
    Family::counter(
        "rabbitmq_global_messages_dead_lettered_expired_total",
        "Messages whose time was over; disabled: there was no dead-letter exchange for them",
        |seen, values| dead_letters(seen, DeathReason::Expired, values),
    ),
    Family::counter(
        "rabbitmq_global_messages_dead_lettered_maxlen_total",
        "Messages that a full queue let go; disabled: there was no dead-letter exchange for them",
        |seen, values| dead_letters(seen, DeathReason::MaxLength, values),
    ),
    Family::counter(
        "rabbitmq_global_messages_dead_lettered_delivery_limit_total",
        "Messages delivered too often; disabled: there was no dead-letter exchange for them",
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
    Family::histogram(
        "rabbitmq_message_size_bytes",
        "Bytes of the bodies that clients published",
        |seen, values| values.histogram(&[AMQP], &seen.broker.measured.sizes, 1.0),
    ),
    Family::histogram(
        "leveret_confirm_seconds",
        "Time from the publish to the confirm, of messages whose confirm waited for the disk",
        |seen, values| values.histogram(&[], &seen.broker.measured.confirm_ms, 1e3),
    ),
    Family::histogram(
        "leveret_deliver_seconds",
        "Time from the publish to the delivery to a consumer",
        |seen, values| values.histogram(&[], &seen.broker.measured.deliver_ms, 1e3),
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
];

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
        Strategy::Disabled => "disabled",
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
