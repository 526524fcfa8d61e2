//! How answers look: JSON that nobody keeps, or nothing but a status.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::list::Row;
use super::row_stream::RowStream;

/// What was asked for.
pub(super) fn json(value: &Value) -> Response {
    json_of(StatusCode::OK, value)
}

/// JSON under any status.
pub(super) fn json_of(status: StatusCode, value: &Value) -> Response {
    whole(status, value.to_string().into())
}

/// JSON that is made already.
pub(super) fn made(json: Bytes) -> Response {
    whole(StatusCode::OK, json)
}

/// All of an answer. Who has the same already is told so by its tag.
fn whole(status: StatusCode, json: Bytes) -> Response {
    let tag = format!("W/\"{:x}-{:x}\"", json.len(), crc32fast::hash(&json));
    let mut response = with_body(status, Body::from(json));
    if let (StatusCode::OK, Ok(tag)) = (status, HeaderValue::try_from(tag)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// JSON that is made as the client reads it.
pub(super) fn stream<R: Row>(rows: RowStream<R>) -> Response {
    with_body(StatusCode::OK, Body::new(rows))
}

/// Text that comes as it happens.
pub(super) fn text_stream<B>(body: B) -> Response
where
    B: hyper::body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let mut response = with_body(StatusCode::OK, Body::new(body));
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

fn with_body(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Something was set that was there before, or was not.
pub(super) fn set(was_there: bool) -> Response {
    if was_there { done() } else { StatusCode::CREATED.into_response() }
}

/// It is done, and there is nothing to tell.
pub(super) fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
