//! From a folder of files to a store that goes on where the last run was: the newest whole
//! checkpoint, then the log behind it, batch by batch. What is torn is cut, what is damaged is kept
//! aside and counted; nothing is deleted in doubt.

mod replay;
mod tail;

use std::sync::{Arc, Mutex};

use super::checkpoint::{self, CheckpointHead};
use super::error::StoreError;
use super::header::{FileHeader, FileKind, HeaderError};
use super::ledger::{Ledger, QueueLedger};
use super::log::Log;
use super::ranges::RangeSet;
use super::reader::Reader;
use super::shelf::{Named, Shelf, checkpoint_name, log_name, parse_name, read_from};
use super::storage::Storage;
use super::writer::{Current, Kept, Moves, Writer, WriterCounts, WriterOptions, files, lock};
use crate::limits::{LOG_FILE_SIZE, RESERVE_SIZE};
use crate::message::{QueueId, RecoveredRun, Sequence, SequenceRange};

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// A log file is sealed at this size.
    pub file_size: u64,
    /// A confirm waits for the disk; else for the operating system only.
    pub is_synced: bool,
    /// Bytes set aside for settlements when the disk is full.
    pub reserve_size: u64,
    /// Start though a definition is damaged.
    pub accepts_damaged_definitions: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            file_size: LOG_FILE_SIZE,
            is_synced: true,
            reserve_size: RESERVE_SIZE,
            accepts_damaged_definitions: false,
        }
    }
}

/// What was not as it had been written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Bytes behind the last whole batch that were never known to be synced: cut.
    pub torn_size: u64,
    /// Places where something known to be synced could not be read, each kept in a file aside:
    /// log file, offset, bytes.
    pub quarantined: Vec<(String, u64, u64)>,
    /// Checkpoints that were not whole.
    pub checkpoints: Vec<String>,
}

impl Damage {
    /// Everything is as it was written.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.quarantined.is_empty() && self.checkpoints.is_empty()
    }
}

/// A queue of which something is in the store.
#[derive(Clone, Debug)]
pub struct RecoveredQueue {
    /// Its number.
    pub queue: QueueId,
    /// The place of its next message.
    pub next_sequence: Sequence,
    /// What it holds, in order.
    pub runs: Vec<RecoveredRun>,
}

/// A definition: its key, and what it says.
pub type Definition = (Box<[u8]>, Box<[u8]>);

/// A store that is open.
#[derive(Debug)]
pub struct Opened {
    /// Turns the log.
    pub writer: Writer,
    /// Takes facts.
    pub log: Arc<Log>,
    /// Reads messages.
    pub reader: Reader,
    /// All definitions, by key.
    pub definitions: Vec<Definition>,
    /// Queues that hold something, or did.
    pub queues: Vec<RecoveredQueue>,
    /// Above every number of a queue that was ever stored.
    pub next_queue: u64,
    /// The last run stopped in order.
    pub was_clean: bool,
    /// The folder was empty.
    pub is_new: bool,
    /// What was not as it had been written.
    pub damage: Damage,
}

/// The files that are there.
#[derive(Debug, Default)]
struct Inventory {
    logs: Vec<u64>,
    checkpoints: Vec<u64>,
    spares: Vec<u64>,
}

