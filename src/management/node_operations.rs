//! `/api/leveret`: what RabbitMQ's command line tools do to a node, and its HTTP API does not. It
//! is for administrators.

use std::future::poll_fn;
use std::task::Poll;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use tracing::info;

use super::answer;
use super::api::Shared;
use super::body::Fields;
use super::caller::Caller;
use super::operation::{Field, Kind, Operation};
use super::refusal::Refusal;
use super::routes::Routes;
use crate::auth::Login;
use crate::broker::Peer;

pub(super) fn routes() -> Routes {
    let stops = Operation::item("Stops the node, as SIGTERM does").or(202);
    let checks = Operation::item("Tells whether a password is right").needs(FIELDS);
    Routes::new().post("/leveret/shutdown", stops, shut_down).post(
        "/leveret/authenticate-user",
        checks,
        authenticate,
    )
}

const FIELDS: &[Field] = &[("username", Kind::Text), ("password", Kind::Text)];

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
    let check = api.broker.begin_login(login, peer);
    let checked =
        poll_fn(|context| match api.broker.poll_login(&check, context.waker(), api.now()) {
            Some(checked) => Poll::Ready(checked),
            None => Poll::Pending,
        });
    let is_right = checked.await.is_ok();
    Ok(answer::json(&json!({"authenticated": is_right})))
}
