//! The log behind the checkpoint: which batches are whole, which are torn, which are damaged. A
//! batch known to be synced that cannot be read is damage; behind the last one known, it is torn.

use std::sync::Arc;

use super::super::checkpoint::CheckpointHead;
use super::super::encode::encode_index;
use super::super::error::StoreError;
use super::super::header::{
    BATCH_HEADER_SIZE, BatchFlags, BatchHeader, FILE_HEADER_SIZE, FileHeader, FileKind, HeaderError,
};
use super::super::ledger::Ledger;
use super::super::record::Kind;
use super::super::scan::{self, Bad, Scan, Span};
use super::super::shelf::{Shelf, log_name, read_from};
use super::super::writer::Kept;
use super::{Damage, Loaded, StoreOptions, replay};

/// A recovery on its way.
#[derive(Debug)]
pub(super) struct Recovering {
    shelf: Arc<Shelf>,
    options: StoreOptions,
    pub(super) head: Option<CheckpointHead>,
    pub(super) ledger: Ledger,
    pub(super) kept: Vec<Kept>,
    pub(super) damage: Damage,
    /// The number of the next batch.
    pub(super) next_batch: u64,
    /// The last boot that wrote anything.
    pub(super) boot: u64,
    pub(super) highest_file: u64,
    /// Batches up to this one are known to be synced.
    known_synced: u64,
    /// Something was written since the checkpoint.
    has_tail: bool,
    /// Nothing more is read: behind this everything is torn.
    is_cut: bool,
}

impl Recovering {
    pub(super) fn new(
        shelf: Arc<Shelf>,
        options: StoreOptions,
        loaded: Loaded,
        damage: Damage,
    ) -> Self {
        let Loaded { head, ledger, kept, boot } = loaded;
        let next_batch = head.map_or(1, |head| head.next_batch);
        Self {
            shelf,
            options,
            head,
            ledger,
            kept,
            damage,
            next_batch,
            boot,
            highest_file: 0,
            known_synced: next_batch - 1,
            has_tail: false,
            is_cut: false,
        }
    }

    /// The last run ended in order, and nobody has started since.
    pub(super) fn is_clean(&self) -> bool {
        match self.head {
            Some(head) => head.is_clean_stop && !self.has_tail,
            None => !self.has_tail,
        }
    }

