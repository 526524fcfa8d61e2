//! The log behind the checkpoint: which batches are whole, which are torn, which are damaged. A
//! batch known to be synced that cannot be read is damage; behind the last one known, it is torn.

use std::sync::Arc;

use super::super::checkpoint::CheckpointHead;
use super::super::encode::encode_index;
use super::super::error::StoreError;
use super::super::header::{
    BATCH_ALIGNMENT, BATCH_HEADER_SIZE, BatchFlags, BatchHeader, FILE_HEADER_SIZE, FileHeader,
    FileKind, HeaderError,
};
use super::super::ledger::Ledger;
use super::super::record::Kind;
use super::super::scan::{self, Bad, Gap, Scan, Span};
use super::super::shelf::{Shelf, log_name, read_into};
use super::super::writer::Kept;
use super::repairs::{FileRepair, Repairs};
use super::{Damage, Loaded, replay};

/// A recovery on its way.
#[derive(Debug)]
pub(super) struct Recovering {
    shelf: Arc<Shelf>,
    accepts_damaged_definitions: bool,
    pub(super) head: Option<CheckpointHead>,
    pub(super) ledger: Ledger,
    pub(super) kept: Vec<Kept>,
    pub(super) damage: Damage,
    pub(super) repairs: Repairs,
    /// The number of the next batch.
    pub(super) next_batch: u64,
    /// The last boot that wrote anything.
    pub(super) boot: u64,
    pub(super) highest_file: u64,
    /// Batches up to this one are known to be synced.
    known_synced: u64,
    /// Bytes of the checkpoint.
    pub(super) checkpoint_size: u64,
    /// Files and bytes of the log behind it.
    pub(super) tail_count: usize,
    pub(super) tail_size: u64,
    /// Nothing more is read: behind this everything is torn.
    is_cut: bool,
    /// What is missing before the next batch was found damaged at the end of the file before.
    is_gap_known: bool,
    tally: Tally,
}

/// Definitions of one file: what was read, against what batches say there is.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    count: u32,
    /// Where something could not be read since the last batch that said that none is missing.
    doubt: Option<u64>,
}

impl Recovering {
    pub(super) fn new(
        shelf: Arc<Shelf>,
        loaded: Loaded,
        accepts_damaged_definitions: bool,
    ) -> Self {
        let Loaded { head, ledger, size, kept, boot, damaged } = loaded;
        let next_batch = head.map_or(1, |head| head.next_batch);
        Self {
            shelf,
            accepts_damaged_definitions,
            head,
            ledger,
            kept,
            damage: Damage { checkpoints: damaged, ..Damage::default() },
            repairs: Repairs::default(),
            next_batch,
            boot,
            highest_file: 0,
            known_synced: next_batch - 1,
            checkpoint_size: size,
            tail_count: 0,
            tail_size: 0,
            is_cut: false,
            is_gap_known: false,
            tally: Tally::default(),
        }
    }

    /// The last run ended in order, and nobody has started since.
    pub(super) fn is_clean(&self) -> bool {
        self.tail_count == 0 && self.head.is_none_or(|head| head.is_clean_stop)
    }

    /// Reads the log behind the checkpoint.
    pub(super) fn replay(&mut self, logs: &[u64]) -> Result<(), StoreError> {
        let first = self.head.map_or(0, |head| head.next_file);
        let files: Vec<u64> = logs.iter().copied().filter(|number| *number >= first).collect();
        self.highest_file = logs.last().copied().unwrap_or(0).max(first.saturating_sub(1));
        self.tail_count = files.len();
        let mut bytes = Vec::new();
        for number in &files {
            self.read(*number, &mut bytes)?;
            self.look_for_synced(*number, &bytes)?;
        }
        for number in &files {
            self.read(*number, &mut bytes)?;
            self.replay_file(*number, &bytes)?;
        }
        self.ledger.drop_transient();
        self.look_for_missing(logs);
        Ok(())
    }

    /// Files that were given back since the checkpoint are gone; others must be there.
    fn look_for_missing(&mut self, logs: &[u64]) {
        let missing = |number: &u64| logs.binary_search(number).is_err();
        let gone: Vec<u64> = self.ledger.files.keys().copied().filter(missing).collect();
        for number in gone {
            let live = self.ledger.files.remove(&number).map_or(0, |file| file.live);
            if live > 0 {
                self.damage.quarantined.push((log_name(number), 0, 0));
            }
        }
    }

