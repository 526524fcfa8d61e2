//! What stands behind the question mark of a request.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::api::Shared;
use super::refusal::Refusal;
use super::{percent, spans};

/// Names and values in their order, decoded.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl FromRequestParts<Shared> for Query {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _api: &Shared) -> Result<Self, Refusal> {
        let query = Self::parse(parts.uri.query().unwrap_or_default());
        spans::check(&query)?;
        Ok(query)
    }
}

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let split = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent::decode(name), percent::decode(value))
        };
        Self(pairs.map(split).collect())
    }

    /// The first value of this name.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// It says so in this one word; anything else is no.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.value(name) == Some("true")
    }
}
