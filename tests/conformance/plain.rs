//! Methods with every flag off and no arguments; a script changes what it is about.

use leveret::protocol::field::FieldTable;
use leveret::protocol::methods::{basic, exchange, queue};

const NONE: FieldTable = FieldTable::new();

pub(crate) fn queue_declare(queue: &str) -> queue::Declare<'_> {
    queue::Declare {
        queue,
        passive: false,
        durable: false,
        exclusive: false,
        auto_delete: false,
        nowait: false,
        arguments: NONE,
    }
}

pub(crate) fn queue_bind<'a>(
    queue: &'a str,
    exchange: &'a str,
    routing_key: &'a str,
) -> queue::Bind<'a> {
    queue::Bind { queue, exchange, routing_key, nowait: false, arguments: NONE }
}

pub(crate) fn queue_unbind<'a>(
    queue: &'a str,
    exchange: &'a str,
    routing_key: &'a str,
) -> queue::Unbind<'a> {
    queue::Unbind { queue, exchange, routing_key, arguments: NONE }
}

pub(crate) fn queue_purge(queue: &str) -> queue::Purge<'_> {
    queue::Purge { queue, nowait: false }
}

pub(crate) fn queue_delete(queue: &str) -> queue::Delete<'_> {
    queue::Delete { queue, if_unused: false, if_empty: false, nowait: false }
}

pub(crate) fn exchange_declare<'a>(exchange: &'a str, kind: &'a str) -> exchange::Declare<'a> {
    exchange::Declare {
        exchange,
        kind,
        passive: false,
        durable: false,
        auto_delete: false,
        internal: false,
        nowait: false,
        arguments: NONE,
    }
}

pub(crate) fn exchange_delete(exchange: &str) -> exchange::Delete<'_> {
    exchange::Delete { exchange, if_unused: false, nowait: false }
}

pub(crate) fn exchange_bind<'a>(
    destination: &'a str,
    source: &'a str,
    routing_key: &'a str,
) -> exchange::Bind<'a> {
    exchange::Bind { destination, source, routing_key, nowait: false, arguments: NONE }
}

pub(crate) fn exchange_unbind<'a>(
    destination: &'a str,
    source: &'a str,
    routing_key: &'a str,
) -> exchange::Unbind<'a> {
    exchange::Unbind { destination, source, routing_key, nowait: false, arguments: NONE }
}

pub(crate) fn publish<'a>(exchange: &'a str, routing_key: &'a str) -> basic::Publish<'a> {
    basic::Publish { exchange, routing_key, mandatory: false, immediate: false }
}

pub(crate) fn consume<'a>(queue: &'a str, consumer_tag: &'a str) -> basic::Consume<'a> {
    basic::Consume {
        queue,
        consumer_tag,
        no_local: false,
        no_ack: false,
        exclusive: false,
        nowait: false,
        arguments: NONE,
    }
}

pub(crate) fn cancel(consumer_tag: &str) -> basic::Cancel<'_> {
    basic::Cancel { consumer_tag, nowait: false }
}

pub(crate) fn ack(delivery_tag: u64) -> basic::Ack {
    basic::Ack { delivery_tag, multiple: false }
}

/// basic.nack that does not requeue.
pub(crate) fn nack(delivery_tag: u64) -> basic::Nack {
    basic::Nack { delivery_tag, multiple: false, requeue: false }
}
