//! `/api/permissions`: what users may do in virtual hosts, and the same by user and by virtual
//! host. Routing keys are in `topic_permissions`.

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
use super::query::Query;
use super::refusal::Refusal;
use super::shaped;
use super::users;
use crate::definitions::{PermissionDefinition, export};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/permissions", get(list))
        .route("/permissions/{vhost}/{user}", get(show).put(set).delete(clear))
        .route("/users/{user}/permissions", get(list_of_user))
        .route("/vhosts/{vhost}/permissions", get(list_in_host))
}

async fn list(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    shaped::list(shapes(&api, |_| true), &query).await
}

async fn list_of_user(
    State(api): State<Shared>,
    caller: Caller,
    Names(user): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    users::find(&api, &user)?;
    shaped::list(shapes(&api, |permission| *permission.user == *user), &query).await
}

async fn list_in_host(
    State(api): State<Shared>,
    caller: Caller,
    Names(host): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    api.check_host(&host)?;
    shaped::list(shapes(&api, |permission| *permission.host.name == *host), &query).await
}

async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, user)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let permission = find(&api, &host, &user).ok_or(Refusal::NotFound)?;
    Ok(answer::json(&export::permission(&permission)))
}

async fn set(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, user)): Names<(String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    let fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    check_both(&api, &host, &user)?;
    fields.check_has(&["configure", "write", "read"])?;
    let mut fields = fields.0;
    let was_there = find(&api, &host, &user).is_some();
    let permission = PermissionDefinition {
        user: user.into(),
        host: host.into(),
        configure: patterns::take(&mut fields, "configure")?,
        write: patterns::take(&mut fields, "write")?,
        read: patterns::take(&mut fields, "read")?,
    };
    api.stored(api.broker.set_permission(&permission)).await?;
    Ok(answer::set(was_there))
}

async fn clear(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, user)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    find(&api, &host, &user).ok_or(Refusal::NotFound)?;
    api.stored(Ok(api.broker.clear_permission(&host, &user))).await?;
    Ok(answer::done())
}

/// Somebody is permitted something only where both are there.
pub(super) fn check_both(api: &Api, host: &str, user: &str) -> Result<(), Refusal> {
    let are_there = api.check_host(host).is_ok() && users::find(api, user).is_ok();
    if are_there { Ok(()) } else { Err(Refusal::bad("vhost_or_user_not_found")) }
}

fn find(api: &Api, host: &str, user: &str) -> Option<Arc<PermissionDefinition>> {
    let permissions = api.broker.permissions();
    permissions.into_iter().find(|each| *each.host.name == *host && *each.user == *user)
}

fn shapes(api: &Api, is_meant: impl Fn(&PermissionDefinition) -> bool) -> Vec<Value> {
    let permissions = api.broker.permissions();
    let meant = permissions.iter().filter(|permission| is_meant(permission));
    meant.map(|permission| export::permission(permission)).collect()
}
