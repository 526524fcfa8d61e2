//! Publishers go at the pace of consumers that work as fast as the machine lets them. A queue knows
//! how fast its consumers take what it has; where they would be through with it soon, a publisher
//! that goes on adding waits until they nearly are. Where they take their time, or there are none,
//! nobody waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::live_queue::Live;
use super::mailbox::Mailbox;
use super::queue_handle::QueueHandle;
use super::session::Session;
use super::work::Work;
use crate::limits::{HOLD_MS_MAX, PACE_WINDOW_MS, WORK_AHEAD_MS, WORK_AHEAD_MS_MAX};
use crate::message::Moment;
use crate::queue::Counts;

/// How fast messages leave a queue for its consumers.
#[derive(Debug, Default)]
pub(super) struct Pace {
    since: Moment,
    /// All that had left then.
    left_before: u64,
    messages_per_ms: u64,
}

impl Pace {
    /// `left` messages have left the queue so far.
    pub(super) fn observe(&mut self, left: u64, now: Moment) {
        let elapsed_ms = now.since(self.since);
        if elapsed_ms < PACE_WINDOW_MS {
            return;
        }
        self.messages_per_ms = (left - self.left_before) / elapsed_ms;
        (self.since, self.left_before) = (now, left);
    }

    /// Consumers have work for a while, and will have done it soon.
    pub(super) fn is_ahead(&self, ready: usize) -> bool {
        let ready = ready as u64;
        ready > self.messages_per_ms * WORK_AHEAD_MS
            && ready < self.messages_per_ms * WORK_AHEAD_MS_MAX
    }

    /// Consumers need more soon, or take their time after all.
    pub(super) fn is_over(&self, counts: Counts) -> bool {
        counts.consumers == 0 || counts.ready as u64 <= self.messages_per_ms * WORK_AHEAD_MS / 2
    }
}

/// A publisher that waits for a queue.
#[derive(Debug)]
pub(super) struct Hold {
    is_over: AtomicBool,
    mailbox: Arc<Mailbox>,
}

impl Hold {
    /// The queue wants more. What is to be woken is given back.
    pub(super) fn end(&self) -> Option<std::task::Waker> {
        self.is_over.store(true, Ordering::Release);
        self.mailbox.waker()
    }
}

impl Live {
    /// Sees how fast consumers are, and lets publishers go on that waited for them.
    pub(super) fn keep_pace(&mut self, work: &mut Work) {
        self.note_arrivals(work.now);
        self.pace.observe(self.queue.handed_out(), work.now);
        let counts = self.queue.counts();
        work.is_ahead = self.pace.is_ahead(counts.ready);
        self.backlog.observe(counts, work.now);
        if !self.held.is_empty() && self.pace.is_over(counts) {
            work.wakers.extend(self.held.drain(..).filter_map(|hold| hold.end()));
        }
    }

    /// Lets a publisher wait until there is to be more. False where there is already.
    pub(super) fn hold(&mut self, hold: &Arc<Hold>) -> bool {
        let must_wait = !self.pace.is_over(self.queue.counts());
        if must_wait {
            // Those who waited long enough went on by themselves.
            self.held.retain(|held| Arc::strong_count(held) > 1);
            self.held.push(hold.clone());
        }
        must_wait
    }
}

impl Session {
    /// Waits for a queue that is ahead of its consumers, at most for a moment. Who consumes as well
    /// never waits: what it has to say sets others free.
    pub(super) fn hold_for(&mut self, queue: &QueueHandle) {
        if !self.consumers.is_empty() || self.hold.is_some() {
            return;
        }
        let hold =
            Arc::new(Hold { is_over: AtomicBool::new(false), mailbox: self.mailbox.clone() });
        if queue.hold(&hold) {
            self.hold = Some((hold, self.work.now.plus(HOLD_MS_MAX)));
        }
    }

    /// It waits for a queue.
    pub(super) fn is_on_hold(&mut self) -> bool {
        if self.hold.as_ref().is_some_and(|(hold, _)| hold.is_over.load(Ordering::Acquire)) {
            self.hold = None;
        }
        self.hold.is_some()
    }

    /// It has waited long enough.
    pub(super) fn end_hold(&mut self, now: Moment) {
        self.hold.take_if(|(_, until)| *until <= now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, ConsumerId, Envelope, Message};
    use crate::queue::{Consumer, Credit};

    fn pace(messages_per_ms: u64) -> Pace {
        let mut pace = Pace::default();
        pace.observe(1000, Moment(1_000_000));
        pace.observe(1000 + messages_per_ms * 20, Moment(1_000_020));
        pace
    }

    #[test]
    fn publishers_wait_for_consumers_that_will_soon_be_through() {
        let fast = pace(1000);
        let ahead = [2_000, 20_000, 200_000].map(|ready| fast.is_ahead(ready));
        assert_eq!(ahead, [false, true, false]);
    }

    #[test]
    fn nobody_waits_for_consumers_that_take_their_time() {
        assert!((0..10_000).all(|ready| !pace(0).is_ahead(ready)));
        let slow = pace(1);
        assert!((200..10_000).all(|ready| !slow.is_ahead(ready)));
    }

    #[test]
    fn waiting_ends_before_consumers_run_dry_and_when_they_leave() {
        let fast = pace(1000);
        let counts = |ready, consumers| Counts { ready, consumers, ..Counts::default() };
        assert!(!fast.is_over(counts(2000, 1)));
        assert!(fast.is_over(counts(1000, 1)) && fast.is_over(counts(2000, 0)));
    }

    #[test]
    fn the_pace_is_that_of_the_last_while() {
        let mut pace = pace(1000);
        pace.observe(22_000, Moment(1_000_021));
        assert_eq!(pace.messages_per_ms, 1000, "too short a while");
        pace.observe(21_000, Moment(1_005_020));
        assert_eq!(pace.messages_per_ms, 0);
    }

    /// A queue whose consumers have a message before them, and have not begun.
    fn ahead() -> Live {
        let mut live = Live::default();
        let consumer = Consumer {
            id: ConsumerId(1),
            no_ack: false,
            is_exclusive: false,
            priority: 0,
            prefetch_count: 0,
            channel_credit: None,
            window: Arc::new(Credit::new(0)),
            patience: crate::queue::Patience::default(),
            backoff: None,
        };
        live.queue.subscribe(consumer).unwrap();
        let envelope =
            Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: false };
        live.queue.enqueue(Message::new(envelope, Body::Copied(b"x")));
        live
    }

    /// They were once kept until the queue's consumers were through, or for ever.
    #[test]
    fn who_went_on_after_waiting_long_enough_is_forgotten() {
        let mut live = ahead();
        let hold = || Arc::new(Hold { is_over: AtomicBool::new(false), mailbox: Arc::default() });
        let waits = hold();
        assert!(live.hold(&waits));
        (0..100).for_each(|_| assert!(live.hold(&hold())));
        assert!(live.held.len() <= 2, "{}", live.held.len());
        assert!(Arc::ptr_eq(&live.held[0], &waits));
    }
}
