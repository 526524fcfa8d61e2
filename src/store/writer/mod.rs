//! Who turns the log: cuts a batch, writes it, syncs it, tells who waits. One thread of the node
//! does nothing else; a simulation does it step by step. Between batches there is `tend`.

pub(super) mod files;
mod moves;
mod tend;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::batch::Batch;
use super::encode::{self, Shared};
use super::error::{StoreError, is_full};
use super::figures::Figures;
use super::header::{
    BATCH_ALIGNMENT, BATCH_HEADER_SIZE, BatchFlags, BatchHeader, FILE_HEADER_SIZE,
};
use super::ledger::Ledger;
use super::log::{Cut, Health, Log, Position};
use super::queue_facts::QueueFacts;
use super::reader::Reader;
use super::shelf::Shelf;
use super::storage::StorageFile;
use crate::limits::{
    FULL_DISK_PAUSE_MS, LOG_BATCH_SIZE_MAX, LOG_BUFFER_SIZE_MAX, LOG_SMALL_BATCH_SIZE_MAX,
    LOG_UNSYNCED_MS,
};
use crate::message::{Moment, SequenceRange};

pub(super) use moves::Moves;

/// The file that is being written.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) number: u64,
    pub(super) file: Arc<dyn StorageFile>,
    /// Where the next batch goes.
    pub(super) offset: u64,
    /// Up to here it was written before, with zeros or in an earlier life.
    ready_end: u64,
    /// Records of definitions in it.
    pub(super) definition_count: u32,
}

impl Current {
    /// A file that has its head, and no batch yet.
    pub(super) fn new(number: u64, file: Arc<dyn StorageFile>) -> Self {
        // Where its size is not known, it grows as it is written.
        let ready_end = file.size().unwrap_or(u64::MAX);
        let offset = FILE_HEADER_SIZE as u64;
        Self { number, file, offset, ready_end, definition_count: 0 }
    }

    /// Fills the file with zeros before a small batch comes to its end; tells how many. Of a large
    /// one the sync takes long anyway, and would take twice as long with as many zeros.
    fn make_ready(&mut self, size: u64, options: &WriterOptions) -> u64 {
        let end = self.offset + size;
        let to = end.next_multiple_of(options.ready_size.max(1)).min(options.file_size);
        let from = self.ready_end.max(self.offset);
        if size > LOG_SMALL_BATCH_SIZE_MAX || options.ready_size == 0 || end <= from || to <= from {
            return 0;
        }
        if self.file.fill(from, to).is_err() {
            // The batch is written all the same, where it can be. If not, that tells.
            self.shorten();
            return 0;
        }
        self.ready_end = to;
        to - from
    }

    /// Gives back the room behind what was written.
    pub(super) fn shorten(&mut self) {
        if self.file.set_size(self.offset).is_ok() {
            self.ready_end = self.offset;
        }
    }
}

/// What is behind the room for the head of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) count: u32,
    /// How many of them are definitions.
    pub(super) definition_count: u32,
}

/// A checkpoint that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) number: u64,
    pub(super) next_file: u64,
}

/// How a store is to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WriterOptions {
    /// A log file is sealed at this size.
    pub(super) file_size: u64,
    /// It is filled with zeros by so much at a time before it is written; 0 for never.
    pub(super) ready_size: u64,
    /// A confirm waits for the disk; else for the operating system only.
    pub(super) is_synced: bool,
    /// Bytes set aside for settlements when the disk is full; 0 for none.
    pub(super) reserve_size: u64,
}

/// What was done, for figures and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriterCounts {
    /// Batches that went to a file.
    pub batches: u64,
    /// Syncs of log files.
    pub syncs: u64,
    /// Bytes given to the disk: everything that is written, whatever for. Room set aside is not.
    pub bytes: u64,
    /// Those of indexes at the ends of files.
    pub index_bytes: u64,
    /// Those of checkpoints.
    pub checkpoint_bytes: u64,
    /// Those of messages copied on, with the heads of their batches.
    pub moved_bytes: u64,
    /// Zeros written ahead of small batches, which are in no other count.
    pub ready_bytes: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Messages written for their queues.
    pub messages: u64,
    /// Messages copied on from old files.
    pub moved: u64,
}

