//! A storage that breaks as it is told: failing calls, calls that do not come back, torn writes,
//! flipped bits, syncs that do nothing. It wraps any [`Storage`] and has no randomness of its own;
//! what a crash leaves is [`MemoryStorage`](super::MemoryStorage)'s.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    ops::Range,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use rustix::io::Errno;

use super::storage::{Storage, StorageFile};

/// The calls of a storage that are counted and can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// [`Storage::list`]
    List,
    /// [`Storage::open`]
    Open,
    /// [`Storage::create`]
    Create,
    /// [`Storage::rename`]
    Rename,
    /// [`Storage::remove`]
    Remove,
    /// [`Storage::sync_directory`]
    SyncDirectory,
    /// [`StorageFile::read_at`]
    Read,
    /// [`StorageFile::write_at`]
    Write,
    /// [`StorageFile::set_size`]
    SetSize,
    /// [`StorageFile::sync`]
    Sync,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// EIO: the disk is broken.
    InputOutput,
    /// ENOSPC: the disk is full.
    NoSpace,
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::InputOutput => Errno::IO.into(),
            Failure::NoSpace => Errno::NOSPC.into(),
        }
    }
}

/// What is to go wrong, and how often each call was made. Clones are the same switches; they may
/// serve several storages in turn, as after a restart.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Calls that were held may go on.
    released: Condvar,
}

#[derive(Debug, Default)]
struct State {
    counts: BTreeMap<Operation, u64>,
    plans: Vec<Plan>,
    damages: Vec<Damage>,
    /// Files by name, so that damage stays with a file when it is renamed.
    numbers: BTreeMap<String, u64>,
    named_count: u64,
    skips_sync: bool,
    skips_sync_directory: bool,
    /// Calls of these kinds do not come back.
    stalled: BTreeSet<Operation>,
    /// So many calls wait to come back.
    waiting_count: usize,
}

/// A call that will fail.
#[derive(Debug)]
struct Plan {
    operation: Operation,
    /// Calls up to it, itself included.
    remaining: u64,
    is_lasting: bool,
    outcome: Outcome,
}

/// A failure, and how much of a write is done before it.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    failure: Failure,
    written_size: usize,
}

#[derive(Debug)]
struct Damage {
    file: u64,
    range: Range<u64>,
    mask: u8,
}

impl Faults {
    /// Nothing goes wrong yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The nth call from now on fails, once and without effect; 1 is the next.
    pub fn fail_nth(&self, operation: Operation, nth: u64, failure: Failure) {
        self.plan(operation, nth, false, Outcome { failure, written_size: 0 });
    }

    /// The nth call from now on fails without effect, and so does every one after it.
    pub fn fail_from_nth(&self, operation: Operation, nth: u64, failure: Failure) {
        self.plan(operation, nth, true, Outcome { failure, written_size: 0 });
    }

    /// The nth write from now on stops after so many bytes and fails, once.
    pub fn tear_nth_write(&self, nth: u64, written_size: usize, failure: Failure) {
        self.plan(Operation::Write, nth, false, Outcome { failure, written_size });
    }

    /// Reads of the file that has this name find the bits of the mask flipped in each byte of the
    /// range, whatever is written there.
    pub fn flip_bits(&self, name: &str, range: Range<u64>, mask: u8) {
        let mut state = self.lock();
        let file = state.number(name);
        state.damages.push(Damage { file, range, mask });
    }

    /// Whether syncs of files say that they worked and do nothing. After a failed sync this is what
    /// an operating system may do that forgot what it could not write.
    pub fn skip_sync(&self, skips: bool) {
        self.lock().skips_sync = skips;
    }

    /// Whether syncs of the folder say that they worked and do nothing.
    pub fn skip_sync_directory(&self, skips: bool) {
        self.lock().skips_sync_directory = skips;
    }

    /// Calls of this kind do not come back, and do nothing, before the disk is healed.
    pub fn stall(&self, operation: Operation) {
        self.lock().stalled.insert(operation);
    }

    /// So many calls have not come back.
    #[must_use]
    pub fn waiting_count(&self) -> usize {
        self.lock().waiting_count
    }

