//! Headers of all answers: what caches may do with them, and what pages of other origins may. What
//! an answer says is none of its business.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::json;

use super::methods;

/// Pages of other origins that may use the API from a browser.
#[derive(Clone, Debug, Default)]
pub struct CrossOrigin {
    /// Where they may come from; `*` is from anywhere.
    pub origins: Vec<String>,
    /// Seconds for which a browser need not ask again whether they may.
    pub max_age_seconds: Option<u64>,
}

impl CrossOrigin {
    /// A page from there may use it.
    pub(super) fn lets(&self, origin: &HeaderValue) -> bool {
        let is_it = |allowed: &String| allowed == "*" || allowed.as_bytes() == origin.as_bytes();
        origin != "null" && self.origins.iter().any(is_it)
    }
}

/// What of a request is looked at when its answer is there.
struct Asked {
    is_options: bool,
    origin: Option<HeaderValue>,
    /// Headers that a page wants to send.
    headers: Option<HeaderValue>,
    known_tag: Option<HeaderValue>,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let header = |name: HeaderName| request.headers().get(name).cloned();
        Self {
            is_options: request.method() == Method::OPTIONS,
            origin: header(header::ORIGIN),
            headers: header(header::ACCESS_CONTROL_REQUEST_HEADERS),
            known_tag: header(header::IF_NONE_MATCH),
        }
    }
}

/// Has a request answered, and adds what all answers have.
pub(super) async fn add(
    State(cross_origin): State<Arc<CrossOrigin>>,
    request: Request,
    next: Next,
) -> Response {
    let asked = Asked::of(&request);
    let mut response = next.run(request).await;
    // Where there is a resource, that it has no such method tells which it has.
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        tell_methods(response.headers_mut());
        match asked.is_options {
            true => *response.status_mut() = StatusCode::OK,
            false => say_why(&mut response),
        }
    }
    let varies = match response.headers().contains_key(header::ETAG) {
        true => "accept, accept-encoding, origin",
        false => "origin",
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static(varies));
    if let Some(origin) = asked.origin.as_ref().filter(|origin| cross_origin.lets(origin)) {
        admit(&cross_origin, origin, &asked, response.headers_mut());
    }
    if asked.known_tag.is_some() && asked.known_tag.as_ref() == response.headers().get(header::ETAG)
    {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::empty();
    }
    response
}

fn tell_methods(headers: &mut HeaderMap) {
    if let Ok(allowed) = HeaderValue::try_from(methods::allowed(headers)) {
        headers.insert(header::ALLOW, allowed);
    }
}

/// A refusal like all others.
fn say_why(response: &mut Response) {
    let why = json!({"error": "method_not_allowed", "reason": "Method Not Allowed"});
    *response.body_mut() = Body::from(why.to_string());
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
}

fn admit(cross_origin: &CrossOrigin, origin: &HeaderValue, asked: &Asked, headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    let yes = HeaderValue::from_static("true");
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
    if !asked.is_options {
        return;
    }
    let max_age = cross_origin.max_age_seconds.map(HeaderValue::from);
    let allowed = headers.get(header::ALLOW).cloned();
    for (name, value) in [
        (header::ACCESS_CONTROL_MAX_AGE, max_age),
        (header::ACCESS_CONTROL_ALLOW_METHODS, allowed),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, asked.headers.clone()),
    ] {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
}
