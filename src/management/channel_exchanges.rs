//! What is published on a channel to an exchange, as it is told of either: `publishes` of the one,
//! `incoming` of the other. Other pairs are told apart nowhere.

use serde_json::{Map, Value, json};
use tokio::task::yield_now;

use super::connection_name;
use super::message_stats::MessageStats;
use super::samples::Subject;
use super::view::View;
use crate::broker::{ExchangePublishes, ListedChannel, ListedExchange};
use crate::limits::LIST_ROWS_PER_TURN;

/// To which exchanges that are there a channel publishes.
pub(super) fn publishes(channel: &ListedChannel, view: &View) -> Value {
    let host = channel.connection.virtual_host();
    let is_there = |published: &ExchangePublishes| {
        let exchange = view.api.broker.exchange(host, &published.name);
        exchange.is_some_and(|exchange| exchange.definition.id == published.exchange)
    };
    let all = channel.publishes().into_iter().filter(is_there);
    let shape = |published: ExchangePublishes| {
        let exchange = json!({"name": &*published.name, "vhost": host});
        pair("exchange", exchange, channel, &published, view)
    };
    all.map(shape).collect()
}

/// Which channels publish to an exchange. All channels of its virtual host are asked, and others
/// have their turns in between.
pub(super) async fn incoming(exchange: &ListedExchange, view: &View) -> Value {
    let mut rows = Vec::new();
    let connections = view.api.broker.connections();
    let in_host = |host: &str| host == exchange.virtual_host();
    for (at, connection) in connections.iter().enumerate() {
        if at % LIST_ROWS_PER_TURN == 0 {
            yield_now().await;
        }
        for channel in
            in_host(connection.virtual_host()).then(|| connection.channels()).into_iter().flatten()
        {
            let found = channel.publishes().into_iter();
            let found = found.filter(|found| found.exchange == exchange.definition.id);
            let details = || channel_details(&channel, view);
            rows.extend(
                found.map(|found| pair("channel_details", details(), &channel, &found, view)),
            );
        }
    }
    Value::Array(rows)
}

/// One row: the other half of the pair, and what was published.
fn pair(
    other: &str,
    details: Value,
    channel: &ListedChannel,
    publishes: &ExchangePublishes,
    view: &View,
) -> Value {
    let stats = MessageStats::of_publishes(&publishes.published);
    let numbers = stats.numbers();
    let counters = numbers.len();
    let session = channel.connection.session();
    let subject = Subject::ChannelExchange(session, channel.number, publishes.exchange);
    let look = view.look(subject, numbers, counters);
    let stats = stats.shape(&look, view.spans.rates).unwrap_or_else(|| json!({}));
    Value::Object(Map::from_iter([(other.to_owned(), details), ("stats".to_owned(), stats)]))
}

fn channel_details(channel: &ListedChannel, view: &View) -> Value {
    let (connection, number) = (&channel.connection, channel.number);
    let (host, port) = connection_name::origin(connection.name());
    json!({
        "name": format!("{} ({number})", connection.name()),
        "number": number,
        "connection_name": connection.name(),
        "peer_host": host,
        "peer_port": port,
        "user": connection.user(),
        "node": view.api.options.node,
    })
}
