//! How often a message was given to somebody and came back, and the headers that tell the next one
//! (behavior 3.6). They are on what is delivered, never on what is kept. Not what comes back in
//! which way, nor which queues tell.

use super::Message;
use crate::protocol::field::FieldTable;

const DELIVERY_COUNT: &str = "x-delivery-count";
const ACQUIRED_COUNT: &str = "x-acquired-count";

/// Both counts of a message, wherever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeliveryCounts {
    /// How often its delivery failed: what limits count.
    pub failed: u32,
    /// How often it was given to somebody and came back, the failures among them.
    pub acquired: u32,
}

impl DeliveryCounts {
    /// It never came back.
    pub const NONE: Self = Self { failed: 0, acquired: 0 };

    /// It never came back.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.acquired == 0
    }

    /// It came back once more, and nobody failed.
    #[must_use]
    pub fn after_return(self) -> Self {
        Self { acquired: self.acquired.saturating_add(1), ..self }
    }

    /// It came back once more, as a failure.
    #[must_use]
    pub fn after_failure(self) -> Self {
        Self { failed: self.failed.saturating_add(1), ..self.after_return() }
    }

    /// The message as it is delivered once more. What a client wrote under these names is not told:
    /// it would be taken for a count.
    #[must_use]
    pub fn tell(self, message: &Message) -> Message {
        message.with_headers_changed(|headers| {
            for (name, count) in [(DELIVERY_COUNT, self.failed), (ACQUIRED_COUNT, self.acquired)] {
                headers.remove_all(name);
                if count > 0 {
                    headers.insert(name, i64::from(count));
                }
            }
        })
    }

    /// What a message was told with, and the message without it.
    #[must_use]
    pub fn untell(message: &Message) -> (Self, Message) {
        let mut counts = Self::NONE;
        let kept = message.with_headers_changed(|headers| {
            counts.failed = take(headers, DELIVERY_COUNT);
            counts.acquired = take(headers, ACQUIRED_COUNT);
        });
        (counts, kept)
    }
}

/// Takes a count out; none is 0.
fn take(headers: &mut FieldTable, name: &str) -> u32 {
    let count = headers.remove(name).and_then(|count| count.as_integer());
    count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, Envelope};
    use crate::protocol::field::FieldValue;
    use crate::protocol::properties::Properties;

    fn message_with(headers: FieldTable) -> Message {
        let mut bytes = Vec::new();
        let properties =
            Properties { headers: Some(headers), priority: Some(3), ..Properties::default() };
        properties.encode(&mut bytes);
        let envelope =
            Envelope { exchange: "x", routing_key: "k", properties: &bytes, is_persistent: true };
        Message::new(envelope, Body::Copied(b"body"))
    }

    fn headers(message: &Message) -> FieldTable {
        Properties::decode(message.properties()).unwrap().headers.unwrap()
    }

    #[test]
    fn every_return_is_counted_and_failures_beside() {
        let counts = DeliveryCounts::NONE.after_return().after_failure().after_return();
        assert_eq!(counts, DeliveryCounts { failed: 1, acquired: 3 });
        assert!(DeliveryCounts::NONE.is_none() && !DeliveryCounts::NONE.after_return().is_none());
        let most = DeliveryCounts { failed: u32::MAX, acquired: u32::MAX };
        assert_eq!(most.after_failure(), most);
    }

    #[test]
    fn the_counts_are_headers_beside_others() {
        let own = [("mine", 1)].into_iter().collect();
        let message = DeliveryCounts { failed: 2, acquired: 5 }.tell(&message_with(own));
        let expected = [("mine", 1.into()), ("x-delivery-count", FieldValue::I64(2))];
        let expected = expected.into_iter().chain([("x-acquired-count", FieldValue::I64(5))]);
        assert_eq!(headers(&message), expected.collect());
        let seen = Properties::decode(message.properties()).unwrap();
        assert_eq!(seen.priority, Some(3));
        assert_eq!((message.exchange(), message.is_persistent()), ("x", true));
        assert_eq!(message.body_to_vec(), b"body");
    }

    #[test]
    fn what_was_told_is_taken_back() {
        let own = || [("mine", 1)].into_iter().collect();
        for counts in [(0, 1), (2, 5)].map(|(failed, acquired)| DeliveryCounts { failed, acquired })
        {
            let (known, kept) = DeliveryCounts::untell(&counts.tell(&message_with(own())));
            assert_eq!((known, headers(&kept)), (counts, own()));
        }
        let never = DeliveryCounts::untell(&message_with(own())).0;
        assert_eq!(never, DeliveryCounts::NONE);
        let odd = [("x-acquired-count", -1)].into_iter().collect();
        assert!(DeliveryCounts::untell(&message_with(odd)).0.is_none());
    }

    #[test]
    fn what_a_client_wrote_is_taken_for_no_count() {
        let names = ["x-acquired-count", "x-delivery-count", "x-acquired-count"];
        let forged = || names.map(|name| (name, 9)).into_iter().collect();
        let headers = |counts: DeliveryCounts| headers(&counts.tell(&message_with(forged())));
        let returned = headers(DeliveryCounts::NONE.after_return());
        assert_eq!(returned, [("x-acquired-count", FieldValue::I64(1))].into_iter().collect());
        let failed = headers(DeliveryCounts::NONE.after_failure());
        let both = ["x-delivery-count", "x-acquired-count"];
        assert_eq!(failed, both.map(|name| (name, FieldValue::I64(1))).into_iter().collect());
    }
}
