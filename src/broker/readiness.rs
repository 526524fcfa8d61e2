//! When a session may be read, and what wakes who waits for it. What it does with what it reads is
//! in `session`.

use std::task::Waker;

use super::session::{Session, window_cost};
use crate::connection::Event;
use crate::limits::{GATHERED_SIZE_MAX, SESSION_EVENTS_MAX, SESSION_OUTPUT_SIZE_MAX};

impl Session {
    /// More is waiting for the socket than should: no event is turned into frames before it is
    /// written.
    #[must_use]
    pub fn is_congested(&mut self) -> bool {
        self.connection.output().len() >= SESSION_OUTPUT_SIZE_MAX
    }

    /// Bytes may be read: also while the output is full, since what comes may be settlements that
    /// set something free; but not while a request waits for its answer, or too many answers wait.
    #[must_use]
    pub fn may_read(&mut self) -> bool {
        let has_room = self.mailbox.len() < SESSION_EVENTS_MAX
            && self.returned_size < SESSION_OUTPUT_SIZE_MAX as u64;
        let may_answer = !self.is_congested() || (has_room && !self.connection.is_waiting());
        may_answer
            && !self.is_blocked
            && !self.is_held_back()
            && !self.is_on_hold()
            && !self.is_in_debt()
    }

    /// Whom to wake when an event comes, what is waited for is on disk, the disk has room again, or
    /// a limit that holds this back has changed. True where one of these is so already.
    pub fn register(&self, waker: &Waker) -> bool {
        let has_events = self.mailbox.register(waker) || self.meter.is_forgiven();
        let Some(durability) = &self.broker.durability else { return has_events };
        let is_reached =
            self.waiting.first().is_some_and(|position| durability.log.wait(position, waker));
        let has_room = self.is_held_back() && durability.log.wait_for_room(waker);
        has_events || is_reached || has_room
    }

    /// The same while the session [is congested](Self::is_congested): only a consumer whose time is
    /// over, and an order to close, cannot wait until the client reads.
    pub fn register_congested(&self, waker: &Waker) -> bool {
        self.mailbox.register_urgent(waker)
    }

    /// A client that reads nothing is closed all the same. False where it is not to be.
    pub(super) fn close_unread(&mut self) -> bool {
        let Some(event) = self.mailbox.take_closing() else { return false };
        self.tell(event);
        true
    }

    /// All that waits to be told is one small delivery: if others who are ready may have more for
    /// this session, all of it can be written together.
    #[must_use]
    pub fn has_small_delivery(&self) -> bool {
        let is_small = |event: &Event| match event {
            Event::Delivered(delivered) => window_cost(delivered) < GATHERED_SIZE_MAX,
            _ => false,
        };
        self.mailbox.with_single(is_small).unwrap_or(false)
    }
}
