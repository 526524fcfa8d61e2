//! `/api/channels`: the channels of connections. Who is no monitor sees its own.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::task::yield_now;

use super::api::{Api, Shared};
use super::caller::Caller;
use super::columns::Columns;
use super::list::{self, ListWish, Row};
use super::message_stats::MessageStats;
use super::names::Names;
use super::operation::Operation;
use super::query::Query;
use super::refusal::Refusal;
use super::routes::Routes;
use super::samples::Subject;
use super::view::View;
use super::{answer, channel_exchanges, connection_name, connections, consumer_shape};
use crate::broker::{
    ChannelReport, ConnectionState, ListedChannel, ListedConnection, ListedConsumer,
};
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
    answer_with(&api, connections::seen(&api, &caller), ListWish::of(&query)?, &query).await
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
    answer_with(&api, seen, ListWish::of(&query)?, &query).await
}

async fn list_of_connection(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    let connection = connections::find(&api, &caller, &name)?;
    answer_with(&api, vec![connection], ListWish::whole(&query), &query).await
}

async fn answer_with(
    api: &Shared,
    mut connections: Vec<ListedConnection>,
    wish: ListWish,
    query: &Query,
) -> Result<Response, Refusal> {
    connections.sort_by(|left, right| left.virtual_host().cmp(right.virtual_host()));
    let channels = connections.iter().flat_map(ListedConnection::channels);
    let view = Arc::new(View::of(api, query));
    let row = |channel| ChannelRow::new(channel, view.clone());
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
    let view = Arc::new(View::of(&api, &query));
    let row = ChannelRow::new(channel, view.clone());
    let mut shape = row.shape();
    if let Some(shape) = shape.as_object_mut().filter(|_| view.has_stats) {
        shape.insert("consumer_details".to_owned(), consumers);
        let publishes = channel_exchanges::publishes(&row.channel, &view);
        shape.insert("publishes".to_owned(), publishes);
        // To tell queues apart would cost each acknowledgement.
        shape.insert("deliveries".to_owned(), json!([]));
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
    view: Arc<View>,
}

impl ChannelRow {
    fn new(channel: ListedChannel, view: Arc<View>) -> Self {
        let name = format!("{} ({})", channel.connection.name(), channel.number);
        Self { channel, name, view }
    }
}

impl ChannelRow {
    /// What came and went on it, and since when nothing does.
    fn stats(&self, report: &ChannelReport) -> impl Iterator<Item = (String, Value)> {
        let stats = MessageStats::of_channels(&report.traffic);
        let numbers = stats.numbers();
        let counters = numbers.len();
        let subject = Subject::Channel(self.channel.connection.session(), self.channel.number);
        let look = self.view.look(subject, numbers, counters);
        let stats = stats.shape(&look, self.view.spans.rates);
        let idle_since = self.view.idle_since(report.active_at).map(Value::from);
        let named = |name: &str, value: Option<Value>| value.map(|value| (name.to_owned(), value));
        named("message_stats", stats).into_iter().chain(named("idle_since", idle_since))
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
        let mut shape = json!({
            "name": self.name,
            "number": number,
            "connection_details": connection_name::shape(connection.name()),
            "vhost": connection.virtual_host(),
            "user": connection.user(),
            "user_who_performed_action": connection.user(),
            "node": self.view.api.options.node,
            "state": state,
            "confirm": report.is_confirming,
            "transactional": report.is_transactional,
            "consumer_count": report.consumers,
            "prefetch_count": report.prefetch_count,
            "global_prefetch_count": report.global_prefetch_count,
            "messages_unacknowledged": report.unsettled,
            "messages_unconfirmed": report.unconfirmed,
            "messages_uncommitted": report.uncommitted,
            "acks_uncommitted": report.acks_uncommitted,
            "pending_raft_commands": 0,
        });
        if let Some(shape) = shape.as_object_mut().filter(|_| self.view.has_stats) {
            shape.extend(self.stats(&report));
        }
        shape
    }
}
