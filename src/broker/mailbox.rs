//! Where events wait for their session. Anyone may push; only the session drains. It is a leaf of
//! the lock order and wakes nobody itself: who pushed calls the wakers when all locks are free.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Waker;

use super::live_connection::LiveConnection;
use super::lock::lock;
use crate::connection::{Delivered, Event};
use crate::limits::{REPLY_WINDOW_SIZE, SESSION_WINDOW_SIZE};
use crate::message::ConsumerKey;
use crate::queue::Credit;

/// The events of one session, in the order in which they happened.
#[derive(Debug)]
pub(super) struct Mailbox {
    inner: Mutex<Inner>,
    /// Whose it is, once that is known.
    pub(super) client: OnceLock<Arc<LiveConnection>>,
    /// Bytes of deliveries that may be on the way; shared with the queues.
    pub(super) window: Arc<Credit>,
    /// The same for direct replies, which no queue can hold back: what passes it is dropped.
    pub(super) reply_window: Credit,
}

#[derive(Debug, Default)]
struct Inner {
    events: VecDeque<Event>,
    waker: Option<Waker>,
    is_closed: bool,
    /// A consumer timed out, and nobody may have heard of it yet.
    has_timed_out: bool,
    /// The connection is to be closed, and nobody may have heard of it yet.
    has_closing: bool,
    /// Who sleeps can do nothing about any event but these.
    waits_for_urgent: bool,
}

impl Default for Mailbox {
    fn default() -> Self {
        Self {
            inner: Mutex::default(),
            client: OnceLock::new(),
            window: Arc::new(Credit::new(SESSION_WINDOW_SIZE)),
            reply_window: Credit::new(REPLY_WINDOW_SIZE),
        }
    }
}

impl Mailbox {
    /// Adds an event. The waker of a session that sleeps goes to `wakers`.
    ///
    /// # Errors
    /// The session is gone: the event comes back.
    pub(super) fn push(&self, event: Event, wakers: &mut Vec<Waker>) -> Result<(), Event> {
        let mut inner = lock(&self.inner);
        if inner.is_closed {
            return Err(event);
        }
        inner.has_timed_out |= matches!(event, Event::ConsumerTimedOut { .. });
        inner.has_closing |= matches!(event, Event::Closing(_));
        inner.events.push_back(event);
        if !inner.waits_for_urgent || inner.is_urgent() {
            wakers.extend(inner.waker.take());
        }
        Ok(())
    }

    /// The waker of a session that sleeps.
    pub(super) fn waker(&self) -> Option<Waker> {
        lock(&self.inner).waker.take()
    }

    /// The oldest event.
    #[inline]
    pub(super) fn pop(&self) -> Option<Event> {
        lock(&self.inner).events.pop_front()
    }

    /// The oldest event, where it is of this kind.
    pub(super) fn pop_if(&self, is_meant: impl Fn(&Event) -> bool) -> Option<Event> {
        lock(&self.inner).events.pop_front_if(|event| is_meant(event))
    }

    /// A consumer that timed out, wherever that stands, with the time it had and the deliveries for
    /// it that wait here.
    pub(super) fn take_timed_out(&self) -> Option<(ConsumerKey, u64, Vec<Delivered>)> {
        let mut inner = lock(&self.inner);
        if !std::mem::take(&mut inner.has_timed_out) {
            return None;
        }
        let timed_out = |event: &Event| match event {
            Event::ConsumerTimedOut { consumer, timeout_ms } => Some((*consumer, *timeout_ms)),
            _ => None,
        };
        let (at, (key, timeout_ms)) = inner
            .events
            .iter()
            .enumerate()
            .find_map(|(at, event)| Some((at, timed_out(event)?)))?;
        inner.events.remove(at);
        inner.has_timed_out = inner.events.iter().any(|event| timed_out(event).is_some());
        let mut unread = Vec::new();
        for event in std::mem::take(&mut inner.events) {
            match event {
                Event::Delivered(delivered) if delivered.consumer == key => unread.push(delivered),
                event => inner.events.push_back(event),
            }
        }
        Some((key, timeout_ms, unread))
    }

    /// The order to close the connection, wherever that stands.
    pub(super) fn take_closing(&self) -> Option<Event> {
        let mut inner = lock(&self.inner);
        if !std::mem::take(&mut inner.has_closing) {
            return None;
        }
        let at = inner.events.iter().position(|event| matches!(event, Event::Closing(_)))?;
        inner.events.remove(at)
    }

    /// The only event there is, as long as it is looked at.
    pub(super) fn with_single<T>(&self, look: impl FnOnce(&Event) -> T) -> Option<T> {
        let inner = lock(&self.inner);
        inner.events.front().filter(|_| inner.events.len() == 1).map(look)
    }

    /// How many events wait.
    pub(super) fn len(&self) -> usize {
        lock(&self.inner).events.len()
    }

    /// Takes all events there are.
    pub(super) fn take(&self) -> VecDeque<Event> {
        std::mem::take(&mut lock(&self.inner).events)
    }

    /// Whom to wake at the next event. True where one is already there.
    pub(super) fn register(&self, waker: &Waker) -> bool {
        let mut inner = lock(&self.inner);
        inner.keep(waker, false);
        !inner.events.is_empty()
    }

    /// Whom to wake when a consumer times out or the connection is to be closed, and for nothing
    /// else. True where that is so already.
    pub(super) fn register_urgent(&self, waker: &Waker) -> bool {
        let mut inner = lock(&self.inner);
        inner.keep(waker, true);
        inner.is_urgent()
    }

