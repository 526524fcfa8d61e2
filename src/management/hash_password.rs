//! `/api/auth/hash_password`: the hash of a password, as a definitions file or the body of a user
//! takes it. Newer tools send the password in the body, since paths end up in logs.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::answer;
use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::names::Names;
use super::patterns;
use super::refusal::Refusal;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/auth/hash_password", post(hash_sent))
        .route("/auth/hash_password/{password}", get(hash))
}

async fn hash(
    State(api): State<Shared>,
    caller: Caller,
    Names(password): Names<String>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    Ok(hashed(&api, &password))
}

async fn hash_sent(
    State(api): State<Shared>,
    caller: Caller,
    body: Body,
) -> Result<Response, Refusal> {
    let mut fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    fields.check_has(&["password"])?;
    let password = patterns::take_text(&mut fields.0, "password")?;
    Ok(hashed(&api, &password))
}

fn hashed(api: &Api, password: &str) -> Response {
    answer::json(&json!({"ok": STANDARD.encode(&api.broker.new_hash(password).bytes)}))
}
