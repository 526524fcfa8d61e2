//! `/api/leveret`: what RabbitMQ's command line tools do to a node, and its HTTP API does not. It is
//! for administrators.

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value, json};
use tracing::info;

use super::answer;
use super::api::Shared;
use super::body::Fields;
use super::caller::Caller;
use super::refusal::Refusal;
use crate::auth::Login;
use crate::broker::Peer;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/leveret/shutdown", post(shut_down))
        .route("/leveret/authenticate-user", post(authenticate))
}

/// Answered before it stops, with the number of the process that will end.
async fn shut_down(State(api): State<Shared>, caller: Caller) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    info!(target: "management", "user '{}' stops the node", caller.user.name);
    (api.options.stop)();
    let process = json!({"process": api.options.facts.process_id});
    Ok(answer::json_of(StatusCode::ACCEPTED, &process))
}

/// Whether a password is right, for administrators, who could set it anyway: they do not wait.
async fn authenticate(
    State(api): State<Shared>,
    Extension(peer): Extension<Peer>,
    caller: Caller,
    body: Body,
) -> Result<Response, Refusal> {
    let fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    fields.check_has(&["username", "password"])?;
    let text = |name: &str| fields.0.get(name).and_then(Value::as_str).map(str::to_owned);
    let (Some(user), Some(password)) = (text("username"), text("password")) else {
        return Err(Refusal::bad("username and password should be text"));
    };
    let login = Login { user, password: password.into_bytes() };
    let is_right = api.broker.check_login(&login, peer, api.now()).is_ok();
    Ok(answer::json(&json!({"authenticated": is_right})))
}
