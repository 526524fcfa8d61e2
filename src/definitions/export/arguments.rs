//! Fields of an AMQP table as JSON, the way back from `import/arguments`. JSON has fewer types: how
//! wide a number was is lost, as in RabbitMQ.

use serde_json::{Map, Value};

use crate::protocol::field::{FieldTable, FieldValue};

/// The object that a table is. Of two entries with one name the first counts.
#[must_use]
pub fn arguments(table: &FieldTable) -> Value {
    let mut object = Map::new();
    for (name, field) in table {
        object.entry(name.to_string()).or_insert_with(|| value(field));
    }
    Value::Object(object)
}

fn value(field: &FieldValue) -> Value {
    match field {
        FieldValue::Boolean(value) => (*value).into(),
        FieldValue::F32(value) => float(f64::from(*value)),
        FieldValue::F64(value) => float(*value),
        FieldValue::Decimal { scale, value } => {
            float(f64::from(*value) / 10_f64.powi(i32::from(*scale)))
        }
        FieldValue::LongString(bytes) | FieldValue::Bytes(bytes) => {
            String::from_utf8_lossy(bytes).into()
        }
        FieldValue::Array(values) => values.iter().map(value).collect(),
        FieldValue::Timestamp(seconds) => (*seconds).into(),
        FieldValue::Table(table) => arguments(table),
        FieldValue::Void => Value::Null,
        integer => integer.as_integer().into(),
    }
}

/// JSON has no infinities.
fn float(value: f64) -> Value {
    if value.is_finite() { value.into() } else { value.to_string().into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_of_every_kind_are_json() {
        let inner: FieldTable = [("b", FieldValue::Void)].into_iter().collect();
        let table: FieldTable = [
            ("i8", FieldValue::I8(-5)),
            ("i8", FieldValue::I8(6)),
            ("u8", FieldValue::U8(5)),
            ("i16", FieldValue::I16(-300)),
            ("u16", FieldValue::U16(300)),
            ("i32", FieldValue::I32(-70_000)),
            ("u32", FieldValue::U32(70_000)),
            ("i64", FieldValue::I64(i64::MIN)),
            ("f32", FieldValue::F32(0.5)),
            ("infinite", FieldValue::F64(f64::INFINITY)),
            ("decimal", FieldValue::Decimal { scale: 2, value: 250 }),
            ("text", "t\u{F6}".into()),
            ("bytes", FieldValue::Bytes(Box::new([b'a', 0xff]))),
            ("array", FieldValue::Array(vec![true.into(), FieldValue::Timestamp(9)])),
            ("table", inner.into()),
        ]
        .into_iter()
        .collect();
        let expected = json!({
            "i8": -5, "u8": 5, "i16": -300, "u16": 300, "i32": -70_000, "u32": 70_000,
            "i64": i64::MIN, "f32": 0.5, "infinite": "inf", "decimal": 2.5, "text": "t\u{F6}",
            "bytes": "a\u{FFFD}", "array": [true, 9], "table": {"b": null},
        });
        assert_eq!(arguments(&table), expected);
    }
}
