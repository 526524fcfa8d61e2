//! What is asked of a resource that it does not do, and what it does: `405` and `OPTIONS`, with the
//! methods in RabbitMQ's order. And paths that end with a slash, which mean the same as without.

use axum::extract::Request;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::answer::json_of;

const IN_ORDER: [&str; 5] = ["HEAD", "GET", "PUT", "POST", "DELETE"];

/// Answers for resources that do something else than they are asked.
pub(super) async fn answer(request: Request, next: Next) -> Response {
    let only_asks = *request.method() == Method::OPTIONS;
    let response = next.run(request).await;
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let allowed = allowed(response.headers());
    let mut response = match only_asks {
        true => StatusCode::OK.into_response(),
        false => json_of(
            StatusCode::METHOD_NOT_ALLOWED,
            &json!({"error": "method_not_allowed", "reason": "Method Not Allowed"}),
        ),
    };
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

fn allowed(headers: &HeaderMap) -> String {
    let known = headers.get(header::ALLOW).and_then(|value| value.to_str().ok()).unwrap_or("");
    let is_known = |method: &&str| known.split(',').any(|known| known.trim() == *method);
    let methods = IN_ORDER.into_iter().filter(is_known).chain(["OPTIONS"]);
    methods.collect::<Vec<_>>().join(", ")
}

/// The same without a slash at the end of its path.
pub(super) fn without_last_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_suffix('/').filter(|path| !path.is_empty())?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{path}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_means_nothing() {
        for (path, expected) in [
            ("/api/queues/?page=1", Some("/api/queues?page=1")),
            ("/api/queues/%2F/", Some("/api/queues/%2F")),
            ("/api/queues", None),
            ("/", None),
        ] {
            let without = without_last_slash(&path.parse().unwrap());
            assert_eq!(without, expected.map(|path| path.parse().unwrap()), "{path}");
        }
    }

    #[test]
    fn methods_are_told_in_rabbitmqs_order() {
        let allow = HeaderValue::from_static("DELETE,GET,HEAD,PUT");
        let headers = HeaderMap::from_iter([(header::ALLOW, allow)]);
        assert_eq!(allowed(&headers), "HEAD, GET, PUT, DELETE, OPTIONS");
        assert_eq!(allowed(&HeaderMap::new()), "OPTIONS");
    }
}
