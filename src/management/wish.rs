//! What a request's body wishes of a declaration, field by field, with RabbitMQ's words for what is
//! wrong with it.

use serde_json::{Map, Value, json};

use super::arguments;
use super::refusal::Refusal;
use crate::message::{Name, cleaned};
use crate::protocol::field::FieldTable;

/// What a short string holds.
const NAME_SIZE_MAX: usize = 255;

/// A flag, which may be written as a text; one that is not there is off.
pub(super) fn flag(fields: &Map<String, Value>, name: &str) -> Result<bool, Refusal> {
    match fields.get(name) {
        None | Some(Value::Bool(false)) => Ok(false),
        Some(Value::Bool(true)) => Ok(true),
        Some(Value::String(text)) if text == "true" => Ok(true),
        Some(Value::String(text)) if text == "false" => Ok(false),
        Some(other) => Err(Refusal::Bad(json!(["not_boolean", other]))),
    }
}

/// A whole number, which may be written as a text.
pub(super) fn integer(value: &Value) -> Result<i64, Refusal> {
    let number = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| Refusal::Bad(json!(["not_integer", value])))
}

/// A text that the wire can carry as a short string.
pub(super) fn short_text<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, Refusal> {
    match fields.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => check_size(name, text).map(|()| Some(text.as_str())),
        Some(_) => Err(Refusal::Bad(json!(["not_string", name]))),
    }
}

/// The table of a declaration.
pub(super) fn arguments(fields: &Map<String, Value>) -> Result<FieldTable, Refusal> {
    fields.get("arguments").map_or_else(|| Ok(FieldTable::new()), arguments::read)
}

/// The name of a queue or an exchange, which a path may write too long.
pub(super) fn name(kind: &str, name: &str) -> Result<Name, Refusal> {
    check_size(kind, name)?;
    Ok(cleaned(name))
}

fn check_size(what: &str, text: &str) -> Result<(), Refusal> {
    let size = text.len();
    if size <= NAME_SIZE_MAX {
        return Ok(());
    }
    let reason = format!("{what} should be less than {NAME_SIZE_MAX} bytes, actually was {size}\n");
    Err(Refusal::bad(reason))
}

/// Who asks for a node by name must mean this one: there is no other.
pub(super) fn check_node(fields: &Map<String, Value>, own: &str) -> Result<(), Refusal> {
    match fields.get("node") {
        None => Ok(()),
        Some(Value::String(node)) if node == own => Ok(()),
        Some(Value::String(node)) => {
            Err(Refusal::bad(format!("Node {node} could not be contacted")))
        }
        Some(_) => Err(Refusal::Bad(json!(["not_string", "node"]))),
    }
}
