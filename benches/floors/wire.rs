//! Bytes as clients and the broker write them: what `leveret perf` sends, and how long that is.

use leveret::message::{Body, Envelope, Message};
use leveret::protocol::frame;
use leveret::protocol::methods::{WireMethod, basic};
use leveret::protocol::properties::Properties;

/// The channel of every client.
pub(crate) const CHANNEL: u16 = 1;

/// The queue of every client.
pub(crate) const QUEUE: &str = "instructions";

/// The tag of every consumer.
pub(crate) const CONSUMER_TAG: &str = "consumer";

/// One message with the method before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content<'a> {
    pub(crate) exchange: &'a str,
    pub(crate) routing_key: &'a str,
    pub(crate) body_size: usize,
    pub(crate) is_persistent: bool,
}

impl Content<'static> {
    /// A transient message by the default exchange.
    pub(crate) fn transient(body_size: usize) -> Self {
        Self { exchange: "", routing_key: QUEUE, body_size, is_persistent: false }
    }

    /// A persistent one.
    pub(crate) fn persistent(body_size: usize) -> Self {
        Self { is_persistent: true, ..Self::transient(body_size) }
    }
}

impl Content<'_> {
    /// The message as the broker has it.
    pub(crate) fn message(&self) -> Message {
        let envelope = Envelope {
            exchange: self.exchange,
            routing_key: self.routing_key,
            properties: &self.properties(),
            is_persistent: self.is_persistent,
        };
        Message::new(envelope, Body::Copied(&self.body()))
    }

    /// A publish with all its frames.
    pub(crate) fn publish(&self) -> Vec<u8> {
        self.after(&basic::Publish {
            exchange: self.exchange,
            routing_key: self.routing_key,
            mandatory: false,
            immediate: false,
        })
    }

    /// A delivery with all its frames, as long as any of this message.
    pub(crate) fn delivery(&self) -> Vec<u8> {
        self.delivery_to(CONSUMER_TAG)
    }

    /// The same to a consumer with another tag.
    pub(crate) fn delivery_to(&self, consumer_tag: &str) -> Vec<u8> {
        self.after(&basic::Deliver {
            consumer_tag,
            delivery_tag: 1,
            redelivered: false,
            exchange: self.exchange,
            routing_key: self.routing_key,
        })
    }

    fn after(&self, method: &impl WireMethod) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame::write_method(&mut bytes, CHANNEL, method);
        let (size, properties) = (self.body_size as u64, self.properties());
        frame::write_header(&mut bytes, CHANNEL, basic::Publish::CLASS_ID, size, &properties);
        frame::write_body(&mut bytes, CHANNEL, &self.body());
        bytes
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        vec![b'.'; self.body_size]
    }

    /// Its properties as they stand in the content header.
    pub(crate) fn properties(&self) -> Vec<u8> {
        let delivery_mode = self.is_persistent.then_some(2);
        let mut bytes = Vec::new();
        Properties { delivery_mode, ..Properties::default() }.encode(&mut bytes);
        bytes
    }
}

/// One method with its frame.
pub(crate) fn method(method: &impl WireMethod) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::write_method(&mut bytes, CHANNEL, method);
    bytes
}