    /// What any batch says of those before it.
    fn look_for_synced(&mut self, number: u64, bytes: &[u8]) -> Result<(), StoreError> {
        match FileHeader::decode(bytes) {
            Ok(header) => self.boot = self.boot.max(header.boot),
            Err(HeaderError::UnknownVersion(version)) => {
                return Err(StoreError::UnknownVersion { file: log_name(number), version });
            }
            Err(HeaderError::Damaged) => {}
        }
        for span in scan::scan(number, bytes).batches {
            self.known_synced = self.known_synced.max(span.header.synced);
            self.boot = self.boot.max(span.header.boot);
        }
        Ok(())
    }

    fn replay_file(&mut self, number: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.tail_size += bytes.len() as u64;
        let scan = scan::scan(number, bytes);
        self.tally = Tally::default();
        self.look_at_head(number, &scan, bytes);
        let mut end = FILE_HEADER_SIZE as u64;
        let mut is_sealed = false;
        for span in &scan.batches {
            if self.is_cut || !self.reaches(number, span, &scan, bytes)? {
                self.is_cut = true;
                break;
            }
            // What was saved before it stays, also where it is torn itself.
            end = span.offset;
            if span.header.number > self.known_synced && !is_whole(number, span, bytes) {
                self.is_cut = true;
                break;
            }
            is_sealed = self.apply_batch(number, span, bytes)?;
            if span.header.flags.is_seal && !is_sealed {
                // The index is damaged. It is made anew in its place.
                self.next_batch = span.header.number;
            } else {
                end = span.header.end(span.offset);
            }
        }
        if !self.is_cut
            && !is_sealed
            && let Some((behind, has_index)) = self.look_behind(number, end, &scan, bytes)?
        {
            (end, is_sealed) = (behind, has_index);
        }
        if let Some(offset) = self.tally.doubt {
            // No batch behind it says that no definition is missing.
            self.refuse_damage(number, offset)?;
        }
        let size = bytes.len() as u64;
        if self.is_cut {
            // Zeros are room that was not used yet.
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
            self.damage.torn_size += used.saturating_sub(end);
        }
        let head = self.head_for(number, end, bytes);
        let seal = (!is_sealed).then(|| self.seal(number, end));
        self.repairs.push(FileRepair { number, size, end, head, seal });
        Ok(())
    }

    /// The head of a file that has batches was written whole: if it is not, it is damaged.
    fn look_at_head(&mut self, number: u64, scan: &Scan, bytes: &[u8]) {
        if scan.batches.is_empty() || FileHeader::decode(bytes).is_ok_and(|h| h.number == number) {
            return;
        }
        self.quarantine(number, 0, FILE_HEADER_SIZE as u64, bytes);
    }

    /// Behind the last whole batch of a file there may have been more that is known to be synced:
    /// then its head is damaged. Gives where that ends, and whether it has the index.
    fn look_behind(
        &mut self,
        number: u64,
        end: u64,
        scan: &Scan,
        bytes: &[u8],
    ) -> Result<Option<(u64, bool)>, StoreError> {
        let is_last = number == self.highest_file;
        if is_last || end != scan.end || self.next_batch > self.known_synced {
            return Ok(None);
        }
        let Some(gap) = scan.gap_behind(bytes) else { return Ok(None) };
        let has_index = self.salvage(number, &gap, bytes)?;
        self.is_gap_known = true;
        Ok(Some((gap.end.next_multiple_of(BATCH_ALIGNMENT as u64), has_index)))
    }

    /// Whether the log goes on up to this batch: what is missing before it is damage at most.
    fn reaches(
        &mut self,
        number: u64,
        span: &Span,
        scan: &Scan,
        bytes: &[u8],
    ) -> Result<bool, StoreError> {
        let gap = scan.gap_before(span);
        let is_missing = span.header.number > self.next_batch;
        if (gap.is_some() || is_missing) && self.next_batch > self.known_synced {
            return Ok(false);
        }
        if let Some(gap) = gap {
            self.salvage(number, &gap, bytes)?;
            self.next_batch = span.header.number;
        } else if is_missing && !self.is_gap_known {
            self.damage.quarantined.push((log_name(number), span.offset, 0));
            self.refuse_damage(number, span.offset)?;
        }
        Ok(true)
    }

    /// Takes what is whole among batches whose heads are damaged. True where that is an index.
    fn salvage(&mut self, number: u64, gap: &Gap, bytes: &[u8]) -> Result<bool, StoreError> {
        // The head itself held no definition; anything else may have been one.
        let head_end = gap.end.min(gap.offset + BATCH_HEADER_SIZE as u64);
        self.quarantine(number, gap.offset, head_end, bytes);
        self.apply_records(number, &gap.span(), bytes)
    }

