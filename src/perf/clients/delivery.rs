//! Frames on a consumer's channel put together to deliveries: a machine of three steps that looks
//! at no more of each frame than it needs. It reads no socket and acknowledges nothing.

use super::stamp::Stamp;
use crate::perf::wire::{FRAME_SIZE_MAX, Piece, WireError};
use crate::protocol::frame::{self, ContentHeader, FRAME_END, Frame, FrameKind, HEAD_SIZE};
use crate::protocol::methods::{Method, WireMethod, basic};

/// A message that arrived whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    pub(super) delivery_tag: u64,
    /// The number that stands in the consumer tag.
    pub(super) consumer: u32,
    pub(super) stamp: Stamp,
}

/// What a frame brought to its end.
#[derive(Debug, PartialEq)]
pub(super) enum Received<'a> {
    /// Nothing yet.
    Part,
    Delivery(Delivery),
    /// A method that delivers nothing.
    Method(Method<'a>),
}

/// Whose delivery it is.
#[derive(Clone, Copy, Debug)]
struct Tag {
    delivery_tag: u64,
    consumer: u32,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Method,
    Header {
        tag: Tag,
    },
    /// The stamp is in the first body frame; so many octets are still to come.
    Body {
        tag: Tag,
        stamp: Option<Stamp>,
        remaining: u64,
    },
}

/// The machine. Every body has the same size.
#[derive(Debug)]
pub(super) struct Deliveries {
    state: State,
    body_size: u64,
    alike: Alike,
}

impl Deliveries {
    pub(super) fn of_size(message_size: usize) -> Self {
        let (state, body_size) = (State::Method, message_size as u64);
        Self { state, body_size, alike: Alike::default() }
    }

    /// Takes the next frame.
    pub(super) fn receive<'a>(&mut self, piece: &Piece<'a>) -> Result<Received<'a>, WireError> {
        match (piece, self.state) {
            (Piece::Frame(frame), State::Method) => self.method(frame),
            (Piece::Frame(frame), State::Header { tag }) if frame.kind == FrameKind::Header => {
                if ContentHeader::decode(frame.payload)?.body_size != self.body_size {
                    return Err(WireError::Unexpected("a delivery has another size than was sent"));
                }
                self.state = State::Body { tag, stamp: None, remaining: self.body_size };
                Ok(Received::Part)
            }
            (Piece::Frame(frame), State::Body { .. }) if frame.kind == FrameKind::Body => {
                self.body(frame.payload, frame.payload.len())
            }
            (Piece::LargeBody { start, size }, State::Body { .. }) => self.body(start, *size),
            (Piece::Frame(frame), _) if frame.kind == FrameKind::Heartbeat => Ok(Received::Part),
            _ => Err(OUT_OF_ORDER),
        }
    }

    /// A whole delivery in small frames at the start of these bytes, and how many octets it takes.
    /// Most differ from the one before in tag and body only, and are known by that.
    pub(super) fn next_whole(&mut self, bytes: &[u8]) -> Option<(Delivery, usize)> {
        if !matches!(self.state, State::Method) {
            return None;
        }
        let body_size = usize::try_from(self.body_size).ok()?;
        let delivery = self.alike.read(bytes, body_size);
        delivery.or_else(|| {
            self.alike.learn(bytes, body_size)?;
            self.alike.read(bytes, body_size)
        })
    }

    fn method<'a>(&mut self, frame: &Frame<'a>) -> Result<Received<'a>, WireError> {
        match frame.kind {
            FrameKind::Method => {}
            FrameKind::Heartbeat => return Ok(Received::Part),
            FrameKind::Header | FrameKind::Body => return Err(OUT_OF_ORDER),
        }
        if let Some(tag) = delivered(frame.payload) {
            self.state = State::Header { tag };
            return Ok(Received::Part);
        }
        Ok(Received::Method(Method::decode(frame.payload)?))
    }

    fn body<'a>(&mut self, start: &[u8], size: usize) -> Result<Received<'a>, WireError> {
        let State::Body { tag, stamp, remaining } = self.state else { return Err(OUT_OF_ORDER) };
        let stamp = stamp
            .or_else(|| Stamp::from_bytes(start))
            .ok_or(WireError::Unexpected("a body begins with too short a frame"))?;
        let remaining = remaining
            .checked_sub(size as u64)
            .ok_or(WireError::Unexpected("a body is longer than its header says"))?;
        if remaining > 0 {
            self.state = State::Body { tag, stamp: Some(stamp), remaining };
            return Ok(Received::Part);
        }
        self.state = State::Method;
        let Tag { delivery_tag, consumer } = tag;
        Ok(Received::Delivery(Delivery { delivery_tag, consumer, stamp }))
    }
}

