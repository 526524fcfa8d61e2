//! A published message as every floor shares it: a cheap handle to bytes that never change. It does
//! not know queues, sequences or consumers; what a queue knows of a message is in `queue`.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use smallvec::SmallVec;
use triomphe::ThinArc;

use super::expiration;
use crate::limits::MESSAGE_STACK_SIZE;
use crate::protocol::frame::OVERHEAD_SIZE;
use crate::protocol::properties::{self, PropertyView};

/// A handle to one message; cloning it copies a pointer.
///
/// ```text
/// one allocation: | count | header | exchange | routing key | properties | body, if it is small |
/// as it came:     | count | header | exchange |.| routing key |...| properties |...| body |
/// header.parts:   the frames of a large body, each a slice of its own, never joined
/// ```
///
/// A message that came in frames which follow each other may keep what was between its parts: then
/// it is copied in one piece.
#[derive(Clone, Debug)]
pub struct Message(ThinArc<Header, u8>);

#[derive(Debug)]
struct Header {
    exchange_size: u8,
    routing_key_size: u8,
    is_persistent: bool,
    has_expiration: bool,
    is_shared: AtomicBool,
    is_as_it_came: bool,
    properties_size: u32,
    body_size: u64,
    #[expect(clippy::box_collection, reason = "a thin pointer: small messages have no parts")]
    parts: Option<Box<Vec<Bytes>>>,
}

/// The body of a message on its way in.
#[derive(Debug)]
pub enum Body<'a> {
    /// Bytes that are copied into the message.
    Copied(&'a [u8]),
    /// Slices that the message keeps.
    Shared(Vec<Bytes>),
}

/// What a publisher said about a message besides its body.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The exchange's name, at most 255 bytes.
    pub exchange: &'a str,
    /// The routing key, at most 255 bytes.
    pub routing_key: &'a str,
    /// Property flags and list as they stand in the content header.
    pub properties: &'a [u8],
    /// Delivery mode 2.
    pub is_persistent: bool,
}

/// Between exchange and routing key, as they come: a size.
const KEY_GAP: usize = 1;

/// Between routing key and properties: flags, an end of a frame, the head of the next, class,
/// weight, and the size of the body.
const PROPERTIES_GAP: usize = 1 + OVERHEAD_SIZE + 2 + 2 + 8;

/// Between properties and body: an end of a frame and the head of the next.
const BODY_GAP: usize = OVERHEAD_SIZE;

impl Message {
    /// A message of these parts. Names are short strings: what passes 255 bytes is cut.
    #[must_use]
    pub fn new(envelope: Envelope<'_>, body: Body<'_>) -> Self {
        let (exchange, exchange_size) = short(envelope.exchange);
        let (routing_key, routing_key_size) = short(envelope.routing_key);
        let inline: &[u8] = if let Body::Copied(bytes) = &body { bytes } else { &[] };
        let mut bytes: SmallVec<[u8; MESSAGE_STACK_SIZE]> = SmallVec::new();
        for part in [exchange, routing_key, envelope.properties, inline] {
            bytes.extend_from_slice(part);
        }
        let (body_size, parts) = match body {
            Body::Copied(bytes) => (bytes.len() as u64, None),
            Body::Shared(parts) => {
                (parts.iter().map(|part| part.len() as u64).sum(), Some(Box::new(parts)))
            }
        };
        let header = Header {
            exchange_size,
            routing_key_size,
            is_persistent: envelope.is_persistent,
            has_expiration: properties::have_expiration(envelope.properties),
            is_shared: AtomicBool::new(false),
            is_as_it_came: false,
            properties_size: u32::try_from(envelope.properties.len()).unwrap_or(u32::MAX),
            body_size,
            parts,
        };
        Self(ThinArc::from_header_and_slice(header, &bytes))
    }

