//! What a request brings, mostly a JSON object, within bounds of size and time.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use serde_json::{Map, Value};

use super::api::Api;
use super::caller::Caller;
use super::refusal::Refusal;
use crate::limits::{
    MANAGEMENT_BODY_PATIENCE_MS, MANAGEMENT_DEPTH_MAX, MANAGEMENT_FIELDS_SIZE_MAX,
};

/// Columns of a line in which Erlang prints a list.
const LINE_LENGTH_MAX: usize = 80;

/// The fields of a request's body; none where there is no body.
#[derive(Debug)]
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    /// Reads them for who passes a check.
    pub(super) async fn read(
        body: Body,
        api: &Api,
        caller: &Caller,
        check: impl Fn(&Caller) -> Result<(), Refusal>,
    ) -> Result<Self, Refusal> {
        Self::read_up_to(MANAGEMENT_FIELDS_SIZE_MAX, body, api, caller, check).await
    }

    /// The same, of at most so many bytes.
    pub(super) async fn read_up_to(
        size_max: u64,
        body: Body,
        api: &Api,
        caller: &Caller,
        check: impl Fn(&Caller) -> Result<(), Refusal>,
    ) -> Result<Self, Refusal> {
        let size_max = api.options.body_size_max.min(size_max);
        let bytes = bytes(body, api, caller, size_max, check).await?;
        if bytes.is_empty() {
            return Ok(Self(Map::new()));
        }
        let fields: Map<String, Value> =
            serde_json::from_slice(&bytes).map_err(|_| Refusal::bad("not_json"))?;
        match fields.values().all(|value| is_within(value, MANAGEMENT_DEPTH_MAX)) {
            true => Ok(Self(fields)),
            false => Err(Refusal::bad("not_json: it is nested too deep")),
        }
    }

    /// Refuses a body without all of these.
    pub(super) fn check_has(&self, keys: &[&str]) -> Result<(), Refusal> {
        let missing = keys.iter().filter(|key| !self.0.contains_key(**key));
        let missing: Vec<String> = missing.map(|key| format!("{{key_missing,{key}}}")).collect();
        if missing.is_empty() {
            return Ok(());
        }
        // Where it is longer than a line, each has its own.
        let is_long = missing.iter().map(|one| one.len() + 1).sum::<usize>() >= LINE_LENGTH_MAX;
        Err(Refusal::bad(format!("[{}]", missing.join(if is_long { ",\n " } else { "," }))))
    }
}

/// It is nested no deeper.
fn is_within(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(values) => depth > 0 && values.iter().all(|value| is_within(value, depth - 1)),
        Value::Object(fields) => {
            depth > 0 && fields.values().all(|value| is_within(value, depth - 1))
        }
        _ => true,
    }
}

/// Reads a whole body for who passes a check: before, so that nobody makes the node read what it
/// will refuse, and after, since a body may take its time.
pub(super) async fn bytes(
    body: Body,
    api: &Api,
    caller: &Caller,
    size_max: u64,
    check: impl Fn(&Caller) -> Result<(), Refusal>,
) -> Result<Bytes, Refusal> {
    check(caller)?;
    let size_max = usize::try_from(size_max).unwrap_or(usize::MAX);
    let patience = Duration::from_millis(MANAGEMENT_BODY_PATIENCE_MS);
    let bytes = tokio::time::timeout(patience, to_bytes(body, size_max))
        .await
        .map_err(|_| Refusal::Slow)?
        .map_err(|_| Refusal::bad("Exceeded HTTP request body size limit"))?;
    check(&caller.as_it_is_now(api)?)?;
    Ok(bytes)
}
