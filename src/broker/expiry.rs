//! What queues do by themselves when time passes: messages die, and a queue that nobody used for a
//! while (`x-expires`) goes. When that is, `timers` knows.

use std::sync::Arc;
use std::task::Waker;

use tracing::debug;

use super::queue_handle::QueueHandle;
use super::queues::remove;
use super::shared::Broker;
use super::timers::{Timer, Why};
use super::virtual_host::VirtualHost;
use super::work::Work;
use crate::message::Moment;

impl Broker {
    /// When [`Broker::elapse`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.timers.first()
    }

    /// Whether something is to be done before `deadline`, which was the first for whoever asks.
    /// Otherwise the waker is told when that comes up.
    pub fn is_due_before(&self, deadline: Option<Moment>, waker: &Waker) -> bool {
        let log = self.options.log_lines.as_ref();
        let has_lines = log.is_some_and(|lines| lines.are_waiting(waker));
        self.timers.is_before(deadline, waker) || has_lines
    }

    /// Time passed: messages whose time is over die, queues whose time without use is over go.
    /// Somebody calls this at every [`Broker::deadline`].
    pub fn elapse(&self, now: Moment) {
        let mut work = Work { now, ..Work::default() };
        // What is put off by what is done here is for the next time.
        let due: Vec<Timer> = std::iter::from_fn(|| self.timers.pop_due(now)).collect();
        for timer in due {
            match timer.why {
                Why::DeadLetters => self.bury_rest(&mut work),
                Why::Events => self.tell_events(&mut work),
                Why::Messages | Why::Unused => self.look_at_queue(&timer, &mut work),
            }
            self.look_after(&mut work);
        }
        self.tell_log(&mut work);
        work.wake();
    }

    fn look_at_queue(&self, timer: &Timer, work: &mut Work) {
        // Somebody may have deleted either.
        let Some(host) = self.virtual_host(&timer.host) else { return };
        let Some(handle) = host.queue_by_id(timer.queue) else { return };
        if timer.why == Why::Messages {
            handle.wake(work);
        } else {
            handle.watched(None);
            if let Some(at) = look_at(&host, &handle, work) {
                self.timers.watch(&handle, at, &mut work.wakers);
            }
        }
    }
}

/// Deletes a queue whose time is over; else tells when to look again.
fn look_at(host: &VirtualHost, handle: &Arc<QueueHandle>, work: &mut Work) -> Option<Moment> {
    let now = work.now;
    let expires_ms = handle.with_options(|options| options.expires_ms)?;
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
