//! A folder of the file system as a [`Storage`], of which one process is the owner: the only file
//! below the doors that opens any, but for its lock (`folder_lock`). It does not know what is in a
//! file, and retries nothing that failed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate, fstatvfs};

use super::folder_lock::{find_holder, take_lock};
use super::storage::{LOCK, Storage, StorageFile, check_name, explain};

/// A folder of the file system. While this or any file opened by it is there, no other process
/// can open the same folder for writing.
#[derive(Debug)]
pub struct FileStorage {
    folder: Arc<Folder>,
}

impl FileStorage {
    /// Opens a folder for this process alone, and creates it where it is missing.
    ///
    /// # Errors
    ///
    /// `ResourceBusy` if another process has it open, and what the system says when the folder
    /// cannot be created, read or written. The text names the folder.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        create_folder(&path, 0o700).map_err(|e| explain("cannot create the folder", &path, &e))?;
        let directory = open_directory(&path)?;
        let lock = take_lock(&path)?;
        Ok(Self::new(Folder { path, directory, lock: Some(lock), holder: None }))
    }

    /// Opens an existing folder to look into it. Nothing is created or locked, and every call that
    /// would change something is refused.
    ///
    /// # Errors
    ///
    /// What the system says when the folder or its lock file cannot be read, with the path.
    pub fn open_read_only(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let directory = open_directory(&path)?;
        let holder = find_holder(&path)?;
        Ok(Self::new(Folder { path, directory, lock: None, holder }))
    }

    /// Who else had the folder open for writing when it was opened read-only, in words.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        self.folder.holder.as_deref()
    }

    fn new(folder: Folder) -> Self {
        Self { folder: Arc::new(folder) }
    }

    fn open_with(&self, options: &OpenOptions, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let path = self.folder.place(name)?;
        let file = options.open(&path).map_err(|e| explain("cannot open", &path, &e))?;
        Ok(Arc::new(OpenFile { file, folder: Arc::clone(&self.folder) }))
    }
}

