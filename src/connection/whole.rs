//! A publish of which all frames are in the buffer, as nearly all are: it is read in one step, and
//! what is like the one before is not read again. Whatever is unusual or wrong is left to the path
//! that takes one frame after the other, which knows every error.

use super::channel::{Channel, Mode, State};
use super::command::{Effect, Publish};
use super::machine::Connection;
use super::phase::Phase;
use crate::limits::{BODY_COPIED_SIZE_MAX, PUBLISH_RUN_COUNT_MAX};
use crate::message::{Body, Envelope, Message, MessageRun};
use crate::protocol::frame::{self, ContentHeader, Frame, FrameKind};
use crate::protocol::methods::{Method, WireMethod, basic};
use crate::protocol::properties::{self, PropertyView};

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

/// A whole publish at the front of the input.
struct Whole<'a> {
    head: Head<'a>,
    body: &'a [u8],
    /// Of all its frames.
    size: usize,
}

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
        let size_max = self.options.message_size_max.min(BODY_COPIED_SIZE_MAX);
        let (whole, is_alike) = read(input, self.frame_size_max, size_max, last.as_ref())?;
        let channel = self.channels.get_mut(&whole.head.channel)?;
        if channel.state != State::Open || channel.incoming.is_some() {
            return None;
        }
        publish(channel, &whole, is_alike, effects);
        *last = Some(whole.head);
        Some(whole.size)
    }
}

/// A method frame with basic.publish in it, as far as the first octets tell.
fn is_publish(input: &[u8]) -> bool {
    const CLASS: [u8; 2] = basic::Publish::CLASS_ID.to_be_bytes();
    const METHOD: [u8; 2] = basic::Publish::METHOD_ID.to_be_bytes();
    let [kind, _, _, _, _, _, _, class @ .., m0, m1] = input.get(..11).unwrap_or(&[]) else {
        return false;
    };
    *kind == FrameKind::Method as u8 && class == CLASS && [*m0, *m1] == METHOD
}

/// The publish at the front of the input, and whether it goes where the last one went.
fn read<'a>(
    input: &'a [u8],
    frame_size_max: usize,
    body_size_max: u64,
    last: Option<&Head<'a>>,
) -> Option<(Whole<'a>, bool)> {
    let mut size = 0;
    let mut next = |kind: FrameKind, channel: Option<u16>| -> Option<Frame<'a>> {
        let (frame, frame_size) = frame::next(input.get(size..)?, frame_size_max).ok()??;
        size += frame_size;
        let is_meant = frame.kind == kind && channel.is_none_or(|channel| channel == frame.channel);
        is_meant.then_some(frame)
    };
    let method = next(FrameKind::Method, None)?;
    let header = next(FrameKind::Header, Some(method.channel))?;
    let (head, is_alike) = match last.filter(|last| last.channel == method.channel) {
        Some(last) if last.method == method.payload => match last.header == header.payload {
            true => (*last, last.is_plain),
            false => {
                let head = last.with_header(header.payload)?;
                let is_alike = head.is_plain && last.envelope.properties == head.envelope.properties;
                (head, is_alike)
            }
        },
        _ => (Head::read(&method, header.payload)?, false),
    };
    if head.body_size > body_size_max {
        return None;
    }
    let body = match head.body_size {
        0 => &[][..],
        _ => next(FrameKind::Body, Some(method.channel))?.payload,
    };
    (body.len() as u64 == head.body_size).then_some((Whole { head, body, size }, is_alike))
}

impl<'a> Head<'a> {
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
        let view = PropertyView::parse(content.properties).ok()?;
        if !view.has_sound_headers() {
            return None;
        }
        let envelope = Envelope {
            properties: content.properties,
            is_persistent: view.delivery_mode == Some(2),
            ..self.envelope
        };
        let is_plain = !properties::are_inspected(content.properties);
        Some(Self { header, body_size: content.body_size, envelope, is_plain, ..*self })
    }
}

/// Hands the message on: with those before it where they are alike.
fn publish(
    channel: &mut Channel,
    whole: &Whole<'_>,
    is_alike: bool,
    effects: &mut Vec<Effect>,
) {
    let Whole { head, body, .. } = whole;
    let message = Message::new(head.envelope, Body::Copied(body));
    let confirm = match &mut channel.mode {
        Mode::Confirm(confirms) => confirms.next(),
        Mode::Plain | Mode::Transaction(_) => 0,
    };
    if is_alike
        && let Some(Effect::Publish(run)) = effects.last_mut()
        && run.channel == head.channel
        && run.messages.len() < PUBLISH_RUN_COUNT_MAX
    {
        return run.messages.push(message, head.body_size);
    }
    let (channel, mandatory, messages) = (head.channel, head.mandatory, MessageRun::one(message));
    effects.push(Effect::Publish(Publish { channel, messages, mandatory, confirm }));
}
