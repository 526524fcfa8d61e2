//! How answers look: JSON that nobody keeps, or nothing but a status.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// What was asked for.
pub(super) fn json(value: &Value) -> Response {
    json_of(StatusCode::OK, value)
}

/// JSON under any status.
pub(super) fn json_of(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
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
