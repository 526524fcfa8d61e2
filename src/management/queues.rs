//! `/api/queues`: queues are listed, declared, emptied and deleted. What is told of one is in
//! `queue_shape`; messages are got in `get`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{delete, get, post};
use serde_json::{Value, json};

use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::columns::Columns;
use super::list::{self, ListWish, Row};
use super::names::Names;
use super::query::Query;
use super::queue_shape::consumers_too;
use super::refusal::Refusal;
use super::view::View;
use super::{answer, wish};
use crate::broker::ListedQueue;
use crate::connection::Command;
use crate::connection::command::{DeclareQueue, DeleteQueue};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/queues", get(list))
        .route("/queues/detailed", get(list))
        .route("/queues/{vhost}", get(list_in_host))
        .route("/queues/{vhost}/{queue}", get(show).put(declare).delete(delete_one))
        .route("/queues/{vhost}/{queue}/contents", delete(purge))
        .route("/queues/{vhost}/{queue}/actions", post(act))
}

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

async fn declare(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, name)): Names<(String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    let check = |caller: &Caller| api.check_may_enter(caller, &host);
    let fields = Fields::read(body, &api, &caller, check).await?;
    let declare = declaration(&api, &name, &fields)?;
    let was_there = api.broker.queue(&host, &declare.queue).is_some();
    api.carry_out(&caller, &host, Command::DeclareQueue(declare)).await?;
    Ok(answer::set(was_there))
}

/// A queue cannot be exclusive here: there is no connection that it could belong to.
fn declaration(api: &Api, name: &str, fields: &Fields) -> Result<DeclareQueue, Refusal> {
    let fields = &fields.0;
    wish::check_node(fields, &api.options.node)?;
    Ok(DeclareQueue {
        queue: wish::name("queue", name)?,
        is_server_named: false,
        passive: wish::flag(fields, "passive")?,
        durable: wish::flag(fields, "durable")?,
        exclusive: false,
        auto_delete: wish::flag(fields, "auto_delete")?,
        arguments: wish::arguments(fields)?,
    })
}

async fn delete_one(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, name)): Names<(String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    api.check_looks_in(&caller, &host)?;
    api.broker.queue(&host, &name).ok_or(Refusal::NotFound)?;
    let command = Command::DeleteQueue(DeleteQueue {
        queue: name.into(),
        if_unused: query.is_true("if-unused"),
        if_empty: query.is_true("if-empty"),
    });
    api.carry_out(&caller, &host, command).await?;
    Ok(answer::done())
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
