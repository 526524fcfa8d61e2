//! `/api/overview`: what there is, in numbers, and who answers. Who is no monitor sees the numbers
//! of its own virtual hosts and connections.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::api::{Api, Shared};
use super::caller::Caller;
use super::columns::Columns;
use super::message_stats::MessageStats;
use super::operation::Operation;
use super::query::Query;
use super::routes::Routes;
use super::samples::{SAMPLES_KEPT_MS_MAX, Subject};
use super::totals::Totals;
use super::view::View;
use super::{answer, connections, exchange_types};
use crate::broker::{ChurnFigures, TrafficFigures};

pub(super) fn routes() -> Routes {
    Routes::new().get("/overview", Operation::columns("How the node fares"), show)
}

async fn show(State(api): State<Shared>, caller: Caller, query: Query) -> Response {
    let mut shape = node(&api);
    shape.extend(numbers(&View::of(&api, &query), &caller).await);
    if caller.sees_all_hosts() {
        let facts = &api.options.facts;
        let node = &api.options.node;
        let listeners = facts.listeners.iter().map(|listener| listener.shape(node)).collect();
        shape.insert("listeners".to_owned(), listeners);
        shape.insert("contexts".to_owned(), facts.contexts(node, &(api.options.certificates)()));
    }
    answer::json(&Columns::of(&query).pick(Value::Object(shape)))
}

fn field(name: &str, value: impl Into<Value>) -> (String, Value) {
    (name.to_owned(), value.into())
}

/// Who answers.
fn node(api: &Api) -> Map<String, Value> {
    let compatible = &*api.broker.product().version;
    let kept = json!([SAMPLES_KEPT_MS_MAX / 60_000 * 60]);
    Map::from_iter([
        field("management_version", compatible),
        field("rabbitmq_version", compatible),
        field("product_name", "Leveret"),
        field("product_version", env!("CARGO_PKG_VERSION")),
        field("cluster_name", &*api.broker.cluster_name()),
        field("cluster_tags", json!({})),
        field("node", api.options.node.as_str()),
        field("node_tags", json!({})),
        field("default_queue_type", api.broker.default_queue_kind().name()),
        field("exchange_types", exchange_types::shape()),
        field("rates_mode", "basic"),
        field(
            "sample_retention_policies",
            json!({"global": kept, "basic": kept, "detailed": kept}),
        ),
        field("disable_stats", false),
        field("enable_queue_totals", false),
        field("statistics_db_event_queue", 0),
    ])
}

async fn numbers(view: &View, caller: &Caller) -> Map<String, Value> {
    let api = &view.api;
    let (mut totals, mut exchanges) = (Totals::default(), 0);
    for host in api.broker.host_names().iter().filter(|host| caller.may_see(host)) {
        totals.add(Totals::of(api, host).await);
        exchanges += api.broker.exchanges(host).len();
    }
    let connections = connections::seen(api, caller);
    let channels: usize = connections.iter().map(|connection| connection.channel_count()).sum();
    let objects = json!({
        "channels": channels,
        "connections": connections.len(),
        "consumers": totals.consumers,
        "exchanges": exchanges,
        "queues": totals.queues,
    });
    let mut shape = rates(view, caller, totals);
    shape.insert("object_totals".to_owned(), objects);
    shape
}

/// What there is and what comes and goes, each with its rate.
fn rates(view: &View, caller: &Caller, totals: Totals) -> Map<String, Value> {
    let (subject, traffic) = traffic(&view.api, caller);
    let mut stats = MessageStats::of_channels(&traffic);
    if caller.sees_all_hosts() {
        stats = stats.with_disk(&view.api.broker.store_figures());
    }
    let churn = churn(view.api.broker.churn());
    let mut numbers = stats.numbers();
    let churn_at = numbers.len();
    numbers.extend(churn.map(|(_, count)| count));
    let lengths_at = numbers.len();
    numbers.extend(totals.messages().map(|(_, count)| count));
    let look = view.look(subject, numbers, lengths_at);
    let messages: Map<_, _> =
        look.told(&totals.messages(), lengths_at, view.spans.lengths).collect();
    let churn: Map<_, _> = look.told(&churn, churn_at, view.spans.rates).collect();
    let stats = stats.shape(&look, view.spans.rates);
    Map::from_iter([
        field("queue_totals", messages),
        field("churn_rates", churn),
        field("message_stats", stats.unwrap_or_else(|| json!({}))),
    ])
}

/// What clients published and got, in all virtual hosts that who asks may see.
fn traffic(api: &Api, caller: &Caller) -> (Subject, TrafficFigures) {
    if caller.sees_all_hosts() {
        return (Subject::Node, api.broker.client_figures().traffic);
    }
    let mut sum = TrafficFigures::default();
    let mut hosts = Vec::new();
    for (host, figures) in api.broker.client_figures_by_host() {
        if caller.may_see(&host) {
            sum += figures.traffic;
            hosts.push(host);
        }
    }
    (Subject::of_hosts(&hosts), sum)
}

/// What comes and goes on the node.
pub(super) fn churn(churn: ChurnFigures) -> [(&'static str, u64); 7] {
    [
        ("channel_closed", churn.channels.closed),
        ("channel_created", churn.channels.opened),
        ("connection_closed", churn.connections.closed),
        ("connection_created", churn.connections.opened),
        ("queue_created", churn.queues_created),
        ("queue_declared", churn.queues_declared),
        ("queue_deleted", churn.queues_deleted),
    ]
}
