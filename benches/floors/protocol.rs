//! Floor 0: frames to methods, headers and bodies, and back, as connection and load generator do.

use std::hint::black_box;

use leveret::protocol::frame::{self, ContentHeader, FrameKind};
use leveret::protocol::methods::{Method, WireMethod, basic};

use crate::wire::{self, CHANNEL, CONSUMER_TAG, Content, QUEUE};
use crate::{Operation, Round};

/// What connections agree on by default.
const FRAME_SIZE_MAX: usize = 131_072;

/// Operations of one round.
const COUNT: usize = 100;

const PUBLISH: basic::Publish<'_> =
    basic::Publish { exchange: "", routing_key: QUEUE, mandatory: false, immediate: false };

const DELIVER: basic::Deliver<'_> = basic::Deliver {
    consumer_tag: CONSUMER_TAG,
    delivery_tag: 1,
    redelivered: false,
    exchange: "",
    routing_key: QUEUE,
};

const ACK: basic::Ack = basic::Ack { delivery_tag: 1, multiple: true };

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        Operation::new("decode_publish_16", || decode(&Content::transient(16).publish())),
        Operation::new("decode_publish_1024", || decode(&Content::transient(1024).publish())),
        Operation::new("decode_deliver_16", || decode(&Content::transient(16).delivery())),
        Operation::new("decode_deliver_1024", || decode(&Content::transient(1024).delivery())),
        Operation::new("decode_ack", || decode(&wire::method(&ACK))),
        Operation::new("encode_publish_16", || encode_content(PUBLISH, 16)),
        Operation::new("encode_publish_1024", || encode_content(PUBLISH, 1024)),
        Operation::new("encode_deliver_16", || encode_content(DELIVER, 16)),
        Operation::new("encode_deliver_1024", || encode_content(DELIVER, 1024)),
        Operation::new("encode_ack", || encode(|out| frame::write_method(out, CHANNEL, &ACK))),
    ]
}

/// All frames of one operation, over and over.
fn decode(bytes: &[u8]) -> Round {
    let bytes = bytes.repeat(COUNT);
    Box::new(move || {
        let mut rest = black_box(&bytes[..]);
        while !rest.is_empty() {
            let next = frame::next(rest, FRAME_SIZE_MAX).expect("good frames");
            let (frame, size) = next.expect("a whole frame");
            rest = &rest[size..];
            match frame.kind {
                FrameKind::Method => {
                    black_box(Method::decode(frame.payload).expect("a method"));
                }
                FrameKind::Header => {
                    black_box(ContentHeader::decode(frame.payload).expect("a header"));
                }
                FrameKind::Body | FrameKind::Heartbeat => {
                    black_box(frame);
                }
            }
        }
        COUNT as u64
    })
}

fn encode_content(method: impl WireMethod + 'static, body_size: usize) -> Round {
    let content = Content::transient(body_size);
    let (properties, body) = (content.properties(), content.body());
    encode(move |out| {
        frame::write_method(out, CHANNEL, black_box(&method));
        let class_id = basic::Publish::CLASS_ID;
        frame::write_header(out, CHANNEL, class_id, body.len() as u64, &properties);
        frame::write_body(out, CHANNEL, &body);
    })
}

/// Writes one after the other into a buffer that has room already.
fn encode(write: impl Fn(&mut Vec<u8>) + 'static) -> Round {
    let mut out = Vec::new();
    Box::new(move || {
        out.clear();
        (0..COUNT).for_each(|_| write(&mut out));
        black_box(&out);
        COUNT as u64
    })
}
