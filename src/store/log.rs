//! The log as everybody sees it: facts are appended, and whoever depends on one waits until it is
//! on disk. It is a machine: a thread of the node, or a test, turns it by cutting batches and
//! telling how they fared. It touches no disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

use super::appender::{Appender, Woken};
use super::batch::Batch;
use crate::limits::{LOG_BATCH_SIZE_MIN, LOG_PENDING_SIZE_MAX, LOG_RIDE_MS};
use crate::message::Moment;

/// A place in the log, by which waiting is counted: what was appended is on disk when
/// [`Log::durable`] reaches it. Zero is always reached.
pub type Position = u64;

/// How the log fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// All is well.
    Good,
    /// The disk is full: it tries again.
    Full,
    /// A write or a sync failed for good: nothing becomes durable before a restart. Says why.
    Poisoned(Arc<str>),
}

/// The log of a node.
#[derive(Debug)]
pub struct Log {
    inner: Mutex<Inner>,
    durable: AtomicU64,
    /// The last position that a waker waited for.
    wanted: AtomicU64,
    /// The last position that is in a file, synced or not.
    stored: AtomicU64,
    /// Messages that wait to be written, in bytes.
    pub(super) pending_size: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Inner {
    /// The number of the batch that gathers; what is appended now has it as its position.
    pub(super) number: Position,
    pub(super) open: Batch,
    /// Something was appended since the last cut.
    pub(super) is_open: bool,
    /// Not after this, as far as the turner knows.
    opened_at: Option<Moment>,
    /// When the turner last saw that nothing is open.
    seen_empty_at: Option<Moment>,
    /// The last position somebody waits for.
    wanted: Position,
    waiters: Vec<(Position, Waker)>,
    /// Who turns the log.
    pub(super) turner: Option<Waker>,
    pub(super) health: Health,
    /// Bytes of the batch that is being written.
    pub(super) writing_size: u64,
    /// The last position that is in a file.
    written: Position,
}

/// A batch that was cut, to be written.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) number: Position,
    pub(super) batch: Batch,
    /// Somebody waits for it, or for one before it.
    pub(super) is_wanted: bool,
}

impl Log {
    /// A log whose next batch has this number.
    pub(super) fn new(number: Position) -> Self {
        Self {
            inner: Mutex::new(Inner {
                number,
                open: Batch::default(),
                is_open: false,
                opened_at: None,
                seen_empty_at: None,
                wanted: 0,
                waiters: Vec::new(),
                turner: None,
                health: Health::Good,
                writing_size: 0,
                written: number.saturating_sub(1),
            }),
            durable: AtomicU64::new(number.saturating_sub(1)),
            wanted: AtomicU64::new(0),
            stored: AtomicU64::new(number.saturating_sub(1)),
            pending_size: AtomicU64::new(0),
        }
    }

