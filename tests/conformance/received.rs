//! What came from the broker, as values that belong to the script.

use std::fmt;

use leveret::protocol::frame::{ContentHeader, Frame, FrameKind};
use leveret::protocol::methods::{Method, basic};
use leveret::protocol::properties::Properties;

/// One frame.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) kind: FrameKind,
    pub(crate) channel: u16,
    pub(crate) payload: &'static [u8],
}

impl Received {
    /// A frame that outlives what it was read from: a script is short, and what it read is given
    /// back when its process ends.
    pub(crate) fn new(frame: &Frame<'_>) -> Self {
        let payload = Box::leak(frame.payload.to_vec().into_boxed_slice());
        Self { kind: frame.kind, channel: frame.channel, payload }
    }

    /// The method in it.
    pub(crate) fn method(&self) -> Method<'static> {
        assert_eq!(self.kind, FrameKind::Method, "{self:?}");
        Method::decode(self.payload).expect("a method")
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "channel {}: ", self.channel)?;
        match (self.kind, Method::decode(self.payload)) {
            (FrameKind::Method, Ok(method)) => method.fmt(formatter),
            (kind, _) => {
                let shown = &self.payload[..self.payload.len().min(64)];
                let size = self.payload.len();
                write!(formatter, "{kind:?} of {size} octets, {}", shown.escape_ascii())
            }
        }
    }
}

/// Properties and body of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    /// Flags and list as they stood in the header.
    pub(crate) property_bytes: &'static [u8],
    pub(crate) properties: Properties,
    pub(crate) body: Vec<u8>,
}

impl Content {
    pub(crate) fn new(header: &ContentHeader<'static>, body: Vec<u8>) -> Self {
        let properties = Properties::decode(header.properties).expect("properties");
        Self { property_bytes: header.properties, properties, body }
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

/// basic.deliver and its content.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) method: basic::Deliver<'static>,
    pub(crate) content: Content,
}

/// basic.get-ok and its content.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) method: basic::GetOk<'static>,
    pub(crate) content: Content,
}

/// basic.return and its content.
#[derive(Clone, Debug)]
pub(crate) struct Returned {
    pub(crate) method: basic::Return<'static>,
    pub(crate) content: Content,
}
