//! `/api/config/effective`: what the node's configuration comes to, key by key, for administrators.
//! What is secret the node leaves out.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::answer;
use super::api::Shared;
use super::caller::Caller;
use super::operation::Operation;
use super::refusal::Refusal;
use super::routes::Routes;

pub(super) fn routes() -> Routes {
    let operation = Operation::item("What the configuration comes to, key by key");
    Routes::new().get("/config/effective", operation, show)
}

async fn show(State(api): State<Shared>, caller: Caller) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let keys = (api.options.configuration)().into_iter();
    let keys = keys.map(|(key, value)| (key, Value::from(value)));
    Ok(answer::json(&json!({"node": api.options.node, "config": keys.collect::<Map<_, _>>()})))
}
