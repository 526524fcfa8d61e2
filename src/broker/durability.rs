//! The broker's side of the store: facts go to the log, bodies are asked for by readers, and RAM is
//! counted. A broker without a store has none of this, and keeps everything in memory. It knows no
//! file.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::Waker;

use tracing::error;

use super::lock::lock;
use super::queue_handle::QueueHandle;
use super::work::Work;
use crate::limits::FETCH_SIZE_MAX;
use crate::message::{
    Account, DeduplicationKey, QueueId, ReadBack, RecoveredRun, Sequence, SequenceRange,
    deduplication,
};
use crate::queue::Resident;
use crate::store::{Health, Log, Position, Reader, RecoveredQueue, StoreFigures};

/// What a broker with a store shares with its queues.
#[derive(Debug)]
pub(super) struct Durability {
    pub(super) log: Arc<Log>,
    reader: Reader,
    fetches: Mutex<Fetches>,
    pub(super) memory: Memory,
}

/// Bodies that queues wait for.
#[derive(Debug, Default)]
struct Fetches {
    asked: VecDeque<(Arc<QueueHandle>, SequenceRange)>,
    /// The disk did not answer: they are asked for again after a pause.
    failed: Vec<(Arc<QueueHandle>, SequenceRange)>,
    readers: Vec<Waker>,
    /// Queues that left service, and where in the log their last facts stand.
    broken: Vec<(Arc<QueueHandle>, Position)>,
}

/// Bodies in RAM, all queues together.
#[derive(Debug)]
pub(super) struct Memory {
    logged: AtomicU64,
    unlogged: AtomicU64,
    /// What sessions hold: bodies that came in part, buffers, transactions.
    sessions: Account,
    /// Bodies that are on disk too may take so much.
    pub(super) window_size: u64,
    /// Bodies that are nowhere else may take so much before they are written out.
    pub(super) unlogged_max: u64,
    /// The process has more memory than it may: all of them are to be written out.
    is_pressed: AtomicBool,
    /// Queues that hold bodies.
    crowded: Mutex<VecDeque<Weak<QueueHandle>>>,
}

/// How much RAM bodies may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryOptions {
    /// Bytes of bodies that are on disk too.
    pub window_size: u64,
    /// Bytes of bodies that are nowhere else, before they are written out.
    pub unlogged_max: u64,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        use crate::limits::{READ_WINDOW_SIZE, UNLOGGED_SIZE_MAX};
        Self { window_size: READ_WINDOW_SIZE, unlogged_max: UNLOGGED_SIZE_MAX }
    }
}

impl Durability {
    pub(super) fn new(
        log: Arc<Log>,
        reader: Reader,
        memory: MemoryOptions,
        sessions: Account,
    ) -> Self {
        let memory = Memory {
            logged: AtomicU64::new(0),
            unlogged: AtomicU64::new(0),
            sessions,
            window_size: memory.window_size,
            unlogged_max: memory.unlogged_max,
            is_pressed: AtomicBool::new(false),
            crowded: Mutex::default(),
        };
        Self { log, reader, fetches: Mutex::default(), memory }
    }

    /// What was appended at this position is on disk.
    pub(super) fn is_durable(&self, position: Position) -> bool {
        position <= self.log.durable()
    }

    /// The log has too much to write for who adds to it, and for others where there is no memory.
    pub(super) fn is_behind(&self, is_for_log: bool) -> bool {
        self.log.is_congested() && (is_for_log || self.memory.is_unlogged_over())
    }

    /// Nothing becomes durable any more: why.
    pub(super) fn poison(&self) -> Option<Arc<str>> {
        match self.log.health() {
            Health::Poisoned(why) => Some(why),
            Health::Good | Health::Full => None,
        }
    }

    /// A queue waits for bodies. The reader's waker goes to `work`.
    pub(super) fn ask(&self, handle: Arc<QueueHandle>, range: SequenceRange, work: &mut Work) {
        let mut fetches = lock(&self.fetches);
        fetches.asked.push_back((handle, range));
        work.wakers.extend(fetches.readers.pop());
    }

    /// A queue left service: it is read again when all it gave to the log is written.
    pub(super) fn read_again(&self, handle: Arc<QueueHandle>, work: &mut Work) {
        let position = self.log.append().position();
        let mut fetches = lock(&self.fetches);
        fetches.broken.push((handle, position));
        work.wakers.extend(fetches.readers.pop());
    }

    /// A queue that left service and can be read: all of it is written, or never will be.
    pub(super) fn next_to_read_again(&self) -> Option<Arc<QueueHandle>> {
        if lock(&self.fetches).broken.is_empty() {
            return None;
        }
        let is_over = self.poison().is_some();
        let mut fetches = lock(&self.fetches);
        let is_written = |position| is_over || self.is_durable(position);
        let at = fetches.broken.iter().position(|(_, position)| is_written(*position))?;
        Some(fetches.broken.swap_remove(at).0)
    }

    /// What the store has of a queue.
    pub(super) fn recover(&self, handle: &QueueHandle) -> RecoveredQueue {
        self.reader.recover(handle.id())
    }

    /// Reads what the first queue in line waits for. False where none waits.
    pub(super) fn fetch(&self, work: &mut Work) -> bool {
        let Some((handle, range)) = lock(&self.fetches).asked.pop_front() else { return false };
        let found = match self.reader.read(handle.id(), range, FETCH_SIZE_MAX) {
            Ok(found) => found,
            Err(error) => {
                let queue = &handle.definition.name;
                error!(target: "store", %queue, %error, "messages cannot be read; trying again");
                lock(&self.fetches).failed.push((handle, range));
                return true;
            }
        };
        handle.fetched(found.covered, found.messages, work);
        true
    }

