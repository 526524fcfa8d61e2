//! Messages read back: by queue and place, several at once where they stand close together. Any
//! number of threads may read while the log is written. It changes nothing.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use super::fact::{self, Fact, StoredMessage};
use super::figures::{Figures, StoreFigures};
use super::index::{ENTRY_SIZE, IndexEntry, List};
use super::ledger::{Extent, Ledger};
use super::record::{self, Came, FLAG_SHARED, Place, RECORD_HEADER_SIZE};
use super::scan;
use super::shelf::{Shelf, read_from};
use super::storage::StorageFile;
use super::writer::lock;
use crate::limits::{READ_GAP_SIZE_MAX, READ_SIZE_MAX};
use crate::message::{Message, Moment, QueueId, ReadBack, Sequence, SequenceRange};

/// Reads messages of a store.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(super) shelf: Arc<Shelf>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    pub(super) figures: Arc<Figures>,
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// What was looked at: it may end before what was asked for, never begin later.
    pub covered: SequenceRange,
    /// The messages, rising. What is alive in `covered` and not here is damaged.
    pub messages: Vec<ReadBack>,
}

/// A message that is to be copied on.
#[derive(Debug)]
pub(super) struct Copied {
    pub(super) sequence: Sequence,
    pub(super) flags: u8,
    pub(super) came: Came,
    pub(super) message: Message,
}

/// Messages that are to be copied on.
#[derive(Debug)]
pub(super) struct Copies {
    pub(super) copies: Vec<Copied>,
    /// Bytes of them.
    pub(super) size: u64,
    /// What the budget did not reach.
    pub(super) rest: Option<SequenceRange>,
}

/// Places of one queue in one file.
#[derive(Debug)]
struct Part {
    file: u64,
    range: SequenceRange,
    /// None where the file is open: then the entries are here.
    list: Option<List>,
    entries: Vec<IndexEntry>,
}

impl Reader {
    /// How the store fares.
    #[must_use]
    pub fn figures(&self) -> StoreFigures {
        self.figures.now()
    }

    /// A queue read messages, and so many of them are damaged.
    pub fn count_damaged(&self, count: u64) {
        self.figures.add_damaged_messages(count);
    }

    /// Reads the living messages of a range, as many as fit `size_max` bytes, at least one.
    ///
    /// # Errors
    /// The disk does not answer; what it holds may be whole all the same.
    pub fn read(&self, queue: QueueId, range: SequenceRange, size_max: u64) -> io::Result<Found> {
        let mut messages = Vec::new();
        let mut last = range.last;
        let mut size = 0;
        let parts = self.parts(queue, range);
        for part in parts {
            if size >= size_max {
                last = part.range.first.saturating_sub(1).max(range.first);
                break;
            }
            let (found, reached) = self.read_part(queue, &part, size_max - size)?;
            for stored in found {
                let Copied { sequence, came, message, .. } = stored;
                size += message.body_size();
                messages.push(ReadBack { sequence, arrived: Moment(came.arrived), message });
            }
            if reached < part.range.last {
                last = reached;
                break;
            }
        }
        self.figures.add_read_messages(messages.len());
        Ok(Found { covered: SequenceRange { first: range.first, last }, messages })
    }

    /// Reads what of a range stands in one file, for copying it on.
    pub(super) fn copy(
        &self,
        queue: QueueId,
        range: SequenceRange,
        file: u64,
        size_max: u64,
    ) -> io::Result<Copies> {
        let mut copies = Copies { copies: Vec::new(), size: 0, rest: None };
        for part in self.parts(queue, range).into_iter().filter(|part| part.file == file) {
            if copies.size >= size_max {
                copies.rest = Some(SequenceRange { first: part.range.first, last: range.last });
                break;
            }
            let (found, reached) = self.read_part(queue, &part, size_max - copies.size)?;
            copies.size += found.iter().map(|copied| copied.message.body_size()).sum::<u64>();
            copies.copies.extend(found);
            if reached < part.range.last {
                copies.rest = Some(SequenceRange { first: reached + 1, last: range.last });
                break;
            }
        }
        Ok(copies)
    }

    /// Bytes of the bodies of living places in a range: from what is known of whole extents, and
    /// from the lists of the others.
    pub(super) fn body_bytes(&self, queue: QueueId, range: SequenceRange) -> u64 {
        let mut bytes = 0;
        for part in self.parts(queue, range) {
            let entries = self.entries(&part).unwrap_or_default();
            bytes += entries.iter().map(|entry| u64::from(entry.body_size)).sum::<u64>();
        }
        bytes
    }

    /// The living parts of a range, file by file.
    fn parts(&self, queue: QueueId, range: SequenceRange) -> Vec<Part> {
        let ledger = lock(&self.ledger);
        let Some(found) = ledger.queues.get(&queue) else { return Vec::new() };
        let mut parts = Vec::new();
        for alive in found.alive.within(range) {
            let start = found.extent_of(alive.first).map_or(alive.first, |(first, _)| first);
            for (&first, extent) in found.extents.range(start..=alive.last) {
                let within = SequenceRange {
                    first: first.max(alive.first),
                    last: extent.last.min(alive.last),
                };
                if within.first > within.last {
                    continue;
                }
                parts.push(Part {
                    file: extent.file,
                    range: within,
                    list: extent.list,
                    entries: open_entries(&ledger, queue, extent, within),
                });
            }
        }
        parts
    }

