//! Frames: where one ends and the next begins, and how they are written. What a payload means is in
//! `methods` and `properties`.
//!
//! ```text
//! +------+---------+--------+=============+------+
//! | kind | channel |  size  |   payload   | 0xCE |
//! |  u8  |   u16   |  u32   | size octets |  u8  |
//! +------+---------+--------+=============+------+
//! ```

use std::fmt;

use super::methods::WireMethod;
use super::{DecodeError, DecodeErrorKind};

/// What a client says first.
pub const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";

/// Octets of a frame before its payload.
pub const HEAD_SIZE: usize = 7;

/// Octets of a frame that are not payload: head and end.
pub const OVERHEAD_SIZE: usize = HEAD_SIZE + 1;

/// What every frame ends with.
pub const FRAME_END: u8 = 0xCE;

/// Octets of a content header before its properties: class, weight, and the body's size.
pub const CONTENT_HEAD_SIZE: usize = 2 + 2 + 8;

/// Payloads may pass the limit by this much: RabbitMQ takes them, and clients count differently.
const SLACK_SIZE: usize = 8;

/// The kinds of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// A method.
    Method = 1,
    /// A content header.
    Header = 2,
    /// A piece of a body.
    Body = 3,
    /// A sign of life.
    Heartbeat = 8,
}

impl FrameKind {
    fn from_octet(octet: u8) -> Option<Self> {
        match octet {
            1 => Some(Self::Method),
            2 => Some(Self::Header),
            3 => Some(Self::Body),
            8 => Some(Self::Heartbeat),
            _ => None,
        }
    }
}

/// One frame, in the buffer it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: FrameKind,
    /// The channel it is for.
    pub channel: u16,
    /// What it carries.
    pub payload: &'a [u8],
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The kind is none there is.
    UnknownKind(u8),
    /// The payload is larger than agreed.
    TooLarge {
        /// The payload's size.
        size: usize,
        /// The largest payload agreed.
        maximum: usize,
    },
    /// The last octet is wrong.
    MissingEnd(u8),
}

impl fmt::Display for FrameError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKind(kind) => write!(formatter, "unknown frame type {kind}"),
            Self::TooLarge { size, maximum } => {
                write!(formatter, "frame payload of {size} octets, at most {maximum} were agreed")
            }
            Self::MissingEnd(octet) => {
                write!(formatter, "frame ends with octet {octet}, not with {FRAME_END}")
            }
        }
    }
}

impl std::error::Error for FrameError {}

/// The first frame of `input` and its size in octets; `None` where more bytes are needed. Kind and
/// size are judged as soon as they are there, so that nobody waits for a payload that will be
/// refused. `frame_size_max` counts the whole frame.
///
/// # Errors
/// The bytes are no frame.
pub fn next(input: &[u8], frame_size_max: usize) -> Result<Option<(Frame<'_>, usize)>, FrameError> {
    let &[kind, channel_high, channel_low, size_3, size_2, size_1, size_0, ref rest @ ..] = input
    else {
        return match input.first() {
            Some(octet) if FrameKind::from_octet(*octet).is_none() => {
                Err(FrameError::UnknownKind(*octet))
            }
            _ => Ok(None),
        };
    };
    let kind = FrameKind::from_octet(kind).ok_or(FrameError::UnknownKind(kind))?;
    let channel = u16::from_be_bytes([channel_high, channel_low]);
    let size = u32::from_be_bytes([size_3, size_2, size_1, size_0]) as usize;
    let maximum = frame_size_max.saturating_sub(OVERHEAD_SIZE);
    if size > maximum.saturating_add(SLACK_SIZE) {
        return Err(FrameError::TooLarge { size, maximum });
    }
    let (Some(payload), Some(&end)) = (rest.get(..size), rest.get(size)) else { return Ok(None) };
    if end != FRAME_END {
        return Err(FrameError::MissingEnd(end));
    }
    Ok(Some((Frame { kind, channel, payload }, HEAD_SIZE + size + 1)))
}

/// What stands in a content header before its properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentHeader<'a> {
    /// The class of the method it belongs to.
    pub class_id: u16,
    /// Always 0.
    pub weight: u16,
    /// Octets of the body.
    pub body_size: u64,
    /// Property flags and list.
    pub properties: &'a [u8],
}

impl<'a> ContentHeader<'a> {
    /// Reads a header frame's payload.
    ///
    /// # Errors
    /// It is too short.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let malformed = DecodeError { kind: DecodeErrorKind::Malformed };
        let (head, properties) = payload.split_at_checked(CONTENT_HEAD_SIZE).ok_or(malformed)?;
        let &[class_high, class_low, weight_high, weight_low, ref size @ ..] = head else {
            return Err(malformed);
        };
        Ok(Self {
            class_id: u16::from_be_bytes([class_high, class_low]),
            weight: u16::from_be_bytes([weight_high, weight_low]),
            body_size: size.iter().fold(0, |size, octet| size << 8 | u64::from(*octet)),
            properties,
        })
    }
}

