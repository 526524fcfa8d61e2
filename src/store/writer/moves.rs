//! Messages that are copied on from old files of which little is alive, so that one unsettled
//! message does not hold a whole file. A copy counts from when it stands in the log behind it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;

use super::super::error::StoreError;
use super::super::header::{BATCH_HEADER_SIZE, BatchFlags};
use super::super::index::IndexEntry;
use super::super::ledger::{FileLedger, Ledger};
use super::super::reader::Copied;
use super::super::record::{
    FLAG_EXPIRES, FLAG_MOVED, FLAG_PERSISTENT, FLAG_TRANSIENT, Place, RecordWriter,
};
use super::{Records, Writer, lock};
use crate::limits::{
    COMPACTION_LIVE_PART, COMPACTION_REST_MS, COMPACTION_SIZE_MAX, SPARSE_FILES_MAX,
};
use crate::message::{Moment, QueueId, SequenceRange};

/// What is being copied on.
#[derive(Debug, Default)]
pub(in crate::store) struct Moves {
    /// The file it comes from.
    victim: Option<u64>,
    /// Places of the victim that are still to be copied: by queue, rising.
    left: VecDeque<(QueueId, SequenceRange)>,
    /// Files of which little is alive: how much, and since when.
    sparse: BTreeMap<u64, (u64, Moment)>,
    /// Files that hold something which cannot be read, and so cannot be copied on.
    stuck: BTreeSet<u64>,
}

impl Moves {
    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Another time.
    pub(super) fn give_up(&mut self) {
        self.victim = None;
        self.left.clear();
    }
}

impl Writer {
    /// Looks for an old file of which little is alive, and for a while the same. The oldest comes
    /// first. One that still gets emptier is left alone: a queue that is drained empties it, and a
    /// copy would be written for nothing. Where such files are many, the emptiest is taken.
    pub(in crate::store) fn choose_victim(&mut self, now: Moment) {
        if !self.moves.is_empty() {
            return;
        }
        let last = self.moves.victim.take();
        let ledger = lock(&self.ledger);
        let mut sparse = sparse_files(&ledger, &self.moves.sparse, now);
        // Everything of it was to be copied on, and something is there still.
        self.moves.stuck.extend(last.filter(|last| sparse.contains_key(last)));
        sparse.retain(|number, _| !self.moves.stuck.contains(number));
        let is_at_rest = |since: &Moment| now.since(*since) >= COMPACTION_REST_MS;
        let at_rest = sparse.iter().find(|(_, (_, since))| is_at_rest(since));
        let emptiest = sparse.iter().min_by_key(|(_, (live, _))| *live);
        let victim = at_rest.or(emptiest.filter(|_| sparse.len() > SPARSE_FILES_MAX));
        let victim = victim.map(|(number, _)| *number);
        self.moves.sparse = sparse;
        let Some(victim) = victim else { return };
        let mut left = VecDeque::new();
        for (queue, found) in ledger.queues_sorted() {
            for (&first, extent) in found.extents.iter().filter(|(_, e)| e.file == victim) {
                let range = SequenceRange { first, last: extent.last };
                left.extend(found.alive.within(range).into_iter().map(|part| (queue, part)));
            }
        }
        drop(ledger);
        self.moves.victim = Some(victim);
        self.moves.left = left;
    }

    /// Copies some of what is left, as a batch of its own behind all that is in the ledger.
    pub(super) fn write_moves(&mut self, now: Moment) -> Result<(), StoreError> {
        let Some(victim) = self.moves.victim.filter(|_| !self.moves.is_empty()) else {
            return Ok(());
        };
        // What cannot be read stays where it is; trying it for ever would copy nothing else.
        let Ok(copies) = self.gather(victim) else {
            self.moves.stuck.insert(victim);
            self.moves.give_up();
            return Ok(());
        };
        if copies.is_empty() {
            return Ok(());
        }
        let (number, offset) = (self.current.number, self.current.offset);
        let mut buffer = vec![0; BATCH_HEADER_SIZE];
        let mut writer = RecordWriter::new(&mut buffer, number, offset);
        let mut entries = Vec::with_capacity(copies.len());
        for (queue, copied) in &copies {
            let at = u32::try_from(writer.offset()).unwrap_or(u32::MAX);
            let place = Place { queue: *queue, sequence: copied.sequence };
            let kept = copied.flags & (FLAG_TRANSIENT | FLAG_PERSISTENT | FLAG_EXPIRES);
            writer.message(&[place], kept | FLAG_MOVED, copied.came, &copied.message);
            let body_size = u32::try_from(copied.message.body_size()).unwrap_or(u32::MAX);
            entries.push((*queue, IndexEntry { sequence: copied.sequence, offset: at, body_size }));
        }
        let records = Records { count: writer.count, definition_count: 0 };
        self.write_batch(&mut buffer, records, now, BatchFlags::default())?;
        self.counts.moved_bytes += buffer.len() as u64;
        let mut ledger = lock(&self.ledger);
        for (queue, entry) in &entries {
            ledger.moved(number, *queue, entry);
        }
        self.counts.moved += entries.len() as u64;
        Ok(())
    }

    /// Reads living messages of the victim, up to the budget of one batch.
    fn gather(&mut self, victim: u64) -> io::Result<Vec<(QueueId, Copied)>> {
        let mut copies = Vec::new();
        let mut size = 0;
        while size < COMPACTION_SIZE_MAX
            && let Some((queue, range)) = self.moves.left.pop_front()
        {
            let budget = COMPACTION_SIZE_MAX - size;
            let read = self.reader.copy(queue, range, victim, budget)?;
            if let Some(rest) = read.rest {
                self.moves.left.push_front((queue, rest));
            }
            size += read.size.max(1);
            copies.extend(read.copies.into_iter().map(|copied| (queue, copied)));
        }
        Ok(copies)
    }
}

/// Sealed files of which little is alive, with how much it is, and since when it is so much: what
/// was known at the last look is kept.
fn sparse_files(
    ledger: &Ledger,
    before: &BTreeMap<u64, (u64, Moment)>,
    now: Moment,
) -> BTreeMap<u64, (u64, Moment)> {
    let is_sparse = |file: &FileLedger| {
        file.is_sealed && file.live > 0 && file.live * COMPACTION_LIVE_PART <= file.written
    };
    let files = ledger.files.iter().filter(|(_, file)| is_sparse(file));
    let known = |number, live| before.get(number).copied().filter(|(known, _)| *known == live);
    files
        .map(|(number, file)| (*number, known(number, file.live).unwrap_or((file.live, now))))
        .collect()
}
