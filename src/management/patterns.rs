//! Patterns that a request's body brings: what is none is refused before anything is changed.

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use crate::definitions::{Pattern, term};

/// Takes a pattern out of the fields, which are known to have it.
pub(super) fn take(fields: &mut Map<String, Value>, key: &str) -> Result<String, Refusal> {
    let text = take_text(fields, key)?;
    match Pattern::parse(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Refusal::Bad(json!(["invalid_regexp", text, error.to_string()]))),
    }
}

/// Takes a text out of the fields.
pub(super) fn take_text(fields: &mut Map<String, Value>, key: &str) -> Result<String, Refusal> {
    match fields.remove(key).unwrap_or_default() {
        Value::String(text) => Ok(text),
        other => Err(Refusal::bad(format!("{key} should be a binary but was {}", term(&other)))),
    }
}
