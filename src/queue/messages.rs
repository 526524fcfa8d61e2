//! A list of messages in RAM that costs a pointer each, and no allocation where it is only one.

use std::collections::VecDeque;

use crate::message::{Message, MessageRun};

/// Room for pointers up to which a list may keep what it does not need.
const CAPACITY_KEPT: usize = 1024;

/// Room that the second message makes for those that follow.
const FIRST_CAPACITY: usize = 8;

/// Messages in order; never none.
#[derive(Debug)]
pub(super) enum Messages {
    One(Message),
    Many(VecDeque<Message>),
}

/// What is known of bodies without a look at each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Bytes of all.
    pub(super) all: u64,
    /// Of every one, where they have the same size.
    pub(super) each: Option<u64>,
}

impl Sizes {
    /// Bytes of some of them.
    fn of(self, some: &Messages) -> u64 {
        self.each.map_or_else(|| some.body_bytes(), |size| size * some.len() as u64)
    }
}

impl Messages {
    pub(super) fn of(run: MessageRun) -> Self {
        let mut messages = run.into_messages();
        match (messages.len(), messages.next()) {
            (1, Some(message)) => Self::One(message),
            (_, first) => Self::Many(first.into_iter().chain(messages).collect()),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(messages) => messages.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<&Message> {
        match self {
            Self::One(message) => (index == 0).then_some(message),
            Self::Many(messages) => messages.get(index),
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Message> {
        let (one, many) = match self {
            Self::One(message) => (Some(message), None),
            Self::Many(messages) => (None, Some(messages)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = Message> {
        let (one, many) = match self {
            Self::One(message) => (Some(message), VecDeque::new()),
            Self::Many(messages) => (None, messages),
        };
        one.into_iter().chain(many)
    }

    pub(super) fn body_bytes(&self) -> u64 {
        self.iter().map(Message::body_size).sum()
    }

    pub(super) fn push(&mut self, message: Message) {
        if let Self::Many(messages) = self {
            return messages.push_back(message);
        }
        let mut messages = VecDeque::with_capacity(FIRST_CAPACITY);
        if let Self::One(first) = std::mem::replace(self, Self::Many(VecDeque::new())) {
            messages.push_back(first);
        }
        messages.push_back(message);
        *self = Self::Many(messages);
    }

    /// Cuts `count` off the front and tells the bytes of their bodies; `None` where that leaves
    /// nothing on one side. The smaller side is moved, so that cutting a long list again and again
    /// near either end costs little.
    pub(super) fn split_front(&mut self, count: usize, sizes: Sizes) -> Option<(Self, u64)> {
        let Self::Many(messages) = self else { return None };
        if count == 0 || count >= messages.len() {
            return None;
        }
        if count == 1 {
            let front = messages.pop_front()?;
            shrink(messages);
            let front = Self::One(front);
            let bytes = sizes.of(&front);
            return Some((front, bytes));
        }
        if count <= messages.len() / 2 {
            let front = Self::Many(messages.drain(..count).collect());
            shrink(messages);
            let bytes = sizes.of(&front);
            return Some((front, bytes));
        }
        let rest = Self::Many(messages.split_off(count));
        shrink(messages);
        let rest_bytes = sizes.of(&rest);
        Some((std::mem::replace(self, rest), sizes.all - rest_bytes))
    }

    /// Takes in what comes behind; the shorter of both is moved.
    pub(super) fn append(&mut self, next: Self) {
        match next {
            Self::One(message) => self.push(message),
            Self::Many(mut longer) if longer.len() > self.len() => {
                let shorter = std::mem::replace(self, Self::Many(VecDeque::new()));
                match shorter {
                    Self::One(message) => longer.push_front(message),
                    Self::Many(messages) => {
                        messages.into_iter().rev().for_each(|message| longer.push_front(message));
                    }
                }
                *self = Self::Many(longer);
            }
            Self::Many(messages) => messages.into_iter().for_each(|message| self.push(message)),
        }
    }
}

/// A list that was long once gives its memory back when it is short again.
fn shrink(messages: &mut VecDeque<Message>) {
    let capacity = messages.capacity();
    if capacity > CAPACITY_KEPT && messages.len() < capacity / 8 {
        messages.shrink_to(capacity / 4);
    }
}