    /// Nothing more is taken in; gives what was not read.
    pub(super) fn close(&self) -> VecDeque<Event> {
        let mut inner = lock(&self.inner);
        inner.is_closed = true;
        inner.waker = None;
        std::mem::take(&mut inner.events)
    }
}

impl Inner {
    fn is_urgent(&self) -> bool {
        self.has_timed_out || self.has_closing
    }

    fn keep(&mut self, waker: &Waker, waits_for_urgent: bool) {
        self.waits_for_urgent = waits_for_urgent;
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{QueueId, Run};
    use crate::protocol::reply::ConnectionError;

    #[test]
    fn events_leave_in_order_and_a_closed_mailbox_gives_them_back() {
        let (mailbox, mut wakers) = (Mailbox::default(), Vec::new());
        assert!(mailbox.push(Event::VirtualHostOpened, &mut wakers).is_ok());
        assert!(mailbox.push(Event::Released, &mut wakers).is_ok());
        assert!(matches!(mailbox.pop(), Some(Event::VirtualHostOpened)));
        assert_eq!(mailbox.close().len(), 1);
        assert!(matches!(mailbox.push(Event::Released, &mut wakers), Err(Event::Released)));
    }

    #[test]
    fn an_event_is_single_while_no_other_waits() {
        let (mailbox, mut wakers) = (Mailbox::default(), Vec::new());
        let single = || mailbox.with_single(|event| matches!(event, Event::Released));
        assert_eq!(single(), None);
        assert!(mailbox.push(Event::Released, &mut wakers).is_ok());
        assert_eq!(single(), Some(true));
        assert!(mailbox.push(Event::Released, &mut wakers).is_ok());
        assert_eq!(single(), None);
    }

    #[test]
    fn who_timed_out_is_found_behind_what_waits_and_with_what_is_for_it() {
        let (mailbox, mut wakers) = (Mailbox::default(), Vec::new());
        let key = |number| ConsumerKey { channel: 1, number };
        let delivered = |number| {
            Event::Delivered(Delivered {
                consumer: key(number),
                queue: QueueId(1),
                run: Run::new(),
                redelivered: 0,
            })
        };
        assert!(mailbox.take_timed_out().is_none());
        let timed_out = Event::ConsumerTimedOut { consumer: key(1), timeout_ms: 9 };
        for event in [delivered(1), delivered(2), Event::Unblocked, delivered(1), timed_out] {
            assert!(mailbox.push(event, &mut wakers).is_ok());
        }
        let (found, timeout_ms, unread) = mailbox.take_timed_out().unwrap();
        assert_eq!((found, timeout_ms, unread.len()), (key(1), 9, 2));
        assert!(mailbox.take_timed_out().is_none());
        assert!(matches!(mailbox.pop(), Some(Event::Delivered(one)) if one.consumer == key(2)));
        assert!(matches!(mailbox.pop(), Some(Event::Unblocked)));
        assert_eq!(mailbox.len(), 0);
    }

    #[test]
    fn a_sleeper_is_woken_once() {
        let (mailbox, mut wakers) = (Mailbox::default(), Vec::new());
        assert!(!mailbox.register(Waker::noop()));
        for _ in 0..3 {
            assert!(mailbox.push(Event::Released, &mut wakers).is_ok());
        }
        assert_eq!(wakers.len(), 1);
        assert!(mailbox.register(Waker::noop()));
    }

    #[test]
    fn who_waits_for_a_consumer_that_times_out_sleeps_through_all_else() {
        let (mailbox, mut wakers) = (Mailbox::default(), Vec::new());
        assert!(!mailbox.register_urgent(Waker::noop()));
        for event in [Event::Released, Event::AlarmsChanged] {
            assert!(mailbox.push(event, &mut wakers).is_ok());
            assert!(wakers.is_empty() && !mailbox.register_urgent(Waker::noop()));
        }
        let consumer = ConsumerKey { channel: 1, number: 1 };
        let timed_out = Event::ConsumerTimedOut { consumer, timeout_ms: 9 };
        assert!(mailbox.push(timed_out, &mut wakers).is_ok());
        assert_eq!(wakers.len(), 1);
        assert!(mailbox.register_urgent(Waker::noop()), "until it is taken out");
        assert!(mailbox.take_timed_out().is_some());
        assert!(!mailbox.register_urgent(Waker::noop()));
        assert!(mailbox.register(Waker::noop()), "the rest waits for room");
    }

    #[test]
    fn an_order_to_close_is_found_behind_what_waits() {
        let (mailbox, mut wakers) = (Mailbox::default(), Vec::new());
        assert!(!mailbox.register_urgent(Waker::noop()));
        assert!(mailbox.push(Event::Released, &mut wakers).is_ok());
        assert!(wakers.is_empty() && mailbox.take_closing().is_none());
        let closing = Event::Closing(ConnectionError::connection_forced("go"));
        assert!(mailbox.push(closing, &mut wakers).is_ok());
        assert_eq!((wakers.len(), mailbox.register_urgent(Waker::noop())), (1, true));
        assert!(matches!(mailbox.take_closing(), Some(Event::Closing(_))));
        assert!(mailbox.take_closing().is_none() && !mailbox.register_urgent(Waker::noop()));
        assert_eq!(mailbox.len(), 1, "the rest waits for room");
    }
}
