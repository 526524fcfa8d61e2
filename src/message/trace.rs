//! Copies of messages for those who trace a virtual host, as RabbitMQ's firehose makes them: where
//! each goes, and what its headers tell of the message. Not which messages are copied, nor who gets
//! the copies. Behavior 1.10.
//!
//! ```text
//! publish.<exchange>  exchange_name routing_keys properties node vhost connection channel user
//!                     routed_queues
//! deliver.<queue>     exchange_name routing_keys properties node redelivered vhost connection
//!                     channel user
//! ```

use super::{Envelope, Message, sender_selected};
use crate::limits::{TRACED_PROPERTIES_SIZE_MAX, TRACED_QUEUES_SIZE_MAX};
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::properties::{Properties, PropertyView};

/// The exchange that copies are published to.
pub const TRACE_EXCHANGE: &str = "amq.rabbitmq.trace";

const X_FIRST_DEATH_EXCHANGE: &str = "x-first-death-exchange";

/// Whose publish or delivery it is.
#[derive(Clone, Copy, Debug)]
pub struct Tap<'a> {
    /// The node's name.
    pub node: &'a str,
    /// The virtual host that is traced.
    pub virtual_host: &'a str,
    /// The connection's name.
    pub connection: &'a str,
    /// The channel's number.
    pub channel: u16,
    /// Who logged in.
    pub user: &'a str,
}

impl Tap<'_> {
    /// The copy of a message that was published. `original` is as it came, `message` as its queues
    /// get it.
    #[must_use]
    pub fn published<'q>(
        &self,
        original: &Message,
        message: &Message,
        queues: impl Iterator<Item = &'q str>,
    ) -> Message {
        let mut headers = self.told_of(original, message);
        self.tell_where(&mut headers);
        headers.insert("routed_queues", names(queues));
        copy(message, &format!("publish.{}", message.exchange()), headers)
    }

    /// The copy of a message that goes out from a queue.
    #[must_use]
    pub fn delivered(&self, message: &Message, queue: &str, is_redelivered: bool) -> Message {
        let mut headers = self.told_of(message, message);
        headers.insert("redelivered", i32::from(is_redelivered));
        self.tell_where(&mut headers);
        copy(message, &format!("deliver.{queue}"), headers)
    }

    fn told_of(&self, original: &Message, message: &Message) -> FieldTable {
        let mut headers = FieldTable::new();
        headers.insert("exchange_name", message.exchange());
        headers.insert("routing_keys", routing_keys(original));
        headers.insert("properties", properties(message));
        headers.insert("node", self.node);
        headers
    }

    fn tell_where(&self, headers: &mut FieldTable) {
        headers.insert("vhost", self.virtual_host);
        headers.insert("connection", self.connection);
        headers.insert("channel", i32::from(self.channel));
        headers.insert("user", self.user);
    }
}

/// It is a copy itself, or was one before it died: copies are not copied.
#[must_use]
pub fn is_copy(message: &Message) -> bool {
    if message.exchange() == TRACE_EXCHANGE {
        return true;
    }
    let headers = PropertyView::parse(message.properties()).and_then(|view| view.headers_table());
    let headers = headers.ok().flatten();
    let first = headers.as_ref().and_then(|headers| headers.get(X_FIRST_DEATH_EXCHANGE));
    first.and_then(FieldValue::as_str) == Some(TRACE_EXCHANGE)
}

/// The same body, transient, with these headers and nothing else.
fn copy(message: &Message, routing_key: &str, headers: FieldTable) -> Message {
    let mut properties = Vec::new();
    Properties { headers: Some(headers), ..Properties::default() }.encode(&mut properties);
    let exchange = TRACE_EXCHANGE;
    let properties = properties.as_slice();
    message.with_envelope(Envelope { exchange, routing_key, properties, is_persistent: false })
}

