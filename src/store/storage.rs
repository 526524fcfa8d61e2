//! The contact with the disk, as everybody above it sees it: the traits [`Storage`] and
//! [`StorageFile`]. Which disk it is (`folder`, `memory`, `faulty`) is not known here.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The name of the lock file, which is no file of the storage.
pub(super) const LOCK: &str = "lock";

/// The whole contact with the disk: one flat folder of files. A name is one component of a path,
/// and not `lock`.
pub trait Storage: Debug + Send + Sync {
    /// The names of the files, sorted.
    fn list(&self) -> io::Result<Vec<String>>;

    /// An existing file, to read and to write.
    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>>;

    /// A new empty file; that there is one already is an error.
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>>;

    /// Gives a file another name; a file that had it is replaced.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Takes a file out of the folder. Who has it open may go on with it.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Creates, renames and removes survive a power loss only after this.
    fn sync_directory(&self) -> io::Result<()>;

    /// Bytes that may still be written.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// One open file of a [`Storage`].
pub trait StorageFile: Debug + Send + Sync {
    /// Bytes from the beginning to the end.
    fn size(&self) -> io::Result<u64>;

    /// Fills the buffer from there on and says how far it came: short only at the end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all bytes from there on, beyond the end too; what was between is zeros. After an
    /// error, any first part of them may be in the file.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file, or extends it with zeros, which may take no room on the disk yet.
    fn set_size(&self, size: u64) -> io::Result<()>;

    /// Takes room on the disk for so many bytes, so that writing there does not find it full.
    fn allocate(&self, size: u64) -> io::Result<()> {
        self.fill(0, size)
    }

    /// Writes zeros, to be written over later: a sync of that is faster than one of a file that
    /// grows, or of room that was only taken.
    fn fill(&self, mut from: u64, to: u64) -> io::Result<()> {
        let zeros = [0; 64 * 1024];
        while from < to {
            let rest = usize::try_from(to - from).unwrap_or(usize::MAX).min(zeros.len());
            self.write_at(from, zeros.get(..rest).unwrap_or(&[]))?;
            from += rest as u64;
        }
        Ok(())
    }

    /// What was written before this survives a power loss. After an error nobody knows what does,
    /// and a second call does not tell either.
    fn sync(&self) -> io::Result<()>;
}

/// Refuses what is no plain name in a folder, and the name of the lock.
pub(super) fn check_name(name: &str) -> io::Result<()> {
    if matches!(name, "" | "." | ".." | LOCK) || name.contains(['/', '\0']) {
        let text = format!("'{name}' cannot be the name of a file in the data folder");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(())
}

/// The error with the path in its text; the kind stays.
pub(super) fn explain(what: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what} {}: {error}", path.display()))
}