    /// A message whose parts stand in `bytes` as they came: from its exchange's name to the end of
    /// its body, in frames that follow each other. `envelope` is what is in them. `None` where they
    /// cannot be there.
    #[must_use]
    pub fn as_it_came(envelope: Envelope<'_>, bytes: &[u8]) -> Option<Self> {
        let Envelope { exchange, routing_key, properties, is_persistent } = envelope;
        let sizes = [exchange.len(), KEY_GAP, routing_key.len(), PROPERTIES_GAP, properties.len()];
        let body_size = bytes.len().checked_sub(sizes.iter().sum::<usize>() + BODY_GAP)?;
        let header = Header {
            exchange_size: u8::try_from(exchange.len()).ok()?,
            routing_key_size: u8::try_from(routing_key.len()).ok()?,
            is_persistent,
            has_expiration: properties::have_expiration(properties),
            is_shared: AtomicBool::new(false),
            is_as_it_came: true,
            properties_size: u32::try_from(properties.len()).ok()?,
            body_size: body_size as u64,
            parts: None,
        };
        Some(Self(ThinArc::from_header_and_slice(header, bytes)))
    }

    /// The same message with other properties, for what the broker must rewrite.
    #[must_use]
    pub fn with_properties(&self, properties: &[u8]) -> Self {
        self.with_envelope(Envelope {
            exchange: self.exchange(),
            routing_key: self.routing_key(),
            properties,
            is_persistent: self.is_persistent(),
        })
    }

    /// The same body under other names and with other properties, for what is published again.
    #[must_use]
    pub fn with_envelope(&self, envelope: Envelope<'_>) -> Self {
        let body = match &self.header().parts {
            Some(parts) => Body::Shared(parts.as_ref().clone()),
            None => Body::Copied(self.inline_body()),
        };
        Self::new(envelope, body)
    }

    /// The exchange it was published to; the default exchange is the empty name.
    #[must_use]
    pub fn exchange(&self) -> &str {
        self.text(0, usize::from(self.header().exchange_size))
    }

    /// The routing key it was published with.
    #[must_use]
    pub fn routing_key(&self) -> &str {
        let start = usize::from(self.header().exchange_size) + self.gap(KEY_GAP);
        self.text(start, start + usize::from(self.header().routing_key_size))
    }

    /// Property flags and list, byte for byte as the publisher sent them.
    #[must_use]
    pub fn properties(&self) -> &[u8] {
        let start = self.properties_start();
        self.bytes(start, start + self.header().properties_size as usize)
    }

    /// Delivery mode 2.
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        self.header().is_persistent
    }

    /// Its publisher gave it a time to live.
    #[must_use]
    pub fn has_expiration(&self) -> bool {
        self.header().has_expiration
    }

    /// The milliseconds it may live, where its publisher said so.
    #[must_use]
    pub fn expiration_ms(&self) -> Option<u64> {
        if !self.has_expiration() {
            return None;
        }
        let view = PropertyView::parse(self.properties()).ok()?;
        // What was published was looked at before.
        expiration::parse(view.expiration?).ok()
    }

    /// The priority that its publisher gave it.
    #[must_use]
    pub fn priority(&self) -> Option<u8> {
        if !properties::have_priority(self.properties()) {
            return None;
        }
        PropertyView::parse(self.properties()).ok()?.priority
    }

    /// It goes to more than one queue: whoever stores it does so once.
    pub fn share(&self) {
        self.header().is_shared.store(true, Ordering::Relaxed);
    }

    /// It went to more than one queue.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.header().is_shared.load(Ordering::Relaxed)
    }

    /// What tells this message from all others that live at the same time.
    #[must_use]
    pub fn address(&self) -> usize {
        self.0.heap_ptr().addr()
    }

    /// Bytes of the body.
    #[must_use]
    pub fn body_size(&self) -> u64 {
        self.header().body_size
    }

    /// Exchange, routing key, properties and the body's size are those of `other`, and both bodies
    /// are inside their messages.
    #[must_use]
    pub fn differs_in_body_only(&self, other: &Self) -> bool {
        let (own, others) = (self.header(), other.header());
        own.exchange_size == others.exchange_size
            && own.routing_key_size == others.routing_key_size
            && own.properties_size == others.properties_size
            && own.body_size == others.body_size
            && own.is_as_it_came == others.is_as_it_came
            && own.parts.is_none()
            && others.parts.is_none()
            && self.bytes(0, self.body_start()) == other.bytes(0, other.body_start())
    }

    /// The body, where it is inside the message; else nothing.
    #[must_use]
    pub fn inline_body(&self) -> &[u8] {
        self.bytes(self.body_start(), self.0.slice.len())
    }

    /// The body's slices in order; a small body is one slice, an empty one none.
    pub fn body(&self) -> impl Iterator<Item = BodyPart<'_>> {
        let small = self.inline_body();
        let small = (!small.is_empty()).then_some(BodyPart::Inline(small));
        let parts = self.header().parts.as_deref().map_or(&[][..], |parts| parts.as_slice());
        small.into_iter().chain(parts.iter().map(BodyPart::Shared))
    }

    /// The body in one piece, for tests and tools.
    #[must_use]
    pub fn body_to_vec(&self) -> Vec<u8> {
        self.body().flat_map(|part| part.as_slice().iter().copied()).collect()
    }

    fn header(&self) -> &Header {
        &self.0.header.header
    }

    fn body_start(&self) -> usize {
        let properties_end = self.properties_start() + self.header().properties_size as usize;
        properties_end + self.gap(BODY_GAP)
    }

    fn properties_start(&self) -> usize {
        let names =
            usize::from(self.header().exchange_size) + usize::from(self.header().routing_key_size);
        names + self.gap(KEY_GAP + PROPERTIES_GAP)
    }

    fn gap(&self, size: usize) -> usize {
        if self.header().is_as_it_came { size } else { 0 }
    }

    fn bytes(&self, start: usize, end: usize) -> &[u8] {
        self.0.slice.get(start..end).unwrap_or(&[])
    }

    /// The head holds what came from `&str`s, so the check only repeats what is known.
    fn text(&self, start: usize, end: usize) -> &str {
        std::str::from_utf8(self.bytes(start, end)).unwrap_or("")
    }
}

