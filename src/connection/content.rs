//! A message on its way in: the publish, then its header, then its body, frame by frame. It checks
//! sizes and order; it does not know where the message goes.

use bytes::Bytes;

use super::phase::Options;
use crate::limits::{BODY_COPIED_SIZE_MAX, CONTENT_SIZE_MAX};
use crate::message::{Body, Charge, Envelope, Message};
use crate::protocol::frame::{ContentHeader, Frame, FrameKind};
use crate::protocol::methods::{WireMethod, basic};
use crate::protocol::properties::PropertyView;
use crate::protocol::reply::{AmqpError, ChannelError, ConnectionError};

const PUBLISH: (u16, u16) = (basic::Publish::CLASS_ID, basic::Publish::METHOD_ID);

/// A message of which the last frame has not come.
#[derive(Debug)]
pub(super) struct Incoming {
    exchange: Box<str>,
    routing_key: Box<str>,
    pub(super) mandatory: bool,
    pub(super) immediate: bool,
    header: Option<Header>,
    /// What came of a large body, until all of it is there.
    charge: Option<Charge>,
}

#[derive(Debug)]
struct Header {
    properties: Box<[u8]>,
    is_persistent: bool,
    body_size: u64,
    missing: u64,
    small: Vec<u8>,
    parts: Vec<Bytes>,
    is_large: bool,
}

impl Incoming {
    pub(super) fn new(publish: &basic::Publish<'_>) -> Self {
        Self {
            exchange: publish.exchange.into(),
            routing_key: publish.routing_key.into(),
            mandatory: publish.mandatory,
            immediate: publish.immediate,
            header: None,
            charge: None,
        }
    }

    /// Takes the next frame of the channel; gives the message when it was the last.
    pub(super) fn receive(
        &mut self,
        frame: &Frame<'_>,
        options: &Options,
    ) -> Result<Option<Message>, AmqpError> {
        match &mut self.header {
            None => {
                let header = read_header(frame, options.message_size_max)?;
                self.charge = header.is_large.then(|| options.account.charge(0));
                self.header = Some(header);
            }
            Some(header) => {
                header.append(frame)?;
                if let Some(charge) = &mut self.charge {
                    charge.set(header.received_size());
                }
            }
        }
        let is_complete = self.header.as_ref().is_some_and(|header| header.missing == 0);
        Ok(is_complete.then(|| self.message()).flatten())
    }

    fn message(&mut self) -> Option<Message> {
        let header = self.header.take()?;
        let body =
            if header.is_large { Body::Shared(header.parts) } else { Body::Copied(&header.small) };
        let envelope = Envelope {
            exchange: &self.exchange,
            routing_key: &self.routing_key,
            properties: &header.properties,
            is_persistent: header.is_persistent,
        };
        Some(Message::new(envelope, body))
    }
}

impl Header {
    /// Bytes of a large body that are there.
    fn received_size(&self) -> u64 {
        self.body_size - self.missing
    }

    fn append(&mut self, frame: &Frame<'_>) -> Result<(), ConnectionError> {
        if frame.kind != FrameKind::Body {
            let text = "expected content body, got non content body frame instead";
            return Err(at_publish(ConnectionError::unexpected_frame(text)));
        }
        let size = frame.payload.len() as u64;
        if size > self.missing {
            let text = "content body frame exceeds remaining content size";
            return Err(at_publish(ConnectionError::frame_error(text)));
        }
        self.missing -= size;
        if self.is_large {
            self.parts.push(Bytes::copy_from_slice(frame.payload));
        } else {
            self.small.extend_from_slice(frame.payload);
        }
        Ok(())
    }
}

/// Reads the content header. Nothing is set aside for the body before it comes.
fn read_header(frame: &Frame<'_>, message_size_max: u64) -> Result<Header, AmqpError> {
    let content = checked_header(frame)?;
    if content.body_size > message_size_max {
        let text = format!(
            "message size {} is larger than configured max size {message_size_max}",
            content.body_size
        );
        return Err(ChannelError::precondition_failed(text).at(PUBLISH.0, PUBLISH.1).into());
    }
    let view = readable(content.properties)
        .ok_or_else(|| at_publish(ConnectionError::frame_error("cannot decode properties")))?;
    Ok(Header {
        properties: content.properties.into(),
        is_persistent: view.is_persistent(),
        body_size: content.body_size,
        missing: content.body_size,
        small: Vec::new(),
        parts: Vec::new(),
        is_large: content.body_size > BODY_COPIED_SIZE_MAX,
    })
}

/// The properties, where they can be read.
pub(super) fn readable(properties: &[u8]) -> Option<PropertyView<'_>> {
    PropertyView::parse(properties).ok().filter(PropertyView::has_sound_headers)
}

fn checked_header<'a>(frame: &Frame<'a>) -> Result<ContentHeader<'a>, ConnectionError> {
    let class_id = PUBLISH.0;
    let no_header = || {
        at_publish(ConnectionError::unexpected_frame(format!(
            "expected content header for class {class_id}, got non content header frame instead"
        )))
    };
    if frame.kind != FrameKind::Header {
        return Err(no_header());
    }
    let content = ContentHeader::decode(frame.payload)
        .map_err(|_| ConnectionError::frame_error("cannot decode content header"))?;
    if content.class_id != class_id {
        let text = format!(
            "expected content header for class {class_id}, got one for class {} instead",
            content.class_id
        );
        return Err(at_publish(ConnectionError::unexpected_frame(text)));
    }
    if content.weight != 0 {
        return Err(no_header());
    }
    if content.body_size > CONTENT_SIZE_MAX {
        let text = format!(
            "content body size {} exceeds maximum allowed size {CONTENT_SIZE_MAX}",
            content.body_size
        );
        return Err(at_publish(ConnectionError::frame_error(text)));
    }
    Ok(content)
}

fn at_publish(error: ConnectionError) -> ConnectionError {
    error.at(PUBLISH.0, PUBLISH.1)
}
