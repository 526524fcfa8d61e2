//! The properties of a message between AMQP and JSON, under their names in the specification.

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::{arguments, wish};
use crate::protocol::properties::Properties;

/// The properties that an object names; others are passed over.
pub(super) fn read(value: &Value) -> Result<Properties, Refusal> {
    let none = Map::new();
    let fields = match value {
        Value::Object(fields) => fields,
        Value::Array(values) if values.is_empty() => &none,
        _ => return Err(Refusal::bad("properties must be a JSON object")),
    };
    let text = |name| wish::short_text(fields, name).map(|text| text.map(Box::from));
    Ok(Properties {
        content_type: text("content_type")?,
        content_encoding: text("content_encoding")?,
        headers: fields.get("headers").map(arguments::read).transpose()?,
        delivery_mode: delivery_mode(fields)?,
        priority: number(fields, "priority")?,
        correlation_id: text("correlation_id")?,
        reply_to: text("reply_to")?,
        expiration: text("expiration")?,
        message_id: text("message_id")?,
        timestamp: number(fields, "timestamp")?,
        kind: text("type")?,
        user_id: text("user_id")?,
        app_id: text("app_id")?,
        cluster_id: text("cluster_id")?,
    })
}

fn delivery_mode(fields: &Map<String, Value>) -> Result<Option<u8>, Refusal> {
    match number::<u64>(fields, "delivery_mode")? {
        None => Ok(None),
        Some(1) => Ok(Some(1)),
        Some(2) => Ok(Some(2)),
        Some(mode) => Err(Refusal::bad(format!(
            "406 PRECONDITION_FAILED - invalid message: {{delivery_mode_unknown,{mode}}}"
        ))),
    }
}

fn number<T: TryFrom<u64>>(fields: &Map<String, Value>, name: &str) -> Result<Option<T>, Refusal> {
    let Some(value) = fields.get(name) else { return Ok(None) };
    let number = value.as_u64().and_then(|number| T::try_from(number).ok());
    number.map(Some).ok_or_else(|| Refusal::Bad(json!(["not_int", name])))
}

/// The properties that a message has. Where it has none, RabbitMQ gives an empty list.
pub(super) fn shape(bytes: &[u8]) -> Value {
    // Those of a message that was taken can be read.
    let properties = Properties::decode(bytes).unwrap_or_default();
    let text = |value: Option<Box<str>>| value.map(|value| Value::from(&*value));
    let all = [
        ("content_type", text(properties.content_type)),
        ("content_encoding", text(properties.content_encoding)),
        ("headers", properties.headers.as_ref().map(arguments::shape)),
        ("delivery_mode", properties.delivery_mode.map(Value::from)),
        ("priority", properties.priority.map(Value::from)),
        ("correlation_id", text(properties.correlation_id)),
        ("reply_to", text(properties.reply_to)),
        ("expiration", text(properties.expiration)),
        ("message_id", text(properties.message_id)),
        ("timestamp", properties.timestamp.map(Value::from)),
        ("type", text(properties.kind)),
        ("user_id", text(properties.user_id)),
        ("app_id", text(properties.app_id)),
        ("cluster_id", text(properties.cluster_id)),
    ];
    let known = all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let known: Map<String, Value> = known.collect();
    if known.is_empty() { json!([]) } else { Value::Object(known) }
}
