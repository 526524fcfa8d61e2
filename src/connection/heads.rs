//! What stands before the bodies of publishes, as it came and as it is meant. Publishers repeat
//! themselves: of all that one input brings, each different method is read once. Nothing is kept
//! beyond the input.

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::command::Way;
use super::content::readable;
use crate::limits::PUBLISH_HEADS_MAX;
use crate::message::Envelope;
use crate::protocol::frame::{ContentHeader, Frame};
use crate::protocol::methods::{Method, WireMethod, basic};
use crate::protocol::properties;

/// Method and content header of a publish.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub(super) channel: u16,
    method: &'a [u8],
    header: &'a [u8],
    pub(super) mandatory: bool,
    pub(super) body_size: u64,
    pub(super) envelope: Envelope<'a>,
    /// Nothing but exchange and routing key decides where it goes.
    is_plain: bool,
    way: Way,
}

impl<'a> Head<'a> {
    fn read(method: &Frame<'a>, header: &'a [u8], names: u32) -> Option<Self> {
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
            way: Way::of(names),
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
        let mut way = self.way;
        if content.properties != self.envelope.properties {
            way = way.with_other_properties();
        }
        Some(Self { header, body_size: content.body_size, envelope, is_plain, way, ..*self })
    }

    fn is_of(&self, method: &Frame<'_>) -> bool {
        self.channel == method.channel && self.method == method.payload
    }

    /// Takes the content header of the next publish, and tells whether the way is the same.
    fn turn_to(&mut self, header: &'a [u8]) -> Option<bool> {
        if self.header == header {
            return Some(true);
        }
        let next = self.with_header(header)?;
        let is_alike = next.way == self.way;
        *self = next;
        Some(is_alike)
    }

    /// Where it goes, where nothing but its names decides that.
    pub(super) fn way(&self) -> Option<Way> {
        self.is_plain.then_some(self.way)
    }
}

/// The different heads of one input.
#[derive(Debug, Default)]
pub(super) struct Heads<'a> {
    all: SmallVec<[Head<'a>; 1]>,
    /// Where each stands, once there are several.
    places: HashMap<(u16, &'a [u8]), usize, foldhash::fast::FixedState>,
    /// That of the last publish.
    last: usize,
    /// How many were read.
    count: u32,
}

impl<'a> Heads<'a> {
    /// Makes [`Self::last`] the head of the next publish, and tells whether it goes the same way as
    /// the one before. Mostly nothing changed since it was last seen, and nothing is read again.
    /// `None` where it is unusual or wrong.
    pub(super) fn next(&mut self, method: &Frame<'a>, header: &'a [u8]) -> Option<bool> {
        match self.all.get_mut(self.last) {
            Some(last) if last.is_of(method) => last.turn_to(header),
            _ => self.find(method, header),
        }
    }

    /// That of the last publish.
    pub(super) fn last(&self) -> Option<&Head<'a>> {
        self.all.get(self.last)
    }

    fn find(&mut self, method: &Frame<'a>, header: &'a [u8]) -> Option<bool> {
        match self.places.get(&(method.channel, method.payload)) {
            Some(place) => {
                self.last = *place;
                self.all.get_mut(self.last)?.turn_to(header)?;
            }
            None => self.add(Head::read(method, header, self.count)?),
        }
        Some(false)
    }

    fn add(&mut self, head: Head<'a>) {
        if self.all.len() >= PUBLISH_HEADS_MAX {
            self.all.clear();
            self.places.clear();
        }
        if let [first] = self.all.as_slice() {
            self.places.insert((first.channel, first.method), 0);
        }
        self.last = self.all.len();
        if self.last > 0 {
            self.places.insert((head.channel, head.method), self.last);
        }
        self.all.push(head);
        self.count += 1;
    }
}