/// A slice of a body: bytes inside the message, or a shared block that can be kept.
#[derive(Clone, Copy, Debug)]
pub enum BodyPart<'a> {
    /// Bytes inside the message.
    Inline(&'a [u8]),
    /// A block of its own.
    Shared(&'a Bytes),
}

impl<'a> BodyPart<'a> {
    /// The bytes, wherever they are.
    #[must_use]
    pub fn as_slice(self) -> &'a [u8] {
        match self {
            BodyPart::Inline(bytes) => bytes,
            BodyPart::Shared(bytes) => bytes,
        }
    }
}

/// A name as bytes with its size in an octet, cut at a character's edge where it is too long.
fn short(text: &str) -> (&[u8], u8) {
    let end = text.floor_char_boundary(usize::from(u8::MAX));
    let bytes = text.as_bytes().get(..end).unwrap_or(&[]);
    (bytes, u8::try_from(bytes.len()).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope<'a>() -> Envelope<'a> {
        Envelope { exchange: "x", routing_key: "a.b", properties: &[0, 0], is_persistent: true }
    }

    #[test]
    fn a_small_message_gives_back_its_parts() {
        let message = Message::new(envelope(), Body::Copied(b"hello"));
        assert_eq!((message.exchange(), message.routing_key()), ("x", "a.b"));
        assert_eq!(message.properties(), &[0, 0]);
        assert_eq!(message.body_to_vec(), b"hello");
        assert_eq!(message.body_size(), 5);
        assert!(message.is_persistent());
    }

    #[test]
    fn a_large_body_keeps_its_slices() {
        let parts = vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")];
        let message = Message::new(envelope(), Body::Shared(parts));
        assert_eq!(message.body().count(), 2);
        assert_eq!(message.body_size(), 6);
    }

    #[test]
    fn an_empty_body_has_no_slices() {
        assert_eq!(Message::new(envelope(), Body::Copied(b"")).body().count(), 0);
    }

    #[test]
    fn rewritten_properties_leave_the_rest_as_it_was() {
        let message = Message::new(envelope(), Body::Copied(b"hello")).with_properties(&[1, 2, 3]);
        assert_eq!(message.properties(), &[1, 2, 3]);
        assert_eq!((message.routing_key(), message.body_to_vec()), ("a.b", b"hello".to_vec()));
    }
}