/// What stands before the body of a delivery, as it was read last. Those that follow are mostly
/// alike but for the delivery tag.
///
/// ```text
/// | deliver: ... tag u64 ... | header | head of the body's frame |
/// ```
#[derive(Debug, Default)]
struct Alike {
    bytes: Vec<u8>,
    tag_at: usize,
    consumer: u32,
}

/// The largest body that is read so: all of it has to be there.
const WHOLE_BODY_SIZE_MAX: usize = 4096;
const TAG_SIZE: usize = 8;

impl Alike {
    fn read(&self, bytes: &[u8], body_size: usize) -> Option<(Delivery, usize)> {
        let (head, rest) = bytes.split_at_checked(self.bytes.len())?;
        let (before, tag, after) = parts(head, self.tag_at)?;
        let (own_before, _, own_after) = parts(&self.bytes, self.tag_at)?;
        if before != own_before || after != own_after || rest.get(body_size) != Some(&FRAME_END) {
            return None;
        }
        let stamp = Stamp::from_bytes(rest)?;
        let delivery_tag = u64::from_be_bytes(*tag);
        let delivery = Delivery { delivery_tag, consumer: self.consumer, stamp };
        Some((delivery, head.len() + body_size + 1))
    }

    /// From a delivery whose three frames are all there.
    fn learn(&mut self, bytes: &[u8], body_size: usize) -> Option<()> {
        let next = |at: usize| frame::next(bytes.get(at..)?, FRAME_SIZE_MAX).ok()?;
        let (method, method_size) = next(0)?;
        let (header, header_size) = next(method_size)?;
        let body_at = method_size + header_size;
        let (body, _) = next(body_at)?;
        let tag = (method.kind == FrameKind::Method).then(|| delivered(method.payload))??;
        let is_whole = body_size <= WHOLE_BODY_SIZE_MAX
            && header.kind == FrameKind::Header
            && ContentHeader::decode(header.payload).ok()?.body_size == body_size as u64
            && body.kind == FrameKind::Body
            && body.payload.len() == body_size;
        let &consumer_tag_size = method.payload.get(4).filter(|_| is_whole)?;
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes.get(..body_at + HEAD_SIZE)?);
        self.tag_at = HEAD_SIZE + 5 + usize::from(consumer_tag_size);
        self.consumer = tag.consumer;
        Some(())
    }
}

/// What is before the tag, the tag, and what is behind.
fn parts(bytes: &[u8], tag_at: usize) -> Option<(&[u8], &[u8; TAG_SIZE], &[u8])> {
    let (before, rest) = bytes.split_at_checked(tag_at)?;
    let (tag, after) = rest.split_first_chunk()?;
    Some((before, tag, after))
}

const OUT_OF_ORDER: WireError = WireError::Unexpected("the frames of a delivery are out of order");

/// Delivery tag and consumer of a basic.deliver; none where the method is another.
///
/// ```text
/// | class u16 | method u16 | consumer-tag: length u8, text | delivery-tag u64 | ...
/// ```
fn delivered(payload: &[u8]) -> Option<Tag> {
    let (class_id, rest) = payload.split_first_chunk()?;
    let (method_id, rest) = rest.split_first_chunk()?;
    if u16::from_be_bytes(*class_id) != basic::Deliver::CLASS_ID
        || u16::from_be_bytes(*method_id) != basic::Deliver::METHOD_ID
    {
        return None;
    }
    let (&consumer_tag_size, rest) = rest.split_first()?;
    let (consumer_tag, rest) = rest.split_at_checked(usize::from(consumer_tag_size))?;
    Some(Tag {
        delivery_tag: u64::from_be_bytes(*rest.first_chunk()?),
        consumer: consumer_number(consumer_tag),
    })
}

/// The consumer tag with this number.
pub(super) fn consumer_tag(number: u32) -> String {
    number.to_string()
}