    /// Nothing goes wrong any more. The counts stay.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.stalled.clear();
        self.shared.released.notify_all();
        state.plans.clear();
        state.damages.clear();
        (state.skips_sync, state.skips_sync_directory) = (false, false);
    }

    /// How often this was called, failures included.
    #[must_use]
    pub fn count(&self, operation: Operation) -> u64 {
        self.lock().counts.get(&operation).copied().unwrap_or(0)
    }

    fn plan(&self, operation: Operation, nth: u64, is_lasting: bool, outcome: Outcome) {
        self.lock().plans.push(Plan { operation, remaining: nth.max(1), is_lasting, outcome });
    }

    /// Counts a call that does all or nothing.
    fn call(&self, operation: Operation) -> io::Result<()> {
        self.begin(operation).map_or(Ok(()), |outcome| Err(outcome.failure.into()))
    }

    /// Counts a call and waits where it is to; gives what is to happen instead of it.
    fn begin(&self, operation: Operation) -> Option<Outcome> {
        let mut state = self.lock();
        let outcome = state.call(operation);
        state.waiting_count += 1;
        let is_stalled = |state: &mut State| state.stalled.contains(&operation);
        let waited = self.shared.released.wait_while(state, is_stalled);
        waited.unwrap_or_else(PoisonError::into_inner).waiting_count -= 1;
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a call; gives what is to happen instead of it. Of several plans that are due, the
    /// oldest counts.
    fn call(&mut self, operation: Operation) -> Option<Outcome> {
        *self.counts.entry(operation).or_default() += 1;
        let mut due = None;
        self.plans.retain_mut(|plan| {
            if plan.operation != operation {
                return true;
            }
            plan.remaining = plan.remaining.saturating_sub(1);
            if plan.remaining == 0 {
                due = due.or(Some(plan.outcome));
            }
            plan.remaining > 0 || plan.is_lasting
        });
        due
    }

    fn number(&mut self, name: &str) -> u64 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.named_count += 1;
        self.numbers.insert(name.to_owned(), self.named_count);
        self.named_count
    }

    fn rename(&mut self, from: &str, to: &str) {
        let number = self.number(from);
        self.numbers.remove(from);
        self.numbers.insert(to.to_owned(), number);
    }

    /// Damages what was read of a file from this offset on.
    fn damage(&self, file: u64, offset: u64, bytes: &mut [u8]) {
        for damage in self.damages.iter().filter(|damage| damage.file == file) {
            for (byte, place) in bytes.iter_mut().zip(offset..) {
                if damage.range.contains(&place) {
                    *byte ^= damage.mask;
                }
            }
        }
    }
}

/// A storage whose calls go wrong as [`Faults`] says, and otherwise reach the one it wraps.
#[derive(Debug)]
pub struct FaultyStorage {
    storage: Arc<dyn Storage>,
    faults: Faults,
}

impl FaultyStorage {
    /// Wraps a storage.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>, faults: Faults) -> Self {
        Self { storage, faults }
    }

    fn wrap(&self, name: &str, file: Arc<dyn StorageFile>) -> Arc<dyn StorageFile> {
        let number = self.faults.lock().number(name);
        Arc::new(FaultyFile { file, number, faults: self.faults.clone() })
    }
}