    /// Reads one part up to `size_max` bytes, at least one message, and tells how far it came.
    fn read_part(
        &self,
        queue: QueueId,
        part: &Part,
        size_max: u64,
    ) -> io::Result<(Vec<Copied>, Sequence)> {
        let mut entries = self.entries(part)?;
        if (entries.len() as u64) < part.range.count() {
            return self.read_again(queue, part.range, size_max);
        }
        let reached = cut_to_size(&mut entries, size_max).unwrap_or(part.range.last);
        let found = self.read_entries(queue, part.file, &entries)?;
        if found.len() < entries.len() {
            let range = SequenceRange { first: part.range.first, last: reached };
            return self.read_again(queue, range, size_max);
        }
        Ok((found, reached))
    }

    /// Where something was not found: its file may have been given back since, with everything in
    /// it copied on, or its index may be damaged.
    fn read_again(
        &self,
        queue: QueueId,
        range: SequenceRange,
        size_max: u64,
    ) -> io::Result<(Vec<Copied>, Sequence)> {
        let mut found = Vec::new();
        let mut size = 0;
        for part in self.parts(queue, range) {
            if size >= size_max && !found.is_empty() {
                return Ok((found, part.range.first.saturating_sub(1)));
            }
            let mut entries = self.entries(&part)?;
            if (entries.len() as u64) < part.range.count() {
                entries = self.search(queue, &part)?;
            }
            let reached = cut_to_size(&mut entries, size_max.saturating_sub(size));
            for copied in self.read_entries(queue, part.file, &entries)? {
                size += copied.message.body_size();
                found.push(copied);
            }
            if let Some(reached) = reached {
                return Ok((found, reached));
            }
        }
        Ok((found, range.last))
    }

    /// Looks for the places of a part in all of its file: where the index is damaged, the records
    /// are not.
    fn search(&self, queue: QueueId, part: &Part) -> io::Result<Vec<IndexEntry>> {
        let Some(file) = self.file(part.file)? else { return Ok(Vec::new()) };
        let bytes = read_from(&*file, 0)?;
        let scan = scan::scan(part.file, &bytes);
        let gaps = scan.gaps.iter().copied().chain(scan.gap_behind(&bytes));
        let spans = scan.batches.iter().copied().chain(gaps.map(|gap| gap.span()));
        let records = spans.flat_map(|span| scan::records(part.file, &span, &bytes)).flatten();
        let mut entries = BTreeMap::new();
        for (offset, header, payload) in records {
            let fact = fact::parse(&header, payload);
            let Some(Fact::Filled { owners, offset: of, body_size, .. }) = fact else { continue };
            let Ok(offset) = u32::try_from(of.unwrap_or(offset)) else { continue };
            for Place { sequence, .. } in owners.into_iter().filter(|place| place.queue == queue) {
                entries.insert(sequence, IndexEntry { sequence, offset, body_size });
            }
        }
        Ok(entries.into_values().filter(|e| part.range.contains(e.sequence)).collect())
    }

    /// The index entries of a part.
    fn entries(&self, part: &Part) -> io::Result<Vec<IndexEntry>> {
        let Some(list) = part.list else { return Ok(part.entries.clone()) };
        let Some(file) = self.file(part.file)? else { return Ok(Vec::new()) };
        let start = lower_bound(&*file, part.file, &list, part.range.first)?;
        let wanted = part.range.count().min(u64::from(list.count - start));
        let size = usize::try_from(wanted).unwrap_or(0) * ENTRY_SIZE;
        let mut bytes = vec![0; size];
        let read = file.read_at(list.offset_of(start), &mut bytes)?;
        bytes.truncate(read);
        let mut entries = list.decode(part.file, start, &bytes);
        entries.retain(|entry| entry.sequence <= part.range.last);
        Ok(entries)
    }

    /// Reads records, close ones in one piece. What is damaged is left out.
    fn read_entries(
        &self,
        queue: QueueId,
        file: u64,
        entries: &[IndexEntry],
    ) -> io::Result<Vec<Copied>> {
        let Some(handle) = self.file(file)? else { return Ok(Vec::new()) };
        let mut found = Vec::with_capacity(entries.len());
        let mut rest = entries;
        while !rest.is_empty() {
            let (group, others) = rest.split_at(group_size(rest));
            read_group(&*handle, file, queue, group, &mut found)?;
            rest = others;
        }
        Ok(found)
    }