/// Opens the store in a folder, or makes one where it is empty.
///
/// # Errors
/// The disk refuses, the format is another version's, or a definition is damaged.
pub fn open(storage: Arc<dyn Storage>, options: StoreOptions) -> Result<Opened, StoreError> {
    let inventory = take_inventory(&*storage)?;
    let is_new = inventory.logs.is_empty() && inventory.checkpoints.is_empty();
    let shelf = Arc::new(Shelf::new(storage));
    let mut damage = Damage::default();
    let loaded = load_checkpoint(&shelf, &inventory, &mut damage)?;
    let mut inventory = inventory;
    give_back_unlisted(&shelf, &loaded, &mut inventory)?;
    let mut state = tail::Recovering::new(shelf.clone(), options, loaded, damage);
    state.replay(&inventory.logs)?;
    let was_clean = state.is_clean();
    let tail::Recovering { head, ledger, damage, next_batch, boot, highest_file, kept, .. } = state;
    let ledger = Arc::new(Mutex::new(ledger));
    let reader = Reader { shelf: shelf.clone(), ledger: ledger.clone() };
    let queues = recovered_queues(&reader, was_clean);
    let (definitions, next_queue) = {
        let ledger = lock(&ledger);
        let all = ledger.definitions.iter();
        (all.map(|(key, value)| (key.clone(), value.clone())).collect(), ledger.next_queue)
    };
    let number = highest_file + 1;
    let header =
        FileHeader { kind: FileKind::Log, number, next_batch, next_file: 0, boot: boot + 1 };
    let mut spares = inventory.spares;
    let file = files::make_log_file(&*shelf.storage, spares.pop(), &header)?;
    shelf.put(number, file.clone());
    let log = Arc::new(Log::new(1));
    let mut writer = Writer {
        shelf,
        log: log.clone(),
        ledger,
        reader: reader.clone(),
        options: WriterOptions {
            file_size: options.file_size,
            is_synced: options.is_synced,
            reserve_size: options.reserve_size,
        },
        boot: boot + 1,
        current: Current { number, file, offset: super::header::FILE_HEADER_SIZE as u64 },
        next_batch,
        synced_batch: next_batch - 1,
        written: 0,
        unsynced_since: None,
        is_wanted: false,
        shared: super::encode::Shared::default(),
        buffer: Vec::new(),
        spares,
        prepared: None,
        has_reserve: false,
        is_reserve_spent: false,
        checkpoints: kept,
        last_checkpoint_size: 0,
        written_since_checkpoint: 0,
        retry_at: None,
        moves: Moves::default(),
        is_broken: false,
        counts: WriterCounts::default(),
    };
    // The log is read again only behind this; and without one it could not be read at all.
    if head.is_none_or(|head| head.next_file < highest_file) || is_new {
        writer.checkpoint(false)?;
    }
    Ok(Opened { writer, log, reader, definitions, queues, next_queue, was_clean, is_new, damage })
}

fn take_inventory(storage: &dyn Storage) -> Result<Inventory, StoreError> {
    let names =
        storage.list().map_err(|error| StoreError::disk("list the data directory", error))?;
    let mut inventory = Inventory::default();
    for name in names {
        match parse_name(&name) {
            Named::Log(number) => inventory.logs.push(number),
            Named::Checkpoint(number) => inventory.checkpoints.push(number),
            Named::Spare(number) => inventory.spares.push(number),
            Named::Other => {}
        }
    }
    inventory.logs.sort_unstable();
    inventory.checkpoints.sort_unstable();
    Ok(inventory)
}

/// The newest checkpoint that is whole, and all that are.
#[derive(Debug, Default)]
struct Loaded {
    head: Option<CheckpointHead>,
    ledger: Ledger,
    kept: Vec<Kept>,
    boot: u64,
}

fn load_checkpoint(
    shelf: &Shelf,
    inventory: &Inventory,
    damage: &mut Damage,
) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    for number in inventory.checkpoints.iter().rev() {
        let name = checkpoint_name(*number);
        let bytes = shelf
            .storage
            .open(&name)
            .and_then(|file| read_from(&*file, 0))
            .map_err(|error| StoreError::disk(format!("read {name}"), error))?;
        if let Err(HeaderError::UnknownVersion(version)) = FileHeader::decode(&bytes) {
            return Err(StoreError::UnknownVersion { file: name, version });
        }
        match checkpoint::decode(&bytes).filter(|(head, _)| head.number == *number) {
            Some((head, ledger)) => {
                loaded.kept.insert(0, Kept { number: *number, next_file: head.next_file });
                loaded.boot = loaded.boot.max(head.boot);
                if loaded.head.is_none() {
                    loaded.head = Some(head);
                    loaded.ledger = ledger;
                }
            }
            // The last one may be half written: nobody relies on it. An older one was synced.
            None if loaded.head.is_none() && Some(number) == inventory.checkpoints.last() => {
                shelf
                    .storage
                    .rename(&name, &format!("quarantine-{name}"))
                    .map_err(|error| StoreError::disk(format!("set {name} aside"), error))?;
                damage.checkpoints.push(name);
            }
            None => damage.checkpoints.push(name),
        }
    }
    let has_first_log = inventory.logs.first() == Some(&1);
    if loaded.head.is_none() && !inventory.logs.is_empty() && !has_first_log {
        let found = inventory.logs.iter().map(|number| log_name(*number)).collect();
        return Err(StoreError::NoCheckpoint { found });
    }
    Ok(loaded)
}

