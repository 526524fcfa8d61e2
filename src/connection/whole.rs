//! A publish of which all frames are in the buffer, as nearly all are: it is read in one step, and
//! what is like the one before is not read again. Whatever is unusual or wrong is left to the path
//! that takes one frame after the other, which knows every error.

use super::channel::{Channel, State};
use super::command::Effect;
use super::heads::{Head, Heads};
use super::machine::Connection;
use super::phase::Phase;
use crate::limits::{AS_IT_CAME_SIZE_MIN, BODY_COPIED_SIZE_MAX};
use crate::message::{Body, Message};
use crate::protocol::frame::{self, FrameKind};
use crate::protocol::methods::{WireMethod, basic};

/// Octets of a method frame with basic.publish before the name of the exchange.
pub(super) const EXCHANGE_AT: usize = frame::HEAD_SIZE + 2 + 2 + 2 + 1;

impl Connection {
    /// Takes a publish that is whole, and tells its size; `None` where something else is next, or
    /// something that needs a closer look. `heads` are those of the same input.
    pub(super) fn receive_whole<'a>(
        &mut self,
        input: &'a [u8],
        heads: &mut Heads<'a>,
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
        let is_alike = heads.next(&method, header.payload)?;
        let head = heads.last()?;
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
        let hand_on = if is_alike { Channel::publish_alike } else { Channel::publish };
        hand_on(channel, message, head.mandatory, head.way(), effects);
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
