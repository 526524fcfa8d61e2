//! What the store counts for those who watch it: anybody may read it while the log is written. The
//! log's thread leaves its own counts here when it has done something, and no lock is taken.

use std::sync::atomic::{AtomicU64, Ordering};

use super::recovery::Damage;
use super::writer::WriterCounts;

/// How the store fares, now or a few milliseconds ago.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreFigures {
    /// Batches that went to a file.
    pub batches: u64,
    /// Syncs of log files.
    pub syncs: u64,
    /// Bytes written of what happened, with the heads of batches and files.
    pub log_bytes: u64,
    /// Messages written for their queues: those that were settled before are not.
    pub written_messages: u64,
    /// Messages whose bodies queues read back.
    pub read_messages: u64,
    /// Bytes written of indexes at the ends of files.
    pub index_bytes: u64,
    /// Bytes written of checkpoints.
    pub checkpoint_bytes: u64,
    /// Bytes written of messages copied on.
    pub moved_bytes: u64,
    /// Log files, with the one that is being written.
    pub log_files: u64,
    /// Free bytes of the disk.
    pub free_bytes: u64,
    /// Damaged places: those the start found, and messages that reading found since.
    pub quarantined_places: u64,
    /// Damaged bytes that the start set aside.
    pub quarantined_bytes: u64,
    /// Bytes that the start cut off.
    pub torn_bytes: u64,
    /// Checkpoints that the start found damaged.
    pub damaged_checkpoints: u64,
}

/// Where the figures gather. Each counter only rises, whoever reads in between.
#[derive(Debug, Default)]
pub(super) struct Figures {
    batches: AtomicU64,
    syncs: AtomicU64,
    log_bytes: AtomicU64,
    written_messages: AtomicU64,
    read_messages: AtomicU64,
    index_bytes: AtomicU64,
    checkpoint_bytes: AtomicU64,
    moved_bytes: AtomicU64,
    log_files: AtomicU64,
    free_bytes: AtomicU64,
    /// Messages that reading found damaged.
    damaged_messages: AtomicU64,
    /// What the start found.
    found: StoreFigures,
}

impl Figures {
    /// Those of a start that found this.
    pub(super) fn of_start(damage: &Damage) -> Self {
        let found = StoreFigures {
            quarantined_places: damage.quarantined.len() as u64,
            quarantined_bytes: damage.quarantined.iter().map(|(_, _, size)| size).sum(),
            torn_bytes: damage.torn_size,
            damaged_checkpoints: damage.checkpoints.len() as u64,
            ..StoreFigures::default()
        };
        Self { found, ..Self::default() }
    }

    /// What the writer has done so far.
    pub(super) fn publish(&self, counts: &WriterCounts) {
        let WriterCounts { index_bytes, checkpoint_bytes, moved_bytes, .. } = *counts;
        let others = index_bytes + checkpoint_bytes + moved_bytes;
        for (place, count) in [
            (&self.batches, counts.batches),
            (&self.syncs, counts.syncs),
            (&self.log_bytes, counts.bytes.saturating_sub(others)),
            (&self.written_messages, counts.messages),
            (&self.index_bytes, index_bytes),
            (&self.checkpoint_bytes, checkpoint_bytes),
            (&self.moved_bytes, moved_bytes),
        ] {
            place.store(count, Ordering::Relaxed);
        }
    }

    pub(super) fn set_log_files(&self, count: u64) {
        self.log_files.store(count, Ordering::Relaxed);
    }

    pub(super) fn set_free_bytes(&self, free: u64) {
        self.free_bytes.store(free, Ordering::Relaxed);
    }

    /// A queue read bodies back.
    pub(super) fn add_read_messages(&self, count: usize) {
        self.read_messages.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Messages that a queue asked for are damaged.
    pub(super) fn add_damaged_messages(&self, count: u64) {
        self.damaged_messages.fetch_add(count, Ordering::Relaxed);
    }

    /// All of them.
    pub(super) fn now(&self) -> StoreFigures {
        let read = |place: &AtomicU64| place.load(Ordering::Relaxed);
        StoreFigures {
            batches: read(&self.batches),
            syncs: read(&self.syncs),
            log_bytes: read(&self.log_bytes),
            written_messages: read(&self.written_messages),
            read_messages: read(&self.read_messages),
            index_bytes: read(&self.index_bytes),
            checkpoint_bytes: read(&self.checkpoint_bytes),
            moved_bytes: read(&self.moved_bytes),
            log_files: read(&self.log_files),
            free_bytes: read(&self.free_bytes),
            quarantined_places: self.found.quarantined_places + read(&self.damaged_messages),
            ..self.found
        }
    }
}
