//! `/api/channels`: the channels of connections. Who is no monitor sees its own.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::task::yield_now;

use super::api::{Api, Shared};
use super::caller::Caller;
use super::columns::Columns;
use super::list::{self, ListWish, Row};
use super::names::Names;
use super::operation::Operation;
use super::query::Query;
use super::refusal::Refusal;
use super::routes::Routes;
use super::{answer, connection_name, connections, consumer_shape};
use crate::broker::{ConnectionState, ListedChannel, ListedConnection, ListedConsumer};
use crate::limits::LIST_ROWS_PER_TURN;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/channels", Operation::pages("All channels"), list)
        .get(
            "/vhosts/{vhost}/channels",
            Operation::pages("Channels in a virtual host"),
            list_in_host,
        )
        .get(
            "/connections/{connection}/channels",
            Operation::pages("Channels of a connection"),
            list_of_connection,
        )
        .get("/channels/{channel}", Operation::columns("A channel"), show)
}

async fn list(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    answer_with(&api, connections::seen(&api, &caller), ListWish::of(&query)?).await
}

async fn list_in_host(
    State(api): State<Shared>,
    caller: Caller,
    Names(host): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    api.check_looks_in(&caller, &host)?;
    let mut seen = connections::seen(&api, &caller);
    seen.retain(|connection| connection.virtual_host() == host);
    answer_with(&api, seen, ListWish::of(&query)?).await
}

async fn list_of_connection(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    let connection = connections::find(&api, &caller, &name)?;
    answer_with(&api, vec![connection], ListWish::whole(&query)).await
}

async fn answer_with(
    api: &Shared,
    mut connections: Vec<ListedConnection>,
    wish: ListWish,
) -> Result<Response, Refusal> {
    connections.sort_by(|left, right| left.virtual_host().cmp(right.virtual_host()));
    let channels = connections.iter().flat_map(ListedConnection::channels);
    let row = |channel| ChannelRow::new(channel, &api.options.node);
    list::answer(channels.map(row).collect(), wish).await
}

async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    let (connection, number) = parts(&name).ok_or(Refusal::NotFound)?;
    let connection = connections::find(&api, &caller, connection)?;
    let channel = connection.channels().into_iter().find(|channel| channel.number == number);
    let channel = channel.ok_or(Refusal::NotFound)?;
    let consumers = consumers(&api, &channel).await;
    let mut shape = ChannelRow::new(channel, &api.options.node).shape();
    if let Some(shape) = shape.as_object_mut() {
        shape.insert("consumer_details".to_owned(), consumers);
    }
    Ok(answer::json(&Columns::of(&query).pick(shape)))
}

/// The connection and the number that the name of a channel is made of.
fn parts(name: &str) -> Option<(&str, u16)> {
    let (connection, number) = name.strip_suffix(')')?.rsplit_once(" (")?;
    Some((connection, number.parse().ok()?))
}

/// Which consumers a channel has, its queues know: each of them is asked, and others have their
/// turns in between.
async fn consumers(api: &Api, channel: &ListedChannel) -> Value {
    let mut consumers = Vec::new();
    if channel.report().consumers == 0 {
        return Value::Array(consumers);
    }
    let is_meant = |consumer: &ListedConsumer| {
        let connection = consumer.connection.as_ref().map(|(connection, _)| &**connection);
        consumer.channel == channel.number && connection == Some(channel.connection.name())
    };
    let queues = api.broker.queues(channel.connection.virtual_host());
    for (at, queue) in queues.iter().enumerate() {
        if at % LIST_ROWS_PER_TURN == 0 {
            yield_now().await;
        }
        let found = queue.consumers().into_iter().filter(is_meant);
        consumers.extend(found.map(|found| consumer_shape::shape(&found, &api.options.node)));
    }
    Value::Array(consumers)
}

/// A channel in a list.
struct ChannelRow {
    channel: ListedChannel,
    name: String,
    node: String,
}

impl ChannelRow {
    fn new(channel: ListedChannel, node: &str) -> Self {
        let name = format!("{} ({})", channel.connection.name(), channel.number);
        Self { channel, name, node: node.to_owned() }
    }
}

impl Row for ChannelRow {
    type Key<'a> = (&'a str, &'a str);

    fn key(&self) -> Self::Key<'_> {
        (self.channel.connection.virtual_host(), &self.name)
    }

    fn virtual_host(&self) -> &str {
        self.channel.connection.virtual_host()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn shape(&self) -> Value {
        let ListedChannel { connection, number, .. } = &self.channel;
        let report = self.channel.report();
        let state = match connection.state() {
            ConnectionState::Flow => "flow",
            _ => "running",
        };
        json!({
            "name": self.name,
            "number": number,
            "connection_details": connection_name::shape(connection.name()),
            "vhost": connection.virtual_host(),
            "user": connection.user(),
            "user_who_performed_action": connection.user(),
            "node": self.node,
            "state": state,
            "confirm": report.is_confirming,
            "transactional": report.is_transactional,
            "consumer_count": report.consumers,
            "prefetch_count": report.prefetch_count,
            "global_prefetch_count": report.global_prefetch_count,
            "messages_unacknowledged": report.unsettled,
            "messages_unconfirmed": report.unconfirmed,
            "messages_uncommitted": report.uncommitted,
        })
    }
}
