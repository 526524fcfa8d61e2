//! `/api/overview`: what there is, in numbers, and who answers. Who is no monitor sees the numbers
//! of its own virtual hosts and connections.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::api::{Api, Shared};
use super::caller::Caller;
use super::columns::Columns;
use super::operation::Operation;
use super::query::Query;
use super::routes::Routes;
use super::totals::Totals;
use super::{answer, connections, exchange_types};

pub(super) fn routes() -> Routes {
    Routes::new().get("/overview", Operation::columns("How the node fares"), show)
}

async fn show(State(api): State<Shared>, caller: Caller, query: Query) -> Response {
    let mut shape = node(&api);
    add_numbers(&api, &caller, &mut shape).await;
    if caller.sees_all_hosts()
        && let Some(shape) = shape.as_object_mut()
    {
        let facts = &api.options.facts;
        let node = &api.options.node;
        let listeners = facts.listeners.iter().map(|listener| listener.shape(node)).collect();
        shape.insert("listeners".to_owned(), listeners);
        shape.insert("contexts".to_owned(), facts.contexts(node));
    }
    answer::json(&Columns::of(&query).pick(shape))
}

/// Who answers. Nothing is sampled, so there are no rates.
fn node(api: &Api) -> Value {
    let compatible = &api.broker.product().version;
    json!({
        "management_version": compatible,
        "rabbitmq_version": compatible,
        "product_name": "Leveret",
        "product_version": env!("CARGO_PKG_VERSION"),
        "cluster_name": &*api.broker.cluster_name(),
        "cluster_tags": {},
        "node": api.options.node,
        "node_tags": {},
        "default_queue_type": api.broker.default_queue_kind().name(),
        "exchange_types": exchange_types::shape(),
        "rates_mode": "none",
        "sample_retention_policies": {"global": [], "basic": [], "detailed": []},
        "disable_stats": false,
        "enable_queue_totals": false,
        "statistics_db_event_queue": 0,
        "message_stats": {},
    })
}

async fn add_numbers(api: &Api, caller: &Caller, shape: &mut Value) {
    let (mut totals, mut exchanges) = (Totals::default(), 0);
    for host in api.broker.host_names().iter().filter(|host| caller.may_see(host)) {
        totals.add(Totals::of(api, host).await);
        exchanges += api.broker.exchanges(host).len();
    }
    let connections = connections::seen(api, caller);
    let channels: usize = connections.iter().map(|connection| connection.channel_count()).sum();
    let churn = api.broker.churn();
    if let Some(shape) = shape.as_object_mut() {
        shape.insert("queue_totals".to_owned(), totals.messages().into());
        let objects = json!({
            "channels": channels,
            "connections": connections.len(),
            "consumers": totals.consumers,
            "exchanges": exchanges,
            "queues": totals.queues,
        });
        shape.insert("object_totals".to_owned(), objects);
        let churn = json!({
            "channel_closed": churn.channels.closed,
            "channel_created": churn.channels.opened,
            "connection_closed": churn.connections.closed,
            "connection_created": churn.connections.opened,
            "queue_created": churn.queues_created,
            "queue_declared": churn.queues_declared,
            "queue_deleted": churn.queues_deleted,
        });
        shape.insert("churn_rates".to_owned(), churn);
    }
}
