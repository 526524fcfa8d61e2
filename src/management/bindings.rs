//! `/api/bindings`, and the bindings of one exchange or queue: listed, made and taken away.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::columns::Columns;
use super::exchanges::named;
use super::list::{self, ListWish, Row};
use super::names::Names;
use super::operation::{Field, Kind, Operation};
use super::properties_key::{is_meant, properties_key};
use super::query::Query;
use super::refusal::Refusal;
use super::routes::Routes;
use super::turns::Turns;
use super::{answer, arguments, percent, wish};
use crate::broker::ListedBinding;
use crate::connection::Command;
use crate::connection::command::Bind;
use crate::definitions::BindingEnd;
use crate::limits::LIST_ROWS_PER_TURN;
use crate::protocol::field::FieldTable;

pub(super) fn routes() -> Routes {
    let between = "/bindings/{vhost}/e/{source}/{kind}/{destination}";
    let one = &format!("{between}/{{props}}");
    Routes::new()
        .get("/bindings", Operation::pages("All bindings"), list)
        .get("/bindings/{vhost}", Operation::pages("Bindings of a virtual host"), list_in_host)
        .get(between, Operation::pages("Bindings between two"), list_between)
        .post(between, Operation::made("Makes a binding").takes(FIELDS), bind)
        .get(one, Operation::columns("A binding"), show)
        .delete(one, Operation::done("Takes a binding away"), unbind)
        .get(
            "/exchanges/{vhost}/{exchange}/bindings/source",
            Operation::pages("Bindings that leave an exchange"),
            list_from,
        )
        .get(
            "/exchanges/{vhost}/{exchange}/bindings/destination",
            Operation::pages("Bindings that lead to an exchange"),
            list_to_exchange,
        )
        .get(
            "/queues/{vhost}/{queue}/bindings",
            Operation::pages("Bindings that lead to a queue"),
            list_to_queue,
        )
}

const FIELDS: &[Field] = &[("routing_key", Kind::Text), ("arguments", Kind::Object)];

/// A hash of arguments is work like that of so many rows.
const HASH_WORK: usize = LIST_ROWS_PER_TURN / 16;

/// What a path says of a binding: virtual host, source, kind and name of the destination.
type Between = (String, String, String, String);

async fn list(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    let hosts = api.broker.host_names();
    let seen = hosts.iter().filter(|host| caller.may_see_in(host));
    answer_with(seen.flat_map(|host| api.broker.bindings(host)).collect(), &query).await
}

async fn list_in_host(
    State(api): State<Shared>,
    caller: Caller,
    Names(host): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    api.check_looks_in(&caller, &host)?;
    answer_with(api.broker.bindings(&host), &query).await
}

async fn list_between(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, source, kind, destination)): Names<Between>,
    query: Query,
) -> Result<Response, Refusal> {
    let end = end(&kind, &destination)?;
    api.check_looks_in(&caller, &host)?;
    answer_with(api.broker.bindings_between(&host, named(&source), &end), &query).await
}

async fn list_from(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, exchange)): Names<(String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    api.check_looks_in(&caller, &host)?;
    answer_with(api.broker.bindings_from(&host, named(&exchange)), &query).await
}

async fn list_to_exchange(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, exchange)): Names<(String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    api.check_looks_in(&caller, &host)?;
    let end = BindingEnd::Exchange(named(&exchange).into());
    answer_with(api.broker.bindings_to(&host, &end), &query).await
}

async fn list_to_queue(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, queue)): Names<(String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    api.check_looks_in(&caller, &host)?;
    answer_with(api.broker.bindings_to(&host, &BindingEnd::Queue(queue.into())), &query).await
}

/// RabbitMQ gives no pages of bindings. Arguments are hashed, and may be long.
async fn answer_with(bindings: Vec<ListedBinding>, query: &Query) -> Result<Response, Refusal> {
    let mut rows = Vec::with_capacity(bindings.len());
    let mut turns = Turns::default();
    for binding in bindings {
        let work = if binding.arguments().is_empty() { 1 } else { HASH_WORK };
        rows.push(BindingRow::of(binding));
        turns.spend(work).await;
    }
    list::answer(rows, ListWish::whole(query)).await
}

async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, source, kind, destination, key)): Names<(String, String, String, String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    let binding = find(&api, &caller, &(host, source, kind, destination), &key)?;
    Ok(answer::json(&Columns::of(&query).pick(BindingRow::of(binding).shape())))
}

