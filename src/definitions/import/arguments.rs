//! JSON values as fields of an AMQP table, with RabbitMQ's types: whole numbers are signed 64-bit
//! ones, others doubles, texts long strings.

use serde_json::{Map, Number, Value};

use crate::limits::TABLE_DEPTH_MAX;
use crate::protocol::field::{FieldTable, FieldValue};

/// The table that an object is.
///
/// # Errors
/// Something in it has no place in a table.
pub fn table(object: &Map<String, Value>) -> Result<FieldTable, String> {
    table_at(object, 0)
}

fn table_at(object: &Map<String, Value>, depth: usize) -> Result<FieldTable, String> {
    let mut table = FieldTable::new();
    for (name, value) in object {
        if name.len() > usize::from(u8::MAX) {
            return Err(format!("the name of argument '{name}' is longer than 255 bytes"));
        }
        let value = field(value, depth).map_err(|reason| format!("argument '{name}' {reason}"))?;
        table.insert(name.as_str(), value);
    }
    Ok(table)
}

fn field(value: &Value, depth: usize) -> Result<FieldValue, String> {
    if depth >= TABLE_DEPTH_MAX && (value.is_array() || value.is_object()) {
        return Err(format!("is nested more than {TABLE_DEPTH_MAX} deep"));
    }
    Ok(match value {
        Value::Null => FieldValue::Void,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => self::number(number)?,
        Value::String(text) => text.as_str().into(),
        Value::Array(values) => {
            let values: Result<_, _> = values.iter().map(|value| field(value, depth + 1)).collect();
            FieldValue::Array(values?)
        }
        Value::Object(object) => table_at(object, depth + 1)?.into(),
    })
}

fn number(number: &Number) -> Result<FieldValue, String> {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(whole), _, _) => Ok(whole.into()),
        // Nothing else is so large.
        (None, Some(seconds), _) => Ok(FieldValue::Timestamp(seconds)),
        (None, None, Some(fraction)) if number.is_f64() => Ok(FieldValue::F64(fraction)),
        _ => Err(format!("is {number}, which is more than a 64-bit number holds")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<FieldTable, String> {
        table(&Map::from_iter([("a".to_owned(), value)]))
    }

    #[test]
    fn values_have_the_types_that_rabbitmq_gives_them() {
        let nested: FieldTable = [("b", FieldValue::I64(1))].into_iter().collect();
        for (json, expected) in [
            (json!(60000), FieldValue::I64(60_000)),
            (json!(-1), FieldValue::I64(-1)),
            (json!(i64::MAX), FieldValue::I64(i64::MAX)),
            (json!(u64::MAX), FieldValue::Timestamp(u64::MAX)),
            (json!(1.5), FieldValue::F64(1.5)),
            (json!("text"), FieldValue::from("text")),
            (json!(true), FieldValue::Boolean(true)),
            (json!(null), FieldValue::Void),
            (json!([1, "x"]), FieldValue::Array(vec![FieldValue::I64(1), "x".into()])),
            (json!({"b": 1}), FieldValue::Table(nested)),
        ] {
            assert_eq!(read(json.clone()).unwrap().get("a"), Some(&expected), "{json}");
        }
    }

    #[test]
    fn what_no_table_holds_is_refused() {
        let long = Map::from_iter([("n".repeat(256), json!(1))]);
        assert!(table(&long).unwrap_err().contains("longer than 255 bytes"));
        let nest = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        let deepest = read(nest(TABLE_DEPTH_MAX)).unwrap();
        let mut bytes = Vec::new();
        deepest.encode(&mut bytes);
        assert_eq!(FieldTable::decode_body(&bytes[4..]), Ok(deepest));
        assert!(read(nest(TABLE_DEPTH_MAX + 1)).unwrap_err().contains("nested"));
    }
}
