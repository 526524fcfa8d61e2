//! `/api/definitions`: all that is declared as a file of RabbitMQ's form, and such a file carried
//! out. What goes into one and how it is read is in `definitions::export` and
//! `definitions::import`.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::task::yield_now;
use tracing::{info, warn};

use super::answer;
use super::api::{Api, Shared};
use super::body;
use super::caller::Caller;
use super::multipart;
use super::names::Names;
use super::refusal::Refusal;
use crate::broker::{Declared, ImportFailure, ImportReport};
use crate::definitions::import::{Definitions, DefinitionsError};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/definitions", get(export).post(import))
        .route("/definitions/{vhost}", get(export_host).post(import_into_host))
}

async fn export(
    State(api): State<Shared>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let file = api.broker.inventory().cluster_file(&api.broker.origin());
    Ok(as_file(file, query.as_deref()))
}

async fn export_host(
    State(api): State<Shared>,
    caller: Caller,
    Names(host): Names<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let inventory = api.broker.inventory_of(&host);
    let file = inventory.and_then(|inventory| inventory.host_file(&host, &api.broker.origin()));
    let file = file.ok_or_else(|| Refusal::bad("vhost_not_found"))?;
    Ok(as_file(file, query.as_deref()))
}

async fn import(
    State(api): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let Some(form) = Form::of(&headers) else { return Ok(unknown_type()) };
    let bytes = read(&api, &caller, body).await?;
    let definitions = Definitions::read(form.file(&bytes)?).map_err(refused)?;
    carry_out(&api, &caller, &definitions).await
}

async fn import_into_host(
    State(api): State<Shared>,
    caller: Caller,
    Names(host): Names<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let Some(form) = Form::of(&headers) else { return Ok(unknown_type()) };
    let bytes = read(&api, &caller, body).await?;
    api.check_host(&host).map_err(|_| Refusal::Missing("vhost_not_found"))?;
    let definitions = Definitions::read_for_host(form.file(&bytes)?, &host).map_err(refused)?;
    carry_out(&api, &caller, &definitions).await
}

/// A file may be as large as the operator lets bodies be.
async fn read(api: &Api, caller: &Caller, body: Body) -> Result<Bytes, Refusal> {
    let size_max = api.options.body_size_max;
    body::bytes(body, api, caller, size_max, Caller::check_administrator).await
}

/// Answered when all of it is on disk, or what came before the item that was refused.
async fn carry_out(
    api: &Api,
    caller: &Caller,
    definitions: &Definitions,
) -> Result<Response, Refusal> {
    let user = &caller.user.name;
    for warning in &definitions.warnings {
        warn!(target: "management", "definitions of user '{user}': {warning}");
    }
    let result = import_in_turns(api, definitions).await;
    api.stored(Ok(Declared::Changed)).await?;
    match result {
        Ok(report) => {
            info!(target: "management", "definitions of user '{user}': {report}");
            Ok(answer::done())
        }
        Err(failure) => {
            warn!(target: "management", "definitions of user '{user}': {failure}");
            Err(Refusal::bad(failure.to_string()))
        }
    }
}

/// Some items at a time: other connections of this thread have their turns in between.
async fn import_in_turns(
    api: &Api,
    definitions: &Definitions,
) -> Result<ImportReport, ImportFailure> {
    let mut import = api.broker.begin_import(definitions)?;
    loop {
        if let Some(report) = import.step(api.now())? {
            return Ok(report);
        }
        yield_now().await;
    }
}

fn refused(error: DefinitionsError) -> Refusal {
    Refusal::bad(match error {
        DefinitionsError::NotDefinitions(reason) => format!("failed_to_parse_json: {reason}"),
        other => other.to_string(),
    })
}

/// How a body brings its file.
enum Form {
    Json,
    /// In a part of its own, behind this boundary.
    Multipart(String),
}

impl Form {
    /// As in RabbitMQ, nothing else is taken: what a page of somebody else's makes a browser send
    /// is mostly something else.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        if let Some(boundary) = multipart::boundary(content_type) {
            return Some(Self::Multipart(boundary.to_owned()));
        }
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json").then_some(Self::Json)
    }

    /// The file; an empty body has nothing to declare.
    fn file<'a>(&self, body: &'a [u8]) -> Result<&'a [u8], Refusal> {
        let file = match self {
            Self::Json => body,
            Self::Multipart(boundary) => multipart::part(body, boundary, "file")
                .ok_or_else(|| Refusal::bad("failed_to_parse_json: there is no field 'file'"))?,
        };
        Ok(if file.is_empty() { b"{}" } else { file })
    }
}

fn unknown_type() -> Response {
    StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response()
}

/// With a name to be saved under, where the request asks for one (`?download=NAME`).
fn as_file(file: String, query: Option<&str>) -> Response {
    let mut response = answer::made(file.into());
    let mut pairs = query.unwrap_or_default().split('&');
    let name = pairs.find_map(|pair| pair.strip_prefix("download=")).filter(|name| is_token(name));
    let disposition = name.map(|name| format!("attachment; filename={name}"));
    if let Some(Ok(disposition)) = disposition.map(HeaderValue::try_from) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

/// It needs no quotes in a header.
fn is_token(name: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_good)
}
