//! What a request to publish brings, taken out of a large body: of all but the payload, no values
//! are made before it is known to be small, and none at all of what nobody asks for. As values,
//! JSON takes up to 16 times as much memory. What becomes of the message it does not know.

use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::body::{check_has, too_large};
use super::refusal::Refusal;
use crate::limits::MANAGEMENT_FIELDS_SIZE_MAX;

const PAYLOAD: &str = "payload";

/// What such a request must have; the payload is the only part that may be large.
const KEYS: &[&str] = &["routing_key", "properties", PAYLOAD, "payload_encoding"];

/// A message as somebody wishes to publish it.
#[derive(Debug)]
pub(super) struct PublishWish {
    pub(super) payload: Vec<u8>,
    /// All but the payload.
    pub(super) fields: Map<String, Value>,
}

impl PublishWish {
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let parts = match body.is_empty() {
            true => Parts::default(),
            false => serde_json::from_slice(body).map_err(not_json)?,
        };
        check_has(KEYS, |key| parts.part(key).is_some())?;
        let fields = parts.fields()?;
        let payload = parts.part(PAYLOAD).map_or("", RawValue::get);
        Ok(Self { payload: decoded(text(payload)?, fields.get("payload_encoding"))?, fields })
    }
}

fn not_json(_: serde_json::Error) -> Refusal {
    Refusal::bad("not_json")
}

fn text(payload: &str) -> Result<String, Refusal> {
    if !payload.starts_with('"') {
        return Err(Refusal::bad("payload_not_string"));
    }
    serde_json::from_str(payload).map_err(not_json)
}

fn decoded(payload: String, encoding: Option<&Value>) -> Result<Vec<u8>, Refusal> {
    match encoding.and_then(Value::as_str) {
        Some("string") => Ok(payload.into_bytes()),
        Some("base64") => {
            STANDARD.decode(&payload).map_err(|_| Refusal::Bad(json!(["not_base64", payload])))
        }
        _ => Err(Refusal::Bad(json!(["unsupported_encoding", encoding]))),
    }
}

/// Where in the body each of these stands; of several of one name, the last one.
#[derive(Debug, Default)]
struct Parts<'a>([Option<&'a RawValue>; KEYS.len()]);

impl<'a> Parts<'a> {
    fn part(&self, key: &str) -> Option<&'a RawValue> {
        KEYS.iter().zip(self.0).find(|(known, _)| **known == key)?.1
    }

    /// All but the payload, as values.
    fn fields(&self) -> Result<Map<String, Value>, Refusal> {
        let small = || KEYS.iter().zip(self.0).filter(|(key, _)| **key != PAYLOAD);
        let size: usize = small().filter_map(|(_, part)| Some(part?.get().len())).sum();
        if size as u64 > MANAGEMENT_FIELDS_SIZE_MAX {
            return Err(too_large());
        }
        let mut fields = Map::new();
        for (key, part) in small() {
            let Some(part) = part else { continue };
            fields.insert((*key).to_owned(), serde_json::from_str(part.get()).map_err(not_json)?);
        }
        Ok(fields)
    }
}

impl<'de> Deserialize<'de> for Parts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PartsVisitor)
    }
}

struct PartsVisitor;

impl<'de> Visitor<'de> for PartsVisitor {
    type Value = Parts<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut parts = Parts::default();
        while let Some(key) = entries.next_key::<String>()? {
            let place = KEYS.iter().position(|known| **known == *key);
            match place.and_then(|place| parts.0.get_mut(place)) {
                Some(part) => *part = Some(entries.next_value()?),
                None => {
                    let _: IgnoredAny = entries.next_value()?;
                }
            }
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(other: &str) -> String {
        format!(
            r#"{{{other} "properties": {{"a": 1}}, "routing_key": null, "payload": "x\u00e9",
                "payload_encoding": "string"}}"#
        )
    }

    fn reason(body: &str) -> Refusal {
        PublishWish::read(body.as_bytes()).expect_err(body)
    }

    #[test]
    fn all_but_the_payload_are_values() {
        let wish = PublishWish::read(body("").as_bytes()).unwrap();
        assert_eq!(wish.payload, "xé".as_bytes());
        let fields = json!({
            "properties": {"a": 1}, "routing_key": null, "payload_encoding": "string",
        });
        assert_eq!(Value::Object(wish.fields), fields);
    }

    /// They once became values, of 32 bytes for 2 of the body: values stand in each other 127 deep
    /// at most.
    #[test]
    fn of_what_nobody_asks_for_no_values_are_made() {
        let deep = format!(r#""zzz": {}0{},"#, "[".repeat(1000), "]".repeat(1000));
        assert!(PublishWish::read(body(&deep).as_bytes()).is_ok());
        assert!(serde_json::from_str::<Value>(&body(&deep)).is_err());
    }

    #[test]
    fn what_becomes_values_is_as_small_as_in_other_bodies() {
        let size = usize::try_from(MANAGEMENT_FIELDS_SIZE_MAX).unwrap();
        let large = format!(r#""properties": [{}0],"#, "0,".repeat(size / 2));
        assert!(PublishWish::read(body(&large).as_bytes()).is_ok(), "the last one counts");
        let large = body("").replace(r#"{"a": 1}"#, &format!("[{}0]", "0,".repeat(size / 2)));
        assert_eq!(reason(&large), too_large());
    }

    #[test]
    fn what_is_no_object_or_no_text_is_told_apart() {
        for other in ["[]", "5", "{bad", r#"{"payload": }"#] {
            assert_eq!(reason(other), Refusal::bad("not_json"), "{other}");
        }
        for payload in ["5", "null", "{}"] {
            let other = body("").replace(r#""x\u00e9""#, payload);
            assert_eq!(reason(&other), Refusal::bad("payload_not_string"), "{payload}");
        }
        let half = body("").replace("u00e9", "ud800");
        assert_eq!(reason(&half), Refusal::bad("not_json"));
    }
}
