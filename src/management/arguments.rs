//! Arguments and headers between AMQP's tables and JSON, with RabbitMQ's types: whole numbers are
//! signed 64-bit ones, others doubles, texts long strings, and nothing is no value.

use serde_json::Value;

use super::refusal::Refusal;
use crate::definitions::export;
use crate::definitions::import::arguments_table;
use crate::protocol::field::FieldTable;

/// The table that an object is; an empty list is an empty table.
pub(super) fn read(value: &Value) -> Result<FieldTable, Refusal> {
    match value {
        Value::Object(object) => {
            if object.values().any(has_null) {
                return Err(Refusal::bad("null_not_allowed"));
            }
            arguments_table(object).map_err(Refusal::bad)
        }
        Value::Array(values) if values.is_empty() => Ok(FieldTable::new()),
        _ => Err(Refusal::bad("arguments and headers must be JSON objects")),
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().any(has_null),
        Value::Object(object) => object.values().any(has_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A table as an object: as in a definitions file.
pub(super) fn shape(table: &FieldTable) -> Value {
    export::arguments(table)
}
