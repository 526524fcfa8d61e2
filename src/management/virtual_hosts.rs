//! `/api/vhosts`: virtual hosts and what they are for.

use std::collections::BTreeMap;
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
use super::columns::Columns;
use super::message_stats::MessageStats;
use super::names::Names;
use super::query::Query;
use super::refusal::Refusal;
use super::samples::Subject;
use super::shaped;
use super::totals::Totals;
use super::view::View;
use crate::broker::{ClientFigures, Declared, OctetFigures};
use crate::definitions::{HostDefinition, HostSettings, PermissionDefinition, import};
use crate::message::Name;

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
    let (view, clients) = (View::of(&api, &query), api.broker.client_figures_by_host());
    let mut shapes = Vec::new();
    for host in api.broker.host_definitions() {
        if caller.may_see(&host.key.name) {
            shapes.push(with_figures(&view, &host, &clients).await);
        }
    }
    shaped::pages(shapes, &query).await
}

async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let host = api.broker.host_definition(&name).ok_or(Refusal::NotFound)?;
    let (view, clients) = (View::of(&api, &query), api.broker.client_figures_by_host());
    let shape = with_figures(&view, &host, &clients).await;
    Ok(answer::json(&Columns::of(&query).pick(shape)))
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
fn everything(caller: &Caller, host: &str) -> PermissionDefinition<Name> {
    let all = || ".*".to_owned();
    PermissionDefinition {
        user: caller.user.name.clone(),
        host: host.into(),
        configure: all(),
        write: all(),
        read: all(),
    }
}

/// The same with what its queues hold, and with what its clients came to.
async fn with_figures(
    view: &View,
    host: &Arc<HostDefinition>,
    clients: &BTreeMap<Name, ClientFigures>,
) -> Value {
    let lengths = Totals::of(&view.api, &host.key.name).await.messages();
    let clients = clients.get(&host.key.name).copied().unwrap_or_default();
    let octets =
        [("recv_oct", clients.octets.received_bytes), ("send_oct", clients.octets.sent_bytes)];
    let stats = MessageStats::of_channels(&clients.traffic);
    let mut numbers = stats.numbers();
    let octets_at = numbers.len();
    numbers.extend(octets.map(|(_, count)| count));
    let lengths_at = numbers.len();
    numbers.extend(lengths.map(|(_, count)| count));
    let look = view.look(Subject::VirtualHost(host.key.number), numbers, lengths_at);
    let mut shape = shape(&view.api, host);
    if let Some(shape) = shape.as_object_mut() {
        shape.extend(look.told(&lengths, lengths_at, view.spans.lengths));
        // What was never used has neither, as in RabbitMQ.
        if clients.octets != OctetFigures::default() {
            shape.extend(look.told(&octets, octets_at, view.spans.octets));
        }
        let stats = stats.shape(&look, view.spans.rates);
        shape.extend(stats.map(|stats| ("message_stats".to_owned(), stats)));
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
