//! What a start changes on disk before it goes on: noted while the log is read, and carried out
//! only when all of it could be. A start that is refused changes nothing. What is damaged or torn,
//! others decide.

use std::io;

use super::super::error::StoreError;
use super::super::shelf::{QUARANTINE, Shelf, log_name, read_from};
use super::super::storage::Storage;
use super::super::writer::files::create_empty;

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Repairs {
    aside: Vec<Aside>,
    files: Vec<FileRepair>,
}

/// Damaged bytes of a log file, to be kept aside.
#[derive(Debug)]
struct Aside {
    file: u64,
    offset: u64,
    bytes: Vec<u8>,
}

/// What becomes of one log file.
#[derive(Debug)]
pub(super) struct FileRepair {
    pub(super) number: u64,
    /// Its bytes, and how many of them stay: what is behind must not be taken for what comes later.
    pub(super) size: u64,
    pub(super) end: u64,
    /// Its head, where it has none.
    pub(super) head: Option<Vec<u8>>,
    /// The batch with its index, where it has none.
    pub(super) seal: Option<Vec<u8>>,
}

impl Repairs {
    /// Damaged bytes are to be kept. Gives how many they are.
    pub(super) fn keep(&mut self, file: u64, offset: u64, end: u64, bytes: &[u8]) -> u64 {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let stop = usize::try_from(end).unwrap_or(usize::MAX).min(bytes.len());
        let bytes = bytes.get(start..stop).unwrap_or(&[]).to_vec();
        let size = bytes.len() as u64;
        self.aside.push(Aside { file, offset, bytes });
        size
    }

    pub(super) fn push(&mut self, repair: FileRepair) {
        self.files.push(repair);
    }

    /// Does it all. Where the power fails on the way, the next start does it again.
    pub(super) fn carry_out(&self, shelf: &Shelf) -> Result<(), StoreError> {
        // On disk for certain before the bytes themselves are cut.
        for aside in &self.aside {
            aside.write(&*shelf.storage)?;
        }
        // The last first: what is torn never stands behind a file that was made whole.
        for file in self.files.iter().rev() {
            file.cut(shelf)?;
        }
        self.files.iter().try_for_each(|file| file.seal(shelf))
    }
}

impl Aside {
    fn write(&self, storage: &dyn Storage) -> Result<(), StoreError> {
        let first = format!("{QUARANTINE}{}-{}", log_name(self.file), self.offset);
        let fail = |error| StoreError::disk(format!("write {first}"), error);
        let name = free_name(storage, &first, &self.bytes).map_err(fail)?;
        let write = || {
            let file = create_empty(storage, &name)?;
            file.write_at(0, &self.bytes)?;
            file.sync()?;
            storage.sync_directory()
        };
        write().map_err(fail)
    }
}

/// A name that nothing else was kept under: neither other bytes of the same place, nor a checkpoint
/// of the same number. What an earlier attempt began is written again.
pub(super) fn free_name(storage: &dyn Storage, first: &str, bytes: &[u8]) -> io::Result<String> {
    let names = storage.list()?;
    let mut name = first.to_owned();
    let mut count = 1;
    while names.contains(&name) && !bytes.starts_with(&read_from(&*storage.open(&name)?, 0)?) {
        count += 1;
        name = format!("{first}-{count}");
    }
    Ok(name)
}

impl FileRepair {
    fn cut(&self, shelf: &Shelf) -> Result<(), StoreError> {
        if self.size <= self.end {
            return Ok(());
        }
        let name = log_name(self.number);
        let fail = |error| StoreError::disk(format!("cut {name}"), error);
        let file = shelf.log_file(self.number).map_err(fail)?;
        file.set_size(self.end).map_err(fail)?;
        file.sync().map_err(|error| StoreError::sync(format!("sync {name}"), &error))
    }

    /// Makes sure that the file is on disk, with its index: who wrote it may have been killed
    /// before the sync.
    fn seal(&self, shelf: &Shelf) -> Result<(), StoreError> {
        let name = log_name(self.number);
        let fail = |error| StoreError::disk(format!("seal {name}"), error);
        let sync_failed = |error| StoreError::sync(format!("sync {name}"), &error);
        let file = shelf.log_file(self.number).map_err(fail)?;
        if let Some(head) = &self.head {
            file.write_at(0, head).map_err(fail)?;
        }
        file.sync().map_err(sync_failed)?;
        let Some(seal) = &self.seal else { return Ok(()) };
        file.write_at(self.end, seal).map_err(fail)?;
        file.sync().map_err(sync_failed)
    }
}