    /// Locks the log to append facts that belong together.
    pub fn append(&self) -> Appender<'_> {
        Appender { log: self, inner: self.lock(), woken: Woken::default() }
    }

    /// All positions up to this one are on disk.
    #[must_use]
    pub fn durable(&self) -> Position {
        self.durable.load(Ordering::Acquire)
    }

    /// What was appended up to this position can be read back.
    #[must_use]
    pub fn stored(&self) -> Position {
        self.stored.load(Ordering::Acquire)
    }

    /// How it fares.
    #[must_use]
    pub fn health(&self) -> Health {
        self.lock().health.clone()
    }

    /// More waits to be written than should: who publishes pauses.
    #[must_use]
    pub fn is_congested(&self) -> bool {
        self.pending_size.load(Ordering::Relaxed) > LOG_PENDING_SIZE_MAX
    }

    /// Wakes this waker when `position` is on disk, or never will be. True where that is so now.
    pub fn wait(&self, position: Position, waker: &Waker) -> bool {
        if position <= self.durable() {
            return true;
        }
        let mut inner = self.lock();
        if position <= self.durable() || matches!(inner.health, Health::Poisoned(_)) {
            return true;
        }
        inner.wanted = inner.wanted.max(position);
        self.wanted.store(inner.wanted, Ordering::Release);
        match inner.waiters.iter_mut().find(|(_, known)| known.will_wake(waker)) {
            Some((earliest, _)) => *earliest = position.min(*earliest),
            None => inner.waiters.push((position, waker.clone())),
        }
        let turner = inner.turner.take();
        drop(inner);
        turner.into_iter().for_each(Waker::wake);
        false
    }

    /// Somebody waits for what is not on disk. Takes no lock: one may look again and again.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire) > self.durable()
    }

    /// Somebody waits for this position, without a waker: a test, or a simulation.
    pub fn want(&self, position: Position) {
        let mut inner = self.lock();
        inner.wanted = inner.wanted.max(position);
    }

    /// Wakes this waker when there is something to cut. True where there is now.
    pub fn register(&self, waker: &Waker) -> bool {
        let mut inner = self.lock();
        inner.turner = Some(waker.clone());
        inner.is_due() || self.awaits_sync(&inner)
    }

    /// Somebody waits for what is in a file already and not synced: who came after the cut.
    pub(super) fn is_sync_wanted(&self) -> bool {
        self.awaits_sync(&self.lock())
    }

    fn awaits_sync(&self, inner: &Inner) -> bool {
        inner.health == Health::Good
            && inner.wanted > self.durable()
            && inner.wanted <= inner.written
    }

    /// When the next batch is to be cut though nobody waits for it.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        let inner = self.lock();
        if matches!(inner.health, Health::Poisoned(_)) {
            return None;
        }
        match inner.opened_at {
            Some(opened_at) => Some(opened_at.plus(LOG_RIDE_MS)),
            None => inner.is_open.then_some(Moment(0)),
        }
    }

    /// Takes what gathered, where it is time: somebody waits, it is much, or it is old.
    pub(super) fn cut(&self, now: Moment, is_forced: bool) -> Option<Cut> {
        let mut inner = self.lock();
        inner.look(now);
        let is_old = inner.opened_at.is_some_and(|at| now.since(at) >= LOG_RIDE_MS);
        if matches!(inner.health, Health::Poisoned(_)) || !(is_forced || is_old || inner.is_due()) {
            return None;
        }
        let is_wanted = inner.wanted >= inner.number || inner.wanted > self.durable();
        let batch = inner.take();
        inner.seen_empty_at = Some(now);
        let number = inner.number;
        inner.number += 1;
        inner.writing_size = batch.body_size;
        Some(Cut { number, batch, is_wanted })
    }

    /// What was cut could not be written: it is put before what gathered since, to be tried again.
    pub(super) fn put_back(&self, mut cut: Cut, health: Health) {
        let mut inner = self.lock();
        let later = std::mem::take(&mut inner.open);
        cut.batch.append(later);
        inner.open = cut.batch;
        inner.is_open = true;
        inner.writing_size = 0;
        inner.health = health;
        self.pending_size.store(inner.open.body_size, Ordering::Relaxed);
    }

    /// The batch that was cut is in a file: its bodies need not be kept.
    pub(super) fn written(&self, position: Position) {
        let mut inner = self.lock();
        inner.written = position;
        self.stored.store(position, Ordering::Release);
        inner.writing_size = 0;
        if inner.health == Health::Full {
            inner.health = Health::Good;
        }
        self.pending_size.store(inner.open.body_size, Ordering::Relaxed);
        // Who waits for room is told without a position of its own.
        let woken = inner.take_waiters(0);
        drop(inner);
        woken.into_iter().for_each(Waker::wake);
    }

    /// All up to this position is on disk.
    pub(super) fn synced(&self, position: Position) {
        self.durable.fetch_max(position, Ordering::AcqRel);
        let woken = self.lock().take_waiters(position);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Nothing more becomes durable.
    pub fn poison(&self, why: &str) {
        let mut inner = self.lock();
        if matches!(inner.health, Health::Poisoned(_)) {
            return;
        }
        let woken = inner.poison(why);
        self.pending_size.store(0, Ordering::Relaxed);
        drop(inner);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Wakes this waker when the log has room again. True where it has it now.
    pub fn wait_for_room(&self, waker: &Waker) -> bool {
        let mut inner = self.lock();
        if !self.is_congested() || matches!(inner.health, Health::Poisoned(_)) {
            return true;
        }
        match inner.waiters.iter_mut().find(|(_, known)| known.will_wake(waker)) {
            Some((earliest, _)) => *earliest = 0,
            None => inner.waiters.push((0, waker.clone())),
        }
        let turner = inner.turner.take();
        drop(inner);
        turner.into_iter().for_each(Waker::wake);
        false
    }

    /// Somebody panicked while it was locked: what gathered may be half of a fact.
    #[must_use]
    pub fn has_panicked(&self) -> bool {
        self.inner.is_poisoned()
    }

    /// After a panic of another holder, what gathered is not to be trusted: nothing of it is
    /// written, and nothing becomes durable any more. A start reads what is on disk.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| {
            let mut inner = poisoned.into_inner();
            if !matches!(inner.health, Health::Poisoned(_)) {
                let woken = inner.poison("a panic broke what gathered for it");
                self.pending_size.store(0, Ordering::Relaxed);
                woken.into_iter().for_each(Waker::wake);
            }
            inner
        })
    }
}

