//! Messages as frames: a method, a content header, a body. What goes to a consumer is mostly like
//! what went there before it: then its frames are copied from those, and only what differs is
//! written. Which deliveries there are is in `deliver`.

use std::ops::Range;

use super::output::Output;
use crate::message::{BodyPart, Delivery, Message};
use crate::protocol::frame;
use crate::protocol::methods::{WireMethod, basic};

/// Octets of a method frame with basic.deliver before the delivery tag, without the consumer tag.
const DELIVERY_TAG_AT: usize = frame::HEAD_SIZE + 2 + 2 + 1;

/// Octets of the delivery tag and of the flag behind it.
const VARYING_SIZE: usize = 8 + 1;

/// Where messages go, and how large a frame may be there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipient {
    pub(super) channel: u16,
    pub(super) frame_size_max: usize,
}

impl Recipient {
    fn payload_size_max(self) -> usize {
        self.frame_size_max.saturating_sub(frame::OVERHEAD_SIZE).max(1)
    }
}

/// Deliveries to one consumer, one after the other.
#[derive(Debug)]
pub(super) struct DeliveryFrames<'a> {
    recipient: Recipient,
    consumer_tag: &'a str,
    /// The last message, where its body is one frame, and where in the output all before that is.
    last: Option<(&'a Message, Range<usize>)>,
}

impl<'a> DeliveryFrames<'a> {
    pub(super) fn new(recipient: Recipient, consumer_tag: &'a str) -> Self {
        Self { recipient, consumer_tag, last: None }
    }

    /// Writes a delivery. Between two of them nobody else writes.
    pub(super) fn write(&mut self, output: &mut Output, delivery: &'a Delivery, delivery_tag: u64) {
        let message = &delivery.message;
        if let Some((last, head)) = &self.last
            && message.differs_in_body_only(last)
        {
            let head = head.clone();
            return self.write_alike(output.buffer(), head, delivery, delivery_tag);
        }
        let method = basic::Deliver {
            consumer_tag: self.consumer_tag,
            delivery_tag,
            redelivered: delivery.is_redelivered,
            exchange: message.exchange(),
            routing_key: message.routing_key(),
        };
        let start = output.buffer().len();
        write_message(output, self.recipient, &method, message);
        let body_size = message.inline_body().len();
        let is_one_frame = body_size > 0 && body_size <= self.recipient.payload_size_max();
        self.last = is_one_frame.then(|| (message, start..output.buffer().len() - body_size - 1));
    }

    fn write_alike(
        &self,
        buffer: &mut Vec<u8>,
        head: Range<usize>,
        delivery: &Delivery,
        delivery_tag: u64,
    ) {
        let body = delivery.message.inline_body();
        buffer.reserve(head.len() + body.len() + 1);
        let varying_at = buffer.len() + DELIVERY_TAG_AT + self.consumer_tag.len();
        buffer.extend_from_within(head);
        let varying = buffer.get_mut(varying_at..varying_at + VARYING_SIZE);
        if let Some((redelivered, tag)) = varying.and_then(<[u8]>::split_last_mut) {
            tag.copy_from_slice(&delivery_tag.to_be_bytes());
            *redelivered = u8::from(delivery.is_redelivered);
        }
        buffer.extend_from_slice(body);
        frame::write_end(buffer);
    }
}

/// Writes a method with its message: header, then the body in frames the client can take.
pub(super) fn write_message(
    output: &mut Output,
    recipient: Recipient,
    method: &impl WireMethod,
    message: &Message,
) {
    let channel = recipient.channel;
    let buffer = output.buffer();
    frame::write_method(buffer, channel, method);
    let class_id = basic::Deliver::CLASS_ID;
    frame::write_header(buffer, channel, class_id, message.body_size(), message.properties());
    let payload_size_max = recipient.payload_size_max();
    for part in message.body() {
        match part {
            BodyPart::Inline(bytes) => {
                for chunk in bytes.chunks(payload_size_max) {
                    frame::write_body(output.buffer(), channel, chunk);
                }
            }
            BodyPart::Shared(bytes) => {
                let mut rest = bytes.clone();
                while !rest.is_empty() {
                    let chunk = rest.split_to(rest.len().min(payload_size_max));
                    frame::write_body_head(output.buffer(), channel, chunk.len());
                    output.append(chunk);
                    frame::write_end(output.buffer());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::whole::EXCHANGE_AT;
    use super::*;
    use crate::message::{Body, Envelope, Random};

    const RECIPIENT: Recipient = Recipient { channel: 7, frame_size_max: 4096 };

    /// As a publisher on another channel sent it, from its exchange's name on.
    fn as_it_came(envelope: Envelope<'_>, body: &[u8]) -> Message {
        let (exchange, routing_key) = (envelope.exchange, envelope.routing_key);
        let publish = basic::Publish { exchange, routing_key, mandatory: false, immediate: false };
        let (mut bytes, class_id) = (Vec::new(), basic::Publish::CLASS_ID);
        frame::write_method(&mut bytes, 3, &publish);
        frame::write_header(&mut bytes, 3, class_id, body.len() as u64, envelope.properties);
        frame::write_body(&mut bytes, 3, body);
        Message::as_it_came(envelope, &bytes[EXCHANGE_AT..bytes.len() - 1]).unwrap()
    }

    /// Deliveries in which now this and now that differs from the one before.
    fn deliveries() -> Vec<Delivery> {
        let mut random = Random::new([5, 6]);
        let mut below = |limit: u64| usize::try_from(random.draw() % limit).unwrap();
        let sizes = [0, 1, 16, 256, 300, 4088, 4089, 9000];
        let (mut kind, mut exchange, mut key, mut properties, mut size) = (0, "", "q", 0, 1);
        let mut one = |sequence| {
            match below(8) {
                0 => kind = below(3),
                1 => exchange = ["", "exchange"][below(2)],
                2 => key = ["q", "r", "other"][below(3)],
                3 => properties = below(3),
                4 => size = sizes[below(8)],
                _ => {}
            }
            let properties: &[u8] = [&b"\0\0"[..], b"\x10\0\x02", b"\x10\0\x01"][properties];
            let envelope =
                Envelope { exchange, routing_key: key, properties, is_persistent: false };
            let body: Vec<u8> = (0..size).map(|_| u8::try_from(below(256)).unwrap()).collect();
            let message = match kind {
                0 => Message::new(envelope, Body::Copied(&body)),
                1 if !body.is_empty() => as_it_came(envelope, &body),
                _ => Message::new(envelope, Body::Shared(vec![Bytes::from(body)])),
            };
            Delivery { sequence, message, is_redelivered: below(2) == 0, needs_settle: false }
        };
        (0..2000).map(&mut one).collect()
    }

    #[test]
    fn a_delivery_is_written_the_same_whatever_was_written_before_it() {
        let deliveries = deliveries();
        let (mut together, mut copied_count) = (Output::default(), 0);
        let mut frames = DeliveryFrames::new(RECIPIENT, "tag");
        let mut alone = Vec::new();
        for (delivery, delivery_tag) in deliveries.iter().zip(1 << 40..) {
            let is_alike = |(last, _): &(&Message, _)| delivery.message.differs_in_body_only(last);
            copied_count += usize::from(frames.last.as_ref().is_some_and(is_alike));
            frames.write(&mut together, delivery, delivery_tag);
            let mut output = Output::default();
            DeliveryFrames::new(RECIPIENT, "tag").write(&mut output, delivery, delivery_tag);
            alone.extend(output.take());
        }
        assert!(together.take() == alone);
        assert!(copied_count > 300, "{copied_count} were alike");
    }
}
