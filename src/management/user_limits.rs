//! `/api/user-limits`: how many connections and channels users may have, and how fast they publish.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::answer;
use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::names::Names;
use super::operation::{Kind, Operation};
use super::query::Query;
use super::refusal::Refusal;
use super::routes::Routes;
use super::shaped;
use super::users;
use crate::broker::DeclarationRefused;
use crate::definitions::UserDefinition;

pub(super) fn routes() -> Routes {
    const ONE: &str = "/user-limits/{user}/{limit}";
    let value = Operation::done("Sets a limit of a user").needs(&[("value", Kind::Number)]);
    Routes::new()
        .get("/user-limits", Operation::list("Limits of users"), list)
        .get("/user-limits/{user}", Operation::list("Limits of a user"), show)
        .put(ONE, value, set)
        .delete(ONE, Operation::done("Takes a limit of a user away"), clear)
}

async fn list(
    State(api): State<Shared>,
    _caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    shaped::list(limited(&api, None), &query).await
}

async fn show(
    State(api): State<Shared>,
    _caller: Caller,
    Names(user): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    users::find(&api, &user)?;
    shaped::list(limited(&api, Some(&user)), &query).await
}

async fn set(
    State(api): State<Shared>,
    caller: Caller,
    Names((user, name)): Names<(String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    let mut fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    fields.check_has(&["value"])?;
    let value = fields.0.remove("value").unwrap_or_default();
    let declared = api.by(&caller).set_user_limit(&user, &name, value);
    // Of these limits RabbitMQ tells the reason alone.
    if let Err(DeclarationRefused::Invalid(reason)) = declared {
        return Err(Refusal::bad(reason));
    }
    api.stored(declared).await?;
    Ok(answer::done())
}

async fn clear(
    State(api): State<Shared>,
    caller: Caller,
    Names((user, name)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    users::find(&api, &user)?;
    api.stored(api.by(&caller).clear_user_limit(&user, &name)).await?;
    Ok(answer::done())
}

/// Those users who have limits, or one of them.
fn limited(api: &Api, name: Option<&str>) -> Vec<Value> {
    let users = api.broker.user_definitions();
    let is_meant = |user: &&Arc<UserDefinition>| {
        !user.limits.is_empty() && name.is_none_or(|name| *user.name == *name)
    };
    users.iter().filter(is_meant).map(shape).collect()
}

fn shape(user: &Arc<UserDefinition>) -> Value {
    let limits = user.limits.iter().map(|(name, limit)| (name.to_string(), Value::from(*limit)));
    json!({"user": &*user.name, "value": limits.collect::<Map<_, _>>()})
}