    /// Reads the log behind the checkpoint.
    pub(super) fn replay(&mut self, logs: &[u64]) -> Result<(), StoreError> {
        let first = self.head.map_or(0, |head| head.next_file);
        let files: Vec<u64> = logs.iter().copied().filter(|number| *number >= first).collect();
        self.highest_file = logs.last().copied().unwrap_or(0).max(first.saturating_sub(1));
        self.has_tail = !files.is_empty();
        for number in &files {
            self.look_for_synced(*number)?;
        }
        for number in &files {
            self.replay_file(*number)?;
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
                self.note_missing(number, 0);
            }
        }
    }

    /// What any batch says of those before it.
    fn look_for_synced(&mut self, number: u64) -> Result<(), StoreError> {
        let bytes = self.read(number)?;
        match FileHeader::decode(&bytes) {
            Ok(header) => self.boot = self.boot.max(header.boot),
            Err(HeaderError::UnknownVersion(version)) => {
                return Err(StoreError::UnknownVersion { file: log_name(number), version });
            }
            Err(HeaderError::Damaged) => {}
        }
        for span in scan::scan(number, &bytes).batches {
            self.known_synced = self.known_synced.max(span.header.synced);
            self.boot = self.boot.max(span.header.boot);
        }
        Ok(())
    }

    fn replay_file(&mut self, number: u64) -> Result<(), StoreError> {
        let bytes = self.read(number)?;
        let scan = scan::scan(number, &bytes);
        let mut end = FILE_HEADER_SIZE as u64;
        let mut is_sealed = false;
        for span in &scan.batches {
            if self.is_cut || !self.may_apply(number, span, &scan, &bytes)? {
                self.is_cut = true;
                break;
            }
            self.apply_batch(number, span, &bytes)?;
            end = span.header.end(span.offset);
            is_sealed = span.header.flags.is_seal;
        }
        if !self.is_cut {
            self.look_behind(number, &scan, &bytes)?;
        }
        self.cut_file(number, end, bytes.len() as u64)?;
        if !is_sealed {
            self.seal(number, end)?;
        }
        Ok(())
    }

    /// Behind the last whole batch of a file there may have been more that is known to be synced:
    /// then it was damaged beyond recognition.
    fn look_behind(&mut self, number: u64, scan: &Scan, bytes: &[u8]) -> Result<(), StoreError> {
        let is_sealed = scan.batches.last().is_some_and(|span| span.header.flags.is_seal);
        let is_last = number == self.highest_file;
        if is_sealed || (self.next_batch > self.known_synced) || is_last {
            return Ok(());
        }
        self.quarantine(number, scan.end, bytes.len() as u64, bytes)
    }

    /// Whether this batch counts: it is whole, or known to be synced and so damaged at most.
    fn may_apply(
        &mut self,
        number: u64,
        span: &Span,
        scan: &Scan,
        bytes: &[u8],
    ) -> Result<bool, StoreError> {
        let gap = scan.gaps.iter().find(|gap| gap.end == span.offset);
        if span.header.number > self.next_batch {
            // Batches are missing before it.
            if self.next_batch > self.known_synced {
                return Ok(false);
            }
            match gap {
                Some(gap) => self.quarantine(number, gap.offset, gap.end, bytes)?,
                None => self.note_missing(number, span.offset),
            }
        }
        let is_synced = span.header.number <= self.known_synced;
        Ok(is_synced || is_whole(number, span, bytes))
    }

    fn note_missing(&mut self, number: u64, offset: u64) {
        self.damage.quarantined.push((log_name(number), offset, 0));
    }

    fn apply_batch(&mut self, number: u64, span: &Span, bytes: &[u8]) -> Result<(), StoreError> {
        self.next_batch = span.header.number + 1;
        for record in scan::records(number, span, bytes) {
            match record {
                Ok((offset, header, payload)) => {
                    let record = replay::Record { file: number, offset, header, payload };
                    if let Some(seal) = replay::apply(&mut self.ledger, &record) {
                        let end = span.header.end(span.offset);
                        self.ledger.sealed(number, end, &seal);
                    }
                }
                Err(bad) => self.take_damage(number, bad, bytes)?,
            }
        }
        Ok(())
    }

    fn take_damage(&mut self, number: u64, bad: Bad, bytes: &[u8]) -> Result<(), StoreError> {
        let file = log_name(number);
        if let Some(kind) = bad.unknown_kind {
            return Err(StoreError::UnknownKind { file, offset: bad.offset, kind });
        }
        let may_be_definition = matches!(bad.kind, Some(Kind::Changed | Kind::Forgotten));
        if may_be_definition && !self.options.accepts_damaged_definitions {
            return Err(StoreError::DamagedDefinition { file, offset: bad.offset });
        }
        self.quarantine(number, bad.offset, bad.end, bytes)
    }

    /// Keeps damaged bytes aside under a name that says where they stood.
    fn quarantine(
        &mut self,
        number: u64,
        offset: u64,
        end: u64,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let stop = usize::try_from(end).unwrap_or(usize::MAX).min(bytes.len());
        let damaged = bytes.get(start..stop).unwrap_or(&[]);
        let file = log_name(number);
        let name = format!("quarantine-{file}-{offset}");
        self.damage.quarantined.push((file, offset, damaged.len() as u64));
        let storage = &self.shelf.storage;
        let fail = |error| StoreError::disk(format!("write {name}"), error);
        if storage.list().map_err(fail)?.contains(&name) {
            // It was found at an earlier start.
            return Ok(());
        }
        let kept = storage.create(&name).and_then(|file| file.write_at(0, damaged));
        kept.map_err(fail)
    }

    /// What is torn must not be taken for what comes later.
    fn cut_file(&mut self, number: u64, end: u64, size: u64) -> Result<(), StoreError> {
        let name = log_name(number);
        let fail = |error| StoreError::disk(format!("cut {name}"), error);
        if size <= end {
            return Ok(());
        }
        if self.is_cut {
            self.damage.torn_size += size - end;
        }
        let file = self.shelf.log_file(number).map_err(fail)?;
        file.set_size(end).and_then(|()| file.sync()).map_err(fail)
    }

    /// Writes the index of a file that was not sealed.
    fn seal(&mut self, number: u64, offset: u64) -> Result<(), StoreError> {
        let name = log_name(number);
        let fail = |error| StoreError::disk(format!("seal {name}"), error);
        let file = self.shelf.log_file(number).map_err(fail)?;
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
        };
        if let Some(place) = buffer.first_chunk_mut() {
            *place = header.encode(number, offset);
        }
        // A file that was only just made may have no head.
        let file_header = FileHeader {
            kind: FileKind::Log,
            number,
            next_batch: self.next_batch,
            next_file: 0,
            boot: self.boot,
        };
        if offset == FILE_HEADER_SIZE as u64 {
            file.write_at(0, &file_header.encode()).map_err(fail)?;
        }
        file.sync().and_then(|()| file.write_at(offset, &buffer)).map_err(fail)?;
        file.sync().map_err(fail)?;
        self.next_batch += 1;
        self.ledger.sealed(number, offset + buffer.len() as u64, &lists);
        Ok(())
    }

    fn read(&self, number: u64) -> Result<Vec<u8>, StoreError> {
        let name = log_name(number);
        let read = self.shelf.log_file(number).and_then(|file| read_from(&*file, 0));
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
