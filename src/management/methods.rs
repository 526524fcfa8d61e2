//! The methods that a resource has, in RabbitMQ's order, for who asks for another one. And paths
//! that end with a slash, which mean the same as without.

use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Uri, header};

const IN_ORDER: [&str; 5] = ["HEAD", "GET", "PUT", "POST", "DELETE"];

/// All methods of a resource, of which the answer's headers name some; OPTIONS is one of each.
pub(super) fn allowed(headers: &HeaderMap) -> String {
    let known = headers.get(header::ALLOW).and_then(|value| value.to_str().ok()).unwrap_or("");
    let is_known = |method: &&str| known.split(',').any(|known| known.trim() == *method);
    let methods = IN_ORDER.into_iter().filter(is_known).chain(["OPTIONS"]);
    methods.collect::<Vec<_>>().join(", ")
}

/// The same without a slash at the end of its path.
pub(super) fn without_last_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_suffix('/').filter(|path| path.contains("/api/"))?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{path}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_slash_at_the_end_means_nothing() {
        for (path, expected) in [
            ("/api/queues/?page=1", Some("/api/queues?page=1")),
            ("/below/api/queues/%2F/", Some("/below/api/queues/%2F")),
            ("/api/queues", None),
            ("/api/", None),
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
