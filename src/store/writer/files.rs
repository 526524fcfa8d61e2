//! The files the writer makes: the next log file, its index at the end, spares, the reserve.

use std::sync::Arc;

use super::super::encode::encode_index;
use super::super::error::StoreError;
use super::super::header::{BatchFlags, FILE_HEADER_SIZE, FileHeader, FileKind};
use super::super::shelf::{RESERVE, log_name, spare_name};
use super::super::storage::{Storage, StorageFile};
use super::{Current, Records, Writer, lock};
use crate::message::Moment;

impl Writer {
    /// Seals the file and goes on in the next one.
    pub(in crate::store) fn rotate(
        &mut self,
        now: Moment,
        flags: BatchFlags,
    ) -> Result<(), StoreError> {
        // Before the seal: where there is no room for the next file, this one stays open.
        let number = self.current.number + 1;
        let next = match self.prepared.take() {
            Some(next) => next,
            None => self.make_file(number, self.next_batch + 1)?,
        };
        if let Err(error) = self.seal(now, flags) {
            self.prepared = Some(next);
            return Err(error);
        }
        self.shelf.put(number, next.clone());
        self.current = Current::new(number, next);
        self.checkpoint_if_due()
    }

    /// Writes the index behind the last batch and syncs all of it.
    pub(in crate::store) fn seal(
        &mut self,
        now: Moment,
        flags: BatchFlags,
    ) -> Result<(), StoreError> {
        let (number, offset) = (self.current.number, self.current.offset);
        let index = lock(&self.ledger).index_of_open(number);
        let (mut buffer, lists) = encode_index(index, number, offset);
        let flags = BatchFlags { is_seal: true, ..flags };
        let records = Records { count: 1, definition_count: 0 };
        self.write_batch(&mut buffer, records, now, flags)?;
        self.counts.index_bytes += buffer.len() as u64;
        if self.current.offset < self.options.file_size {
            // It ends early. Where it cannot be shortened, what is behind the index is not read.
            self.current.shorten();
        }
        self.sync_current()?;
        lock(&self.ledger).sealed(number, self.current.offset, &lists);
        self.shared.clear();
        self.log.synced(self.written);
        Ok(())
    }

    /// A log file with its head, safe on disk: a spare, or a new one.
    fn make_file(
        &mut self,
        number: u64,
        next_batch: u64,
    ) -> Result<Arc<dyn StorageFile>, StoreError> {
        let header =
            FileHeader { kind: FileKind::Log, number, next_batch, next_file: 0, boot: self.boot };
        let file = make_log_file(&*self.shelf.storage, &mut self.spares, &header)?;
        self.count_bytes(FILE_HEADER_SIZE as u64);
        Ok(file)
    }

    /// The disk is full: what was set aside for that is given up.
    pub(in crate::store) fn release_reserve(&mut self) {
        if std::mem::take(&mut self.has_reserve) {
            self.is_reserve_spent = true;
            // Where it cannot be removed, there is no room, as before.
            let _ = self.shelf.storage.remove(RESERVE);
        }
    }

    /// Sets room aside for a full disk.
    pub(in crate::store) fn make_reserve(&mut self) -> std::io::Result<()> {
        let size = self.options.reserve_size;
        if self.has_reserve || size == 0 {
            return Ok(());
        }
        let storage = &self.shelf.storage;
        // What was just given up for a batch is not taken back before there is room for both.
        let is_scarce = self.is_reserve_spent && storage.free_bytes()? < 2 * size;
        if self.retry_at.is_some() || is_scarce {
            return Ok(());
        }
        if storage.list()?.iter().any(|name| name == RESERVE) {
            storage.remove(RESERVE)?;
        }
        let result = storage.create(RESERVE).and_then(|file| file.allocate(size));
        match result {
            Ok(()) => {
                self.has_reserve = true;
                self.is_reserve_spent = false;
                Ok(())
            }
            Err(error) => {
                let _ = storage.remove(RESERVE);
                Err(error)
            }
        }
    }
}

/// Makes a log file of a spare or anew; when this returns, it is there after a power loss too.
pub(in crate::store) fn make_log_file(
    storage: &dyn Storage,
    spares: &mut Vec<u64>,
    header: &FileHeader,
) -> Result<Arc<dyn StorageFile>, StoreError> {
    let name = log_name(header.number);
    let fail = |error| StoreError::disk(format!("make {name}"), error);
    if let Some(spare) = spares.last() {
        storage.rename(&spare_name(*spare), &name).map_err(fail)?;
        spares.pop();
    } else {
        create_empty(storage, &name).map_err(fail)?;
    }
    let made = storage.open(&name).and_then(|file| {
        file.write_at(0, &header.encode())?;
        Ok(file)
    });
    let made = made.map_err(fail).and_then(|file| {
        let synced = file.sync().and_then(|()| storage.sync_directory());
        synced.map_err(|error| StoreError::sync(format!("sync {name}"), &error))?;
        Ok(file)
    });
    if made.is_err() {
        // A file without a head is of no use. Where it stays, the next attempt takes it.
        let _ = storage.remove(&name);
    }
    made
}

/// A new empty file, or what a failed attempt to make it left behind.
pub(in crate::store) fn create_empty(
    storage: &dyn Storage,
    name: &str,
) -> std::io::Result<Arc<dyn StorageFile>> {
    match storage.create(name) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let file = storage.open(name)?;
            file.set_size(0)?;
            Ok(file)
        }
        created => created,
    }
}
