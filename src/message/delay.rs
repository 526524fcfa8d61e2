//! The header by which a publisher asks an exchange to wait before it routes a message, as the
//! well-known plugin for RabbitMQ reads it. Which exchange waits, and where the message is
//! meanwhile, is not decided here.

use super::Message;
use super::expiration::EXPIRY_MS_MAX;
use super::raw_table;
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::properties::{Properties, PropertyView};

const DELAY: &str = "x-delay";

/// How long a message with these properties is to wait: a whole number of milliseconds above zero.
/// What is anything else, or above ten years, is routed at once, as the plugin does with what it
/// does not understand.
#[must_use]
pub fn asked_for(properties: &[u8]) -> Option<u64> {
    let view = PropertyView::parse(properties).ok()?;
    let has_delay = |headers| raw_table::entries(headers).any(|each| each.name == DELAY.as_bytes());
    if !view.headers.is_some_and(has_delay) {
        return None;
    }
    let headers = view.headers_table().ok()??;
    let delay_ms = u64::try_from(headers.get(DELAY)?.as_integer()?).ok()?;
    (1..=EXPIRY_MS_MAX).contains(&delay_ms).then_some(delay_ms)
}

/// The message as it goes on when it has waited: the header is negative, so that no exchange lets
/// it wait again, and a consumer sees how long it was.
#[must_use]
pub fn over(message: &Message) -> Message {
    message.with_headers_changed(|headers| {
        if let Some(waited) = headers.get(DELAY).and_then(negative) {
            headers.set(DELAY, waited);
        }
    })
}

fn negative(value: &FieldValue) -> Option<FieldValue> {
    let negative = -value.as_integer()?;
    Some(match value {
        FieldValue::I16(_) => FieldValue::I16(i16::try_from(negative).ok()?),
        FieldValue::I32(_) => FieldValue::I32(i32::try_from(negative).ok()?),
        _ => FieldValue::I64(negative),
    })
}

impl Message {
    /// The same message with other headers.
    #[must_use]
    pub fn with_headers_changed(&self, change: impl FnOnce(&mut FieldTable)) -> Self {
        // What was published was looked at, so this is only for the compiler.
        let mut properties = Properties::decode(self.properties()).unwrap_or_default();
        change(properties.headers.get_or_insert_default());
        let mut bytes = Vec::new();
        properties.encode(&mut bytes);
        self.with_properties(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, Envelope};

    fn message(delay: Option<FieldValue>) -> Message {
        let mut headers = FieldTable::new();
        headers.insert("other", 1);
        delay.into_iter().for_each(|delay| headers.insert(DELAY, delay));
        let properties = Properties { headers: Some(headers), ..Properties::default() };
        let mut bytes = Vec::new();
        properties.encode(&mut bytes);
        let envelope =
            Envelope { exchange: "x", routing_key: "k", properties: &bytes, is_persistent: true };
        Message::new(envelope, Body::Copied(b"body"))
    }

    fn asked(delay: impl Into<FieldValue>) -> Option<u64> {
        asked_for(message(Some(delay.into())).properties())
    }

    #[test]
    fn a_whole_number_of_milliseconds_is_a_delay_and_nothing_else() {
        assert_eq!((asked(5000), asked(5000_i64), asked(1)), (Some(5000), Some(5000), Some(1)));
        assert_eq!(asked(FieldValue::U32(u32::MAX)), Some(u64::from(u32::MAX)));
        assert_eq!((asked(0), asked(-5000), asked("5000")), (None, None, None));
        assert_eq!(asked(i64::MAX), None);
        assert_eq!(asked_for(message(None).properties()), None);
        assert_eq!((asked_for(&[0, 0]), asked_for(&[])), (None, None));
    }

    #[test]
    fn a_message_that_waited_tells_how_long_and_waits_no_more() {
        for (delay, waited) in [
            (FieldValue::I32(5000), FieldValue::I32(-5000)),
            (FieldValue::I64(7), FieldValue::I64(-7)),
            (FieldValue::U32(7), FieldValue::I64(-7)),
        ] {
            let over = over(&message(Some(delay)));
            assert_eq!(asked_for(over.properties()), None);
            let headers = Properties::decode(over.properties()).unwrap().headers.unwrap();
            assert_eq!(headers.get(DELAY), Some(&waited));
            assert_eq!(headers.get("other"), Some(&FieldValue::I32(1)));
            assert_eq!((over.exchange(), over.routing_key()), ("x", "k"));
            assert_eq!(over.body_to_vec(), b"body");
        }
    }
}
