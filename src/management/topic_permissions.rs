//! `/api/topic-permissions`: which routing keys users may use with topic exchanges, and the same by
//! user and by virtual host. As in RabbitMQ what a user has in a virtual host is one thing, with an
//! entry for each exchange.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::answer;
use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::names::Names;
use super::operation::{Field, Kind, Operation};
use super::patterns;
use super::permissions::check_both;
use super::permitted::{list, list_in_host, list_of_user};
use super::refusal::Refusal;
use super::routes::Routes;
use crate::definitions::{TopicPermissionDefinition, export};
use crate::message::Name;

pub(super) fn routes() -> Routes {
    const OF_USER: &str = "/topic-permissions/{vhost}/{user}";
    const ONE: &str = "/topic-permissions/{vhost}/{user}/{exchange}";
    let permission = || Operation::set("Restricts the keys of a user").needs(FIELDS);
    let lifted = Operation::done;
    Routes::new()
        .get(
            "/topic-permissions",
            Operation::list("Which keys users may use"),
            list::<TopicPermissionDefinition>,
        )
        .get(OF_USER, Operation::all("Which keys a user may use in a virtual host"), show)
        .put(OF_USER, permission(), set)
        .delete(OF_USER, lifted("Lets a user use all keys in a virtual host"), clear)
        .get(ONE, Operation::all("Which keys a user may use"), show_with_exchange)
        .put(ONE, permission(), set_with_exchange)
        .delete(ONE, lifted("Lets a user use all keys with an exchange"), clear_with_exchange)
        .get(
            "/users/{user}/topic-permissions",
            Operation::list("Which keys a user may use"),
            list_of_user::<TopicPermissionDefinition>,
        )
        .get(
            "/vhosts/{vhost}/topic-permissions",
            Operation::list("Which keys users may use in a virtual host"),
            list_in_host::<TopicPermissionDefinition>,
        )
}

const FIELDS: &[Field] = &[("exchange", Kind::Text), ("write", Kind::Text), ("read", Kind::Text)];

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
    api.stored(api.by(&caller).set_topic_permission(&permission)).await?;
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
    clear_with(&api, &caller, (&host, &user), None).await
}

async fn clear_with_exchange(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, user, exchange)): Names<(String, String, String)>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    clear_with(&api, &caller, (&host, &user), Some(&exchange)).await
}

async fn clear_with(
    api: &Api,
    caller: &Caller,
    (host, user): (&str, &str),
    exchange: Option<&str>,
) -> Result<Response, Refusal> {
    find(api, host, user)?;
    api.stored(Ok(api.by(caller).clear_topic_permissions(host, user, exchange))).await?;
    Ok(answer::done())
}

fn find(api: &Api, host: &str, user: &str) -> Result<Vec<Arc<TopicPermissionDefinition>>, Refusal> {
    let found = api.broker.topic_permissions_of(host, user);
    if found.is_empty() { Err(Refusal::NotFound) } else { Ok(found) }
}

fn shapes(permissions: &[Arc<TopicPermissionDefinition>]) -> Vec<Value> {
    permissions.iter().map(|permission| export::topic_permission(permission)).collect()
}
