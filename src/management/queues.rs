//! `/api/queues`: queues are listed, declared, emptied and deleted. What is told of one is in
//! `queue_shape`; messages are got in `get`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::columns::Columns;
use super::entity::{Entity, declare, delete};
use super::list::{self, ListWish, Row};
use super::names::Names;
use super::operation::{Field, Kind, Operation};
use super::query::Query;
use super::queue_shape::consumers_too;
use super::refusal::Refusal;
use super::routes::Routes;
use super::view::View;
use super::{answer, wish};
use crate::broker::ListedQueue;
use crate::connection::Command;
use crate::connection::command::{DeclareQueue, DeleteQueue};
use crate::message::Name;

pub(super) fn routes() -> Routes {
    const ONE: &str = "/queues/{vhost}/{queue}";
    let declaration = Operation::set("Declares a queue").takes(FIELDS);
    let deletion = Operation::done("Deletes a queue").asks(&["if-empty", "if-unused"]);
    let pages = |summary| Operation::pages(summary).asks(STATS);
    Routes::new()
        .get("/queues", pages("All queues"), list)
        .get("/queues/detailed", pages("All queues"), list)
        .get("/queues/{vhost}", pages("Queues of a virtual host"), list_in_host)
        .get(ONE, Operation::columns("A queue").asks(STATS), show)
        .put(ONE, declaration, declare::<Queues>)
        .delete(ONE, deletion, delete::<Queues>)
        .delete(
            "/queues/{vhost}/{queue}/contents",
            Operation::done("Drops all messages that are ready"),
            purge,
        )
        .post(
            "/queues/{vhost}/{queue}/actions",
            Operation::done("Does nothing: there are no mirrors").needs(&[("action", Kind::Text)]),
            act,
        )
}

const STATS: &[&str] = &["disable_stats", "enable_queue_totals"];

const FIELDS: &[Field] = &[
    ("durable", Kind::Flag),
    ("auto_delete", Kind::Flag),
    ("arguments", Kind::Object),
    ("node", Kind::Text),
];

async fn list(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    let hosts = api.broker.host_names();
    let seen = hosts.iter().filter(|host| caller.may_see_in(host));
    let queues = seen.flat_map(|host| api.broker.queues(host)).collect();
    answer_with(&api, queues, &query).await
}

async fn list_in_host(
    State(api): State<Shared>,
    caller: Caller,
    Names(host): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    api.check_looks_in(&caller, &host)?;
    answer_with(&api, api.broker.queues(&host), &query).await
}

async fn answer_with(
    api: &Shared,
    queues: Vec<ListedQueue>,
    query: &Query,
) -> Result<Response, Refusal> {
    let wish = ListWish::of(query)?;
    let view = Arc::new(View::of(api, query));
    let row = |queue| QueueRow { queue, view: view.clone() };
    list::answer(queues.into_iter().map(row).collect(), wish).await
}

async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, name)): Names<(String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    api.check_looks_in(&caller, &host)?;
    let queue = api.broker.queue(&host, &name).ok_or(Refusal::NotFound)?;
    let shape = consumers_too(&View::of(&api, &query), &queue);
    Ok(answer::json(&Columns::of(&query).pick(shape)))
}

/// Queues as they are declared and deleted.
struct Queues;

impl Entity for Queues {
    fn is_there(api: &Api, host: &str, name: &str) -> bool {
        api.broker.queue(host, name).is_some()
    }

    /// A queue cannot be exclusive here: there is no connection that it could belong to.
    fn declaration(api: &Api, name: &str, fields: &Fields) -> Result<Command, Refusal> {
        let fields = &fields.0;
        wish::check_node(fields, &api.options.node)?;
        Ok(Command::DeclareQueue(DeclareQueue {
            queue: wish::name("queue", name)?,
            is_server_named: false,
            passive: wish::flag(fields, "passive")?,
            durable: wish::flag(fields, "durable")?,
            exclusive: false,
            auto_delete: wish::flag(fields, "auto_delete")?,
            arguments: wish::arguments(fields)?,
        }))
    }

    fn deletion(queue: Name, query: &Query) -> Command {
        let (if_unused, if_empty) = (query.is_true("if-unused"), query.is_true("if-empty"));
        Command::DeleteQueue(DeleteQueue { queue, if_unused, if_empty })
    }
}

async fn purge(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, name)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    api.check_looks_in(&caller, &host)?;
    api.broker.queue(&host, &name).ok_or(Refusal::NotFound)?;
    api.carry_out(&caller, &host, Command::PurgeQueue { queue: name.into() }).await?;
    Ok(answer::done())
}

/// Mirrors were synchronized by these actions; there are none, and nothing is left to do.
async fn act(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, name)): Names<(String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    let fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    api.broker.queue(&host, &name).ok_or(Refusal::NotFound)?;
    fields.check_has(&["action"])?;
    match fields.0.get("action") {
        Some(Value::String(action)) if action == "sync" || action == "cancel_sync" => {
            Ok(answer::done())
        }
        action => Err(Refusal::Bad(json!(["unknown", action]))),
    }
}

/// A queue in a list.
struct QueueRow {
    queue: ListedQueue,
    view: Arc<View>,
}

impl Row for QueueRow {
    type Key<'a> = (&'a str, &'a str);

    fn key(&self) -> Self::Key<'_> {
        (self.queue.virtual_host(), self.name())
    }

    fn virtual_host(&self) -> &str {
        self.queue.virtual_host()
    }

    fn name(&self) -> &str {
        &self.queue.definition().name
    }

    fn shape(&self) -> Value {
        self.view.shape(&self.queue)
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.view.field(&self.queue, name)
    }
}
