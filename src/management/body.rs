//! The JSON object that a request brings, within bounds of size and time.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use serde_json::{Map, Value};

use super::api::Shared;
use super::refusal::Refusal;
use crate::limits::MANAGEMENT_BODY_PATIENCE_MS;

/// The fields of a request's body; none where there is no body.
#[derive(Debug)]
pub(super) struct Fields(pub(super) Map<String, Value>);

impl FromRequest<Shared> for Fields {
    type Rejection = Refusal;

    async fn from_request(request: Request, api: &Shared) -> Result<Self, Refusal> {
        let size_max = usize::try_from(api.options.body_size_max).unwrap_or(usize::MAX);
        let patience = Duration::from_millis(MANAGEMENT_BODY_PATIENCE_MS);
        let read = tokio::time::timeout(patience, to_bytes(request.into_body(), size_max));
        let bytes = read
            .await
            .map_err(|_| Refusal::Slow)?
            .map_err(|_| Refusal::bad("Exceeded HTTP request body size limit"))?;
        if bytes.is_empty() {
            return Ok(Self(Map::new()));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|_| Refusal::bad("not_json"))
    }
}

impl Fields {
    /// Refuses a body without all of these.
    pub(super) fn check_has(&self, keys: &[&str]) -> Result<(), Refusal> {
        let missing = keys.iter().filter(|key| !self.0.contains_key(**key));
        let missing: Vec<String> = missing.map(|key| format!("{{key_missing,{key}}}")).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Refusal::bad(format!("[{}]", missing.join(","))))
    }
}
