//! `/api/vhosts`: virtual hosts and what they are for.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::answer;
use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::names::Names;
use super::query::Query;
use super::refusal::Refusal;
use super::shaped;
use super::totals::Totals;
use crate::broker::Declared;
use crate::definitions::{HostDefinition, HostSettings, PermissionDefinition, import};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/vhosts", get(list))
        .route("/vhosts/{vhost}", get(show).put(declare).delete(delete))
}

async fn list(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    let mut shapes = Vec::new();
    for host in api.broker.host_definitions() {
        if caller.may_see(&host.key.name) {
            shapes.push(with_messages(&api, &host).await);
        }
    }
    shaped::pages(shapes, &query).await
}

async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let host = api.broker.host_definition(&name).ok_or(Refusal::NotFound)?;
    Ok(answer::json(&with_messages(&api, &host).await))
}

async fn declare(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
    body: Body,
) -> Result<Response, Refusal> {
    let fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    let settings = import::host_settings(&name, fields.0).map_err(Refusal::bad)?;
    let was_there = api.broker.host_definition(&name).is_some();
    let declared = api.broker.create_virtual_host(&name, settings)?;
    if !was_there {
        api.broker.set_permission(&everything(&caller, &name))?;
    }
    api.stored(Ok(declared)).await?;
    Ok(answer::set(was_there))
}

async fn delete(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let deleted = api.broker.delete_virtual_host(&name, api.now());
    if deleted == Declared::Unchanged {
        return Err(Refusal::NotFound);
    }
    api.stored(Ok(deleted)).await?;
    Ok(answer::done())
}

/// Who makes a virtual host may do everything in it, as in RabbitMQ.
fn everything(caller: &Caller, host: &str) -> PermissionDefinition<crate::message::Name> {
    let all = || ".*".to_owned();
    PermissionDefinition {
        user: caller.user.name.clone(),
        host: host.into(),
        configure: all(),
        write: all(),
        read: all(),
    }
}

/// The same with what its queues hold.
async fn with_messages(api: &Api, host: &Arc<HostDefinition>) -> Value {
    let totals = Totals::of(api, &host.key.name).await;
    let mut shape = shape(api, host);
    if let Some(shape) = shape.as_object_mut() {
        shape.extend(totals.messages());
    }
    shape
}

fn shape(api: &Api, host: &Arc<HostDefinition>) -> Value {
    let HostSettings { description, tags, default_queue_kind, is_traced, metadata } =
        &host.settings;
    let tags: Vec<&str> = tags.iter().map(|tag| &**tag).collect();
    let kind = default_queue_kind.unwrap_or(api.broker.default_queue_kind()).name();
    let mut metadata = metadata.clone();
    metadata.extend([
        ("description".to_owned(), Value::from(description.as_str())),
        ("tags".to_owned(), json!(tags)),
        ("default_queue_type".to_owned(), Value::from(kind)),
    ]);
    json!({
        "name": &*host.key.name,
        "description": description,
        "tags": tags,
        "default_queue_type": kind,
        "metadata": metadata,
        "tracing": is_traced.unwrap_or(false),
        "protected_from_deletion": false,
        "cluster_state": Map::from_iter([(api.options.node.clone(), Value::from("running"))]),
    })
}
