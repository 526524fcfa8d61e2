//! A disk in RAM for tests and simulations: it fills up at its capacity, keeps what is written
//! apart from what is synced, and can lose its power or its process. What a power loss leaves is
//! worked out in `write_cache`; faults of a running disk are
//! [`FaultyStorage`](super::FaultyStorage)'s.

use std::{
    collections::BTreeMap,
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    storage::{Storage, StorageFile, check_name},
    write_cache::{Choose, Content, Directory, FileNumber},
};

/// A disk in RAM. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct MemoryStorage {
    disk: Arc<Mutex<Disk>>,
}

impl MemoryStorage {
    /// An empty disk for so many bytes. They count by the sizes of the files that have a name.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self::of(Disk { capacity, ..Disk::default() })
    }

    /// Makes the disk larger or smaller; what is there stays.
    pub fn set_capacity(&self, capacity: u64) {
        lock(&self.disk).capacity = capacity;
    }

    /// What a power loss may leave. Of the unsynced writes any survive, in any order, whole or torn
    /// at any byte, with old bytes or zeros for what is missing; of the unsynced creates, renames
    /// and removes any that are possible without the others.
    ///
    /// `choose` answers with one of so many outcomes, counted from 0: always 0 loses nothing, and
    /// always the last one loses all that is not synced. From now on this disk and its files
    /// refuse everything; another power loss of the same moment may still be asked for.
    #[must_use]
    pub fn crash(&self, choose: &mut dyn FnMut(usize) -> usize) -> Self {
        let mut disk = lock(&self.disk);
        disk.is_dead = true;
        Self::of(disk.after_power_loss(choose))
    }

    /// What the end of the process leaves: everything written. What was not synced may still be
    /// lost with the power later. From now on this disk and its files refuse everything.
    #[must_use]
    pub fn kill(&self) -> Self {
        let mut disk = lock(&self.disk);
        disk.is_dead = true;
        Self::of(disk.after_kill())
    }

    fn of(disk: Disk) -> Self {
        Self { disk: Arc::new(Mutex::new(disk)) }
    }

    fn handle(&self, number: FileNumber) -> Arc<dyn StorageFile> {
        Arc::new(MemoryFile { disk: Arc::clone(&self.disk), number })
    }
}

impl Storage for MemoryStorage {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(live(&self.disk)?.directory.entries().keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let mut disk = live(&self.disk)?;
        let number = disk.find(name)?;
        disk.file(number)?.open_count += 1;
        Ok(self.handle(number))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let number = live(&self.disk)?.create(name)?;
        Ok(self.handle(number))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = live(&self.disk)?;
        let number = disk.find(from)?;
        check_name(to)?;
        if from != to {
            disk.directory.change(&[(from, None), (to, Some(number))]);
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = live(&self.disk)?;
        disk.find(name)?;
        disk.directory.change(&[(name, None)]);
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut disk = live(&self.disk)?;
        disk.directory.sync();
        disk.forget_unreachable();
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(live(&self.disk)?.free_bytes())
    }
}

struct MemoryFile {
    disk: Arc<Mutex<Disk>>,
    number: FileNumber,
}

impl StorageFile for MemoryFile {
    fn size(&self) -> io::Result<u64> {
        Ok(live(&self.disk)?.file(self.number)?.size())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut disk = live(&self.disk)?;
        let bytes = disk.file(self.number)?.content.bytes();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let count = buffer.len().min(bytes.len() - start);
        if let Some(place) = buffer.get_mut(..count)
            && let Some(found) = bytes.get(start..start + count)
        {
            place.copy_from_slice(found);
        }
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        live(&self.disk)?.write(self.number, offset, bytes)
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        live(&self.disk)?.set_size(self.number, size)
    }

    fn sync(&self) -> io::Result<()> {
        live(&self.disk)?.file(self.number)?.content.sync();
        Ok(())
    }
}

impl fmt::Debug for MemoryFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryFile").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        let mut disk = lock(&self.disk);
        if let Ok(file) = disk.file(self.number) {
            file.open_count -= 1;
        }
        disk.forget_unreachable();
    }
}

