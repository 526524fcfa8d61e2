//! A broker over a store: what the last run left is put back, and the node's threads have their
//! handles. What a broker without a store does is in `shared`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use super::durability::{Durability, MemoryOptions};
use super::lock::{lock, read};
use super::shared::Broker;
use super::work::Work;
use crate::connection::Event;

impl Broker {
    /// Reads bodies for the queue that waits longest. False where none waits.
    pub fn fetch(&self) -> bool {
        self.durability.as_ref().is_some_and(|durability| durability.fetch())
    }

    /// Wakes this waker when a queue waits for bodies. True where one does.
    pub fn register_reader(&self, waker: &Waker) -> bool {
        self.durability.as_ref().is_some_and(|durability| durability.register_reader(waker))
    }

    /// Lets queues give up bodies where too many are in RAM.
    pub fn make_room(&self) {
        if let Some(durability) = &self.durability {
            let mut work = Work::default();
            durability.memory.tend(&mut work);
            work.wake();
        }
    }

    /// Bytes of bodies in RAM: those on disk too, and those nowhere else.
    #[must_use]
    pub fn body_memory(&self) -> (u64, u64) {
        let used = self.durability.as_ref().map(|durability| durability.memory.used());
        used.map_or((0, 0), |used| (used.logged, used.unlogged))
    }

    /// Before a clean stop: the log hears what was delivered, so that the flag is exact.
    pub fn tell_delivered(&self) {
        for host in read(&self.virtual_hosts).values() {
            host.all_queues().iter().for_each(|queue| queue.tell_delivered());
        }
    }

    /// The disk is nearly full, or no longer: publishers are held back. True where that is new.
    pub fn set_disk_low(&self, is_low: bool) -> bool {
        if self.is_disk_low.swap(is_low, Ordering::AcqRel) == is_low {
            return false;
        }
        let mailboxes: Vec<_> = lock(&self.sessions).values().cloned().collect();
        let mut work = Work::default();
        for mailbox in mailboxes {
            // Who left needs no word.
            let _ = mailbox.push(Event::AlarmChanged { is_disk_low: is_low }, &mut work.wakers);
        }
        work.wake();
        true
    }
}
