//! One message, as a line of JSON and as lines for people. Where it comes from and where it goes is
//! decided elsewhere.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::catalog::QueueState;
use super::field;
use super::messages::Place;
use super::text::{moment, preview, printable, size};
use crate::message::{DeliveryCounts, Message};
use crate::store::survey::StoredMessage;

/// A line of an export.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    vhost: Option<&'a str>,
    queue: Option<&'a str>,
    queue_number: u64,
    sequence: u64,
    arrived_ms: u64,
    redelivered: bool,
    failure_count: u32,
    acquired_count: u32,
    exchange: &'a str,
    routing_key: &'a str,
    properties: Value,
    #[serde(serialize_with = "as_base64")]
    payload: Cow<'a, [u8]>,
}

impl<'a> Line<'a> {
    pub(super) fn of(queue: &'a QueueState, place: &Place, stored: &'a StoredMessage) -> Self {
        let message = &stored.message;
        Self {
            vhost: queue.virtual_host.as_deref(),
            queue: queue.name.as_deref(),
            queue_number: queue.number.0,
            sequence: place.sequence,
            arrived_ms: stored.arrived.0,
            redelivered: place.is_redelivered,
            failure_count: place.counts.failed,
            acquired_count: place.counts.acquired,
            exchange: message.exchange(),
            routing_key: message.routing_key(),
            properties: field::properties(message.properties()),
            payload: body(message),
        }
    }
}

/// A large body is written as it is encoded.
#[expect(clippy::ptr_arg, reason = "serde hands over the field as it is")]
fn as_base64<S: Serializer>(bytes: &Cow<'_, [u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Base64Display::new(bytes, &STANDARD))
}

/// A body that lies in one piece is not copied.
fn body(message: &Message) -> Cow<'_, [u8]> {
    let mut parts = message.body();
    match (parts.next(), parts.next()) {
        (None, _) => Cow::Borrowed(&[]),
        (Some(part), None) => Cow::Borrowed(part.as_slice()),
        _ => Cow::Owned(message.body_to_vec()),
    }
}

/// A place of a queue as people read it.
pub(super) fn to_text(place: &Place) -> String {
    let mut text = String::new();
    // A string takes all that is written to it.
    let _ = match &place.stored {
        Some(stored) => write_message(&mut text, place, stored),
        None => writeln!(text, "#{}  is damaged and cannot be read", place.sequence),
    };
    text
}

fn write_message(out: &mut String, place: &Place, stored: &StoredMessage) -> fmt::Result {
    let message = &stored.message;
    let exchange = match message.exchange() {
        "" => "(default exchange)".to_owned(),
        name => format!("exchange {}", printable(name)),
    };
    let key = printable(message.routing_key());
    write!(out, "#{}  {exchange}  routing key {key}", place.sequence)?;
    if place.is_redelivered {
        out.push_str("  redelivered");
    }
    let DeliveryCounts { failed, acquired } = place.counts;
    // Where they are equal, perhaps only failures were counted.
    if acquired > failed {
        write!(out, "  came back {acquired} times")?;
    }
    if failed > 0 {
        write!(out, "  failed {failed} times")?;
    }
    writeln!(out, "  arrived {}", moment(stored.arrived))?;
    write_properties(out, &field::properties(message.properties()))?;
    writeln!(out, "    body, {}: {}", size(message.body_size()), preview(&body(message)))
}

fn write_properties(out: &mut String, properties: &Value) -> fmt::Result {
    for (name, value) in properties.as_object().into_iter().flatten() {
        match (name.as_str(), value) {
            ("headers", Value::Object(headers)) => {
                out.push_str("    headers:\n");
                for (name, value) in headers {
                    writeln!(out, "      {}: {}", printable(name), shown(value))?;
                }
            }
            _ => writeln!(out, "    {name}: {}", shown(value))?,
        }
    }
    Ok(())
}

/// Texts without quotes, all else as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog::tests::catalog;
    use super::*;
    use crate::message::{Body, Envelope, Moment};
    use crate::protocol::properties::Properties;

    fn place(exchange: &str, body: &[u8], counts: DeliveryCounts) -> Place {
        let headers = Some([("a", "1\u{1b}")].into_iter().collect());
        let properties = Properties { headers, delivery_mode: Some(2), ..Properties::default() };
        let mut bytes = Vec::new();
        properties.encode(&mut bytes);
        let envelope =
            Envelope { exchange, routing_key: "key", properties: &bytes, is_persistent: true };
        let message = Message::new(envelope, Body::Copied(body));
        let stored = StoredMessage { sequence: 7, arrived: Moment(1500), message };
        Place { sequence: 7, is_redelivered: !counts.is_none(), counts, stored: Some(stored) }
    }

    #[test]
    fn a_message_is_printed_with_all_that_is_known_of_it() {
        let expected = "#7  exchange x  routing key key  redelivered  came back 5 times  \
                        failed 2 times  arrived 1970-01-01 00:00:01.500 UTC\n    \
                        delivery_mode: 2\n    headers:\n      a: 1\\u{1b}\n    body, 4 B: hare\n";
        assert_eq!(
            to_text(&place("x", b"hare", DeliveryCounts { failed: 2, acquired: 5 })),
            expected
        );
        let failed = to_text(&place("x", b"", DeliveryCounts { failed: 2, acquired: 2 }));
        assert!(failed.contains("  redelivered  failed 2 times  arrived"), "{failed}");
        let text = to_text(&place("", b"", DeliveryCounts::NONE));
        assert!(text.starts_with("#7  (default exchange)  routing key key  arrived"), "{text}");
        assert!(text.ends_with("body, 0 B: (empty)\n"), "{text}");
    }

    #[test]
    fn a_damaged_place_says_so() {
        let place = Place { stored: None, ..place("x", b"", DeliveryCounts::NONE) };
        assert_eq!(to_text(&place), "#7  is damaged and cannot be read\n");
    }

    #[test]
    fn a_line_of_an_export_has_the_fields_in_their_order() {
        let catalog = catalog();
        let queue = catalog.find("shop", "orders").unwrap();
        let place = place("x", &[0, 255], DeliveryCounts { failed: 1, acquired: 4 });
        let line = Line::of(queue, &place, place.stored.as_ref().unwrap());
        let expected = "{\"vhost\":\"shop\",\"queue\":\"orders\",\"queue_number\":7,\"sequence\":7,\
                        \"arrived_ms\":1500,\"redelivered\":true,\"failure_count\":1,\
                        \"acquired_count\":4,\"exchange\":\"x\",\
                        \"routing_key\":\"key\",\"properties\":\
                        {\"delivery_mode\":2,\"headers\":{\"a\":\"1\\u001b\"}},\
                        \"payload\":\"AP8=\"}";
        assert_eq!(serde_json::to_string(&line).unwrap(), expected);
    }
}
