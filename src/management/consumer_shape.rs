//! What is told of a consumer, under RabbitMQ's names.

use serde_json::{Value, json};

use super::{arguments, connection_name};
use crate::broker::ListedConsumer;

pub(super) fn shape(consumer: &ListedConsumer, node: &str) -> Value {
    let is_single = consumer.queue.definition().options.single_active_consumer;
    let status = match (is_single, consumer.is_active) {
        (true, true) => "single_active",
        (true, false) => "waiting",
        (false, _) => "up",
    };
    json!({
        "consumer_tag": &*consumer.consumer_tag,
        "queue": {
            "name": &*consumer.queue.definition().name,
            "vhost": consumer.queue.virtual_host(),
        },
        "channel_details": channel(consumer, node),
        "ack_required": consumer.is_acknowledging,
        "exclusive": consumer.is_exclusive,
        "prefetch_count": consumer.prefetch_count,
        "active": consumer.is_active || !is_single,
        "activity_status": status,
        "arguments": consumer.arguments.as_deref().map_or_else(|| json!({}), arguments::shape),
    })
}

/// Its channel; a consumer in this process has no connection with a name.
fn channel(consumer: &ListedConsumer, node: &str) -> Value {
    let Some((connection, user)) = &consumer.connection else { return json!({}) };
    let number = consumer.channel;
    let (host, port) = connection_name::origin(connection);
    json!({
        "name": format!("{connection} ({number})"),
        "number": number,
        "connection_name": &**connection,
        "peer_host": host,
        "peer_port": port,
        "user": &**user,
        "node": node,
    })
}
