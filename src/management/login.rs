//! `/api/login`: a console asks whether name and password of a form are good. Nothing is remembered
//! of it, and no cookie set: who asks for more says again who it is.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::api::Shared;
use super::caller::Caller;
use super::operation::{BodyKind, Kind, Operation};
use super::query::Query;
use super::refusal::Refusal;
use super::routes::Routes;
use super::visitors::Acquaintance;
use super::{answer, body};
use crate::auth::Login;
use crate::broker::Peer;
use crate::limits::MANAGEMENT_BUFFER_SIZE_MAX;

const FORM: &str = "application/x-www-form-urlencoded";

pub(super) fn routes() -> Routes {
    let login = Operation::text("Tells whether a name and a password are good");
    let login = login.needs(&[("username", Kind::Text), ("password", Kind::Text)]);
    let login = login.reads(BodyKind::Form).open().or(401).or(415);
    Routes::new().post("/login", login, check).delete(
        "/login",
        Operation::done("Ends a login: nothing is kept of one").open(),
        end,
    )
}

async fn check(
    State(api): State<Shared>,
    Extension(peer): Extension<Peer>,
    Extension(acquaintance): Extension<Acquaintance>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case(FORM) {
        return Ok(StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response());
    }
    let form = body::gather(body, &api, MANAGEMENT_BUFFER_SIZE_MAX as u64).await?;
    let form = Query::parse(&String::from_utf8_lossy(&form));
    let field = |name| form.value(name).unwrap_or_default().to_owned();
    let login = Login { user: field("username"), password: field("password").into_bytes() };
    Caller::log_in(&api, login, peer, Some(&acquaintance)).await?;
    Ok(answer::json(&json!("ok")))
}

async fn end() -> Response {
    answer::done()
}