/// The number of a consumer tag; nobody's where it is none of ours.
fn consumer_number(consumer_tag: &[u8]) -> u32 {
    consumer_tag.iter().fold(0, |number: u32, octet| {
        let digit = u32::from(octet.wrapping_sub(b'0'));
        number.wrapping_mul(10).wrapping_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { publisher: 1, queue: 0, sequence: 5, moment_ns: 6 };

    fn body(size: usize) -> Vec<u8> {
        let mut body = STAMP.to_bytes().to_vec();
        body.resize(size, b'.');
        body
    }

    /// A delivery with this tag, its body in pieces of at most so many octets.
    fn delivery(delivery_tag: u64, body: &[u8], piece_size: usize) -> Vec<u8> {
        let deliver = basic::Deliver {
            consumer_tag: "31",
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
    fn receive(message_size: usize, mut bytes: &[u8]) -> Result<Vec<Received<'_>>, String> {
        let (mut machine, mut ends) = (Deliveries::of_size(message_size), Vec::new());
        while let Some((frame, size)) = frame::next(bytes, 4096).unwrap() {
            match machine.receive(&Piece::Frame(frame)).map_err(|error| error.to_string())? {
                Received::Part => {}
                end => ends.push(end),
            }
            bytes = &bytes[size..];
        }
        Ok(ends)
    }

    fn delivered_with(delivery_tag: u64) -> Received<'static> {
        Received::Delivery(Delivery { delivery_tag, consumer: 31, stamp: STAMP })
    }

    #[test]
    fn deliveries_have_their_tag_and_stamp_however_the_body_is_framed() {
        for piece_size in [16, 17, 99, 100] {
            let mut bytes = delivery(7, &body(100), piece_size);
            frame::write_heartbeat(&mut bytes);
            bytes.extend(delivery(8, &body(100), piece_size));
            let expected = vec![delivered_with(7), delivered_with(8)];
            assert_eq!(receive(100, &bytes), Ok(expected), "{piece_size}");
        }
    }

    #[test]
    fn whole_deliveries_are_found_alike_or_not() {
        let mut machine = Deliveries::of_size(100);
        let other = {
            let mut bytes = delivery(9, &body(100), 4000);
            bytes.splice(12..14, *b"77");
            bytes
        };
        let bytes = [delivery(7, &body(100), 4000), delivery(8, &body(100), 4000), other].concat();
        let (mut found, mut rest) = (Vec::new(), bytes.as_slice());
        while let Some((delivery, size)) = machine.next_whole(rest) {
            found.push((delivery.delivery_tag, delivery.consumer));
            assert_eq!(delivery.stamp, STAMP);
            rest = &rest[size..];
        }
        assert_eq!(found, [(7, 31), (8, 31), (9, 77)]);
        assert!(rest.is_empty());
    }

    #[test]
    fn what_is_no_whole_delivery_is_left_to_be_taken_apart() {
        let whole = delivery(7, &body(100), 4000);
        let mut machine = Deliveries::of_size(100);
        assert!(machine.next_whole(&whole).is_some());
        let mut no_end = whole.clone();
        *no_end.last_mut().unwrap() = 0;
        let mut cancel = Vec::new();
        frame::write_method(&mut cancel, 1, &basic::CancelOk { consumer_tag: "1" });
        let in_pieces = delivery(7, &body(100), 60);
        let smaller = delivery(7, &body(99), 4000);
        for bytes in [&no_end, &cancel, &in_pieces, &smaller, &whole[..whole.len() - 1].to_vec()] {
            assert_eq!(machine.next_whole(bytes), None);
        }
    }

    #[test]
    fn of_a_large_body_the_start_is_enough() {
        let bytes = delivery(7, &body(100), 1000);
        let mut machine = Deliveries::of_size(100);
        let mut rest = bytes.as_slice();
        for _ in 0..2 {
            let (frame, size) = frame::next(rest, 4096).unwrap().unwrap();
            assert_eq!(machine.receive(&Piece::Frame(frame)).unwrap(), Received::Part);
            rest = &rest[size..];
        }
        let large = |size| Piece::LargeBody { start: STAMP.to_bytes(), size };
        assert_eq!(machine.receive(&large(60)).unwrap(), Received::Part);
        assert_eq!(machine.receive(&large(40)).unwrap(), delivered_with(7));
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
    fn methods_that_deliver_nothing_are_handed_on() {
        let mut bytes = Vec::new();
        frame::write_method(&mut bytes, 1, &basic::CancelOk { consumer_tag: "1" });
        let cancel_ok = basic::CancelOk { consumer_tag: "1" };
        let expected = vec![Received::Method(Method::BasicCancelOk(cancel_ok))];
        assert_eq!(receive(16, &bytes), Ok(expected));
    }
}