    /// A log file; none where it is gone, with everything in it copied on or settled.
    fn file(&self, number: u64) -> io::Result<Option<Arc<dyn StorageFile>>> {
        match self.shelf.log_file(number) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Only an extent of the open file has entries in memory.
fn open_entries(
    ledger: &Ledger,
    queue: QueueId,
    extent: &Extent,
    range: SequenceRange,
) -> Vec<IndexEntry> {
    if extent.list.is_some() { Vec::new() } else { ledger.open_entries(queue, range) }
}

/// Cuts entries to a budget of bodies, but for the first. Gives the last one that stays, where some
/// were cut.
fn cut_to_size(entries: &mut Vec<IndexEntry>, size_max: u64) -> Option<Sequence> {
    let mut size = 0;
    let count = entries
        .iter()
        .take_while(|entry| {
            let fits = size < size_max;
            size += u64::from(entry.body_size);
            fits
        })
        .count()
        .max(1);
    if count >= entries.len() {
        return None;
    }
    entries.truncate(count);
    entries.last().map(|entry| entry.sequence)
}

/// The first entry of a list that is not below `sequence`.
fn lower_bound(
    handle: &dyn StorageFile,
    file: u64,
    list: &List,
    sequence: Sequence,
) -> io::Result<u32> {
    let (mut low, mut high) = (0, list.count);
    // Mostly nothing is missing between the first and this one.
    let guess = u32::try_from(sequence.saturating_sub(list.first)).unwrap_or(u32::MAX);
    if guess < high && entry_at(handle, file, list, guess)?.is_some_and(|e| e.sequence == sequence)
    {
        return Ok(guess);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        let Some(entry) = entry_at(handle, file, list, middle)? else { return Ok(list.count) };
        if entry.sequence < sequence {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// One entry; none where it is damaged.
fn entry_at(
    handle: &dyn StorageFile,
    file: u64,
    list: &List,
    number: u32,
) -> io::Result<Option<IndexEntry>> {
    let mut bytes = [0; ENTRY_SIZE];
    if handle.read_at(list.offset_of(number), &mut bytes)? < ENTRY_SIZE {
        return Ok(None);
    }
    Ok(list.decode(file, number, &bytes).pop())
}

/// About where a record ends: what stands before the body is small.
fn likely_end(entry: &IndexEntry) -> u64 {
    const USUAL_HEAD: u64 = 256;
    u64::from(entry.offset) + u64::from(entry.body_size) + USUAL_HEAD
}

/// How many of these can be read in one piece.
fn group_size(entries: &[IndexEntry]) -> usize {
    let Some(first) = entries.first() else { return 0 };
    let mut end = likely_end(first);
    let mut count = 1;
    for entry in entries.iter().skip(1) {
        let offset = u64::from(entry.offset);
        let is_close = offset >= u64::from(first.offset) && offset <= end + READ_GAP_SIZE_MAX;
        if !is_close || likely_end(entry) - u64::from(first.offset) > READ_SIZE_MAX {
            break;
        }
        end = end.max(likely_end(entry));
        count += 1;
    }
    count
}

fn read_group(
    handle: &dyn StorageFile,
    file: u64,
    queue: QueueId,
    group: &[IndexEntry],
    found: &mut Vec<Copied>,
) -> io::Result<()> {
    let Some(start) = group.first().map(|entry| u64::from(entry.offset)) else { return Ok(()) };
    let end = group.iter().map(likely_end).max().unwrap_or(start);
    let mut bytes = vec![0; usize::try_from(end.saturating_sub(start)).unwrap_or(0)];
    let read = handle.read_at(start, &mut bytes)?;
    bytes.truncate(read);
    for entry in group {
        let offset = u64::from(entry.offset);
        let at = usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX);
        let part = bytes.get(at..).unwrap_or(&[]);
        let stored = match whole_message(file, offset, part) {
            Some(stored) => Some(stored),
            None => read_alone(handle, file, offset)?,
        };
        let place = Place { queue, sequence: entry.sequence };
        let is_it = |stored: &StoredMessage| {
            stored.flags & FLAG_SHARED != 0 || stored.owners.contains(&place)
        };
        if let Some(stored) = stored.filter(is_it) {
            let StoredMessage { flags, came, message, .. } = stored;
            found.push(Copied { sequence: entry.sequence, flags, came, message });
        }
    }
    Ok(())
}

fn whole_message(file: u64, offset: u64, bytes: &[u8]) -> Option<StoredMessage> {
    let (header, payload) = record::read(file, offset, bytes).ok()?;
    fact::parse_message(&header, payload)
}

/// A record whose head is longer than usual: many places, long names.
fn read_alone(
    handle: &dyn StorageFile,
    file: u64,
    offset: u64,
) -> io::Result<Option<StoredMessage>> {
    let mut head = [0; RECORD_HEADER_SIZE];
    handle.read_at(offset, &mut head)?;
    let Ok(header) = record::read_header(file, offset, &head) else { return Ok(None) };
    let mut bytes = vec![0; RECORD_HEADER_SIZE + header.size as usize];
    let read = handle.read_at(offset, &mut bytes)?;
    Ok(whole_message(file, offset, bytes.get(..read).unwrap_or(&[])))
}
