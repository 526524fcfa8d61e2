//! Frames on a consumer's channel put together to deliveries: a machine of three steps that looks
//! at no more of each frame than it needs. It reads no socket and acknowledges nothing.

use super::stamp::Stamp;
use super::wire::{WireError, refuse_closing};
use crate::protocol::frame::{ContentHeader, Frame, FrameKind};
use crate::protocol::methods::{Method, WireMethod, basic};

/// A message that arrived whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    pub(super) delivery_tag: u64,
    pub(super) stamp: Stamp,
}

/// What a frame brought to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// Nothing yet.
    Part,
    Delivery(Delivery),
    CancelOk,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Method,
    Header {
        delivery_tag: u64,
    },
    /// The stamp is in the first body frame; so many octets are still to come.
    Body {
        delivery_tag: u64,
        stamp: Option<Stamp>,
        remaining: u64,
    },
}

/// The machine. Every body has the same size.
#[derive(Debug)]
pub(super) struct Deliveries {
    state: State,
    body_size: u64,
}

impl Deliveries {
    pub(super) fn of_size(message_size: usize) -> Self {
        Self { state: State::Method, body_size: message_size as u64 }
    }

    /// Takes the next frame.
    pub(super) fn receive(&mut self, frame: &Frame<'_>) -> Result<Received, WireError> {
        match (frame.kind, self.state) {
            (FrameKind::Heartbeat, _) => Ok(Received::Part),
            (FrameKind::Method, State::Method) => self.method(frame.payload),
            (FrameKind::Header, State::Header { delivery_tag }) => {
                if ContentHeader::decode(frame.payload)?.body_size != self.body_size {
                    return Err(WireError::Unexpected("a delivery has another size than was sent"));
                }
                self.state = State::Body { delivery_tag, stamp: None, remaining: self.body_size };
                Ok(Received::Part)
            }
            (FrameKind::Body, State::Body { delivery_tag, stamp, remaining }) => {
                self.body(frame.payload, delivery_tag, stamp, remaining)
            }
            (FrameKind::Method | FrameKind::Header | FrameKind::Body, _) => {
                Err(WireError::Unexpected("the frames of a delivery are out of order"))
            }
        }
    }

    fn method(&mut self, payload: &[u8]) -> Result<Received, WireError> {
        if let Some(delivery_tag) = delivery_tag(payload) {
            self.state = State::Header { delivery_tag };
            return Ok(Received::Part);
        }
        let method = Method::decode(payload)?;
        refuse_closing(&method)?;
        match method {
            Method::BasicCancelOk(_) => Ok(Received::CancelOk),
            Method::BasicCancel(_) => {
                Err(WireError::Unexpected("the broker cancelled the consumer"))
            }
            _ => Ok(Received::Part),
        }
    }

    fn body(
        &mut self,
        payload: &[u8],
        delivery_tag: u64,
        stamp: Option<Stamp>,
        remaining: u64,
    ) -> Result<Received, WireError> {
        let stamp = stamp
            .or_else(|| Stamp::from_bytes(payload))
            .ok_or(WireError::Unexpected("a body begins with too short a frame"))?;
        let remaining = remaining
            .checked_sub(payload.len() as u64)
            .ok_or(WireError::Unexpected("a body is longer than its header says"))?;
        if remaining > 0 {
            self.state = State::Body { delivery_tag, stamp: Some(stamp), remaining };
            return Ok(Received::Part);
        }
        self.state = State::Method;
        Ok(Received::Delivery(Delivery { delivery_tag, stamp }))
    }
}

/// The delivery tag of a basic.deliver; none where the method is another.
///
/// ```text
/// | class u16 | method u16 | consumer-tag: length u8, text | delivery-tag u64 | ...
/// ```
fn delivery_tag(payload: &[u8]) -> Option<u64> {
    let (class_id, rest) = payload.split_first_chunk()?;
    let (method_id, rest) = rest.split_first_chunk()?;
    if u16::from_be_bytes(*class_id) != basic::Deliver::CLASS_ID
        || u16::from_be_bytes(*method_id) != basic::Deliver::METHOD_ID
    {
        return None;
    }
    let (&consumer_tag_size, rest) = rest.split_first()?;
    Some(u64::from_be_bytes(*rest.get(usize::from(consumer_tag_size)..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::frame;

    const STAMP: Stamp = Stamp { queue: 0, sequence: 5, moment_ns: 6 };

    fn body(size: usize) -> Vec<u8> {
        let mut body = STAMP.to_bytes().to_vec();
        body.resize(size, b'.');
        body
    }

    /// A delivery with this tag, its body in pieces of at most so many octets.
    fn delivery(delivery_tag: u64, body: &[u8], piece_size: usize) -> Vec<u8> {
        let deliver = basic::Deliver {
            consumer_tag: "tag",
            delivery_tag,
            redelivered: false,
            exchange: "",
            routing_key: "q",
        };
        let mut out = Vec::new();
        frame::write_method(&mut out, 1, &deliver);
        frame::write_header(&mut out, 1, 60, body.len() as u64, &[0, 0]);
        body.chunks(piece_size).for_each(|piece| frame::write_body(&mut out, 1, piece));
        out
    }

    /// What whole frames bring to their end.
    fn receive(message_size: usize, mut bytes: &[u8]) -> Result<Vec<Received>, String> {
        let (mut machine, mut ends) = (Deliveries::of_size(message_size), Vec::new());
        while let Some((frame, size)) = frame::next(bytes, 4096).unwrap() {
            match machine.receive(&frame).map_err(|error| error.to_string())? {
                Received::Part => {}
                end => ends.push(end),
            }
            bytes = &bytes[size..];
        }
        Ok(ends)
    }

    #[test]
    fn deliveries_have_their_tag_and_stamp_however_the_body_is_framed() {
        for piece_size in [16, 17, 99, 100] {
            let mut bytes = delivery(7, &body(100), piece_size);
            frame::write_heartbeat(&mut bytes);
            bytes.extend(delivery(8, &body(100), piece_size));
            let expected = [7, 8]
                .map(|delivery_tag| Received::Delivery(Delivery { delivery_tag, stamp: STAMP }));
            assert_eq!(receive(100, &bytes), Ok(expected.to_vec()), "{piece_size}");
        }
    }

    #[test]
    fn a_body_of_another_size_is_refused() {
        assert!(receive(100, &delivery(1, &body(99), 4000)).unwrap_err().contains("another size"));
    }

    #[test]
    fn frames_out_of_order_are_refused() {
        let bytes = delivery(1, &body(16), 4000);
        let (_, method_size) = frame::next(&bytes, 4096).unwrap().unwrap();
        for bytes in [&bytes[method_size..], &[&bytes[..method_size], &bytes].concat()] {
            assert!(receive(16, bytes).unwrap_err().contains("out of order"));
        }
    }

    #[test]
    fn a_cancel_ok_is_told_and_a_cancel_by_the_broker_is_an_error() {
        let mut bytes = Vec::new();
        frame::write_method(&mut bytes, 1, &basic::CancelOk { consumer_tag: "tag" });
        assert_eq!(receive(16, &bytes), Ok(vec![Received::CancelOk]));
        let mut bytes = Vec::new();
        frame::write_method(&mut bytes, 1, &basic::Cancel { consumer_tag: "tag", nowait: true });
        assert!(receive(16, &bytes).is_err());
    }
}
