//! `/api/auth/hash_password`: the hash of a password, as a definitions file or the body of a user
//! takes it. Newer tools send the password in the body, since paths end up in logs.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::answer;
use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::names::Names;
use super::operation::{Kind, Operation};
use super::patterns;
use super::refusal::Refusal;
use super::routes::Routes;

pub(super) fn routes() -> Routes {
    let sent = Operation::item("The hash of a password").needs(&[("password", Kind::Text)]);
    Routes::new().post("/auth/hash_password", sent, hash_sent).get(
        "/auth/hash_password/{password}",
        Operation::item("The hash of a password, which the path has"),
        hash,
    )
}

async fn hash(
    State(api): State<Shared>,
    caller: Caller,
    Names(password): Names<String>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    Ok(hashed(&api, &password).await)
}

async fn hash_sent(
    State(api): State<Shared>,
    caller: Caller,
    body: Body,
) -> Result<Response, Refusal> {
    let mut fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    fields.check_has(&["password"])?;
    let password = patterns::take_text(&mut fields.0, "password")?;
    Ok(hashed(&api, &password).await)
}

async fn hashed(api: &Api, password: &str) -> Response {
    let hash = api.hash(None, password).await;
    answer::json(&json!({"ok": STANDARD.encode(&hash.bytes)}))
}
