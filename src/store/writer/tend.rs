//! What the writer does between batches: checkpoints, files that can go, copying on, room for bad
//! times, and the last batch of a clean stop.

use super::super::checkpoint::{self, CheckpointHead};
use super::super::error::StoreError;
use super::super::header::BatchFlags;
use super::super::shelf::{checkpoint_name, log_name, spare_name};
use super::{Kept, Writer, files, lock};
use crate::limits::{CHECKPOINT_GROWTH, SPARE_FILES_MAX};
use crate::message::Moment;

/// Checkpoints that are kept: the second is for when the first turns out damaged.
const CHECKPOINTS_KEPT: usize = 2;

impl Writer {
    /// Does what can be done while nobody waits: gives files back, chooses what to copy on, sets
    /// room aside.
    pub fn tend(&mut self, now: Moment) {
        if !self.is_broken {
            self.look_after_files(now);
        }
        self.drop_idle_buffer();
        self.publish();
    }

    /// Leaves all counts where those who watch read them.
    pub(in crate::store) fn publish(&self) {
        self.figures.publish(&self.counts);
        let ledger = lock(&self.ledger);
        // The open file is listed once a message is in it.
        let is_unlisted = !ledger.files.contains_key(&self.current.number);
        let count = ledger.files.len() as u64 + u64::from(is_unlisted);
        drop(ledger);
        self.figures.set_log_files(count);
    }

    fn look_after_files(&mut self, now: Moment) {
        if let Err(error) = self.give_back_files() {
            self.failed_aside("give back a log file", error);
        }
        self.choose_victim(now);
        if !self.moves.is_empty() {
            self.write(now, true);
        }
        if let Err(error) = self.make_reserve() {
            self.failed_aside("set room aside", error);
        }
    }

    /// The disk is nearly full: what is dead goes at once, and not into a stock of spares.
    pub fn reclaim(&mut self, now: Moment) {
        if self.is_broken {
            return;
        }
        let has_dead = {
            let ledger = lock(&self.ledger);
            ledger.files.values().any(|file| file.is_sealed && file.live == 0)
        };
        for spare in std::mem::take(&mut self.spares) {
            // What cannot be removed stays for later.
            let _ = self.shelf.storage.remove(&spare_name(spare));
        }
        if !has_dead {
            return;
        }
        // Two checkpoints behind them, and no older one needs the dead files any more.
        for _ in 0..CHECKPOINTS_KEPT {
            if let Err(error) =
                self.rotate(now, BatchFlags::default()).and_then(|()| self.checkpoint(false))
            {
                if !error.is_full() {
                    self.give_up(&error);
                }
                return;
            }
        }
        if let Err(error) = self.give_back_files() {
            self.failed_aside("give back a log file", error);
        }
    }

    /// The last words of a node that stops in order: all facts, an index, a checkpoint.
    ///
    /// # Errors
    /// The disk refused; the next start reads the log instead.
    pub fn stop(&mut self, now: Moment) -> Result<(), StoreError> {
        self.retry_at = None;
        self.write(now, true);
        if self.is_broken || self.retry_at.is_some() {
            let error = std::io::Error::other("the log could not be written to its end");
            return Err(StoreError::disk("stop in order", error));
        }
        self.seal(now, BatchFlags { is_clean_stop: true, is_seal: true })?;
        self.current.number += 1;
        if self.prepared.take().is_some() {
            // A file behind the checkpoint says that somebody went on.
            let name = log_name(self.current.number);
            let removed = self.shelf.storage.remove(&name);
            removed.map_err(|error| StoreError::disk(format!("remove {name}"), error))?;
        }
        self.checkpoint(true)
    }

    /// A checkpoint where the log grew enough. The file before this one is sealed.
    pub(super) fn checkpoint_if_due(&mut self) -> Result<(), StoreError> {
        let due = self.options.file_size.max(self.last_checkpoint_size * CHECKPOINT_GROWTH);
        if self.written_since_checkpoint < due {
            return Ok(());
        }
        self.checkpoint(false)
    }

    /// Writes all that is alive; nothing is in the current file yet.
    pub(in crate::store) fn checkpoint(&mut self, is_clean_stop: bool) -> Result<(), StoreError> {
        let number = self.checkpoints.last().map_or(1, |kept| kept.number + 1);
        let head = CheckpointHead {
            number,
            next_batch: self.next_batch,
            next_file: self.current.number,
            boot: self.boot,
            is_clean_stop,
        };
        let bytes = checkpoint::encode(&head, &lock(&self.ledger));
        self.write_checkpoint(number, &bytes)?;
        self.checkpoints.push(Kept { number, next_file: head.next_file });
        self.last_checkpoint_size = bytes.len() as u64;
        self.count_bytes(self.last_checkpoint_size);
        self.counts.checkpoint_bytes += self.last_checkpoint_size;
        self.written_since_checkpoint = 0;
        self.counts.checkpoints += 1;
        while self.checkpoints.len() > CHECKPOINTS_KEPT {
            let old = self.checkpoints.remove(0);
            let name = checkpoint_name(old.number);
            let removed = self.shelf.storage.remove(&name);
            removed.map_err(|error| StoreError::disk(format!("remove {name}"), error))?;
        }
        Ok(())
    }

    fn write_checkpoint(&self, number: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let storage = &self.shelf.storage;
        let name = checkpoint_name(number);
        let written = files::create_empty(&**storage, &name).and_then(|file| {
            file.write_at(0, bytes)?;
            Ok(file)
        });
        let written = written.map_err(|error| StoreError::disk(format!("write {name}"), error));
        let result = written.and_then(|file| {
            let synced = file.sync().and_then(|()| storage.sync_directory());
            synced.map_err(|error| StoreError::sync(format!("sync {name}"), &error))
        });
        if result.is_err() {
            // Half a checkpoint is none. Where it stays, the next attempt writes over it.
            let _ = storage.remove(&name);
        }
        result
    }

    /// Files in which nothing is alive, and which no checkpoint that is kept needs. What emptied
    /// them must be on disk: else a power loss brings back what they held, and not them.
    fn give_back_files(&mut self) -> std::io::Result<()> {
        if self.unsynced_since.is_some() {
            return Ok(());
        }
        let Some(needed_from) = self.checkpoints.first().map(|kept| kept.next_file) else {
            return Ok(());
        };
        if self.checkpoints.len() < CHECKPOINTS_KEPT {
            return Ok(());
        }
        let dead: Vec<u64> = {
            let ledger = lock(&self.ledger);
            let files = ledger.files.range(..needed_from);
            files.filter(|(_, file)| file.is_sealed && file.live == 0).map(|(at, _)| *at).collect()
        };
        for number in dead {
            self.give_back(number)?;
        }
        Ok(())
    }

    fn give_back(&mut self, number: u64) -> std::io::Result<()> {
        let storage = &self.shelf.storage;
        self.shelf.take(number);
        let is_full = storage.free_bytes().is_ok_and(|free| free < self.options.file_size * 8);
        if self.spares.len() < SPARE_FILES_MAX && !is_full {
            storage.rename(&log_name(number), &spare_name(number))?;
            self.spares.push(number);
        } else {
            storage.remove(&log_name(number))?;
        }
        lock(&self.ledger).files.remove(&number);
        Ok(())
    }
}