/// Turns the log.
#[derive(Debug)]
pub struct Writer {
    pub(super) shelf: Arc<Shelf>,
    pub(super) log: Arc<Log>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    pub(super) reader: Reader,
    pub(super) options: WriterOptions,
    pub(super) boot: u64,
    pub(super) current: Current,
    /// The number the next batch gets on disk.
    pub(super) next_batch: u64,
    /// The last batch known to be synced.
    pub(super) synced_batch: u64,
    /// The last position that is in a file.
    pub(super) written: Position,
    /// Bytes of the last batch, as it is in its file.
    pub(super) batch_size: u64,
    /// Since when something is in a file and not synced.
    pub(super) unsynced_since: Option<Moment>,
    /// Somebody waits for a position that is in a file and not synced.
    pub(super) is_wanted: bool,
    /// Messages for several queues in the last batch of this file.
    pub(super) shared: Shared,
    pub(super) buffer: Vec<u8>,
    /// How many batches there were at the last [`Writer::tend`].
    pub(super) tended_batches: u64,
    /// Numbers of files to be written again.
    pub(super) spares: Vec<u64>,
    /// The next file, where it was made and the seal of this one failed.
    pub(super) prepared: Option<Arc<dyn StorageFile>>,
    /// Room is set aside for a full disk.
    pub(super) has_reserve: bool,
    /// It was needed, and there is no room yet to set aside again.
    pub(super) is_reserve_spent: bool,
    pub(super) checkpoints: Vec<Kept>,
    pub(super) last_checkpoint_size: u64,
    pub(super) written_since_checkpoint: u64,
    /// When a full disk is tried again.
    pub(super) retry_at: Option<Moment>,
    pub(super) moves: Moves,
    /// The disk failed for good: nothing more is written or synced.
    pub(super) is_broken: bool,
    pub(super) counts: WriterCounts,
    /// Where the counts are left for those who watch.
    pub(super) figures: Arc<Figures>,
}

impl Writer {
    /// The log it turns.
    #[must_use]
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> WriterCounts {
        self.counts
    }

    /// The last batch was small: whoever waited for it sends little at a time.
    #[must_use]
    pub fn is_batch_small(&self) -> bool {
        self.batch_size <= LOG_SMALL_BATCH_SIZE_MAX
    }

    /// The disk was full, and there is not enough room yet for the next time.
    #[must_use]
    pub fn is_reserve_spent(&self) -> bool {
        self.is_reserve_spent
    }

    /// Bytes that may still be written to the disk.
    ///
    /// # Errors
    /// The disk does not say.
    pub fn free_bytes(&self) -> std::io::Result<u64> {
        let free = self.shelf.storage.free_bytes()?;
        self.figures.set_free_bytes(free);
        Ok(free)
    }

    /// Cuts a batch where it is time, writes it, and syncs where somebody waits or it is old. True
    /// where something was done.
    pub fn turn(&mut self, now: Moment) -> bool {
        let has_written = self.write_due(now);
        let has_synced = self.is_sync_due(now) && self.sync();
        has_written || has_synced
    }

    /// The first half of [`Writer::turn`], for who times the other one.
    pub fn write_due(&mut self, now: Moment) -> bool {
        let has_written = self.write(now, false);
        if has_written {
            self.figures.publish(&self.counts);
        }
        has_written
    }

