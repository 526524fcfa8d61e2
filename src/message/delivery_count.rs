//! The header that tells a consumer how often the delivery of a message failed before (behavior
//! 3.6). It is on what is delivered, never on what is kept.

use super::Message;

const DELIVERY_COUNT: &str = "x-delivery-count";

/// The message as it is delivered once more.
#[must_use]
pub fn counted(message: &Message, failure_count: u32) -> Message {
    message.with_headers_changed(|headers| {
        headers.set(DELIVERY_COUNT, i64::from(failure_count));
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, Envelope};
    use crate::protocol::field::{FieldTable, FieldValue};
    use crate::protocol::properties::Properties;

    #[test]
    fn the_count_is_a_header_beside_others() {
        let mut bytes = Vec::new();
        let mut headers = FieldTable::new();
        headers.insert("mine", 1);
        let properties =
            Properties { headers: Some(headers), priority: Some(3), ..Properties::default() };
        properties.encode(&mut bytes);
        let envelope =
            Envelope { exchange: "x", routing_key: "k", properties: &bytes, is_persistent: true };
        let message = counted(&Message::new(envelope, Body::Copied(b"body")), 2);
        let seen = Properties::decode(message.properties()).unwrap();
        assert_eq!(seen.priority, Some(3));
        let headers = seen.headers.unwrap();
        assert_eq!(headers.get("mine"), Some(&FieldValue::I32(1)));
        assert_eq!(headers.get("x-delivery-count"), Some(&FieldValue::I64(2)));
        assert_eq!((message.exchange(), message.is_persistent()), ("x", true));
        assert_eq!(message.body_to_vec(), b"body");
    }
}