impl Storage for FileStorage {
    fn list(&self) -> io::Result<Vec<String>> {
        let path = &self.folder.path;
        list_files(path).map_err(|e| explain("cannot list", path, &e))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.open_with(OpenOptions::new().read(true).write(self.folder.lock.is_some()), name)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.folder.check_writable()?;
        self.open_with(OpenOptions::new().read(true).write(true).create_new(true).mode(0o600), name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.folder.check_writable()?;
        let (from, to) = (self.folder.place(from)?, self.folder.place(to)?);
        fs::rename(&from, &to).map_err(|e| explain("cannot rename", &from, &e))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.folder.check_writable()?;
        let path = self.folder.place(name)?;
        fs::remove_file(&path).map_err(|e| explain("cannot remove", &path, &e))
    }

    fn sync_directory(&self) -> io::Result<()> {
        let Folder { directory, path, .. } = &*self.folder;
        directory.sync_all().map_err(|e| explain("cannot sync", path, &e))
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let disk = fstatvfs(&self.folder.directory)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

/// What the storage and its files share; the lock ends with the last of them.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    directory: File,
    /// Held by who may write.
    lock: Option<File>,
    holder: Option<String>,
}

impl Folder {
    fn place(&self, name: &str) -> io::Result<PathBuf> {
        check_name(name)?;
        Ok(self.path.join(name))
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.lock.is_some() {
            return Ok(());
        }
        let text = format!("{} is open for reading only", self.path.display());
        Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
    }
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    folder: Arc<Folder>,
}

impl StorageFile for OpenFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len();
        while !buffer.is_empty() {
            match self.file.read_at(buffer, offset) {
                Ok(0) => break,
                Ok(count) => {
                    offset += count as u64;
                    buffer = buffer.get_mut(count..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(wanted - buffer.len())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.folder.check_writable()?;
        self.file.write_all_at(bytes, offset)
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.folder.check_writable()?;
        self.file.set_len(size)
    }

    fn allocate(&self, size: u64) -> io::Result<()> {
        self.folder.check_writable()?;
        fallocate(&self.file, FallocateFlags::empty(), 0, size).map_err(io::Error::from)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Creates a folder and what is missing above it, each entry synced before the next. Folders above
/// have the usual mode.
fn create_folder(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create_folder(parent, 0o777)?;
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => Err(error),
        _ => File::open(parent)?.sync_all(),
    }
}

fn open_directory(path: &Path) -> io::Result<File> {
    let directory = File::open(path).map_err(|e| explain("cannot open the folder", path, &e))?;
    if directory.metadata()?.is_dir() {
        return Ok(directory);
    }
    let text = format!("{} is not a folder", path.display());
    Err(io::Error::new(io::ErrorKind::NotADirectory, text))
}

/// Names that are no text cannot be ours and are left out, as are folders.
fn list_files(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && name != LOCK
            && entry.file_type()?.is_file()
        {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;
    use std::os::unix::fs::PermissionsExt;
    use std::process;

    use tempfile::TempDir;

    use super::*;

    fn storage() -> (TempDir, FileStorage) {
        let folder = tempfile::tempdir().unwrap();
        let storage = FileStorage::open(folder.path().join("data")).unwrap();
        (folder, storage)
    }

    fn read(file: &dyn StorageFile, offset: u64, size: usize) -> Vec<u8> {
        let mut buffer = vec![0; size];
        let count = file.read_at(offset, &mut buffer).unwrap();
        buffer.truncate(count);
        buffer
    }

    fn kind<T: Debug>(result: io::Result<T>) -> io::ErrorKind {
        result.unwrap_err().kind()
    }

    #[test]
    fn a_missing_folder_is_created_for_its_owner_alone_below_missing_ones() {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("lib").join("leveret");
        let storage = FileStorage::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(storage.list().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_folder_that_cannot_be_created_or_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("data")] {
            let text = FileStorage::open(&path).unwrap_err().to_string();
            assert!(text.starts_with("cannot create the folder"), "{text}");
            assert!(text.contains(path.to_str().unwrap()), "{text}");
        }
        // As an unwritable folder, but for the superuser too.
        fs::create_dir(folder.path().join(LOCK)).unwrap();
        let text = FileStorage::open(folder.path()).unwrap_err().to_string();
        let expected = format!("cannot write {}: ", folder.path().join(LOCK).display());
        assert!(text.starts_with(&expected), "{text}");
    }

    #[test]
    fn files_are_listed_sorted_without_the_lock_and_without_folders() {
        let (folder, storage) = storage();
        for name in ["b", "c", "a"] {
            storage.create(name).unwrap();
        }
        fs::create_dir(folder.path().join("data").join("aa")).unwrap();
        assert_eq!(storage.list().unwrap(), ["a", "b", "c"]);
    }

    #[test]
    fn what_is_written_is_read_and_reads_are_short_only_at_the_end() {
        let (_folder, storage) = storage();
        let file = storage.create("a").unwrap();
        file.write_at(2, b"hare").unwrap();
        file.sync().unwrap();
        assert_eq!(file.size().unwrap(), 6);
        assert_eq!(read(&*file, 0, 4), b"\0\0ha");
        assert_eq!(read(&*file, 4, 9), b"re");
        assert_eq!(read(&*file, 9, 9), b"");
        file.set_size(3).unwrap();
        file.set_size(5).unwrap();
        assert_eq!(read(&*storage.open("a").unwrap(), 0, 9), b"\0\0h\0\0");
    }

    #[test]
    fn files_are_private_and_created_once() {
        let (folder, storage) = storage();
        storage.create("a").unwrap().write_at(0, b"x").unwrap();
        let permissions = fs::metadata(folder.path().join("data/a")).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o077, 0);
        assert_eq!(kind(storage.create("a")), io::ErrorKind::AlreadyExists);
        assert_eq!(read(&*storage.open("a").unwrap(), 0, 9), b"x");
        let text = storage.open("b").unwrap_err();
        assert_eq!(text.kind(), io::ErrorKind::NotFound);
        assert!(text.to_string().contains("data/b"), "{text}");
    }

    #[test]
    fn a_rename_replaces_and_a_removed_file_stays_with_who_has_it_open() {
        let (_folder, storage) = storage();
        let (a, b) = (storage.create("a").unwrap(), storage.create("b").unwrap());
        a.write_at(0, b"of a").unwrap();
        b.write_at(0, b"of b").unwrap();
        storage.rename("a", "b").unwrap();
        storage.sync_directory().unwrap();
        assert_eq!(storage.list().unwrap(), ["b"]);
        assert_eq!(read(&*storage.open("b").unwrap(), 0, 9), b"of a");
        storage.remove("b").unwrap();
        assert_eq!(storage.list().unwrap(), Vec::<String>::new());
        assert_eq!(read(&*b, 0, 9), b"of b");
        assert_eq!(kind(storage.remove("b")), io::ErrorKind::NotFound);
        assert_eq!(kind(storage.rename("b", "c")), io::ErrorKind::NotFound);
    }

    #[test]
    fn names_that_leave_the_folder_and_the_name_of_the_lock_are_refused() {
        let (_folder, storage) = storage();
        for name in ["", ".", "..", "../a", "/a", "a/b", "a\0", LOCK] {
            assert_eq!(kind(storage.create(name)), io::ErrorKind::InvalidInput, "{name:?}");
            assert_eq!(kind(storage.open(name)), io::ErrorKind::InvalidInput, "{name:?}");
            assert_eq!(kind(storage.remove(name)), io::ErrorKind::InvalidInput, "{name:?}");
            assert_eq!(kind(storage.rename("a", name)), io::ErrorKind::InvalidInput, "{name:?}");
        }
    }

    #[test]
    fn free_bytes_are_no_more_than_the_disk_has() {
        let (folder, storage) = storage();
        let disk = rustix::fs::statvfs(folder.path()).unwrap();
        let free = storage.free_bytes().unwrap();
        assert!(free > 0 && free <= disk.f_blocks * disk.f_frsize, "{free}");
    }

    #[test]
    fn a_folder_opened_read_only_is_read_beside_its_holder_and_refuses_changes() {
        let (folder, storage) = storage();
        storage.create("a").unwrap().write_at(0, b"hare").unwrap();
        let looking = FileStorage::open_read_only(folder.path().join("data")).unwrap();
        let holder = format!("process {}", process::id());
        assert_eq!(looking.holder(), Some(holder.as_str()));
        assert_eq!(looking.list().unwrap(), ["a"]);
        let file = looking.open("a").unwrap();
        assert_eq!(read(&*file, 1, 9), b"are");
        let refused = io::ErrorKind::PermissionDenied;
        assert_eq!(kind(file.write_at(0, b"x")), refused);
        assert_eq!(kind(file.set_size(0)), refused);
        assert_eq!(kind(looking.create("b")), refused);
        assert_eq!(kind(looking.rename("a", "b")), refused);
        assert_eq!(kind(looking.remove("a")), refused);
        assert_eq!(read(&*storage.open("a").unwrap(), 0, 9), b"hare");
    }
}