    /// Makes a batch true. True where it is the seal of its file, with a whole index.
    fn apply_batch(&mut self, number: u64, span: &Span, bytes: &[u8]) -> Result<bool, StoreError> {
        self.next_batch = span.header.number + 1;
        self.is_gap_known = false;
        let has_index = self.apply_records(number, span, bytes)?;
        let Tally { count, doubt } = self.tally;
        self.tally = Tally { count: span.header.definition_count, doubt: None };
        if count < span.header.definition_count {
            self.refuse_damage(number, doubt.unwrap_or(span.offset))?;
        }
        Ok(has_index)
    }

    fn apply_records(
        &mut self,
        number: u64,
        span: &Span,
        bytes: &[u8],
    ) -> Result<bool, StoreError> {
        let mut has_index = false;
        for record in scan::records(number, span, bytes) {
            let (offset, header, payload) = match record {
                Ok(whole) => whole,
                Err(bad) => {
                    self.take_damage(number, bad, bytes)?;
                    continue;
                }
            };
            self.tally.count += u32::from(matches!(header.kind, Kind::Changed | Kind::Forgotten));
            let record = replay::Record { file: number, offset, header, payload };
            if let Some(lists) = replay::apply(&mut self.ledger, &record) {
                has_index = true;
                let end = span.header.end(span.offset);
                self.ledger.sealed(number, end, &lists);
            }
        }
        Ok(has_index)
    }

    fn take_damage(&mut self, number: u64, bad: Bad, bytes: &[u8]) -> Result<(), StoreError> {
        if let Some(kind) = bad.unknown_kind {
            let file = log_name(number);
            return Err(StoreError::UnknownKind { file, offset: bad.offset, kind });
        }
        self.tally.doubt.get_or_insert(bad.offset);
        self.quarantine(number, bad.offset, bad.end, bytes);
        Ok(())
    }

    /// A definition is missing, or may be: the operator decides.
    fn refuse_damage(&self, number: u64, offset: u64) -> Result<(), StoreError> {
        if self.accepts_damaged_definitions {
            return Ok(());
        }
        Err(StoreError::DamagedDefinition { file: log_name(number), offset })
    }

    fn quarantine(&mut self, number: u64, offset: u64, end: u64, bytes: &[u8]) {
        let size = self.repairs.keep(number, offset, end, bytes);
        self.damage.quarantined.push((log_name(number), offset, size));
    }

    /// The index of a file that was not sealed, as the batch that stands at `offset`.
    fn seal(&mut self, number: u64, offset: u64) -> Vec<u8> {
        let index = self.ledger.index_of_open(number);
        let (mut buffer, lists) = encode_index(index, number, offset);
        let header = BatchHeader {
            number: self.next_batch,
            synced: self.next_batch - 1,
            size: u32::try_from(buffer.len() - BATCH_HEADER_SIZE).unwrap_or(u32::MAX),
            record_count: 1,
            written_at: 0,
            boot: self.boot,
            flags: BatchFlags { is_seal: true, is_clean_stop: false },
            definition_count: self.tally.count,
        };
        if let Some(place) = buffer.first_chunk_mut() {
            *place = header.encode(number, offset);
        }
        self.next_batch += 1;
        self.ledger.sealed(number, offset + buffer.len() as u64, &lists);
        buffer
    }

    /// A file that was only just made may have no head, or that of its earlier life. One that is
    /// whole is not written over: the power may fail in the middle.
    fn head_for(&self, number: u64, end: u64, bytes: &[u8]) -> Option<Vec<u8>> {
        let has_head = FileHeader::decode(bytes).is_ok_and(|head| head.number == number);
        if has_head || end > FILE_HEADER_SIZE as u64 {
            return None;
        }
        let (kind, next_batch, boot) = (FileKind::Log, self.next_batch, self.boot);
        let head = FileHeader { kind, number, next_batch, next_file: 0, boot };
        Some(head.encode().to_vec())
    }

    fn read(&self, number: u64, bytes: &mut Vec<u8>) -> Result<(), StoreError> {
        let name = log_name(number);
        let read = self.shelf.log_file(number).and_then(|file| read_into(&*file, 0, bytes));
        read.map_err(|error| StoreError::disk(format!("read {name}"), error))
    }
}

fn is_whole(number: u64, span: &Span, bytes: &[u8]) -> bool {
    let records = scan::records(number, span, bytes);
    let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
    count == span.header.record_count
        && records.iter().all(|record| {
            // A kind this version does not know is whole all the same.
            record.as_ref().map_or_else(|bad| bad.unknown_kind.is_some(), |_| true)
        })
}
