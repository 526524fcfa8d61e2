//! What holds a publisher back: a disk that is nearly full, and a log that has too much to write.
//! Clients that only consume are never held back.

use std::sync::atomic::Ordering;

use super::session::Session;
use crate::connection::Event;

impl Session {
    /// An alarm is on, and this client publishes.
    pub(super) fn block_where_alarmed(&mut self) {
        if !self.is_blocked && self.broker.is_disk_low.load(Ordering::Acquire) {
            self.is_blocked = true;
            self.post(Event::Blocked { reason: "low on disk" });
        }
    }

    pub(super) fn alarm_changed(&mut self, is_disk_low: bool) {
        if self.is_blocked && !is_disk_low {
            self.is_blocked = false;
            self.post(Event::Unblocked);
        }
    }

    /// It publishes faster than the disk takes it.
    pub(super) fn is_held_back(&self) -> bool {
        let durability = self.broker.durability.as_ref().filter(|_| self.has_published);
        durability.is_some_and(|durability| durability.log.is_congested())
    }
}