    /// When [`Writer::turn`] has something to do though nobody wakes it.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        if self.is_broken {
            return None;
        }
        let sync = self.unsynced_since.map(|since| since.plus(LOG_UNSYNCED_MS));
        let cut = self.retry_at.or_else(|| self.log.deadline());
        [sync, cut].into_iter().flatten().min()
    }

    /// Cuts and writes one batch; with `is_forced` also one that could wait. True where it did.
    pub fn write(&mut self, now: Moment, is_forced: bool) -> bool {
        let is_retry = self.retry_at.is_some_and(|at| now >= at);
        if self.is_broken || (self.retry_at.is_some() && !is_retry) {
            return false;
        }
        let Some(mut cut) = self.log.cut(now, is_forced || is_retry) else { return false };
        self.retry_at = None;
        if cut.batch.is_empty() && self.moves.is_empty() {
            self.reached(&cut, now);
            return true;
        }
        match self.write_cut(&mut cut, now) {
            Ok(()) => {
                self.reached(&cut, now);
                true
            }
            Err(error) => {
                self.failed(cut, &error, now);
                false
            }
        }
    }

    /// The disk said no.
    fn failed(&mut self, cut: Cut, error: &StoreError, now: Moment) {
        if error.is_full() {
            // What was written in part takes room; where it stays, it is written over.
            self.current.shorten();
            self.release_reserve();
            self.retry_at = Some(now.plus(FULL_DISK_PAUSE_MS));
            self.log.put_back(cut, Health::Full);
        } else {
            self.give_up(error);
        }
    }

    /// Nothing becomes durable any more. A sync that failed is never tried again: what it left
    /// behind, nobody knows.
    pub(super) fn give_up(&mut self, error: &StoreError) {
        self.is_broken = true;
        self.log.poison(&error.to_string());
    }

    /// A cut batch needs nothing more but a sync.
    fn reached(&mut self, cut: &Cut, now: Moment) {
        self.written = cut.number;
        self.is_wanted |= cut.is_wanted;
        self.log.written(cut.number);
        if self.unsynced_since.is_none() {
            if self.synced_batch + 1 == self.next_batch {
                // Nothing is in a file that is not synced.
                self.is_wanted = false;
                self.log.synced(self.written);
                return;
            }
            self.unsynced_since = Some(now);
        }
        if !self.options.is_synced {
            self.is_wanted = false;
            self.log.synced(self.written);
        }
    }

    /// What cannot be written stays in `cut`.
    fn write_cut(&mut self, cut: &mut Cut, now: Moment) -> Result<(), StoreError> {
        while let Some(mut first) = cut.batch.take_first(LOG_BATCH_SIZE_MAX) {
            if let Err(error) = self.write_facts(&first, now) {
                first.append(std::mem::take(&mut cut.batch));
                cut.batch = first;
                return Err(error);
            }
        }
        self.write_facts(&cut.batch, now)?;
        // The batch is written whatever becomes of the copies.
        if let Err(error) = self.write_moves(now) {
            self.moves.give_up();
            if !error.is_full() {
                return Err(error);
            }
        }
        Ok(())
    }

    fn write_facts(&mut self, batch: &Batch, now: Moment) -> Result<(), StoreError> {
        if self.current.offset >= self.options.file_size {
            self.rotate(now, BatchFlags::default())?;
        }
        if batch.is_empty() {
            return Ok(());
        }
        let (number, offset) = (self.current.number, self.current.offset);
        let mut buffer = std::mem::take(&mut self.buffer);
        let encoded = encode::encode(batch, &self.shared, (number, offset), now, &mut buffer);
        let records =
            Records { count: encoded.record_count, definition_count: encoded.definition_count };
        let result = self.write_batch(&mut buffer, records, now, BatchFlags::default());
        self.buffer = buffer;
        self.keep_buffer_small();
        result?;
        self.shared = encoded.shared;
        self.counts.messages += batch.queues.iter().map(|f| f.added.len() as u64).sum::<u64>();
        let mut ledger = lock(&self.ledger);
        for filled in &encoded.filled {
            ledger.added(number, filled.queue, &filled.entries, filled.is_transient);
            if filled.expires {
                ledger.expiring(filled.queue, &filled.entries);
            }
            if let Some(level) = filled.level {
                ledger.leveled(filled.queue, level, &filled.entries);
            }
        }
        apply(&mut ledger, batch);
        Ok(())
    }

    /// Writes a batch whose records stand in `buffer` behind the room for its head.
    pub(super) fn write_batch(
        &mut self,
        buffer: &mut Vec<u8>,
        records: Records,
        now: Moment,
        flags: BatchFlags,
    ) -> Result<(), StoreError> {
        let size = buffer.len().saturating_sub(BATCH_HEADER_SIZE);
        let definition_count = self.current.definition_count + records.definition_count;
        let header = BatchHeader {
            number: self.next_batch,
            synced: self.synced_batch,
            size: u32::try_from(size).unwrap_or(u32::MAX),
            record_count: records.count,
            written_at: now.0,
            boot: self.boot,
            flags,
            definition_count,
        };
        let head = header.encode(self.current.number, self.current.offset);
        if let Some(place) = buffer.first_chunk_mut() {
            *place = head;
        }
        buffer.resize(buffer.len().next_multiple_of(BATCH_ALIGNMENT), 0);
        self.counts.ready_bytes += self.current.make_ready(buffer.len() as u64, &self.options);
        self.current.file.write_at(self.current.offset, buffer).map_err(|error| {
            StoreError::disk(format!("write to log file {}", self.current.number), error)
        })?;
        self.current.offset += buffer.len() as u64;
        self.current.definition_count = definition_count;
        self.next_batch += 1;
        self.unsynced_since.get_or_insert(now);
        self.batch_size = buffer.len() as u64;
        self.counts.batches += 1;
        self.count_bytes(buffer.len() as u64);
        Ok(())
    }

    /// [`Writer::sync`] is due: somebody waits for it, or what is in the file is old.
    #[must_use]
    pub fn is_sync_due(&self, now: Moment) -> bool {
        let Some(since) = self.unsynced_since.filter(|_| !self.is_broken) else { return false };
        self.is_wanted || self.log.is_sync_wanted() || now.since(since) >= LOG_UNSYNCED_MS
    }

    /// Syncs what is in the file. True where it could.
    pub fn sync(&mut self) -> bool {
        if self.unsynced_since.is_none() || self.is_broken {
            return !self.is_broken;
        }
        match self.sync_current() {
            Ok(()) => {
                // Who hears of it and looks finds it counted.
                self.figures.publish(&self.counts);
                self.log.synced(self.written);
                true
            }
            Err(error) => {
                self.give_up(&error);
                false
            }
        }
    }

    /// After this, everything written so far survives a power loss.
    pub(super) fn sync_current(&mut self) -> Result<(), StoreError> {
        self.current.file.sync().map_err(|error| {
            StoreError::sync(format!("sync log file {}", self.current.number), &error)
        })?;
        self.counts.syncs += 1;
        self.synced_batch = self.next_batch - 1;
        self.unsynced_since = None;
        self.is_wanted = false;
        Ok(())
    }

    pub(super) fn count_bytes(&mut self, size: u64) {
        self.counts.bytes += size;
        self.written_since_checkpoint += size;
    }

    /// A busy log keeps its buffer, as large as batches are: memory that is new each time costs as
    /// much as what is done with it. One very large batch must not hold its memory.
    fn keep_buffer_small(&mut self) {
        if self.buffer.capacity() > LOG_BUFFER_SIZE_MAX {
            self.buffer = Vec::new();
        }
    }

    /// Gives the buffer back where nothing was written since the last time.
    pub(super) fn drop_idle_buffer(&mut self) {
        if self.tended_batches == self.counts.batches {
            self.buffer = Vec::new();
        }
        self.tended_batches = self.counts.batches;
    }

    /// Something that can wait failed: a full disk is told by the next batch.
    pub(super) fn failed_aside(&mut self, what: &str, error: std::io::Error) {
        if !is_full(&error) {
            self.give_up(&StoreError::disk(what, error));
        }
    }
}

/// What a batch changes besides the places it fills.
fn apply(ledger: &mut Ledger, batch: &Batch) {
    for change in &batch.changes {
        ledger.changed(&change.key, change.value.as_deref());
    }
    for facts in &batch.queues {
        apply_queue(ledger, facts);
    }
    batch.forgotten.iter().for_each(|queue| ledger.forgotten(*queue));
    for note in &batch.notes {
        ledger.changed(&note.key, note.value.as_deref());
    }
}

fn apply_queue(ledger: &mut Ledger, facts: &QueueFacts) {
    let queue = facts.tail.queue();
    facts.removed.iter().for_each(|range| ledger.removed(queue, *range));
    for (range, counts) in facts.returned.iter() {
        ledger.returned(queue, range, counts);
    }
    facts.delivered.iter().for_each(|range: &SequenceRange| ledger.delivered(queue, *range));
    if facts.next_sequence > 0 {
        facts.tail.stored(facts.next_sequence, facts.added.len());
    }
}

/// Only the log's thread changes the ledger, and when that ends by a panic the node stops: what a
/// panic of a reader leaves is whole.
pub(super) fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