    /// The keys by which messages of a queue are told apart: all of it is read. What cannot be read
    /// has none, so that an equal of it may come.
    pub(super) fn keys_of(
        &self,
        queue: QueueId,
        runs: &[RecoveredRun],
    ) -> Vec<(Sequence, DeduplicationKey)> {
        let mut keys = Vec::new();
        for run in runs {
            let mut rest = run.range;
            while rest.first <= rest.last {
                let found = match self.reader.read(queue, rest, FETCH_SIZE_MAX) {
                    Ok(found) => found,
                    Err(error) => {
                        let queue = queue.0;
                        error!(target: "store", queue, %error, "messages cannot be looked at");
                        break;
                    }
                };
                let asked = |read: ReadBack| {
                    let asked = deduplication::asked_for(read.message.properties())?;
                    Some((read.sequence, asked.key))
                };
                keys.extend(found.messages.into_iter().filter_map(asked));
                rest.first = found.covered.last.max(rest.first) + 1;
            }
        }
        keys
    }

    /// Messages that a queue asked for are damaged.
    pub(super) fn count_damaged(&self, count: u64) {
        self.reader.count_damaged(count);
    }

    /// How the store fares.
    pub(super) fn figures(&self) -> StoreFigures {
        self.reader.figures()
    }

    /// Asks again for what could not be read.
    pub(super) fn ask_again(&self, work: &mut Work) {
        let mut fetches = lock(&self.fetches);
        let failed = std::mem::take(&mut fetches.failed);
        if !failed.is_empty() {
            fetches.asked.extend(failed);
            work.wakers.extend(fetches.readers.pop());
        }
    }

    /// Wakes this reader when a queue waits. True where one does.
    pub(super) fn register_reader(&self, waker: &Waker) -> bool {
        let mut fetches = lock(&self.fetches);
        if fetches.asked.is_empty() && !fetches.readers.iter().any(|known| known.will_wake(waker)) {
            fetches.readers.push(waker.clone());
        }
        let first = fetches.broken.iter().map(|(_, position)| *position).min();
        let is_asked = !fetches.asked.is_empty();
        drop(fetches);
        is_asked || first.is_some_and(|position| self.log.wait(position, waker))
    }
}

impl Memory {
    /// A queue holds so much now, and held so much before.
    pub(super) fn update(&self, before: Resident, now: Resident) {
        change(&self.logged, before.logged, now.logged);
        change(&self.unlogged, before.unlogged, now.unlogged);
    }

    /// More bodies that are on disk are in RAM than should be.
    pub(super) fn is_logged_over(&self) -> bool {
        self.logged.load(Ordering::Relaxed) > self.window_size
    }

    /// More is in RAM only than should be: what sessions hold counts too.
    pub(super) fn is_unlogged_over(&self) -> bool {
        self.unlogged.load(Ordering::Relaxed) + self.sessions.sum() > self.unlogged_max
    }

    /// Bodies that are nowhere else are to be written out.
    pub(super) fn must_store(&self) -> bool {
        let is_pressed = || self.is_pressed.load(Ordering::Relaxed);
        let holds_any = || self.unlogged.load(Ordering::Relaxed) > 0;
        self.is_unlogged_over() || (is_pressed() && holds_any())
    }

    /// The process has more memory than it may, or no longer.
    pub(super) fn press(&self, is_pressed: bool) {
        self.is_pressed.store(is_pressed, Ordering::Relaxed);
    }

    /// Bytes of bodies in RAM: those on disk too, and those nowhere else.
    pub(super) fn used(&self) -> Resident {
        Resident {
            logged: self.logged.load(Ordering::Relaxed),
            unlogged: self.unlogged.load(Ordering::Relaxed),
        }
    }

    /// A queue holds bodies from now on.
    pub(super) fn list(&self, handle: &Arc<QueueHandle>) {
        lock(&self.crowded).push_back(Arc::downgrade(handle));
    }

    /// Makes room where there is too little: queues give up what is on disk, then write out what is
    /// not. Each listed queue is visited once at most.
    pub(super) fn tend(&self, work: &mut Work) {
        let mut count = lock(&self.crowded).len();
        while count > 0 && (self.is_logged_over() || self.must_store()) {
            count -= 1;
            let Some(handle) = lock(&self.crowded).pop_front() else { return };
            if let Some(handle) = handle.upgrade() {
                handle.make_room(work);
            }
        }
    }
}

fn change(sum: &AtomicU64, before: u64, now: u64) {
    if now > before {
        sum.fetch_add(now - before, Ordering::Relaxed);
    } else if before > now {
        sum.fetch_sub(before - now, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sessions_hold_counts_as_what_is_in_ram_only() {
        let sessions = Account::default();
        let memory = Memory {
            logged: AtomicU64::new(0),
            unlogged: AtomicU64::new(60),
            sessions: sessions.clone(),
            window_size: 0,
            unlogged_max: 100,
            is_pressed: AtomicBool::new(false),
            crowded: Mutex::default(),
        };
        let charge = sessions.charge(40);
        assert!(!memory.is_unlogged_over());
        let more = sessions.charge(1);
        assert!(memory.is_unlogged_over());
        drop((charge, more));
        assert!(!memory.is_unlogged_over());
    }
}
