//! A publish of which all frames are in the buffer, as nearly all are: it is read in one step, and
//! what is like the one before is not read again. Whatever is unusual or wrong is left to the path
//! that takes one frame after the other, which knows every error.

use super::channel::{Channel, Mode, State};
use super::command::{Effect, Publish};
use super::content::readable;
use super::machine::Connection;
use super::phase::Phase;
use crate::limits::{AS_IT_CAME_SIZE_MIN, BODY_COPIED_SIZE_MAX, PUBLISH_RUN_COUNT_MAX};
use crate::message::{Body, Envelope, Message, MessageRun};
use crate::protocol::frame::{self, ContentHeader, Frame, FrameKind};
use crate::protocol::methods::{Method, WireMethod, basic};
use crate::protocol::properties;

/// What stands before the body, as it came and as it is meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    channel: u16,
    method: &'a [u8],
    header: &'a [u8],
    mandatory: bool,
    body_size: u64,
    envelope: Envelope<'a>,
    /// Nothing but exchange and routing key decides where it goes.
    is_plain: bool,
}

/// Octets of a method frame with basic.publish before the name of the exchange.
const EXCHANGE_AT: usize = frame::HEAD_SIZE + 2 + 2 + 2 + 1;

impl Connection {
    /// Takes a publish that is whole, and tells its size; `None` where something else is next, or
    /// something that needs a closer look. `last` is the publish before in the same input.
    pub(super) fn receive_whole<'a>(
        &mut self,
        input: &'a [u8],
        last: &mut Option<Head<'a>>,
        effects: &mut Vec<Effect>,
    ) -> Option<usize> {
        if self.phase != Phase::Running || !is_publish(input) {
            return None;
        }
        let (method, method_size) = frame::next(input, self.frame_size_max).ok()??;
        let (header, header_size) =
            frame::next(input.get(method_size..)?, self.frame_size_max).ok()??;
        if header.kind != FrameKind::Header || header.channel != method.channel {
            return None;
        }
        let is_alike = Head::follow(last, &method, header.payload)?;
        let head = last.as_ref()?;
        let body_at = method_size + header_size;
        let body = match head.body_size {
            0 => &[][..],
            _ => self.whole_body(input.get(body_at..)?, head)?,
        };
        let size =
            if body.is_empty() { body_at } else { body_at + body.len() + frame::OVERHEAD_SIZE };
        let channel = self.channels.get_mut(&head.channel)?;
        if channel.state != State::Open || channel.incoming.is_some() {
            return None;
        }
        let message = message(head, input.get(EXCHANGE_AT..size - 1)?, body)?;
        publish(channel, message, head.mandatory, is_alike, effects);
        Some(size)
    }

    /// The body, where it is one frame and small enough to be copied.
    fn whole_body<'a>(&self, input: &'a [u8], head: &Head<'_>) -> Option<&'a [u8]> {
        if head.body_size > self.options.message_size_max.min(BODY_COPIED_SIZE_MAX) {
            return None;
        }
        let (frame, _) = frame::next(input, self.frame_size_max).ok()??;
        let is_whole = frame.kind == FrameKind::Body
            && frame.channel == head.channel
            && frame.payload.len() as u64 == head.body_size;
        is_whole.then_some(frame.payload)
    }
}

/// A method frame with basic.publish in it, as far as the first octets tell.
fn is_publish(input: &[u8]) -> bool {
    const CLASS: [u8; 2] = basic::Publish::CLASS_ID.to_be_bytes();
    const METHOD: [u8; 2] = basic::Publish::METHOD_ID.to_be_bytes();
    let Some((&[kind, ..], ids)) = input.split_first_chunk::<7>() else { return false };
    kind == FrameKind::Method as u8 && ids.starts_with(&CLASS) && ids.get(2..4) == Some(&METHOD)
}

/// A large one is copied in one piece, a small one without what came between its parts.
fn message(head: &Head<'_>, as_it_came: &[u8], body: &[u8]) -> Option<Message> {
    match body.len() {
        AS_IT_CAME_SIZE_MIN.. => Message::as_it_came(head.envelope, as_it_came),
        _ => Some(Message::new(head.envelope, Body::Copied(body))),
    }
}

impl<'a> Head<'a> {
    /// Makes `last` the head of what comes next, and tells whether that goes where the last one
    /// went. Mostly nothing changes, and nothing is read again.
    fn follow(last: &mut Option<Self>, method: &Frame<'a>, header: &'a [u8]) -> Option<bool> {
        let known = last
            .as_ref()
            .filter(|known| known.channel == method.channel && known.method == method.payload);
        let Some(known) = known else {
            *last = Some(Self::read(method, header)?);
            return Some(false);
        };
        if known.header == header {
            return Some(known.is_plain);
        }
        let next = known.with_header(header)?;
        let is_alike = next.is_plain && known.envelope.properties == next.envelope.properties;
        *last = Some(next);
        Some(is_alike)
    }

    fn read(method: &Frame<'a>, header: &'a [u8]) -> Option<Self> {
        let Ok(Method::BasicPublish(publish)) = Method::decode(method.payload) else { return None };
        if publish.immediate {
            return None;
        }
        let envelope = Envelope {
            exchange: publish.exchange,
            routing_key: publish.routing_key,
            properties: &[],
            is_persistent: false,
        };
        let head = Self {
            channel: method.channel,
            method: method.payload,
            header: &[],
            mandatory: publish.mandatory,
            body_size: 0,
            envelope,
            is_plain: false,
        };
        head.with_header(header)
    }

    /// The same publish with another content header.
    fn with_header(&self, header: &'a [u8]) -> Option<Self> {
        let content = ContentHeader::decode(header).ok()?;
        if content.class_id != basic::Publish::CLASS_ID || content.weight != 0 {
            return None;
        }
        let is_persistent = readable(content.properties)?.is_persistent();
        let envelope = Envelope { properties: content.properties, is_persistent, ..self.envelope };
        let is_plain = !properties::are_inspected(content.properties);
        Some(Self { header, body_size: content.body_size, envelope, is_plain, ..*self })
    }
}

/// Hands a complete message on under the channel's mode: with those before it where they are alike.
pub(super) fn publish(
    channel: &mut Channel,
    message: Message,
    mandatory: bool,
    is_alike: bool,
    effects: &mut Vec<Effect>,
) {
    let confirm = match &mut channel.mode {
        Mode::Confirm(confirms) => confirms.next(),
        Mode::Plain | Mode::Transaction(_) => 0,
    };
    if is_alike
        && let Some(Effect::Publish(run)) = effects.last_mut()
        && run.channel == channel.number
        && run.messages.len() < PUBLISH_RUN_COUNT_MAX
    {
        return run.messages.push(message);
    }
    let (channel, messages) = (channel.number, MessageRun::one(message));
    effects.push(Effect::Publish(Publish { channel, messages, mandatory, confirm }));
}
