//! Properties and field values as JSON: plain values where JSON has them, and `{"base64": ...}` for
//! bytes that are no text.

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::properties::Properties;

/// The properties by their names in the specification; bytes that are none stay bytes.
pub(super) fn properties(bytes: &[u8]) -> Value {
    let Ok(properties) = Properties::decode(bytes) else { return base64(bytes) };
    let Properties {
        content_type,
        content_encoding,
        headers,
        delivery_mode,
        priority,
        correlation_id,
        reply_to,
        expiration,
        message_id,
        timestamp,
        kind,
        user_id,
        app_id,
        cluster_id,
    } = properties;
    let text = |value: Option<Box<str>>| value.map(|value| Value::from(&*value));
    let all = [
        ("content_type", text(content_type)),
        ("content_encoding", text(content_encoding)),
        ("headers", headers.map(|headers| table(&headers))),
        ("delivery_mode", delivery_mode.map(Value::from)),
        ("priority", priority.map(Value::from)),
        ("correlation_id", text(correlation_id)),
        ("reply_to", text(reply_to)),
        ("expiration", text(expiration)),
        ("message_id", text(message_id)),
        ("timestamp", timestamp.map(Value::from)),
        ("type", text(kind)),
        ("user_id", text(user_id)),
        ("app_id", text(app_id)),
        ("cluster_id", text(cluster_id)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// Of two entries with one name the first counts, as for RabbitMQ.
fn table(table: &FieldTable) -> Value {
    let mut object = Map::new();
    for (name, field) in table.iter() {
        object.entry(name.to_string()).or_insert_with(|| value(field));
    }
    Value::Object(object)
}

fn value(field: &FieldValue) -> Value {
    match field {
        FieldValue::Boolean(value) => (*value).into(),
        FieldValue::I8(value) => (*value).into(),
        FieldValue::U8(value) => (*value).into(),
        FieldValue::I16(value) => (*value).into(),
        FieldValue::U16(value) => (*value).into(),
        FieldValue::I32(value) => (*value).into(),
        FieldValue::U32(value) => (*value).into(),
        FieldValue::I64(value) => (*value).into(),
        FieldValue::F32(value) => float(f64::from(*value)),
        FieldValue::F64(value) => float(*value),
        FieldValue::Decimal { scale, value } => json!({ "scale": scale, "value": value }),
        FieldValue::LongString(bytes) => {
            std::str::from_utf8(bytes).map_or_else(|_| base64(bytes), Value::from)
        }
        FieldValue::Array(values) => values.iter().map(value).collect(),
        FieldValue::Timestamp(seconds) => (*seconds).into(),
        FieldValue::Table(inner) => table(inner),
        FieldValue::Void => Value::Null,
        FieldValue::Bytes(bytes) => base64(bytes),
    }
}

/// JSON has no infinities.
fn float(value: f64) -> Value {
    if value.is_finite() { value.into() } else { value.to_string().into() }
}

fn base64(bytes: &[u8]) -> Value {
    json!({ "base64": Base64Display::new(bytes, &STANDARD).to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_have_their_names_and_only_those_that_are_there() {
        let mut bytes = Vec::new();
        let set = Properties {
            content_type: Some("text/plain".into()),
            delivery_mode: Some(2),
            timestamp: Some(7),
            kind: Some("k".into()),
            ..Properties::default()
        };
        set.encode(&mut bytes);
        let expected = json!({
            "content_type": "text/plain", "delivery_mode": 2, "timestamp": 7, "type": "k",
        });
        assert_eq!(properties(&bytes), expected);
        assert_eq!(properties(&[0, 0]), json!({}));
    }

    #[test]
    fn headers_of_every_kind_are_json_and_bytes_are_base64() {
        let inner: FieldTable = [("b", FieldValue::Void)].into_iter().collect();
        let headers: FieldTable = [
            ("number", FieldValue::I8(-5)),
            ("number", FieldValue::I8(6)),
            ("float", FieldValue::F64(0.5)),
            ("infinite", FieldValue::F64(f64::INFINITY)),
            ("decimal", FieldValue::Decimal { scale: 2, value: 314 }),
            ("text", "t\u{F6}".into()),
            ("bytes", FieldValue::LongString(Box::new([0xff, 0]))),
            ("array", FieldValue::Array(vec![true.into(), FieldValue::Timestamp(9)])),
            ("table", inner.into()),
        ]
        .into_iter()
        .collect();
        let mut bytes = Vec::new();
        Properties { headers: Some(headers), ..Properties::default() }.encode(&mut bytes);
        let expected = json!({ "headers": {
            "number": -5,
            "float": 0.5,
            "infinite": "inf",
            "decimal": { "scale": 2, "value": 314 },
            "text": "t\u{F6}",
            "bytes": { "base64": "/wA=" },
            "array": [true, 9],
            "table": { "b": null },
        }});
        assert_eq!(properties(&bytes), expected);
    }

    #[test]
    fn bytes_that_are_no_properties_stay_bytes() {
        assert_eq!(properties(&[0x80, 0, 9, 1]), json!({ "base64": "gAAJAQ==" }));
    }
}
