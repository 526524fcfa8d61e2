//! `/api/queues/quorum`: where queues of quorum type are. Each has one replica, which is on this
//! node: it is its leader, none can be added elsewhere and the last one cannot be taken away.

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::answer;
use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::names::Names;
use super::operation::{Field, Kind, Operation};
use super::refusal::Refusal;
use super::routes::Routes;
use super::wish;
use crate::broker::ListedQueue;
use crate::message::QueueKind;

pub(super) fn routes() -> Routes {
    let node: &[Field] = &[("node", Kind::Text)];
    Routes::new()
        .get(
            "/queues/quorum/{vhost}/{queue}/status",
            Operation::check("Where the replicas of a queue are"),
            status,
        )
        .post(
            "/queues/quorum/{vhost}/{queue}/replicas/add",
            Operation::done("Adds a replica").needs(node),
            add,
        )
        .delete(
            "/queues/quorum/{vhost}/{queue}/replicas/delete",
            Operation::done("Takes a replica away").needs(node),
            remove,
        )
        .post(
            "/queues/quorum/replicas/on/{node}/grow",
            Operation::done("Adds replicas on a node").needs(GROWTH),
            grow,
        )
        .delete(
            "/queues/quorum/replicas/on/{node}/shrink",
            Operation::done("Takes the replicas of a node away"),
            shrink,
        )
}

const GROWTH: &[Field] =
    &[("vhost_pattern", Kind::Text), ("queue_pattern", Kind::Text), ("strategy", Kind::Text)];

/// What RabbitMQ says of the only replica.
const LAST: Refusal = Refusal::Unavailable("last_node");

async fn status(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, name)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    api.check_looks_in(&caller, &host)?;
    let queue = api.broker.queue(&host, &name).ok_or(Refusal::NotFound)?;
    if queue.definition().options.kind != QueueKind::Quorum {
        let refused = json!({"status": "failed", "reason": "classic_queue_not_supported"});
        return Ok(answer::json_of(StatusCode::SERVICE_UNAVAILABLE, &refused));
    }
    let state = if queue.is_out_of_service() { "noproc" } else { "leader" };
    Ok(answer::json(&json!([{
        "Node Name": api.options.node, "Raft State": state, "Membership": "voter",
    }])))
}

async fn add(
    State(api): State<Shared>,
    caller: Caller,
    Names(place): Names<(String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    check_replica(&api, &caller, &place, body).await?;
    Ok(answer::done())
}

async fn remove(
    State(api): State<Shared>,
    caller: Caller,
    Names(place): Names<(String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    check_replica(&api, &caller, &place, body).await?;
    Err(LAST)
}

/// The body names this node, which has the replica.
async fn check_replica(
    api: &Api,
    caller: &Caller,
    (host, name): &(String, String),
    body: Body,
) -> Result<(), Refusal> {
    let fields = Fields::read(body, api, caller, Caller::check_administrator).await?;
    let queue: ListedQueue = api.broker.queue(host, name).ok_or(Refusal::NotFound)?;
    fields.check_has(&["node"])?;
    if queue.definition().options.kind != QueueKind::Quorum {
        return Err(Refusal::Unavailable("classic_queue_not_supported"));
    }
    wish::check_node(&fields.0, &api.options.node)
        .map_err(|_| Refusal::Unavailable("node_not_running"))
}

/// All queues have their replica on the only node.
async fn grow(
    State(api): State<Shared>,
    caller: Caller,
    Names(node): Names<String>,
    body: Body,
) -> Result<Response, Refusal> {
    let fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    api.check_node(&node)?;
    fields.check_has(&["vhost_pattern", "queue_pattern", "strategy"])?;
    Ok(answer::done())
}

async fn shrink(
    State(api): State<Shared>,
    caller: Caller,
    Names(node): Names<String>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    api.check_node(&node)?;
    Err(LAST)
}
