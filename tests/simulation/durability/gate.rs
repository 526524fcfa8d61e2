//! A gate between the store and its disk: the power fails at the nth call that changes something,
//! files are counted, and bugs are planted in what passes. What a planted batch looks like,
//! `tamper` knows.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use leveret::store::{MemoryStorage, Storage, StorageFile};

use super::plants::Plant;
use super::tamper;

/// What passed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passed {
    /// Log files that were made.
    pub(super) made: u64,
    /// Log files that were made of old ones.
    pub(super) recycled: u64,
    /// Log files that were given back.
    pub(super) given_back: u64,
    /// Messages that were tampered with.
    pub(super) tampered: u64,
}

/// A disk behind a gate.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    disk: MemoryStorage,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Calls before the power fails.
    fuse: Option<u64>,
    is_blown: bool,
    passed: Passed,
    plant: Option<Plant>,
    queues: Vec<u64>,
    /// The log file that was read last.
    read: Option<String>,
    /// Files that were renamed behind the store's back.
    renamed: BTreeMap<String, String>,
}

impl Gate {
    pub(super) fn new(disk: MemoryStorage, plant: Option<Plant>) -> Self {
        Self { disk, state: Arc::new(Mutex::new(State { plant, ..State::default() })) }
    }

    /// The power fails at this call from now on, counted from 0; none is never.
    pub(super) fn set_fuse(&self, calls: Option<u64>) {
        self.lock().fuse = calls;
    }

    pub(super) fn is_blown(&self) -> bool {
        self.lock().is_blown
    }

    pub(super) fn passed(&self) -> Passed {
        self.lock().passed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A call that changes something.
    fn pass(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        if state.fuse == Some(0) && !state.is_blown {
            state.is_blown = true;
            // The disk is dead from now on; what is left of it is asked for later.
            let _ = self.disk.crash(&mut |_| 0);
        }
        state.fuse = state.fuse.map(|calls| calls.saturating_sub(1));
        state
    }

    fn wrap(&self, name: &str, file: Arc<dyn StorageFile>) -> Arc<dyn StorageFile> {
        Arc::new(GateFile { gate: self.clone(), name: name.to_owned(), file })
    }

    /// Gives the file that was read last away, as if its copies were safe.
    fn recycle_too_early(&self, state: &mut State, current: &str) -> io::Result<()> {
        let Some(victim) = state.read.take().filter(|name| name != current) else { return Ok(()) };
        if state.renamed.contains_key(&victim) {
            return Ok(());
        }
        let spare = victim.replace("log-", "spare-");
        self.disk.rename(&victim, &spare)?;
        self.disk.sync_directory()?;
        state.renamed.insert(victim, spare);
        state.passed.tampered += 1;
        Ok(())
    }
}

impl Storage for Gate {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let real = self.lock().renamed.get(name).cloned();
        let file = self.disk.open(real.as_deref().unwrap_or(name))?;
        Ok(self.wrap(name, file))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.pass().passed.made += u64::from(name.starts_with("log-"));
        Ok(self.wrap(name, self.disk.create(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.pass();
        state.passed.given_back += u64::from(to.starts_with("spare-"));
        if from.starts_with("spare-") {
            state.passed.made += 1;
            state.passed.recycled += 1;
        }
        if state.renamed.remove(from).is_some() {
            return Ok(());
        }
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.pass();
        state.passed.given_back += u64::from(name.starts_with("log-"));
        let real = state.renamed.remove(name);
        self.disk.remove(real.as_deref().unwrap_or(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        drop(self.pass());
        self.disk.sync_directory()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
}

#[derive(Debug)]
struct GateFile {
    gate: Gate,
    name: String,
    file: Arc<dyn StorageFile>,
}

impl StorageFile for GateFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if self.name.starts_with("log-") {
            self.gate.lock().read = Some(self.name.clone());
        }
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.gate.pass();
        let (Some(plant), Some(number)) = (state.plant, tamper::log_number(&self.name)) else {
            return self.file.write_at(offset, bytes);
        };
        let mut bytes = bytes.to_vec();
        match plant {
            Plant::WrongQueue => {
                let swapped = tamper::swap_queues(&mut bytes, number, offset, &mut state.queues);
                state.passed.tampered += swapped;
            }
            Plant::RecycledTooEarly if tamper::has_moved(&bytes) => {
                self.file.write_at(offset, &bytes)?;
                return self.gate.recycle_too_early(&mut state, &self.name);
            }
            _ => {}
        }
        self.file.write_at(offset, &bytes)
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        drop(self.gate.pass());
        self.file.set_size(size)
    }

    fn sync(&self) -> io::Result<()> {
        drop(self.gate.pass());
        self.file.sync()
    }
}