async fn bind(
    State(api): State<Shared>,
    caller: Caller,
    Names(between): Names<Between>,
    body: Body,
) -> Result<Response, Refusal> {
    let (host, _, kind, destination) = &between;
    end(kind, destination)?;
    let check = |caller: &Caller| api.check_may_enter(caller, host);
    let fields = Fields::read(body, &api, &caller, check).await?;
    let routing_key = wish::short_text(&fields.0, "routing_key")?.unwrap_or_default();
    let arguments = wish::arguments(&fields.0)?;
    let key = properties_key(routing_key, &arguments);
    let bind = bind_between(&between, false, routing_key, arguments)?;
    // A name may be written with more than what it is.
    let location = format!("{}/{}", percent::encode(&bind.destination), percent::encode(&key));
    api.carry_out(&caller, host, Command::Bind(bind)).await?;
    Ok(made(&location))
}

async fn unbind(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, source, kind, destination, key)): Names<(String, String, String, String, String)>,
) -> Result<Response, Refusal> {
    let between = (host, source, kind, destination);
    let binding = find(&api, &caller, &between, &key)?;
    let arguments = binding.arguments().clone();
    let unbind = bind_between(&between, true, binding.routing_key(), arguments)?;
    api.carry_out(&caller, &between.0, Command::Bind(unbind)).await?;
    Ok(answer::done())
}

/// Something was made, or was there before: where it is, seen from where it was asked for.
fn made(location: &str) -> Response {
    let mut response = StatusCode::CREATED.into_response();
    // What is encoded is plain text.
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn bind_between(
    (_, source, kind, destination): &Between,
    is_unbind: bool,
    routing_key: &str,
    arguments: FieldTable,
) -> Result<Bind, Refusal> {
    let to_exchange = kind == "e";
    let destination = if to_exchange { named(destination) } else { destination };
    Ok(Bind {
        is_unbind,
        source: wish::name("exchange", named(source))?,
        destination: wish::name(if to_exchange { "exchange" } else { "queue" }, destination)?,
        to_exchange,
        routing_key: routing_key.into(),
        arguments,
    })
}

fn find(
    api: &Api,
    caller: &Caller,
    (host, source, kind, destination): &Between,
    key: &str,
) -> Result<ListedBinding, Refusal> {
    let end = end(kind, destination)?;
    api.check_looks_in(caller, host)?;
    let bindings = api.broker.bindings_between(host, named(source), &end);
    bindings.into_iter().find(|binding| is_meant(key, binding)).ok_or(Refusal::NotFound)
}

/// What a path means by a destination.
fn end(kind: &str, destination: &str) -> Result<BindingEnd, Refusal> {
    match kind {
        "q" => Ok(BindingEnd::Queue(destination.into())),
        "e" => Ok(BindingEnd::Exchange(named(destination).into())),
        _ => Err(Refusal::NotFound),
    }
}

/// A binding in a list.
struct BindingRow {
    binding: ListedBinding,
    properties_key: String,
}

impl BindingRow {
    fn of(binding: ListedBinding) -> Self {
        let properties_key = properties_key(binding.routing_key(), binding.arguments());
        Self { binding, properties_key }
    }
}

impl Row for BindingRow {
    type Key<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str, bool);

    fn key(&self) -> Self::Key<'_> {
        let Self { binding, properties_key } = self;
        let (source, destination) = (binding.source(), binding.destination());
        let host = binding.virtual_host();
        let is_to_exchange = binding.is_to_exchange();
        (host, source, destination, binding.routing_key(), properties_key, is_to_exchange)
    }

    fn virtual_host(&self) -> &str {
        self.binding.virtual_host()
    }

    fn lead(&self) -> &str {
        self.binding.source()
    }

    fn name(&self) -> &str {
        self.binding.destination()
    }

    fn shape(&self) -> Value {
        let Self { binding, properties_key } = self;
        json!({
            "source": binding.source(),
            "vhost": binding.virtual_host(),
            "destination": binding.destination(),
            "destination_type": if binding.is_to_exchange() { "exchange" } else { "queue" },
            "routing_key": binding.routing_key(),
            "arguments": arguments::shape(binding.arguments()),
            "properties_key": properties_key,
        })
    }
}
