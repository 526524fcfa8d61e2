//! What is told of a consumer, and of the connection that something belongs to, under RabbitMQ's
//! names.

use serde_json::{Value, json};

use super::arguments;
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
    let (host, port) = peer(connection);
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

/// A connection of this name.
pub(super) fn connection(name: &str) -> Value {
    let (host, port) = peer(name);
    json!({"name": name, "peer_host": host, "peer_port": port})
}

/// Where a connection comes from, as its name says: `host:port -> host:port`.
fn peer(name: &str) -> (Option<&str>, Option<u16>) {
    let origin = name.split_once(" -> ").and_then(|(origin, _)| origin.rsplit_once(':'));
    let port = origin.and_then(|(_, port)| port.parse().ok());
    let host = origin.map(|(host, _)| host.trim_matches(['[', ']']));
    (host.filter(|_| port.is_some()), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_where_a_connection_comes_from() {
        let name = "127.0.0.1:5000 -> 127.0.0.1:5672";
        assert_eq!(peer(name), (Some("127.0.0.1"), Some(5000)));
        assert_eq!(peer("[::1]:5000 -> [::1]:5672"), (Some("::1"), Some(5000)));
        assert_eq!(peer("in process"), (None, None));
        assert_eq!(peer("a -> b"), (None, None));
    }
}
