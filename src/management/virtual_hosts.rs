//! `/api/vhosts`: virtual hosts and what they are for.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::answer;
use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::columns::Columns;
use super::message_stats::MessageStats;
use super::names::Names;
use super::operation::{Field, Kind, Operation};
use super::query::Query;
use super::refusal::Refusal;
use super::routes::Routes;
use super::samples::Subject;
use super::shaped;
use super::totals::Totals;
use super::view::View;
use super::{parameters, wish};
use crate::broker::{ClientFigures, Declared, OctetFigures};
use crate::definitions::{
    HostDefinition, HostSettings, LIMITS, PROTECTED, ParameterDefinition, PermissionDefinition,
    import,
};
use crate::message::Name;

pub(super) fn routes() -> Routes {
    const ONE: &str = "/vhosts/{vhost}";
    const PROTECTION: &str = "/vhosts/{vhost}/deletion/protection";
    Routes::new()
        .get("/vhosts", Operation::pages("All virtual hosts"), list)
        .get(ONE, Operation::item("A virtual host"), show)
        .put(ONE, Operation::set("Declares a virtual host").takes(FIELDS), declare)
        .delete(ONE, Operation::done("Deletes a virtual host").or(412), delete)
        .post(PROTECTION, Operation::done("Lets nobody delete a virtual host"), protect)
        .delete(PROTECTION, Operation::done("Lets it be deleted again"), unprotect)
        .post(
            "/vhosts/{vhost}/start/{node}",
            Operation::done("Starts a virtual host on a node, where it runs already"),
            start,
        )
}

const FIELDS: &[Field] = &[
    ("description", Kind::Text),
    ("tags", Kind::Tags),
    ("default_queue_type", Kind::Text),
    ("tracing", Kind::Flag),
    ("protected_from_deletion", Kind::Flag),
    ("limits", Kind::Object),
    ("metadata", Kind::Object),
];

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
    let mut fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    let limits = limits(&name, fields.0.remove("limits"))?;
    let known = api.broker.host_definition(&name);
    let settings = settings(&name, fields, known.as_deref())?;
    let was_there = known.is_some();
    let mut declared = api.by(&caller).create_virtual_host(&name, settings)?;
    // Who owns the machine needs none.
    if !was_there && !caller.user.is_machine_owner {
        api.by(&caller).set_permission(&everything(&caller, &name))?;
    }
    if let Some(limits) = limits {
        declared = api.by(&caller).set_parameter(&limits)?;
    }
    api.stored(Ok(declared)).await?;
    Ok(answer::set(was_there))
}

/// A protection from deletion stays until somebody takes it away.
fn settings(
    name: &str,
    mut fields: Fields,
    known: Option<&HostDefinition>,
) -> Result<HostSettings, Refusal> {
    let is_protected = match fields.0.remove("protected_from_deletion") {
        None => known.is_some_and(|known| known.settings.is_protected()),
        Some(flag) => {
            let flag = Map::from_iter([(PROTECTED.to_owned(), flag)]);
            wish::flag(&flag, PROTECTED)?
        }
    };
    let mut settings = import::host_settings(name, fields.0).map_err(Refusal::bad)?;
    settings.protect(is_protected);
    Ok(settings)
}

/// Limits that come with a virtual host.
fn limits(host: &str, wished: Option<Value>) -> Result<Option<ParameterDefinition<Name>>, Refusal> {
    let wished = match wished {
        None => return Ok(None),
        Some(Value::Array(none)) if none.is_empty() => return Ok(None),
        Some(wished) => wished,
    };
    parameters::limits(host.into(), LIMITS, wished).map(Some)
}

async fn protect(
    state: State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
) -> Result<Response, Refusal> {
    set_protection(state, &caller, &name, true).await
}

async fn unprotect(
    state: State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
) -> Result<Response, Refusal> {
    set_protection(state, &caller, &name, false).await
}

async fn set_protection(
    State(api): State<Shared>,
    caller: &Caller,
    name: &str,
    is_protected: bool,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    api.check_host(name)?;
    api.stored(api.by(caller).protect_virtual_host(name, is_protected)).await?;
    Ok(answer::done())
}

async fn start(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, node)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    api.check_host(&host)?;
    api.check_node(&node)?;
    Ok(answer::done())
}

async fn delete(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let host = api.broker.host_definition(&name).ok_or(Refusal::NotFound)?;
    if host.settings.is_protected() {
        return Err(Refusal::Protected(format!(
            "Refusing to delete virtual host '{name}' because it is protected from deletion"
        )));
    }
    let deleted = api.by(&caller).delete_virtual_host(&name, api.now());
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
        "protected_from_deletion": host.settings.is_protected(),
        "cluster_state": Map::from_iter([(api.options.node.clone(), Value::from("running"))]),
    })
}