impl Inner {
    /// The turner looks, at the latest when it tends: the first fact does not wake it, since who
    /// waits for that does so a moment later.
    fn look(&mut self, now: Moment) {
        if !self.is_open {
            self.seen_empty_at = Some(now);
        } else if self.opened_at.is_none() {
            self.opened_at = Some(self.seen_empty_at.unwrap_or(now));
        }
    }

    /// There is something to cut at once.
    pub(super) fn is_due(&self) -> bool {
        self.health == Health::Good
            && (self.wanted >= self.number || self.open.size >= LOG_BATCH_SIZE_MIN)
    }

    /// Drops what gathered; gives all who wait, to be told.
    fn poison(&mut self, why: &str) -> Vec<Waker> {
        self.health = Health::Poisoned(why.into());
        drop(self.take());
        self.writing_size = 0;
        self.take_waiters(Position::MAX)
    }

    fn take(&mut self) -> Batch {
        self.is_open = false;
        self.opened_at = None;
        std::mem::take(&mut self.open)
    }

    fn take_waiters(&mut self, position: Position) -> Vec<Waker> {
        let mut woken = Vec::new();
        self.waiters.retain_mut(|(earliest, waker)| {
            let is_reached = *earliest <= position;
            if is_reached {
                woken.push(waker.clone());
            }
            !is_reached
        });
        woken
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::message::{Body, Envelope, Message, QueueId};
    use crate::store::{Stay, Tail};

    fn tail() -> Arc<Tail> {
        Arc::new(Tail::new(QueueId(1), 0))
    }

    fn message(size: usize) -> Message {
        let envelope =
            Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: true };
        Message::new(envelope, Body::Copied(&vec![0; size]))
    }

    fn add(log: &Log, size: usize) -> Position {
        let mut appender = log.append();
        appender.added(&tail(), 0, vec![message(size)], Stay::durable(Moment(0)));
        appender.position()
    }

    #[test]
    fn what_nobody_waits_for_rides_along_until_it_is_old() {
        let log = Log::new(5);
        assert_eq!(add(&log, 10), 5);
        assert_eq!(log.deadline(), Some(Moment(0)));
        assert!(log.cut(Moment(10), false).is_none());
        assert_eq!(log.deadline(), Some(Moment(10 + LOG_RIDE_MS)));
        let cut = log.cut(Moment(10 + LOG_RIDE_MS), false).unwrap();
        assert_eq!((cut.number, cut.is_wanted), (5, false));
        assert_eq!(add(&log, 10), 6);
    }

