//! What tools ask before they rely on something: `/api/version`, `/api/auth` and `/api/extensions`,
//! feature flags and deprecated features, by RabbitMQ's names. What is not here is not enabled,
//! whatever the version says.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::answer;
use super::api::Shared;
use super::caller::Caller;
use super::names::Names;
use super::operation::Operation;
use super::refusal::Refusal;
use super::routes::Routes;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/version", Operation::text("The version that this follows").open(), version)
        .get("/auth", Operation::item("How a console logs in").open(), login_by)
        .get("/extensions", Operation::all("Extensions of a console"), extensions)
        .get("/feature-flags", Operation::all("Feature flags"), flags)
        .put("/feature-flags/{name}/enable", Operation::done("Enables a feature flag"), enable)
        .get("/deprecated-features", Operation::all("Deprecated features"), deprecated)
        .get(
            "/deprecated-features/used",
            Operation::all("Deprecated features that are in use"),
            deprecated_in_use,
        )
}

/// Feature flags: name, what it is, and whether it is so here.
const FLAGS: [(&str, &str, bool); 7] = [
    ("implicit_default_bindings", "Default bindings are implicit, not stored", true),
    ("quorum_queue", "Queues of type `quorum`", true),
    ("stream_filtering", "Filters of streams", false),
    ("stream_queue", "Queues of type `stream`", false),
    ("stream_single_active_consumer", "Single active consumers of streams", false),
    ("user_limits", "Limits on connections and channels of a user", true),
    ("virtual_host_metadata", "Description and tags of virtual hosts", true),
];

/// Deprecated features: name, what it is, and how far it has gone here.
const DEPRECATED: [(&str, &str, &str); 5] = [
    ("classic_queue_mirroring", "Classic mirrored queues", "removed"),
    ("global_qos", "Prefetch that consumers of a channel share", PERMITTED),
    ("queue_master_locator", "The argument x-queue-master-locator", "removed"),
    ("ram_node_type", "Nodes that keep definitions in memory only", "removed"),
    (TRANSIENT_QUEUES, "Queues that are neither durable nor exclusive", PERMITTED),
];

const PERMITTED: &str = "permitted_by_default";

const TRANSIENT_QUEUES: &str = "transient_nonexcl_queues";

/// For everybody.
async fn version(State(api): State<Shared>) -> Response {
    answer::json(&Value::from(api.broker.product().version.as_str()))
}

/// How a console logs in: for everybody.
async fn login_by() -> Response {
    answer::json(&json!({"oauth_enabled": false}))
}

/// There is no console to extend.
async fn extensions(_caller: Caller) -> Response {
    answer::json(&json!([]))
}

async fn flags(caller: Caller) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let shape = |(name, what, is_enabled): &(&str, &str, bool)| {
        json!({
            "name": name, "desc": what, "doc_url": "", "stability": "stable",
            "state": if *is_enabled { "enabled" } else { "unavailable" },
            "provided_by": "rabbit",
        })
    };
    Ok(answer::json(&FLAGS.iter().map(shape).collect()))
}

/// What is there is enabled for good.
async fn enable(caller: Caller, Names(name): Names<String>) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let is_enabled = FLAGS.iter().any(|(known, _, is_enabled)| *known == name && *is_enabled);
    if is_enabled { Ok(answer::done()) } else { Err(Refusal::bad("unsupported")) }
}

async fn deprecated(caller: Caller) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    Ok(answer::json(&shapes(|_| true)))
}

/// Of those that are permitted RabbitMQ knows of one whether it is in use.
async fn deprecated_in_use(State(api): State<Shared>, caller: Caller) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let has_transient = api.broker.has_transient_queues();
    Ok(answer::json(&shapes(|name| has_transient && name == TRANSIENT_QUEUES)))
}

fn shapes(is_meant: impl Fn(&str) -> bool) -> Value {
    let meant = DEPRECATED.iter().filter(|(name, ..)| is_meant(name));
    let shape = |(name, what, phase): &(&str, &str, &str)| {
        json!({
            "name": name, "desc": what, "doc_url": "", "deprecation_phase": phase,
            "provided_by": "rabbit",
        })
    };
    meant.map(shape).collect()
}
