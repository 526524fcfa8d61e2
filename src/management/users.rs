//! `/api/users`: who may log in, by which password, and what its tags let it ask for here. What a
//! user may do in a virtual host is in `permissions`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::answer;
use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::names::Names;
use super::operation::{Field, Kind, Operation};
use super::query::Query;
use super::refusal::Refusal;
use super::routes::Routes;
use super::shaped;
use crate::definitions::import::{self, DeclaredPassword, UserWish};
use crate::definitions::{UserDefinition, export, term};
use crate::message::Name;

pub(super) fn routes() -> Routes {
    const ONE: &str = "/users/{user}";
    let user = Operation::set("Declares a user").needs(&[("tags", Kind::Tags)]).takes(FIELDS);
    let names = Operation::done("Deletes users").needs(&[("users", Kind::List)]);
    Routes::new()
        .get("/users", Operation::list("All users"), list)
        .get(
            "/users/without-permissions",
            Operation::list("Users who may enter no virtual host"),
            list_without_permissions,
        )
        .post("/users/bulk-delete", names, delete_all)
        .get(ONE, Operation::item("A user"), show)
        .put(ONE, user, set)
        .delete(ONE, Operation::done("Deletes a user"), delete)
}

const FIELDS: &[Field] = &[
    ("password", Kind::Text),
    ("password_hash", Kind::Text),
    ("hashing_algorithm", Kind::Text),
    ("limits", Kind::Object),
];

async fn list(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let users = api.broker.user_definitions();
    shaped::list(users.iter().map(|user| export::user(user)).collect(), &query).await
}

async fn list_without_permissions(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let permissions = api.broker.permissions();
    let mut users = api.broker.user_definitions();
    users.retain(|user| permissions.iter().all(|permission| permission.user != user.name));
    shaped::list(users.iter().map(|user| export::user(user)).collect(), &query).await
}

async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    Ok(answer::json(&export::user(&*find(&api, &name)?)))
}

async fn set(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
    body: Body,
) -> Result<Response, Refusal> {
    let fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    let UserWish { name, password, tags, limits } = wish(&name, fields.0)?;
    let password = match password {
        DeclaredPassword::Hash(hash) => hash,
        DeclaredPassword::Clear(password) => {
            api.broker.check_password(&password)?;
            api.hash(Some(&name), &password).await
        }
    };
    let was_there = api.broker.user_definition(&name).is_some();
    api.stored(Ok(api.by(&caller).set_user(&name, password, tags, limits))).await?;
    Ok(answer::set(was_there))
}

async fn delete(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let deleted = api.by(&caller).delete_users(&[name.into()]).map_err(|_| Refusal::NotFound)?;
    api.stored(Ok(deleted)).await?;
    Ok(answer::done())
}

/// Unlike in RabbitMQ nobody is deleted where one of them is not there.
async fn delete_all(
    State(api): State<Shared>,
    caller: Caller,
    body: Body,
) -> Result<Response, Refusal> {
    let fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    fields.check_has(&["users"])?;
    let names = fields.0.get("users").and_then(names);
    let names = names.ok_or_else(|| Refusal::bad("users should be a list of names"))?;
    api.stored(api.by(&caller).delete_users(&names)).await?;
    Ok(answer::done())
}

/// A user that is looked at is there.
pub(super) fn find(api: &Api, name: &str) -> Result<Arc<UserDefinition>, Refusal> {
    api.broker.user_definition(name).ok_or(Refusal::NotFound)
}

fn names(list: &Value) -> Option<Vec<Name>> {
    list.as_array()?.iter().map(|name| name.as_str().map(Name::from)).collect()
}

/// What the body says of a user. Without a password and a hash it has none, and proves itself in
/// another way, if at all.
fn wish(name: &str, fields: Map<String, Value>) -> Result<UserWish, Refusal> {
    if !fields.contains_key("tags") {
        return Err(Refusal::bad("tags_not_present"));
    }
    if fields.contains_key("password") && fields.contains_key("password_hash") {
        return Err(Refusal::bad("both_password_and_password_hash_are_provided"));
    }
    check_texts(&fields)?;
    let text = |key: &str| fields.get(key).and_then(Value::as_str);
    if text("password") == Some("") {
        return Err(Refusal::bad("a blank password proves nothing: leave it out, or give one"));
    }
    if let Some(hash) = text("password_hash").filter(|hash| STANDARD.decode(hash.trim()).is_err()) {
        return Err(Refusal::Bad(json!(["not_base64", hash])));
    }
    import::user(name, fields).map_err(Refusal::bad)
}

/// What is there of these is text: a password that is `null` is a mistake, and not none.
fn check_texts(fields: &Map<String, Value>) -> Result<(), Refusal> {
    for key in ["password", "password_hash", "hashing_algorithm"] {
        if let Some(value) = fields.get(key).filter(|value| !value.is_string()) {
            return Err(Refusal::bad(format!("{key} should be a binary but was {}", term(value))));
        }
    }
    Ok(())
}
