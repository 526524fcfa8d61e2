//! `/api/exchanges`: exchanges, and the bindings on either side of them. Messages are published in
//! `publish`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::columns::Columns;
use super::entity::{Entity, declare, delete};
use super::list::{self, ListWish, Row};
use super::message_stats::MessageStats;
use super::names::Names;
use super::operation::{Field, Kind, Operation};
use super::query::Query;
use super::refusal::Refusal;
use super::routes::Routes;
use super::samples::Subject;
use super::view::View;
use super::{answer, arguments, channel_exchanges, wish};
use crate::broker::ListedExchange;
use crate::connection::Command;
use crate::connection::command::DeclareExchange;
use crate::message::Name;

pub(super) fn routes() -> Routes {
    const ONE: &str = "/exchanges/{vhost}/{exchange}";
    let declaration = Operation::set("Declares an exchange").takes(FIELDS);
    let deletion = Operation::done("Deletes an exchange").asks(&["if-unused"]);
    Routes::new()
        .get("/exchanges", Operation::pages("All exchanges"), list)
        .get("/exchanges/{vhost}", Operation::pages("Exchanges of a virtual host"), list_in_host)
        .get(ONE, Operation::columns("An exchange"), show)
        .put(ONE, declaration, declare::<Exchanges>)
        .delete(ONE, deletion, delete::<Exchanges>)
}

const FIELDS: &[Field] = &[
    ("type", Kind::Text),
    ("durable", Kind::Flag),
    ("auto_delete", Kind::Flag),
    ("internal", Kind::Flag),
    ("arguments", Kind::Object),
];

/// The default exchange has a name of its own in paths, where none cannot stand.
pub(super) fn named(exchange: &str) -> &str {
    if exchange == "amq.default" { "" } else { exchange }
}

async fn list(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    let wish = ListWish::of(&query)?;
    let hosts = api.broker.host_names();
    let seen = hosts.iter().filter(|host| caller.may_see_in(host));
    let exchanges = seen.flat_map(|host| api.broker.exchanges(host));
    list::answer(rows(exchanges, &api, &query), wish).await
}

async fn list_in_host(
    State(api): State<Shared>,
    caller: Caller,
    Names(host): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    api.check_looks_in(&caller, &host)?;
    let wish = ListWish::of(&query)?;
    let exchanges = api.broker.exchanges(&host).into_iter();
    list::answer(rows(exchanges, &api, &query), wish).await
}

fn rows(
    exchanges: impl Iterator<Item = ListedExchange>,
    api: &Shared,
    query: &Query,
) -> Vec<ExchangeRow> {
    let view = Arc::new(View::of(api, query));
    exchanges.map(|exchange| ExchangeRow { exchange, view: view.clone() }).collect()
}

async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, name)): Names<(String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    api.check_looks_in(&caller, &host)?;
    let exchange = api.broker.exchange(&host, named(&name)).ok_or(Refusal::NotFound)?;
    let view = View::of(&api, &query);
    let mut shape = shape(&exchange, &view);
    if let Some(shape) = shape.as_object_mut().filter(|_| view.has_stats) {
        let incoming = channel_exchanges::incoming(&exchange, &view).await;
        shape.insert("incoming".to_owned(), incoming);
        // To tell queues apart would cost each message that goes to one.
        shape.insert("outgoing".to_owned(), json!([]));
    }
    Ok(answer::json(&Columns::of(&query).pick(shape)))
}

/// Exchanges as they are declared and deleted.
struct Exchanges;

impl Entity for Exchanges {
    fn name(path: &str) -> &str {
        named(path)
    }

    fn is_there(api: &Api, host: &str, name: &str) -> bool {
        api.broker.exchange(host, name).is_some()
    }

    fn declaration(api: &Api, name: &str, fields: &Fields) -> Result<Command, Refusal> {
        let fields = &fields.0;
        wish::check_node(fields, &api.options.node)?;
        Ok(Command::DeclareExchange(DeclareExchange {
            exchange: wish::name("exchange", name)?,
            kind: wish::short_text(fields, "type")?.unwrap_or("direct").into(),
            passive: wish::flag(fields, "passive")?,
            durable: wish::flag(fields, "durable")?,
            auto_delete: wish::flag(fields, "auto_delete")?,
            internal: wish::flag(fields, "internal")?,
            arguments: wish::arguments(fields)?,
        }))
    }

    fn deletion(exchange: Name, query: &Query) -> Command {
        Command::DeleteExchange { exchange, if_unused: query.is_true("if-unused") }
    }
}

/// An exchange in a list.
struct ExchangeRow {
    exchange: ListedExchange,
    view: Arc<View>,
}

impl Row for ExchangeRow {
    type Key<'a> = (&'a str, &'a str);

    fn key(&self) -> Self::Key<'_> {
        (self.exchange.virtual_host(), self.name())
    }

    fn virtual_host(&self) -> &str {
        self.exchange.virtual_host()
    }

    fn name(&self) -> &str {
        &self.exchange.definition.name
    }

    fn shape(&self) -> Value {
        shape(&self.exchange, &self.view)
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "name" => Some(self.name().into()),
            "type" => Some((&*self.exchange.definition.kind).into()),
            _ => None,
        }
    }
}

fn shape(exchange: &ListedExchange, view: &View) -> Value {
    let definition = &exchange.definition;
    let mut shape = json!({
        "name": &*definition.name,
        "vhost": exchange.virtual_host(),
        "type": &*definition.kind,
        "durable": definition.durable,
        "auto_delete": definition.auto_delete,
        "internal": definition.internal,
        "arguments": arguments::shape(&definition.arguments),
        "user_who_performed_action": &*definition.declared_by,
    });
    if let Some(shape) = shape.as_object_mut() {
        shape.extend(exchange.policy().map(|policy| ("policy".into(), (&*policy).into())));
        let stats = if view.has_stats { stats(exchange, view) } else { None };
        shape.extend(stats.map(|stats| ("message_stats".into(), stats)));
    }
    shape
}

fn stats(exchange: &ListedExchange, view: &View) -> Option<Value> {
    let stats = MessageStats::of_exchange(exchange.figures());
    let numbers = stats.numbers();
    let counters = numbers.len();
    let look = view.look(Subject::Exchange(exchange.definition.id), numbers, counters);
    stats.shape(&look, view.spans.rates)
}
