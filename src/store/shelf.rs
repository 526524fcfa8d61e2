//! The files of a store by their numbers: what they are called, and those that are open. It does
//! not know what is in them.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::storage::{Storage, StorageFile};
use crate::limits::OPEN_LOG_FILES_MAX;

const LOG: &str = "log-";
const CHECKPOINT: &str = "checkpoint-";
const SPARE: &str = "spare-";

/// Room set aside for settlements.
pub(super) const RESERVE: &str = "reserve";

/// What the names of files with damaged bytes begin with.
pub(super) const QUARANTINE: &str = "quarantine-";

/// What a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Log(u64),
    Checkpoint(u64),
    Spare(u64),
    Other,
}

/// What a file of this name is.
pub(super) fn parse_name(name: &str) -> Named {
    let number = |prefix: &str| -> Option<u64> {
        let digits = name.strip_prefix(prefix)?;
        // Written otherwise it is not ours, and would be one number twice.
        digits.parse().ok().filter(|number| digits == format!("{number:012}"))
    };
    if let Some(number) = number(LOG) {
        Named::Log(number)
    } else if let Some(number) = number(CHECKPOINT) {
        Named::Checkpoint(number)
    } else if let Some(number) = number(SPARE) {
        Named::Spare(number)
    } else {
        Named::Other
    }
}

/// The name of a log file.
pub(super) fn log_name(number: u64) -> String {
    format!("{LOG}{number:012}")
}

/// The name of a checkpoint.
pub(super) fn checkpoint_name(number: u64) -> String {
    format!("{CHECKPOINT}{number:012}")
}

/// The name of a spare file.
pub(super) fn spare_name(number: u64) -> String {
    format!("{SPARE}{number:012}")
}

/// The files of one store.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) storage: Arc<dyn Storage>,
    open: Mutex<BTreeMap<u64, Arc<dyn StorageFile>>>,
}

impl Shelf {
    pub(super) fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage, open: Mutex::default() }
    }

    /// A log file, opened where it is not open.
    pub(super) fn log_file(&self, number: u64) -> io::Result<Arc<dyn StorageFile>> {
        if let Some(file) = self.lock().get(&number) {
            return Ok(file.clone());
        }
        let file = self.storage.open(&log_name(number))?;
        self.put(number, file.clone());
        Ok(file)
    }

    /// A log file that was just made.
    pub(super) fn put(&self, number: u64, file: Arc<dyn StorageFile>) {
        let mut open = self.lock();
        if open.len() >= OPEN_LOG_FILES_MAX {
            open.pop_first();
        }
        open.insert(number, file);
    }

    /// Forgets a log file.
    pub(super) fn take(&self, number: u64) {
        self.lock().remove(&number);
    }

    /// A map that is whole after each step.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<dyn StorageFile>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a whole file from there on.
pub(super) fn read_from(file: &dyn StorageFile, offset: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_into(file, offset, &mut bytes)?;
    Ok(bytes)
}

/// Reads a whole file from there on, in the place of what is in `bytes`: who reads many files takes
/// memory once.
pub(super) fn read_into(
    file: &dyn StorageFile,
    offset: u64,
    bytes: &mut Vec<u8>,
) -> io::Result<()> {
    let size = file.size()?.saturating_sub(offset);
    bytes.resize(usize::try_from(size).unwrap_or(usize::MAX), 0);
    let read = file.read_at(offset, bytes)?;
    bytes.truncate(read);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_file_is() {
        assert_eq!(parse_name(&log_name(7)), Named::Log(7));
        assert_eq!(parse_name(&checkpoint_name(8)), Named::Checkpoint(8));
        assert_eq!(parse_name(&spare_name(9)), Named::Spare(9));
        assert_eq!(parse_name("log-x"), Named::Other);
        assert_eq!(parse_name("log-7"), Named::Other);
    }

    #[test]
    fn names_sort_as_their_numbers_do() {
        assert!(log_name(9) < log_name(10));
    }
}