/// Locks the disk. A panic of another holder is that test's to report.
fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks the disk for a process that is alive.
fn live(disk: &Mutex<Disk>) -> io::Result<MutexGuard<'_, Disk>> {
    let disk = lock(disk);
    if disk.is_dead {
        return Err(io::Error::other("the process of this disk is dead"));
    }
    Ok(disk)
}

#[derive(Clone, Default)]
struct Disk {
    files: BTreeMap<FileNumber, MemoryContent>,
    directory: Directory,
    /// How many files there ever were.
    created_count: FileNumber,
    capacity: u64,
    is_dead: bool,
}

#[derive(Clone, Default)]
struct MemoryContent {
    content: Content,
    open_count: usize,
}

impl MemoryContent {
    fn size(&self) -> u64 {
        self.content.bytes().len() as u64
    }
}

impl Disk {
    fn find(&self, name: &str) -> io::Result<FileNumber> {
        check_name(name)?;
        let number = self.directory.entries().get(name).copied();
        number.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no file '{name}'")))
    }

    fn file(&mut self, number: FileNumber) -> io::Result<&mut MemoryContent> {
        self.files.get_mut(&number).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// A new file, opened once.
    fn create(&mut self, name: &str) -> io::Result<FileNumber> {
        check_name(name)?;
        if self.directory.entries().contains_key(name) {
            let text = format!("there is a file '{name}'");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        self.created_count += 1;
        let number = self.created_count;
        self.files.insert(number, MemoryContent { open_count: 1, ..MemoryContent::default() });
        self.directory.change(&[(name, Some(number))]);
        Ok(number)
    }

    fn free_bytes(&self) -> u64 {
        let named = self.directory.entries().values();
        let sizes = named.filter_map(|number| self.files.get(number)).map(MemoryContent::size);
        self.capacity.saturating_sub(sizes.sum())
    }

    /// Writes what there is room for, as a real disk does, and fails if that is not all.
    fn write(&mut self, number: FileNumber, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let free = self.free_bytes();
        let file = self.file(number)?;
        let room = file.size().saturating_add(free).saturating_sub(offset);
        let fitting = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        let (written, refused) = bytes.split_at(fitting);
        if !written.is_empty() {
            file.content.write(in_memory(offset)?, written);
        }
        if refused.is_empty() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn set_size(&mut self, number: FileNumber, size: u64) -> io::Result<()> {
        let free = self.free_bytes();
        let file = self.file(number)?;
        if size.saturating_sub(file.size()) > free {
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.content.set_size(in_memory(size)?);
        Ok(())
    }

    fn after_power_loss(&self, choose: Choose<'_>) -> Self {
        let directory = self.directory.after_power_loss(choose);
        let mut files = BTreeMap::new();
        for number in directory.entries().values() {
            if let Some(file) = self.files.get(number) {
                let content = file.content.after_power_loss(choose);
                files.insert(*number, MemoryContent { content, open_count: 0 });
            }
        }
        Self { files, directory, is_dead: false, ..*self }
    }

    fn after_kill(&self) -> Self {
        let mut left = Self { is_dead: false, ..self.clone() };
        left.files.values_mut().for_each(|file| file.open_count = 0);
        left.forget_unreachable();
        left
    }

    /// Drops files that nobody has open and no power loss can bring back.
    fn forget_unreachable(&mut self) {
        let Self { files, directory, .. } = self;
        files.retain(|number, file| file.open_count > 0 || directory.may_name(*number));
    }
}

fn in_memory(size: u64) -> io::Result<usize> {
    usize::try_from(size).map_err(|_| io::ErrorKind::StorageFull.into())
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk")
            .field("entries", self.directory.entries())
            .field("capacity", &self.capacity)
            .field("is_dead", &self.is_dead)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SURVIVES: fn(usize) -> usize = |_| 0;
    const IS_LOST: fn(usize) -> usize = |count| count - 1;

    fn write(storage: &MemoryStorage, name: &str, bytes: &[u8]) -> Arc<dyn StorageFile> {
        let file = storage.create(name).unwrap();
        file.write_at(0, bytes).unwrap();
        file
    }

    fn read(storage: &MemoryStorage, name: &str) -> Vec<u8> {
        let file = storage.open(name).unwrap();
        let mut buffer = vec![0; usize::try_from(file.size().unwrap()).unwrap() + 1];
        let count = file.read_at(0, &mut buffer).unwrap();
        buffer.truncate(count);
        buffer
    }

    fn kind<T: fmt::Debug>(result: io::Result<T>) -> io::ErrorKind {
        result.unwrap_err().kind()
    }

    #[test]
    fn it_reads_what_was_written_and_clones_share_it() {
        let storage = MemoryStorage::new(100);
        let file = storage.create("a").unwrap();
        file.write_at(2, b"hare").unwrap();
        assert_eq!(read(&storage.clone(), "a"), b"\0\0hare");
        let mut buffer = [0; 3];
        assert_eq!(file.read_at(4, &mut buffer).unwrap(), 2);
        assert_eq!(&buffer, b"re\0");
        assert_eq!(file.read_at(u64::MAX, &mut buffer).unwrap(), 0);
        file.write_at(50, b"").unwrap();
        assert_eq!(file.size().unwrap(), 6);
        file.set_size(3).unwrap();
        assert_eq!(read(&storage, "a"), b"\0\0h");
    }

    #[test]
    fn names_behave_as_in_a_folder() {
        let storage = MemoryStorage::new(100);
        let old = write(&storage, "b", b"of b");
        write(&storage, "a", b"of a");
        assert_eq!(storage.list().unwrap(), ["a", "b"]);
        assert_eq!(kind(storage.create("a")), io::ErrorKind::AlreadyExists);
        storage.rename("a", "a").unwrap();
        storage.rename("a", "b").unwrap();
        storage.sync_directory().unwrap();
        assert_eq!(storage.list().unwrap(), ["b"]);
        assert_eq!(read(&storage, "b"), b"of a");
        assert_eq!(old.size().unwrap(), 4);
        storage.remove("b").unwrap();
        assert_eq!(kind(storage.open("b")), io::ErrorKind::NotFound);
        assert_eq!(kind(storage.remove("b")), io::ErrorKind::NotFound);
        assert_eq!(kind(storage.rename("b", "c")), io::ErrorKind::NotFound);
        assert_eq!(kind(storage.create("a/b")), io::ErrorKind::InvalidInput);
        assert_eq!(kind(storage.create("lock")), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_full_disk_takes_what_fits_and_takes_more_once_there_is_room() {
        let storage = MemoryStorage::new(6);
        let file = write(&storage, "a", b"abcd");
        assert_eq!(storage.free_bytes().unwrap(), 2);
        assert_eq!(kind(file.write_at(4, b"efgh")), io::ErrorKind::StorageFull);
        assert_eq!(read(&storage, "a"), b"abcdef");
        assert_eq!(kind(file.set_size(7)), io::ErrorKind::StorageFull);
        assert_eq!(kind(file.write_at(9, b"j")), io::ErrorKind::StorageFull);
        file.write_at(0, b"ABCDEF").unwrap();
        storage.set_capacity(5);
        assert_eq!(storage.free_bytes().unwrap(), 0);
        file.write_at(0, b"abcdef").unwrap();
        storage.remove("a").unwrap();
        assert_eq!(storage.free_bytes().unwrap(), 5);
        write(&storage, "b", b"abcde");
    }

    #[test]
    fn a_power_loss_leaves_at_least_what_was_synced_with_its_name() {
        let storage = MemoryStorage::new(100);
        let file = write(&storage, "a", b"synced");
        file.sync().unwrap();
        storage.sync_directory().unwrap();
        file.write_at(6, b", not").unwrap();
        let unnamed = write(&storage, "b", b"synced without its name");
        unnamed.sync().unwrap();
        storage.rename("a", "c").unwrap();
        let after = storage.crash(&mut { IS_LOST });
        assert_eq!(after.list().unwrap(), ["a"]);
        assert_eq!(read(&after, "a"), b"synced");
        assert_eq!(after.free_bytes().unwrap(), 94);
    }

    #[test]
    fn a_power_loss_may_leave_everything() {
        let storage = MemoryStorage::new(100);
        write(&storage, "a", b"written");
        storage.rename("a", "b").unwrap();
        let after = storage.crash(&mut { SURVIVES });
        assert_eq!(after.list().unwrap(), ["b"]);
        assert_eq!(read(&after, "b"), b"written");
        assert_eq!(read(&after.crash(&mut { IS_LOST }), "b"), b"written");
    }

    #[test]
    fn a_rename_may_survive_without_the_bytes_of_its_file() {
        let storage = MemoryStorage::new(100);
        write(&storage, "a", b"old").sync().unwrap();
        storage.sync_directory().unwrap();
        write(&storage, "new", b"new");
        storage.rename("new", "a").unwrap();
        let mut answers = [0, 0, 0, 3].into_iter();
        let after = storage.crash(&mut |_| answers.next().unwrap());
        assert_eq!(after.list().unwrap(), ["a"]);
        assert_eq!(read(&after, "a"), b"");
    }

    #[test]
    fn a_removed_file_may_come_back_with_its_bytes_until_the_folder_is_synced() {
        let storage = MemoryStorage::new(100);
        write(&storage, "a", b"back").sync().unwrap();
        storage.sync_directory().unwrap();
        storage.remove("a").unwrap();
        assert_eq!(read(&storage.crash(&mut { IS_LOST }), "a"), b"back");
        let storage = storage.crash(&mut { IS_LOST });
        storage.remove("a").unwrap();
        storage.sync_directory().unwrap();
        assert_eq!(storage.crash(&mut { IS_LOST }).list().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_killed_process_leaves_what_it_wrote_and_the_power_may_fail_later() {
        let storage = MemoryStorage::new(100);
        write(&storage, "a", b"synced").sync().unwrap();
        storage.sync_directory().unwrap();
        storage.open("a").unwrap().write_at(0, b"written").unwrap();
        write(&storage, "b", b"unnamed");
        let after = storage.kill();
        assert_eq!(read(&after, "a"), b"written");
        assert_eq!(read(&after, "b"), b"unnamed");
        let later = after.crash(&mut { IS_LOST });
        assert_eq!(later.list().unwrap(), ["a"]);
        assert_eq!(read(&later, "a"), b"synced");
    }

    #[test]
    fn a_dead_process_reads_and_writes_no_more() {
        for end in [MemoryStorage::kill, |disk: &MemoryStorage| disk.crash(&mut { SURVIVES })] {
            let storage = MemoryStorage::new(100);
            let (file, same) = (write(&storage, "a", b"left"), storage.clone());
            let after = end(&storage);
            assert_eq!(kind(file.write_at(0, b"LATE")), io::ErrorKind::Other);
            assert_eq!(kind(file.set_size(0)), io::ErrorKind::Other);
            assert_eq!(kind(file.sync()), io::ErrorKind::Other);
            assert_eq!(kind(file.read_at(0, &mut [0])), io::ErrorKind::Other);
            assert_eq!(kind(same.create("b")), io::ErrorKind::Other);
            assert_eq!(kind(same.remove("a")), io::ErrorKind::Other);
            assert_eq!(kind(same.list()), io::ErrorKind::Other);
            drop(file);
            assert_eq!(read(&after, "a"), b"left");
            assert_eq!(after.list().unwrap(), ["a"]);
        }
    }

    #[test]
    fn files_that_nothing_can_bring_back_take_no_memory() {
        let storage = MemoryStorage::new(100);
        let file = write(&storage, "a", b"gone");
        storage.remove("a").unwrap();
        storage.sync_directory().unwrap();
        assert_eq!(file.size().unwrap(), 4);
        assert_eq!(lock(&storage.disk).files.len(), 1);
        drop(file);
        assert_eq!(lock(&storage.disk).files.len(), 0);
    }
}
