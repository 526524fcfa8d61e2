//! Queues that go when nobody used them for a while (`x-expires`): which are looked at when, and
//! their end. A look costs nothing where none is due.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tracing::debug;

use super::lock::lock;
use super::queue_handle::QueueHandle;
use super::queues::remove;
use super::shared::Broker;
use super::virtual_host::VirtualHost;
use super::work::Work;
use crate::message::{Moment, Name, QueueId};

/// When to look at each queue that can expire: one entry a queue, never later than it may be due.
#[derive(Debug, Default)]
pub(super) struct Expiring(Mutex<BTreeSet<(Moment, QueueId, Name)>>);

impl Expiring {
    /// A queue of this virtual host begins to live: its time counts from the next look on.
    pub(super) fn add(&self, queue: QueueId, host: &Name) {
        self.look_again(Moment::default(), queue, host.clone());
    }

    fn look_again(&self, at: Moment, queue: QueueId, host: Name) {
        lock(&self.0).insert((at, queue, host));
    }

    fn pop_due(&self, now: Moment) -> Option<(QueueId, Name)> {
        let mut all = lock(&self.0);
        all.first().filter(|(at, ..)| *at <= now)?;
        all.pop_first().map(|(_, queue, host)| (queue, host))
    }
}

impl Broker {
    /// Deletes the queues whose time without use is over. Somebody calls this again and again, as
    /// exactly as queues are to expire.
    pub fn expire_queues(&self, now: Moment) {
        let mut work = Work { now, ..Work::default() };
        let mut later = Vec::new();
        while let Some((queue, name)) = self.expiring.pop_due(now) {
            // Somebody may have deleted either.
            let Some(host) = self.virtual_host(&name) else { continue };
            let Some(handle) = host.queue_by_id(queue) else { continue };
            if let Some(at) = look_at(&host, &handle, &mut work) {
                later.push((at, queue, name));
            }
        }
        for (at, queue, name) in later {
            self.expiring.look_again(at, queue, name);
        }
        self.look_after(&mut work);
        work.wake();
    }
}

/// Deletes a queue whose time is over; else tells when to look again.
fn look_at(host: &VirtualHost, handle: &Arc<QueueHandle>, work: &mut Work) -> Option<Moment> {
    let expires_ms = handle.definition.options.expires_ms?;
    let now = work.now;
    let due = handle.unused_since(now).plus(expires_ms);
    if due > now {
        return Some(due);
    }
    match remove(host, handle, true, false, work) {
        Ok(_) => {
            let (queue, virtual_host) = (&*handle.definition.name, &*host.name);
            debug!(target: "queue", queue, virtual_host, expires_ms, "an unused queue expired");
            None
        }
        // Somebody uses it since just now.
        Err(_) => Some(now.plus(expires_ms)),
    }
}