impl Storage for FaultyStorage {
    fn list(&self) -> io::Result<Vec<String>> {
        self.faults.call(Operation::List)?;
        self.storage.list()
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.faults.call(Operation::Open)?;
        Ok(self.wrap(name, self.storage.open(name)?))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.faults.call(Operation::Create)?;
        Ok(self.wrap(name, self.storage.create(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.faults.call(Operation::Rename)?;
        self.storage.rename(from, to)?;
        self.faults.lock().rename(from, to);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.faults.call(Operation::Remove)?;
        self.storage.remove(name)?;
        self.faults.lock().numbers.remove(name);
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.faults.call(Operation::SyncDirectory)?;
        let is_skipped = self.faults.lock().skips_sync_directory;
        if is_skipped { Ok(()) } else { self.storage.sync_directory() }
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.storage.free_bytes()
    }
}

#[derive(Debug)]
struct FaultyFile {
    file: Arc<dyn StorageFile>,
    number: u64,
    faults: Faults,
}

impl StorageFile for FaultyFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.faults.call(Operation::Read)?;
        let count = self.file.read_at(offset, buffer)?;
        let found = buffer.get_mut(..count).unwrap_or_default();
        self.faults.lock().damage(self.number, offset, found);
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let outcome = self.faults.begin(Operation::Write);
        let Some(outcome) = outcome else { return self.file.write_at(offset, bytes) };
        let written = bytes.get(..outcome.written_size).unwrap_or(bytes);
        self.file.write_at(offset, written)?;
        Err(outcome.failure.into())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.faults.call(Operation::SetSize)?;
        self.file.set_size(size)
    }

    fn sync(&self) -> io::Result<()> {
        self.faults.call(Operation::Sync)?;
        let is_skipped = self.faults.lock().skips_sync;
        if is_skipped { Ok(()) } else { self.file.sync() }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::MemoryStorage, *};

    const EIO: Option<i32> = Some(5);

    fn faulty() -> (MemoryStorage, FaultyStorage, Faults) {
        let (disk, faults) = (MemoryStorage::new(1000), Faults::new());
        let storage = FaultyStorage::new(Arc::new(disk.clone()), faults.clone());
        (disk, storage, faults)
    }

    fn read(file: &dyn StorageFile, offset: u64) -> Vec<u8> {
        let mut buffer = [0; 9];
        let count = file.read_at(offset, &mut buffer).unwrap();
        buffer[..count].to_vec()
    }

    fn code<T>(result: io::Result<T>) -> Option<i32> {
        result.err().and_then(|error| error.raw_os_error())
    }

    #[test]
    fn without_faults_it_is_the_storage_it_wraps() {
        let (disk, storage, _) = faulty();
        let file = storage.create("a").unwrap();
        file.write_at(0, b"hare").unwrap();
        file.set_size(3).unwrap();
        storage.rename("a", "b").unwrap();
        assert_eq!(read(&*disk.open("b").unwrap(), 0), b"har");
        assert_eq!((storage.list().unwrap(), file.size().unwrap()), (vec!["b".to_owned()], 3));
        assert_eq!(storage.free_bytes().unwrap(), 997);
        storage.remove("b").unwrap();
        assert_eq!(disk.list().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn the_nth_call_fails_once_and_without_effect() {
        let (_, storage, faults) = faulty();
        let file = storage.create("a").unwrap();
        file.write_at(0, b"first").unwrap();
        faults.fail_nth(Operation::Write, 2, Failure::InputOutput);
        file.write_at(0, b"FIRST").unwrap();
        assert_eq!(code(file.write_at(0, b"never")), EIO);
        assert_eq!(read(&*file, 0), b"FIRST");
        file.write_at(0, b"again").unwrap();
        assert_eq!(read(&*file, 0), b"again");
    }

    #[test]
    fn calls_fail_from_the_nth_on_until_healed() {
        let (_, storage, faults) = faulty();
        let file = storage.create("a").unwrap();
        faults.fail_from_nth(Operation::Write, 2, Failure::NoSpace);
        file.write_at(0, b"x").unwrap();
        for _ in 0..3 {
            assert_eq!(file.write_at(1, b"y").unwrap_err().kind(), io::ErrorKind::StorageFull);
        }
        faults.heal();
        file.write_at(1, b"z").unwrap();
        assert_eq!(read(&*file, 0), b"xz");
    }

    #[test]
    fn each_kind_of_call_fails_alone() {
        let (_, storage, faults) = faulty();
        let file = storage.create("a").unwrap();
        let fails = |operation, call: &dyn Fn() -> io::Result<()>| {
            faults.fail_nth(operation, 1, Failure::InputOutput);
            assert_eq!(code(call()), EIO, "{operation:?}");
            assert_eq!(storage.list().unwrap(), ["a"], "{operation:?}");
        };
        fails(Operation::Open, &|| storage.open("a").map(drop));
        fails(Operation::Create, &|| storage.create("b").map(drop));
        fails(Operation::Rename, &|| storage.rename("a", "b"));
        fails(Operation::Remove, &|| storage.remove("a"));
        fails(Operation::SyncDirectory, &|| storage.sync_directory());
        fails(Operation::Read, &|| file.read_at(0, &mut [0]).map(drop));
        fails(Operation::Write, &|| file.write_at(0, b"x"));
        fails(Operation::SetSize, &|| file.set_size(1));
        fails(Operation::Sync, &|| file.sync());
        faults.fail_nth(Operation::List, 1, Failure::InputOutput);
        assert_eq!(code(storage.list()), EIO);
        assert_eq!(file.size().unwrap(), 0);
    }

    #[test]
    fn a_failed_sync_makes_nothing_durable() {
        let (disk, storage, faults) = faulty();
        let file = storage.create("a").unwrap();
        storage.sync_directory().unwrap();
        file.write_at(0, b"x").unwrap();
        faults.fail_nth(Operation::Sync, 1, Failure::InputOutput);
        assert_eq!(code(file.sync()), EIO);
        assert_eq!(read(&*disk.crash(&mut |n| n - 1).open("a").unwrap(), 0), b"");
    }

    #[test]
    fn a_torn_write_leaves_its_first_bytes() {
        let (_, storage, faults) = faulty();
        let file = storage.create("a").unwrap();
        file.write_at(0, b"abcd").unwrap();
        faults.tear_nth_write(1, 2, Failure::InputOutput);
        assert_eq!(code(file.write_at(0, b"WXYZ")), EIO);
        assert_eq!(read(&*file, 0), b"WXcd");
        faults.tear_nth_write(1, 9, Failure::NoSpace);
        assert_eq!(file.write_at(0, b"WXYZ").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(read(&*file, 0), b"WXYZ");
    }

    #[test]
    fn bits_are_flipped_in_the_range_of_one_file_and_go_with_it() {
        let (disk, storage, faults) = faulty();
        let file = storage.create("a").unwrap();
        file.write_at(0, &[0; 6]).unwrap();
        storage.create("b").unwrap().write_at(0, &[0; 6]).unwrap();
        faults.flip_bits("a", 2..4, 0x10);
        assert_eq!(read(&*file, 0), [0, 0, 0x10, 0x10, 0, 0]);
        assert_eq!(read(&*file, 3), [0x10, 0, 0]);
        assert_eq!(read(&*storage.open("b").unwrap(), 0), [0; 6]);
        storage.rename("a", "c").unwrap();
        for file in [file, storage.open("c").unwrap()] {
            assert_eq!(read(&*file, 2), [0x10, 0x10, 0, 0]);
        }
        assert_eq!(read(&*storage.create("a").unwrap(), 0), b"");
        assert_eq!(read(&*disk.open("c").unwrap(), 0), [0; 6]);
        faults.heal();
        assert_eq!(read(&*storage.open("c").unwrap(), 0), [0; 6]);
    }

    #[test]
    fn a_skipped_sync_says_that_it_worked_and_makes_nothing_durable() {
        let (disk, storage, faults) = faulty();
        let file = storage.create("a").unwrap();
        storage.sync_directory().unwrap();
        faults.skip_sync(true);
        file.write_at(0, b"x").unwrap();
        file.sync().unwrap();
        faults.skip_sync_directory(true);
        storage.create("b").unwrap();
        storage.sync_directory().unwrap();
        let after = disk.crash(&mut |n| n - 1);
        assert_eq!(after.list().unwrap(), ["a"]);
        assert_eq!(read(&*after.open("a").unwrap(), 0), b"");
    }

    #[test]
    fn calls_are_counted_by_kind_with_those_that_fail() {
        let (_, storage, faults) = faulty();
        let file = storage.create("a").unwrap();
        faults.fail_nth(Operation::Sync, 1, Failure::InputOutput);
        faults.skip_sync(true);
        for _ in 0..3 {
            let _ = file.sync();
        }
        assert_eq!(faults.count(Operation::Sync), 3);
        assert_eq!(faults.count(Operation::Create), 1);
        assert_eq!(faults.count(Operation::Write), 0);
    }
}
