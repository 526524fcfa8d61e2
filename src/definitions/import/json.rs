//! How items stand in a definitions file. Only the shapes: what they mean is in `items`.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

fn yes() -> bool {
    true
}

fn everything() -> String {
    "all".to_owned()
}

#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password_hash: Option<String>,
    pub(super) password: Option<String>,
    pub(super) hashing_algorithm: Option<String>,
    #[serde(default)]
    pub(super) tags: Tags,
    #[serde(default, deserialize_with = "object")]
    pub(super) limits: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) tags: Option<Tags>,
    pub(super) default_queue_type: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    pub(super) tracing: Option<bool>,
    #[serde(default, deserialize_with = "object")]
    pub(super) metadata: Map<String, Value>,
    #[serde(default, deserialize_with = "object")]
    pub(super) limits: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Permission {
    pub(super) user: String,
    pub(super) vhost: String,
    pub(super) configure: String,
    pub(super) write: String,
    pub(super) read: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct TopicPermission {
    pub(super) user: String,
    pub(super) vhost: String,
    pub(super) exchange: String,
    pub(super) write: String,
    pub(super) read: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Exchange {
    pub(super) vhost: String,
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default = "yes")]
    pub(super) durable: bool,
    #[serde(default)]
    pub(super) auto_delete: bool,
    #[serde(default)]
    pub(super) internal: bool,
    #[serde(default, deserialize_with = "object")]
    pub(super) arguments: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct GlobalParameter {
    pub(super) name: String,
    pub(super) value: Value,
}

#[derive(Debug, Deserialize)]
pub(super) struct Policy {
    pub(super) vhost: String,
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) body: PolicyBody,
}

/// What stands in a policy, and in the value of a parameter that is one.
#[derive(Debug, Deserialize)]
pub(super) struct PolicyBody {
    pub(super) pattern: String,
    #[serde(rename = "apply-to", default = "everything")]
    pub(super) apply_to: String,
    #[serde(default)]
    pub(super) priority: i64,
    #[serde(deserialize_with = "object")]
    pub(super) definition: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Parameter {
    pub(super) vhost: String,
    pub(super) component: String,
    pub(super) name: String,
    pub(super) value: Value,
}

#[derive(Debug, Deserialize)]
pub(super) struct Queue {
    pub(super) vhost: String,
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(default = "yes")]
    pub(super) durable: bool,
    #[serde(default)]
    pub(super) auto_delete: bool,
    #[serde(default, deserialize_with = "object")]
    pub(super) arguments: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Binding {
    pub(super) vhost: String,
    pub(super) source: String,
    pub(super) destination: String,
    pub(super) destination_type: String,
    #[serde(default)]
    pub(super) routing_key: String,
    #[serde(default, deserialize_with = "object")]
    pub(super) arguments: Map<String, Value>,
}

/// A list, or, up to RabbitMQ 3.8, a text with commas.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged, expecting = "expected tags: a list of texts, or one text with commas")]
pub(super) enum Tags {
    #[default]
    None,
    List(Vec<String>),
    Text(String),
}

impl Tags {
    /// Each of them, without blanks around it.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let (list, text) = match self {
            Self::None => (&[][..], ""),
            Self::List(list) => (list.as_slice(), ""),
            Self::Text(text) => (&[][..], text.as_str()),
        };
        let all = list.iter().map(String::as_str).chain(text.split(','));
        all.map(str::trim).filter(|tag| !tag.is_empty())
    }
}

/// A truth, be it as a text.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Bool(flag) => Ok(Some(flag)),
        Value::String(text) if text == "true" => Ok(Some(true)),
        Value::String(text) if text == "false" => Ok(Some(false)),
        other => Err(serde::de::Error::custom(format_args!("not_boolean: {other}"))),
    }
}

/// An object. What is empty may stand as `[]` or `null`: Erlang knows no difference.
fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Object(object) => Ok(object),
        Value::Null => Ok(Map::new()),
        Value::Array(list) if list.is_empty() => Ok(Map::new()),
        other => Err(serde::de::Error::custom(format_args!("expected an object, found {other}"))),
    }
}
