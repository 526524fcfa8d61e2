//! Who has a folder: a lock on a file in it, which the system takes back when its holder ends, and
//! the holder's number inside. What else is in the folder is not looked at.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;
use std::{process, str, thread};

use super::storage::{LOCK, explain};
use crate::limits::{FOLDER_LOCK_ATTEMPTS, FOLDER_LOCK_PAUSE_MS};

/// Makes the folder ours, for as long as the file is open.
///
/// # Errors
/// `ResourceBusy` if another process has it for a while already, and what the system says.
pub(super) fn take_lock(folder: &Path) -> io::Result<File> {
    let path = folder.join(LOCK);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let lock = options.open(&path).map_err(|e| explain("cannot write", &path, &e))?;
    for _ in 0..FOLDER_LOCK_ATTEMPTS {
        match lock.try_lock() {
            Ok(()) => {
                sign(&lock);
                return Ok(lock);
            }
            Err(TryLockError::WouldBlock) => {
                thread::sleep(Duration::from_millis(FOLDER_LOCK_PAUSE_MS));
            }
            Err(TryLockError::Error(error)) => return Err(explain("cannot lock", &path, &error)),
        }
    }
    let text = format!("the folder {} is in use by {}", folder.display(), signature(&lock));
    Err(io::Error::new(io::ErrorKind::ResourceBusy, text))
}

/// Writes our number into the lock. That is a courtesy: on a full disk the lock counts without it.
fn sign(lock: &File) {
    let number = format!("{}\n", process::id());
    let _unsigned = lock.set_len(0).and_then(|()| lock.write_all_at(number.as_bytes(), 0));
}

/// Who wrote into the lock.
fn signature(lock: &File) -> String {
    let mut buffer = [0; 32];
    let size = lock.read_at(&mut buffer, 0).unwrap_or(0);
    let text = buffer.get(..size).and_then(|bytes| str::from_utf8(bytes).ok());
    match text.and_then(|text| text.trim().parse::<u32>().ok()) {
        Some(number) => format!("process {number}"),
        None => "another process".to_owned(),
    }
}

/// Whoever holds the lock of the folder now, in words.
pub(super) fn find_holder(folder: &Path) -> io::Result<Option<String>> {
    let path = folder.join(LOCK);
    let lock = match File::open(&path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(explain("cannot open", &path, &error)),
    };
    // The shared lock ends here, with its file.
    match lock.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(signature(&lock))),
        Err(TryLockError::Error(error)) => Err(explain("cannot lock", &path, &error)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::folder::FileStorage;
    use super::super::storage::Storage;
    use super::*;

    #[test]
    fn a_folder_in_use_is_refused_with_its_path_and_the_number_of_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let storage = FileStorage::open(&path).unwrap();
        let error = FileStorage::open(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        let expected =
            format!("the folder {} is in use by process {}", path.display(), process::id());
        assert_eq!(error.to_string(), expected);
        drop(storage);
        FileStorage::open(&path).unwrap();
    }

    #[test]
    fn the_lock_is_held_until_the_last_open_file_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let storage = FileStorage::open(&path).unwrap();
        let file = storage.create("a").unwrap();
        drop(storage);
        assert_eq!(FileStorage::open(&path).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        drop(file);
        FileStorage::open(&path).unwrap();
    }

    #[test]
    fn the_lock_of_a_longer_number_is_overwritten_whole() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(LOCK), "4294967295000\n").unwrap();
        let _storage = FileStorage::open(folder.path()).unwrap();
        let text = fs::read_to_string(folder.path().join(LOCK)).unwrap();
        assert_eq!(text, format!("{}\n", process::id()));
    }

    #[test]
    fn looking_at_a_folder_nobody_holds_locks_and_creates_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let looking = FileStorage::open_read_only(folder.path()).unwrap();
        assert_eq!(looking.holder(), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        drop(FileStorage::open(folder.path()).unwrap());
        assert_eq!(FileStorage::open_read_only(folder.path()).unwrap().holder(), None);
        let _storage = FileStorage::open(folder.path()).unwrap();
        let missing = folder.path().join("missing");
        assert_eq!(
            FileStorage::open_read_only(missing).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
