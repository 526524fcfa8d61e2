//! From a folder of files to a store that goes on where the last run was: the newest whole
//! checkpoint, then the log behind it, batch by batch. What is torn is cut, what is damaged is kept
//! aside and counted; nothing is deleted in doubt.

mod checkpoints;
mod repairs;
mod replay;
mod tail;

use std::sync::{Arc, Mutex};

use super::error::StoreError;
use super::figures::Figures;
use super::header::{FileHeader, FileKind};
use super::ledger::QueueLedger;
use super::log::Log;
use super::ranges::RangeSet;
use super::reader::Reader;
use super::shelf::{Named, RESERVE, Shelf, log_name, parse_name};
use super::storage::Storage;
use super::writer::{Current, Moves, Writer, WriterCounts, WriterOptions, files, lock};
use crate::limits::{LOG_FILE_SIZE, LOG_READY_SIZE, RESERVE_SIZE, TAIL_FILES_MAX};
use crate::message::{DeliveryCounts, QueueId, RecoveredRun, Sequence, SequenceRange};

use checkpoints::{Loaded, load};
use tail::Recovering;

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// A log file is sealed at this size.
    pub file_size: u64,
    /// It is filled with zeros by so much at a time before it is written; 0 for never.
    pub ready_size: u64,
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
            ready_size: LOG_READY_SIZE,
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
    has_reserve: bool,
    /// Nobody had a store here.
    is_new: bool,
}

/// Opens the store in a folder, or makes one where it is empty.
///
/// # Errors
/// The disk refuses, the format is another version's, or a definition is damaged.
pub fn open(storage: Arc<dyn Storage>, options: StoreOptions) -> Result<Opened, StoreError> {
    let (shelf, state, Inventory { mut spares, is_new, .. }) =
        recover(storage, options.accepts_damaged_definitions)?;
    let was_clean = state.is_clean();
    let Recovering { head, ledger, damage, next_batch, boot, highest_file, kept, .. } = state;
    let Recovering { checkpoint_size, tail_count, tail_size, .. } = state;
    let ledger = Arc::new(Mutex::new(ledger));
    let figures = Arc::new(Figures::of_start(&damage));
    let reader = Reader { shelf: shelf.clone(), ledger: ledger.clone(), figures: figures.clone() };
    let queues = recovered_queues(&reader, was_clean);
    let (definitions, next_queue) = {
        let ledger = lock(&ledger);
        let all = ledger.definitions.iter();
        (all.map(|(key, value)| (key.clone(), value.clone())).collect(), ledger.next_queue)
    };
    let number = highest_file + 1;
    let header =
        FileHeader { kind: FileKind::Log, number, next_batch, next_file: 0, boot: boot + 1 };
    let file = files::make_log_file(&*shelf.storage, &mut spares, &header)?;
    shelf.put(number, file.clone());
    let log = Arc::new(Log::new(1));
    let mut writer = Writer {
        shelf,
        log: log.clone(),
        ledger,
        reader: reader.clone(),
        options: WriterOptions {
            file_size: options.file_size,
            ready_size: options.ready_size,
            is_synced: options.is_synced,
            reserve_size: options.reserve_size,
        },
        boot: boot + 1,
        current: Current::new(number, file),
        next_batch,
        synced_batch: next_batch - 1,
        written: 0,
        batch_size: 0,
        unsynced_since: None,
        is_wanted: false,
        shared: super::encode::Shared::default(),
        buffer: Vec::new(),
        tended_batches: 0,
        spares,
        prepared: None,
        has_reserve: false,
        is_reserve_spent: false,
        checkpoints: kept,
        last_checkpoint_size: checkpoint_size,
        written_since_checkpoint: tail_size,
        retry_at: None,
        moves: Moves::default(),
        is_broken: false,
        counts: WriterCounts::default(),
        figures,
    };
    // Without a checkpoint the log could not be read at all; with one, only what is behind it is
    // read again. It takes its time, so it waits for the end of the file. What was damaged is told
    // once.
    let is_long = tail_count > TAIL_FILES_MAX;
    if is_long || head.is_none() || !damage.quarantined.is_empty() {
        match writer.checkpoint(false) {
            // The next start reads more.
            Err(error) if error.is_full() && head.is_some() => {}
            written => written?,
        }
    }
    writer.publish();
    // A disk that does not say is asked again while the log is turned.
    let _ = writer.free_bytes();
    Ok(Opened { writer, log, reader, definitions, queues, next_queue, was_clean, is_new, damage })
}

