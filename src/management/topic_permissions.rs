//! `/api/topic-permissions`: which routing keys users may use with topic exchanges, and the same by
//! user and by virtual host. As in RabbitMQ what a user has in a virtual host is one thing, with an
//! entry for each exchange.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::Value;

use super::answer;
use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::names::Names;
use super::patterns;
use super::permissions::check_both;
use super::query::Query;
use super::refusal::Refusal;
use super::shaped;
use super::users;
use crate::definitions::{TopicPermissionDefinition, export};
use crate::message::Name;

pub(super) fn routes() -> Router<Shared> {
    let exchange = get(show_with_exchange).put(set_with_exchange).delete(clear_with_exchange);
    Router::new()
        .route("/topic-permissions", get(list))
        .route("/topic-permissions/{vhost}/{user}", get(show).put(set).delete(clear))
        .route("/topic-permissions/{vhost}/{user}/{exchange}", exchange)
        .route("/users/{user}/topic-permissions", get(list_of_user))
        .route("/vhosts/{vhost}/topic-permissions", get(list_in_host))
}

async fn list(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    shaped::list(shapes(&api.broker.topic_permissions()), &query).await
}

async fn list_of_user(
    State(api): State<Shared>,
    caller: Caller,
    Names(user): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    users::find(&api, &user)?;
    shaped::list(shapes(&having(&api, |each| *each.user == *user)), &query).await
}

async fn list_in_host(
    State(api): State<Shared>,
    caller: Caller,
    Names(host): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    api.check_host(&host)?;
    shaped::list(shapes(&having(&api, |each| *each.host.name == *host)), &query).await
}

async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, user)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    Ok(answer::json(&Value::Array(shapes(&find(&api, &host, &user)?))))
}

async fn show_with_exchange(
    state: State<Shared>,
    caller: Caller,
    Names((host, user, _)): Names<(String, String, String)>,
) -> Result<Response, Refusal> {
    show(state, caller, Names((host, user))).await
}

async fn set(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, user)): Names<(String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    let fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    check_both(&api, &host, &user)?;
    fields.check_has(&["exchange", "write", "read"])?;
    let mut fields = fields.0;
    let was_there = find(&api, &host, &user).is_ok();
    let permission = TopicPermissionDefinition::<Name> {
        user: user.into(),
        host: host.into(),
        exchange: patterns::take_text(&mut fields, "exchange")?.into(),
        write: patterns::take(&mut fields, "write")?,
        read: patterns::take(&mut fields, "read")?,
    };
    api.stored(api.broker.set_topic_permission(&permission)).await?;
    Ok(answer::set(was_there))
}

/// The exchange in the body counts.
async fn set_with_exchange(
    state: State<Shared>,
    caller: Caller,
    Names((host, user, _)): Names<(String, String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    set(state, caller, Names((host, user)), body).await
}

async fn clear(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, user)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    clear_with(&api, &host, &user, None).await
}

async fn clear_with_exchange(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, user, exchange)): Names<(String, String, String)>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    clear_with(&api, &host, &user, Some(&exchange)).await
}

async fn clear_with(
    api: &Api,
    host: &str,
    user: &str,
    exchange: Option<&str>,
) -> Result<Response, Refusal> {
    find(api, host, user)?;
    api.stored(Ok(api.broker.clear_topic_permissions(host, user, exchange))).await?;
    Ok(answer::done())
}

fn find(api: &Api, host: &str, user: &str) -> Result<Vec<Arc<TopicPermissionDefinition>>, Refusal> {
    let found = having(api, |each| *each.host.name == *host && *each.user == *user);
    if found.is_empty() { Err(Refusal::NotFound) } else { Ok(found) }
}

fn having(
    api: &Api,
    is_meant: impl Fn(&TopicPermissionDefinition) -> bool,
) -> Vec<Arc<TopicPermissionDefinition>> {
    let mut permissions = api.broker.topic_permissions();
    permissions.retain(|permission| is_meant(permission));
    permissions
}

fn shapes(permissions: &[Arc<TopicPermissionDefinition>]) -> Vec<Value> {
    permissions.iter().map(|permission| export::topic_permission(permission)).collect()
}