/// Writes a method frame.
pub fn write_method(out: &mut Vec<u8>, channel: u16, method: &impl WireMethod) {
    write_framed(out, FrameKind::Method, channel, |out| method.encode(out));
}

/// Writes a content header frame.
pub fn write_header(
    out: &mut Vec<u8>,
    channel: u16,
    class_id: u16,
    body_size: u64,
    properties: &[u8],
) {
    let head = head(FrameKind::Header, channel, CONTENT_HEAD_SIZE + properties.len());
    let mut all = [0; HEAD_SIZE + CONTENT_HEAD_SIZE];
    let (frame_head, rest) = all.split_at_mut(HEAD_SIZE);
    let (class, rest) = rest.split_at_mut(2);
    let (_weight, size) = rest.split_at_mut(2);
    frame_head.copy_from_slice(&head);
    class.copy_from_slice(&class_id.to_be_bytes());
    size.copy_from_slice(&body_size.to_be_bytes());
    out.extend_from_slice(&all);
    out.extend_from_slice(properties);
    write_end(out);
}

/// Writes a body frame.
pub fn write_body(out: &mut Vec<u8>, channel: u16, bytes: &[u8]) {
    write_body_head(out, channel, bytes.len());
    out.extend_from_slice(bytes);
    write_end(out);
}

/// Writes what stands before a body's bytes, which go out by themselves; [`write_end`] follows.
pub fn write_body_head(out: &mut Vec<u8>, channel: u16, size: usize) {
    write_head(out, FrameKind::Body, channel, size);
}

/// Writes the octet that ends every frame.
pub fn write_end(out: &mut Vec<u8>) {
    out.push(FRAME_END);
}

/// Writes a heartbeat.
pub fn write_heartbeat(out: &mut Vec<u8>) {
    write_head(out, FrameKind::Heartbeat, 0, 0);
    write_end(out);
}

fn write_head(out: &mut Vec<u8>, kind: FrameKind, channel: u16, size: usize) {
    out.extend_from_slice(&head(kind, channel, size));
}

fn head(kind: FrameKind, channel: u16, size: usize) -> [u8; HEAD_SIZE] {
    let [channel_high, channel_low] = channel.to_be_bytes();
    let [size_3, size_2, size_1, size_0] = u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes();
    [kind as u8, channel_high, channel_low, size_3, size_2, size_1, size_0]
}

/// Writes a frame whose size shows only when it is written.
fn write_framed(
    out: &mut Vec<u8>,
    kind: FrameKind,
    channel: u16,
    payload: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    write_head(out, kind, channel, 0);
    payload(out);
    let size = u32::try_from(out.len() - start - HEAD_SIZE).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start + 3..start + HEAD_SIZE) {
        place.copy_from_slice(&size.to_be_bytes());
    }
    write_end(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_body(&mut out, 3, bytes);
        out
    }

    #[test]
    fn a_frame_is_read_when_all_of_it_is_there() {
        let bytes = body(b"hello");
        for end in 0..bytes.len() {
            assert_eq!(next(&bytes[..end], 4096), Ok(None), "{end} bytes");
        }
        let frame = Frame { kind: FrameKind::Body, channel: 3, payload: b"hello" };
        assert_eq!(next(&bytes, 4096), Ok(Some((frame, bytes.len()))));
    }

    #[test]
    fn an_unknown_kind_is_told_by_the_first_octet() {
        assert_eq!(next(&[4], 4096), Err(FrameError::UnknownKind(4)));
    }

    #[test]
    fn a_large_frame_is_refused_before_its_payload_comes() {
        let bytes = body(&[0; 100]);
        let error = Err(FrameError::TooLarge { size: 100, maximum: 84 });
        assert_eq!(next(&bytes[..7], 92), error);
        assert_eq!(next(&bytes[..7], 100), Ok(None));
    }

    #[test]
    fn a_wrong_end_is_an_error() {
        let mut bytes = body(b"hello");
        *bytes.last_mut().unwrap() = 0;
        assert_eq!(next(&bytes, 4096), Err(FrameError::MissingEnd(0)));
    }

    #[test]
    fn a_content_header_gives_back_what_was_written() {
        let mut out = Vec::new();
        write_header(&mut out, 1, 60, 1 << 40, &[0x80, 0]);
        let (frame, _) = next(&out, 4096).unwrap().unwrap();
        let header = ContentHeader::decode(frame.payload).unwrap();
        assert_eq!((header.class_id, header.weight, header.body_size), (60, 0, 1 << 40));
        assert_eq!(header.properties, [0x80, 0]);
        assert!(ContentHeader::decode(&frame.payload[..11]).is_err());
    }
}
