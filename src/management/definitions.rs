//! `/api/definitions`: all that is declared as a file of RabbitMQ's form, and such a file carried
//! out. What goes into one and how it is read is in `definitions::export` and
//! `definitions::import`.

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::task::yield_now;
use tracing::{info, warn};

use super::answer;
use super::api::{Api, Shared};
use super::body;
use super::caller::Caller;
use super::names::Names;
use super::operation::{BodyKind, Operation};
use super::refusal::Refusal;
use super::routes::Routes;
use crate::broker::{Declared, ImportFailure, ImportReport};
use crate::definitions::import::{Definitions, DefinitionsError};
use crate::limits::EXPORT_WARNINGS_MAX;

/// What in an export RabbitMQ does not take.
const WARNING_HEADER: HeaderName = HeaderName::from_static("x-leveret-warning");

pub(super) fn routes() -> Routes {
    const OF_HOST: &str = "/definitions/{vhost}";
    let upload = |summary| Operation::done(summary).reads(BodyKind::Definitions).or(415);
    Routes::new()
        .get("/definitions", Operation::item("All definitions").asks(&["download"]), export)
        .post("/definitions", upload("Declares all of a file"), import)
        .get(
            OF_HOST,
            Operation::item("Definitions of a virtual host").asks(&["download"]),
            export_host,
        )
        .post(OF_HOST, upload("Declares all of a file in a virtual host"), import_into_host)
}

async fn export(
    State(api): State<Shared>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let inventory = api.broker.inventory();
    let file = inventory.cluster_file(&api.broker.origin());
    Ok(with_warnings(as_file(file, query.as_deref()), &inventory.foreign(None)))
}

async fn export_host(
    State(api): State<Shared>,
    caller: Caller,
    Names(host): Names<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let missing = || Refusal::bad("vhost_not_found");
    let inventory = api.broker.inventory_of(&host).ok_or_else(missing)?;
    let file = inventory.host_file(&host, &api.broker.origin()).ok_or_else(missing)?;
    Ok(with_warnings(as_file(file, query.as_deref()), &inventory.foreign(Some(&host))))
}

/// Whoever exports is told what RabbitMQ does not take: a header for each finding, and one for all
/// that are too many. What is no ASCII is escaped.
fn with_warnings(mut response: Response, warnings: &[String]) -> Response {
    let told = warnings.iter().take(EXPORT_WARNINGS_MAX).cloned();
    let left = warnings.len().saturating_sub(EXPORT_WARNINGS_MAX);
    let more = (left > 0).then(|| format!("{left} more"));
    for warning in told.chain(more) {
        warn!(target: "management", "export of definitions: {warning}");
        let shown: String = warning.chars().map(shown).collect();
        if let Ok(value) = HeaderValue::try_from(shown) {
            response.headers_mut().append(WARNING_HEADER, value);
        }
    }
    response
}

fn shown(character: char) -> String {
    match character {
        ' '..='~' => character.to_string(),
        other => other.escape_default().to_string(),
    }
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
    let definitions = Definitions::read(&form.file(bytes).await?).map_err(refused)?;
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
    let file = form.file(bytes).await?;
    let definitions = Definitions::read_for_host(&file, &host).map_err(refused)?;
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
    let result = import_in_turns(api, caller, definitions).await;
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
    caller: &Caller,
    definitions: &Definitions,
) -> Result<ImportReport, ImportFailure> {
    let mut import = api.by(caller).begin_import(definitions)?;
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
    /// In a field of a form, which this content type describes.
    Multipart(HeaderValue),
}

impl Form {
    /// As in RabbitMQ, nothing else is taken: what a page of somebody else's makes a browser send
    /// is mostly something else.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(header::CONTENT_TYPE)?;
        let kind = content_type.to_str().ok()?.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("multipart/form-data") {
            return Some(Self::Multipart(content_type.clone()));
        }
        kind.eq_ignore_ascii_case("application/json").then_some(Self::Json)
    }

    /// The file; an empty body has nothing to declare.
    async fn file(self, body: Bytes) -> Result<Bytes, Refusal> {
        let file = match self {
            Self::Json => body,
            Self::Multipart(content_type) => field(content_type, body, "file").await?,
        };
        Ok(if file.is_empty() { Bytes::from_static(b"{}") } else { file })
    }
}

/// A field of a form that is there as a whole, within its bounds.
async fn field(content_type: HeaderValue, form: Bytes, name: &str) -> Result<Bytes, Refusal> {
    let mut request = Request::new(Body::from(form));
    request.headers_mut().insert(header::CONTENT_TYPE, content_type);
    DefaultBodyLimit::disable().apply(&mut request);
    let malformed = |error: &str| Refusal::bad(format!("failed_to_parse_json: {error}"));
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|error| malformed(&error.body_text()))?;
    while let Some(field) =
        form.next_field().await.map_err(|error| malformed(&error.body_text()))?
    {
        if field.name() == Some(name) {
            return field.bytes().await.map_err(|error| malformed(&error.body_text()));
        }
    }
    Err(malformed(&format!("there is no field '{name}'")))
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
