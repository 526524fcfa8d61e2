//! One thing that happened, as the event exchange tells it: its key and its headers, typed as
//! RabbitMQ types them. What happened, others know.

use serde_json::{Map, Value};

use super::EVENT_EXCHANGE;
use crate::definitions::INTERNAL_USER;
use crate::message::{Body, Envelope, Message, Moment, table_terms};
use crate::protocol::field::{FieldName, FieldTable, FieldValue};
use crate::protocol::properties::Properties;

/// What is told of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Notice {
    pub(super) key: &'static str,
    pub(super) headers: FieldTable,
}

impl Notice {
    pub(super) fn new(key: &'static str) -> Self {
        Self { key, headers: FieldTable::new() }
    }

    /// With a header more.
    pub(super) fn with(mut self, name: impl Into<FieldName>, value: impl Into<FieldValue>) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With all of these headers more.
    pub(super) fn with_all(self, headers: &FieldTable) -> Self {
        headers.into_iter().fold(self, |all, (name, value)| all.with(name.clone(), value.clone()))
    }

    /// With a header whose value is a whole number.
    pub(super) fn number(self, name: &str, value: impl Into<i64>) -> Self {
        self.with(name, FieldValue::I64(value.into()))
    }

    /// With arguments, each as an Erlang term.
    pub(super) fn arguments(self, name: &str, arguments: &FieldTable) -> Self {
        let terms = table_terms(arguments).map(FieldValue::from);
        self.with(name, FieldValue::Array(terms.collect()))
    }

    /// With the name of who did it: none is nobody but the node.
    pub(super) fn by(self, user: Option<&str>) -> Self {
        self.with("user_who_performed_action", user.unwrap_or(INTERNAL_USER))
    }

    /// What goes to the exchange now.
    pub(super) fn into_message(self, now: Moment) -> Message {
        let Self { key: routing_key, mut headers } = self;
        headers.insert("timestamp_in_ms", FieldValue::I64(i64::try_from(now.0).unwrap_or(0)));
        let properties = Properties {
            headers: Some(headers),
            delivery_mode: Some(2),
            timestamp: Some(now.0 / 1000),
            ..Properties::default()
        };
        let mut bytes = Vec::new();
        properties.encode(&mut bytes);
        let (exchange, properties) = (EVENT_EXCHANGE, bytes.as_slice());
        let envelope = Envelope { exchange, routing_key, properties, is_persistent: true };
        Message::new(envelope, Body::Copied(&[]))
    }
}

/// A JSON value as a header has it.
#[expect(clippy::cast_possible_truncation, reason = "RabbitMQ tells numbers as floats of 32 bits")]
pub(super) fn field(value: &Value) -> FieldValue {
    match value {
        Value::Null => "null".into(),
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => FieldValue::I64(number),
            None => FieldValue::F32(number.as_f64().unwrap_or_default() as f32),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => FieldValue::Array(items.iter().map(field).collect()),
        Value::Object(fields) => object(fields),
    }
}

/// An object; an empty one is an empty list in Erlang.
pub(super) fn object(fields: &Map<String, Value>) -> FieldValue {
    if fields.is_empty() {
        return FieldValue::Array(Vec::new());
    }
    let entries = fields.iter().map(|(name, value)| (name.as_str(), field(value)));
    FieldValue::Table(entries.collect())
}