/// The message's key and those of `CC` and `BCC`, as far as they fit into a frame.
fn routing_keys(message: &Message) -> Vec<FieldValue> {
    let view = PropertyView::parse(message.properties()).ok();
    let view = view.filter(|_| message.properties().len() <= TRACED_PROPERTIES_SIZE_MAX);
    let selected = view.and_then(|view| {
        let selected = sender_selected::routing_keys(&view).ok()?;
        Some(selected.routing_keys.iter().map(|key| FieldValue::from(&**key)).collect::<Vec<_>>())
    });
    std::iter::once(message.routing_key().into()).chain(selected.unwrap_or_default()).collect()
}

/// Names of queues, as many as fit into a frame with the rest.
fn names<'q>(queues: impl Iterator<Item = &'q str>) -> Vec<FieldValue> {
    let mut size = 0;
    let fits = queues.take_while(|name| {
        size += name.len() + FIELD_OVERHEAD_SIZE;
        size <= TRACED_QUEUES_SIZE_MAX
    });
    fits.map(FieldValue::from).collect()
}

/// What a text in an array takes beside itself: its type and its size.
const FIELD_OVERHEAD_SIZE: usize = 5;

/// The properties as RabbitMQ tells them: numbers are signed ints, whatever they are on the wire,
/// and the last one comes first. Headers that fit into no frame with the rest are left out.
fn properties(message: &Message) -> FieldTable {
    let mut properties = Properties::decode(message.properties()).unwrap_or_default();
    if message.properties().len() > TRACED_PROPERTIES_SIZE_MAX {
        properties.headers = None;
    }
    let text = |text: Option<Box<str>>| text.map(|text| FieldValue::from(&*text));
    let number = |number: Option<u64>| number.map(int);
    let told = [
        ("cluster_id", text(properties.cluster_id)),
        ("app_id", text(properties.app_id)),
        ("user_id", text(properties.user_id)),
        ("type", text(properties.kind)),
        ("timestamp", number(properties.timestamp)),
        ("message_id", text(properties.message_id)),
        ("expiration", text(properties.expiration)),
        ("reply_to", text(properties.reply_to)),
        ("correlation_id", text(properties.correlation_id)),
        ("priority", number(properties.priority.map(u64::from))),
        ("delivery_mode", number(properties.delivery_mode.map(u64::from))),
        ("headers", properties.headers.map(FieldValue::Table)),
        ("content_encoding", text(properties.content_encoding)),
        ("content_type", text(properties.content_type)),
    ];
    told.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// RabbitMQ cuts off what an int cannot hold.
fn int(number: u64) -> FieldValue {
    let [.., a, b, c, d] = number.to_be_bytes();
    FieldValue::I32(i32::from_be_bytes([a, b, c, d]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, DeadLetter, Death, DeathReason, Moment};

    const TAP: Tap<'static> =
        Tap { node: "n", virtual_host: "/", connection: "c", channel: 3, user: "ann" };

    fn message(exchange: &str, properties: &Properties) -> Message {
        let mut bytes = Vec::new();
        properties.encode(&mut bytes);
        let (routing_key, properties) = ("k", bytes.as_slice());
        let envelope = Envelope { exchange, routing_key, properties, is_persistent: true };
        Message::new(envelope, Body::Copied(b"body"))
    }

    fn headers(copy: &Message) -> FieldTable {
        let properties = Properties::decode(copy.properties()).unwrap();
        let headers = properties.headers.clone().unwrap();
        assert_eq!(properties, Properties { headers: properties.headers.clone(), ..none() });
        headers
    }

    fn none() -> Properties {
        Properties::default()
    }

    fn texts(texts: &[&str]) -> FieldValue {
        FieldValue::Array(texts.iter().map(|text| (*text).into()).collect())
    }

    #[test]
    fn a_published_message_is_told_with_all_its_fields() {
        let message = message("x", &Properties { priority: Some(3), ..none() });
        let copy = TAP.published(&message, &message, ["q", "r"].into_iter());
        assert_eq!((copy.exchange(), copy.routing_key()), (TRACE_EXCHANGE, "publish.x"));
        assert_eq!((copy.body_to_vec(), copy.is_persistent()), (b"body".to_vec(), false));
        let told: FieldTable = [("priority", 3)].into_iter().collect();
        let expected: [(&str, FieldValue); 9] = [
            ("exchange_name", "x".into()),
            ("routing_keys", texts(&["k"])),
            ("properties", told.into()),
            ("node", "n".into()),
            ("vhost", "/".into()),
            ("connection", "c".into()),
            ("channel", 3.into()),
            ("user", "ann".into()),
            ("routed_queues", texts(&["q", "r"])),
        ];
        assert_eq!(headers(&copy), expected.into_iter().collect());
    }

    #[test]
    fn a_delivered_message_is_told_with_its_queue_and_whether_it_comes_again() {
        let message = message("", &none());
        let copy = TAP.delivered(&message, "q", true);
        assert_eq!(copy.routing_key(), "deliver.q");
        let headers = headers(&copy);
        assert_eq!(headers.get("redelivered"), Some(&1.into()));
        assert_eq!(headers.get("properties"), Some(&FieldTable::new().into()));
        assert_eq!(headers.get("routed_queues"), None);
    }

    #[test]
    fn numbers_among_the_properties_are_ints_as_in_rabbitmq() {
        let timestamp = Some(u64::from(u32::MAX) + 2);
        let properties = Properties { delivery_mode: Some(2), timestamp, ..none() };
        let headers = headers(&TAP.delivered(&message("", &properties), "q", false));
        let told: FieldTable = [("timestamp", 1), ("delivery_mode", 2)].into_iter().collect();
        assert_eq!(headers.get("properties"), Some(&told.into()));
    }

    #[test]
    fn further_keys_of_the_sender_are_told_and_hidden_ones_only_as_keys() {
        let table: FieldTable =
            [("CC", texts(&["a"])), ("BCC", texts(&["b"]))].into_iter().collect();
        let original = message("x", &Properties { headers: Some(table), ..none() });
        let cut = sender_selected::without_bcc(original.properties()).unwrap();
        let message = original.with_properties(&cut);
        let headers = headers(&TAP.published(&original, &message, ["q"].into_iter()));
        assert_eq!(headers.get("routing_keys"), Some(&texts(&["k", "a", "b"])));
        let Some(FieldValue::Table(told)) = headers.get("properties") else { panic!() };
        let Some(FieldValue::Table(told)) = told.get("headers") else { panic!() };
        assert!(told.contains("CC") && !told.contains("BCC"));
    }

    /// Else consumers would close their connections for a frame that is too large.
    #[test]
    fn a_copy_fits_into_a_frame_whatever_its_message_has() {
        let long = FieldValue::from("x".repeat(100_000));
        let table: FieldTable = [("CC", texts(&["a"])), ("l", long)].into_iter().collect();
        let large = Properties { headers: Some(table), app_id: Some("app".into()), ..none() };
        let large = message("x", &large);
        let queue = "q".repeat(255);
        let copy = TAP.published(&large, &large, std::iter::repeat_n(queue.as_str(), 10_000));
        assert!(copy.properties().len() < 100_000, "{}", copy.properties().len());
        let told: FieldTable = [("app_id", "app")].into_iter().collect();
        assert_eq!(headers(&copy).get("properties"), Some(&told.into()));
    }

    #[test]
    fn a_copy_is_known_also_when_it_died() {
        let copy = TAP.delivered(&message("x", &none()), "q", false);
        assert!(is_copy(&copy) && !is_copy(&message("x", &none())));
        let death = |exchange| Death {
            reason: DeathReason::MaxLength,
            queue: "q",
            now: Moment(1),
            exchange,
            routing_key: None,
        };
        assert!(is_copy(&DeadLetter::of(&copy, death("dlx")).message));
        assert!(!is_copy(&DeadLetter::of(&message("x", &none()), death("dlx")).message));
    }
}