/// Log files before the checkpoint that it does not know were given back, and the power failed
/// before the folder said so.
fn give_back_unlisted(
    shelf: &Shelf,
    loaded: &Loaded,
    inventory: &mut Inventory,
) -> Result<(), StoreError> {
    let Some(head) = &loaded.head else { return Ok(()) };
    for number in &inventory.logs {
        if *number < head.next_file && !loaded.ledger.files.contains_key(number) {
            let name = log_name(*number);
            let removed = shelf.storage.remove(&name);
            removed.map_err(|error| StoreError::disk(format!("remove {name}"), error))?;
        }
    }
    inventory.logs.retain(|at| *at >= head.next_file || loaded.ledger.files.contains_key(at));
    Ok(())
}

impl Reader {
    /// What is alive of a queue now, while the store is open. All of it may have been delivered.
    #[must_use]
    pub fn recover(&self, queue: QueueId) -> RecoveredQueue {
        let (next_sequence, runs) = {
            let ledger = lock(&self.ledger);
            let found = ledger.queues.get(&queue);
            found.map(|found| (found.next_sequence, runs_of(found, false))).unwrap_or_default()
        };
        let runs = runs.into_iter().map(|run| run.recovered(queue, self)).collect();
        RecoveredQueue { queue, next_sequence, runs }
    }
}

fn recovered_queues(reader: &Reader, was_clean: bool) -> Vec<RecoveredQueue> {
    let runs: Vec<(QueueId, Sequence, Vec<Run>)> = {
        let ledger = lock(&reader.ledger);
        let all = ledger.queues_sorted().into_iter();
        all.map(|(queue, found)| (queue, found.next_sequence, runs_of(found, was_clean))).collect()
    };
    runs.into_iter()
        .map(|(queue, next_sequence, runs)| RecoveredQueue {
            queue,
            next_sequence,
            runs: runs.into_iter().map(|run| run.recovered(queue, reader)).collect(),
        })
        .collect()
}

/// A run, and its bytes where they are known without reading.
struct Run {
    range: SequenceRange,
    bytes: Option<u64>,
    is_redelivered: bool,
    failure_count: u32,
}

impl Run {
    fn recovered(self, queue: QueueId, reader: &Reader) -> RecoveredRun {
        let Self { range, bytes, is_redelivered, failure_count } = self;
        let bytes = bytes.unwrap_or_else(|| reader.body_bytes(queue, range));
        RecoveredRun { range, bytes, is_redelivered, failure_count }
    }
}

/// The living places of a queue as runs of one file, one count and one flag each.
fn runs_of(found: &QueueLedger, was_clean: bool) -> Vec<Run> {
    let mut runs = Vec::new();
    for (&first, extent) in &found.extents {
        let whole = SequenceRange { first, last: extent.last };
        let parts = found.alive.within(whole);
        let is_whole = extent.live == extent.total && parts.len() == 1;
        for part in parts {
            let bytes = is_whole.then_some(extent.bytes);
            push_runs(found, part, bytes, was_clean, &mut runs);
        }
    }
    runs
}

fn push_runs(
    found: &QueueLedger,
    part: SequenceRange,
    bytes: Option<u64>,
    was_clean: bool,
    runs: &mut Vec<Run>,
) {
    let counted = found.failures_within(part);
    let flagged: RangeSet = found.delivered.within(part).into_iter().collect();
    if counted.is_empty() && (flagged.is_empty() || !was_clean) {
        let is_redelivered = !was_clean;
        return runs.push(Run { range: part, bytes, is_redelivered, failure_count: 0 });
    }
    let mut edges: Vec<Sequence> = vec![part.first];
    let ranges = counted.iter().map(|(range, _)| *range).chain(flagged.iter());
    ranges.for_each(|range| edges.extend([range.first, range.last + 1]));
    edges.retain(|edge| *edge <= part.last);
    edges.sort_unstable();
    edges.dedup();
    for (at, &first) in edges.iter().enumerate() {
        let last = edges.get(at + 1).map_or(part.last, |next| next - 1);
        let range = SequenceRange { first, last };
        let failure_count =
            counted.iter().find(|(c, _)| c.first <= first && first <= c.last).map_or(0, |c| c.1);
        let is_redelivered = !was_clean || flagged.contains(first) || failure_count > 0;
        runs.push(Run { range, bytes: None, is_redelivered, failure_count });
    }
}
