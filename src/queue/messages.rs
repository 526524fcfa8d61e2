//! A list of messages in RAM that costs a pointer each, and no allocation where it is only one.

use std::collections::VecDeque;

use crate::message::Message;

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

impl Messages {
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

    /// Cuts `count` off the front and tells the bytes of their bodies, of which there are
    /// `body_bytes` in all; `None` where that leaves nothing on one side. The smaller side is
    /// moved, so that cutting a long list again and again near either end costs little.
    pub(super) fn split_front(&mut self, count: usize, body_bytes: u64) -> Option<(Self, u64)> {
        let Self::Many(messages) = self else { return None };
        if count == 0 || count >= messages.len() {
            return None;
        }
        if count == 1 {
            let front = messages.pop_front()?;
            shrink(messages);
            let bytes = front.body_size();
            return Some((Self::One(front), bytes));
        }
        if count <= messages.len() / 2 {
            let front = Self::Many(messages.drain(..count).collect());
            shrink(messages);
            let bytes = front.body_bytes();
            return Some((front, bytes));
        }
        let rest = Self::Many(messages.split_off(count));
        shrink(messages);
        let rest_bytes = rest.body_bytes();
        Some((std::mem::replace(self, rest), body_bytes - rest_bytes))
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