/// Reads what is there, and makes it whole on disk. Where the start is refused, nothing is changed.
fn recover(
    storage: Arc<dyn Storage>,
    accepts_damaged_definitions: bool,
) -> Result<(Arc<Shelf>, Recovering, Inventory), StoreError> {
    let mut inventory = take_inventory(&*storage)?;
    let shelf = Arc::new(Shelf::new(storage));
    let loaded = load(&*shelf.storage, &inventory)?;
    let unlisted = take_unlisted(&loaded, &mut inventory);
    let mut state = Recovering::new(shelf.clone(), loaded, accepts_damaged_definitions);
    state.replay(&inventory.logs)?;
    if inventory.has_reserve {
        // On a full disk a start needs some of it; it is set aside anew when there is room.
        let removed = shelf.storage.remove(RESERVE);
        removed.map_err(|error| StoreError::disk("give up the reserve", error))?;
    }
    state.repairs.carry_out(&shelf)?;
    checkpoints::settle(&*shelf.storage, state.head.as_ref(), &state.damage.checkpoints)?;
    remove_unlisted(&*shelf.storage, &unlisted)?;
    Ok((shelf, state, inventory))
}

fn take_inventory(storage: &dyn Storage) -> Result<Inventory, StoreError> {
    let names =
        storage.list().map_err(|error| StoreError::disk("list the data directory", error))?;
    let mut inventory = Inventory::default();
    for name in names {
        inventory.has_reserve |= name == RESERVE;
        match parse_name(&name) {
            Named::Log(number) => inventory.logs.push(number),
            Named::Checkpoint(number) => inventory.checkpoints.push(number),
            Named::Spare(number) => inventory.spares.push(number),
            Named::Other => {}
        }
    }
    inventory.logs.sort_unstable();
    inventory.checkpoints.sort_unstable();
    inventory.is_new = inventory.logs.is_empty() && inventory.checkpoints.is_empty();
    Ok(inventory)
}

/// Log files before the checkpoint that it does not know were given back, and the power failed
/// before the folder said so: they do not count.
fn take_unlisted(loaded: &Loaded, inventory: &mut Inventory) -> Vec<u64> {
    let Some(head) = &loaded.head else { return Vec::new() };
    let is_listed =
        |number: &u64| *number >= head.next_file || loaded.ledger.files.contains_key(number);
    inventory.logs.extract_if(.., |number| !is_listed(number)).collect()
}

fn remove_unlisted(storage: &dyn Storage, unlisted: &[u64]) -> Result<(), StoreError> {
    unlisted.iter().try_for_each(|number| {
        let name = log_name(*number);
        let removed = storage.remove(&name);
        removed.map_err(|error| StoreError::disk(format!("remove {name}"), error))
    })
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
    counts: DeliveryCounts,
    expires: bool,
    level: Option<u8>,
}

impl Run {
    fn recovered(self, queue: QueueId, reader: &Reader) -> RecoveredRun {
        let Self { range, bytes, is_redelivered, counts, expires, level } = self;
        let bytes = bytes.unwrap_or_else(|| reader.body_bytes(queue, range));
        RecoveredRun { range, bytes, is_redelivered, counts, expires, level }
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
    let counted = found.returned.within(part);
    let flagged: RangeSet = found.delivered.within(part).into_iter().collect();
    let expiring: RangeSet = found.expiring.within(part).collect();
    let levels: Vec<(u8, RangeSet)> =
        found.levels.iter().map(|(level, all)| (*level, all.within(part).collect())).collect();
    let is_plain = expiring.is_empty() && levels.iter().all(|(_, places)| places.is_empty());
    if is_plain && counted.is_empty() && (flagged.is_empty() || !was_clean) {
        let (is_redelivered, counts) = (!was_clean, DeliveryCounts::NONE);
        let (range, expires, level) = (part, false, None);
        return runs.push(Run { range, bytes, is_redelivered, counts, expires, level });
    }
    let mut edges: Vec<Sequence> = vec![part.first];
    let ranges = counted.iter().map(|(range, _)| *range).chain(flagged.iter());
    let ranges = ranges.chain(expiring.iter());
    let ranges = ranges.chain(levels.iter().flat_map(|(_, places)| places.iter()));
    ranges.for_each(|range| edges.extend([range.first, range.last + 1]));
    edges.retain(|edge| *edge <= part.last);
    edges.sort_unstable();
    edges.dedup();
    let bytes = bytes.filter(|_| edges.len() == 1);
    for (at, &first) in edges.iter().enumerate() {
        let last = edges.get(at + 1).map_or(part.last, |next| next - 1);
        let range = SequenceRange { first, last };
        let known = counted.iter().find(|(range, _)| range.contains(first));
        let counts = known.map_or(DeliveryCounts::NONE, |known| known.1);
        let is_redelivered = !was_clean || flagged.contains(first) || !counts.is_none();
        let expires = expiring.contains(first);
        let level = levels.iter().find(|(_, places)| places.contains(first)).map(|known| known.0);
        runs.push(Run { range, bytes, is_redelivered, counts, expires, level });
    }
}