    #[test]
    fn what_came_since_the_turner_looked_is_as_old_as_that_look() {
        let log = Log::new(1);
        assert!(log.cut(Moment(100), false).is_none());
        add(&log, 10);
        assert!(log.cut(Moment(100 + LOG_RIDE_MS - 1), false).is_none());
        assert!(log.cut(Moment(100 + LOG_RIDE_MS), false).is_some());
        add(&log, 10);
        assert!(log.cut(Moment(100 + 2 * LOG_RIDE_MS - 1), false).is_none());
        assert!(log.cut(Moment(100 + 2 * LOG_RIDE_MS), false).is_some());
    }

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicU64);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_turner_is_woken_by_who_waits_and_by_a_large_batch_but_not_by_the_first_fact() {
        let (log, count) = (Log::new(1), Arc::new(Count::default()));
        let waker = Waker::from(count.clone());
        assert!(!log.register(&waker));
        let position = add(&log, 10);
        assert_eq!((count.0.load(Ordering::Relaxed), log.is_wanted()), (0, false));
        assert!(!log.wait(position, Waker::noop()));
        assert_eq!((count.0.load(Ordering::Relaxed), log.is_wanted()), (1, true));
        log.cut(Moment(0), false).unwrap();
        log.synced(position);
        assert!(!log.is_wanted() && !log.register(&waker));
        add(&log, usize::try_from(LOG_BATCH_SIZE_MIN).unwrap());
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_batch_somebody_waits_for_is_cut_at_once() {
        let log = Log::new(1);
        let position = add(&log, 10);
        assert!(!log.wait(position, Waker::noop()));
        assert!(log.cut(Moment(0), false).is_some_and(|cut| cut.is_wanted));
        log.written(1);
        log.synced(1);
        assert!(log.wait(position, Waker::noop()));
        assert_eq!(log.durable(), 1);
    }

    #[test]
    fn a_large_batch_is_cut_at_once() {
        let log = Log::new(1);
        add(&log, usize::try_from(LOG_BATCH_SIZE_MIN).unwrap());
        assert!(log.cut(Moment(0), false).is_some_and(|cut| !cut.is_wanted));
    }

    #[test]
    fn who_waits_for_an_unsynced_batch_gets_the_next_one_synced() {
        let log = Log::new(1);
        let position = add(&log, 10);
        assert!(log.cut(Moment(0), true).is_some_and(|cut| !cut.is_wanted));
        log.written(1);
        assert!(!log.register(Waker::noop()));
        log.want(position);
        assert!(log.register(Waker::noop()) && log.is_sync_wanted(), "there is something to do");
        assert!(log.cut(Moment(0), true).is_some_and(|cut| cut.is_wanted));
    }

    #[test]
    fn a_poisoned_log_lets_nobody_wait_and_keeps_nothing() {
        let log = Log::new(1);
        let position = add(&log, 10);
        log.poison("sync failed");
        assert!(log.wait(position, Waker::noop()));
        assert_eq!(log.durable(), 0);
        assert_eq!(log.health(), Health::Poisoned("sync failed".into()));
        add(&log, 10);
        assert!(log.cut(Moment(1000), true).is_none());
    }

    #[test]
    fn what_could_not_be_written_is_cut_again_with_what_came_since() {
        let log = Log::new(1);
        log.want(add(&log, 10));
        let cut = log.cut(Moment(0), false).unwrap();
        log.append().added(&tail(), 1, vec![message(10)], Stay::durable(Moment(0)));
        log.put_back(cut, Health::Full);
        assert!(log.cut(Moment(0), false).is_none(), "a full disk is tried again in its time");
        let cut = log.cut(Moment(0), true).unwrap();
        assert_eq!(cut.number, 2);
        assert_eq!(cut.batch.queues[0].added.len(), 2);
    }

    #[test]
    fn too_much_that_waits_is_congestion() {
        let log = Log::new(1);
        assert!(log.wait_for_room(Waker::noop()));
        add(&log, usize::try_from(LOG_PENDING_SIZE_MAX).unwrap());
        assert!(log.is_congested() && !log.wait_for_room(Waker::noop()));
        assert!(log.cut(Moment(0), false).is_some());
        log.written(1);
        assert!(!log.is_congested());
    }

    #[test]
    fn a_panic_while_facts_are_gathered_ends_the_log() {
        let log = Log::new(1);
        let position = add(&log, 10);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _appender = log.append();
            panic!("planted");
        }));
        assert!(panicked.is_err() && log.has_panicked());
        assert!(matches!(log.health(), Health::Poisoned(_)));
        assert!(log.wait(position, Waker::noop()) && log.durable() == 0);
        assert!(log.cut(Moment(1000), true).is_none(), "nothing of it is written");
    }
}
