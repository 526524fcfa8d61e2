//! Arguments and headers between AMQP's tables and JSON, with RabbitMQ's types: whole numbers are
//! signed 64-bit ones, others doubles, texts long strings, and nothing is no value.

use serde_json::{Map, Number, Value};

use super::refusal::Refusal;
use crate::definitions::import::arguments_table;
use crate::protocol::field::{FieldTable, FieldValue};

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

/// A table as an object. Of two entries with one name the first counts, as for RabbitMQ.
pub(super) fn shape(table: &FieldTable) -> Value {
    let mut object = Map::new();
    for (name, field) in table {
        object.entry(name.to_string()).or_insert_with(|| shape_field(field));
    }
    Value::Object(object)
}

/// Bytes that are no text are shown as near to it as can be.
fn shape_field(field: &FieldValue) -> Value {
    match field {
        FieldValue::Boolean(value) => Value::from(*value),
        FieldValue::F32(value) => float(f64::from(*value)),
        FieldValue::F64(value) => float(*value),
        FieldValue::Decimal { scale, value } => {
            float(f64::from(*value) / 10f64.powi(i32::from(*scale)))
        }
        FieldValue::LongString(bytes) | FieldValue::Bytes(bytes) => {
            Value::from(String::from_utf8_lossy(bytes))
        }
        FieldValue::Array(values) => values.iter().map(shape_field).collect(),
        FieldValue::Timestamp(seconds) => Value::from(*seconds),
        FieldValue::Table(table) => shape(table),
        FieldValue::Void => Value::Null,
        number => number.as_integer().map_or(Value::Null, Value::from),
    }
}

/// JSON has no word for what is no number.
fn float(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}
