//! All that is alive at one position of the log, as a file: definitions, and for each queue its
//! living places and where they stand. With it a start reads only the log behind it. It holds no
//! message.

use bytes::{Buf, BufMut};

use super::fact::{self, Fact, get_counts, get_ranges};
use super::header::{FILE_HEADER_SIZE, FileHeader, FileKind};
use super::index::List;
use super::ledger::{Extent, FileLedger, Ledger, QueueLedger};
use super::record::{
    self, Kind, RECORD_HEADER_SIZE, RecordError, RecordWriter, put_counts, put_ranges,
};
use crate::message::{QueueId, SequenceRange};

/// What stands in a checkpoint besides the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CheckpointHead {
    pub(super) number: u64,
    /// The batch behind the last one it covers.
    pub(super) next_batch: u64,
    /// The first log file it does not cover.
    pub(super) next_file: u64,
    pub(super) boot: u64,
    /// The node stopped in order right after it.
    pub(super) is_clean_stop: bool,
}

/// A checkpoint as bytes.
pub(super) fn encode(head: &CheckpointHead, ledger: &Ledger) -> Vec<u8> {
    let file = FileHeader {
        kind: FileKind::Checkpoint,
        number: head.number,
        next_batch: head.next_batch,
        next_file: head.next_file,
        boot: head.boot,
    };
    let mut out = file.encode().to_vec();
    let mut writer = RecordWriter::new(&mut out, head.number, 0);
    for (key, value) in &ledger.definitions {
        writer.changed(key, Some(value));
    }
    for (number, file) in &ledger.files {
        writer.write(Kind::File, 0, 0, |out| put_file(out, *number, file));
    }
    for (queue, found) in ledger.queues_sorted() {
        writer.write(Kind::Queue, 0, 0, |out| put_queue(out, queue, found));
    }
    let count = writer.count;
    writer.write(Kind::End, 0, 0, |out| {
        out.put_u32_le(count);
        out.put_u64_le(ledger.next_queue);
        out.put_u8(u8::from(head.is_clean_stop));
    });
    out
}

/// The kind of a record that this version must know and does not, and where it stands.
pub(super) fn unknown_kind(bytes: &[u8]) -> Option<(u64, u8)> {
    let file = FileHeader::decode(bytes).ok()?;
    let mut offset = FILE_HEADER_SIZE;
    loop {
        match record::read(file.number, offset as u64, bytes.get(offset..)?) {
            Ok((_, payload)) => offset += RECORD_HEADER_SIZE + payload.len(),
            Err(RecordError::UnknownKind { kind, .. }) => return Some((offset as u64, kind)),
            Err(_) => return None,
        }
    }
}

/// Reads a checkpoint; `None` where it is not whole.
pub(super) fn decode(bytes: &[u8]) -> Option<(CheckpointHead, Ledger)> {
    let file = FileHeader::decode(bytes).ok().filter(|file| file.kind == FileKind::Checkpoint)?;
    let mut ledger = Ledger::default();
    let mut offset = FILE_HEADER_SIZE;
    let mut count = 0;
    loop {
        let rest = bytes.get(offset..)?;
        let (header, payload) = record::read(file.number, offset as u64, rest).ok()?;
        if header.kind == Kind::End {
            let is_clean_stop = take_end(payload, count, &mut ledger)?;
            let FileHeader { number, next_batch, next_file, boot, .. } = file;
            let head = CheckpointHead { number, next_batch, next_file, boot, is_clean_stop };
            return Some((head, ledger));
        }
        take_record(&header, payload, &mut ledger)?;
        count += 1;
        offset += RECORD_HEADER_SIZE + payload.len();
    }
}

fn take_record(header: &record::RecordHeader, payload: &[u8], ledger: &mut Ledger) -> Option<()> {
    match header.kind {
        Kind::File => {
            let (number, file) = get_file(payload)?;
            ledger.files.insert(number, file);
        }
        Kind::Queue => {
            let (queue, found) = get_queue(payload)?;
            ledger.queues.insert(queue, found);
        }
        _ => {
            if let Fact::Changed { key, value } = fact::parse(header, payload)? {
                ledger.changed(key, value);
            }
        }
    }
    Some(())
}

fn take_end(mut payload: &[u8], count: u32, ledger: &mut Ledger) -> Option<bool> {
    if payload.try_get_u32_le().ok()? != count {
        return None;
    }
    ledger.next_queue = payload.try_get_u64_le().ok()?;
    Some(payload.try_get_u8().ok()? != 0)
}

fn put_file(out: &mut Vec<u8>, number: u64, file: &FileLedger) {
    out.put_u64_le(number);
    out.put_u64_le(file.live);
    out.put_u64_le(file.written);
    out.put_u64_le(file.size);
    out.put_u8(u8::from(file.is_sealed));
}

fn get_file(mut input: &[u8]) -> Option<(u64, FileLedger)> {
    let number = input.try_get_u64_le().ok()?;
    let live = input.try_get_u64_le().ok()?;
    let written = input.try_get_u64_le().ok()?;
    let size = input.try_get_u64_le().ok()?;
    let is_sealed = input.try_get_u8().ok()? != 0;
    Some((number, FileLedger { live, written, size, is_sealed }))
}

fn put_queue(out: &mut Vec<u8>, queue: QueueId, found: &QueueLedger) {
    out.put_u64_le(queue.0);
    out.put_u64_le(found.next_sequence);
    put_list(out, found.alive.iter());
    put_list(out, found.transient.iter());
    put_list(out, found.expiring.iter());
    put_list(out, found.delivered.iter());
    let levels = found.levels.iter().filter(|(_, places)| !places.is_empty());
    out.put_u16_le(u16::try_from(levels.clone().count()).unwrap_or(u16::MAX));
    for (level, places) in levels {
        out.put_u8(*level);
        put_list(out, places.iter());
    }
    out.put_u32_le(u32::try_from(found.returned.len()).unwrap_or(u32::MAX));
    for (range, counts) in found.returned.iter() {
        out.put_u64_le(range.first);
        out.put_u64_le(range.last);
        put_counts(out, counts);
    }
    out.put_u32_le(u32::try_from(found.extents.len()).unwrap_or(u32::MAX));
    for (first, extent) in &found.extents {
        out.put_u64_le(*first);
        put_extent(out, extent);
    }
}

fn get_queue(mut input: &[u8]) -> Option<(QueueId, QueueLedger)> {
    let queue = QueueId(input.try_get_u64_le().ok()?);
    let mut found =
        QueueLedger { next_sequence: input.try_get_u64_le().ok()?, ..QueueLedger::default() };
    found.alive = get_list(&mut input)?.into_iter().collect();
    found.transient = get_list(&mut input)?.into_iter().collect();
    found.expiring = get_list(&mut input)?.into_iter().collect();
    found.delivered = get_list(&mut input)?.into_iter().collect();
    for _ in 0..input.try_get_u16_le().ok()? {
        let level = input.try_get_u8().ok()?;
        found.levels.insert(level, get_list(&mut input)?.into_iter().collect());
    }
    for _ in 0..input.try_get_u32_le().ok()? {
        let first = input.try_get_u64_le().ok()?;
        let last = input.try_get_u64_le().ok()?;
        found.returned.insert(SequenceRange { first, last }, get_counts(&mut input)?);
    }
    for _ in 0..input.try_get_u32_le().ok()? {
        let first = input.try_get_u64_le().ok()?;
        found.extents.insert(first, get_extent(&mut input)?);
    }
    Some((queue, found))
}

/// Ranges with their size before them, since something follows.
fn put_list(out: &mut Vec<u8>, ranges: impl Iterator<Item = SequenceRange>) {
    let start = out.len();
    out.put_u32_le(0);
    put_ranges(out, ranges);
    let size = out.len() - start - size_of::<u32>();
    let size = u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
    if let Some(place) = out.get_mut(start..).and_then(|list| list.first_chunk_mut()) {
        *place = size;
    }
}

fn get_list(input: &mut &[u8]) -> Option<Vec<SequenceRange>> {
    let size = input.try_get_u32_le().ok()? as usize;
    let (ranges, rest) = input.split_at_checked(size)?;
    *input = rest;
    get_ranges(ranges)
}

fn put_extent(out: &mut Vec<u8>, extent: &Extent) {
    out.put_u64_le(extent.last);
    out.put_u64_le(extent.file);
    out.put_u32_le(extent.live);
    out.put_u32_le(extent.total);
    out.put_u64_le(extent.bytes);
    out.put_u8(u8::from(extent.list.is_some()));
    if let Some(list) = extent.list {
        out.put_u64_le(list.first);
        out.put_u32_le(list.offset);
        out.put_u32_le(list.count);
    }
}

fn get_extent(input: &mut &[u8]) -> Option<Extent> {
    let last = input.try_get_u64_le().ok()?;
    let file = input.try_get_u64_le().ok()?;
    let live = input.try_get_u32_le().ok()?;
    let total = input.try_get_u32_le().ok()?;
    let bytes = input.try_get_u64_le().ok()?;
    let mut extent = Extent { last, file, live, total, bytes, list: None };
    if input.try_get_u8().ok()? != 0 {
        let first = input.try_get_u64_le().ok()?;
        let offset = input.try_get_u32_le().ok()?;
        extent.list = Some(List { first, offset, count: input.try_get_u32_le().ok()? });
    }
    Some(extent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::DeliveryCounts;
    use crate::store::index::IndexEntry;

    const HEAD: CheckpointHead =
        CheckpointHead { number: 4, next_batch: 90, next_file: 6, boot: 2, is_clean_stop: true };

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        let entry = |sequence| IndexEntry { sequence, offset: 64, body_size: 9 };
        ledger.added(5, QueueId(1), &[entry(0), entry(1), entry(2)], false);
        ledger.added(5, QueueId(2), &[entry(7)], true);
        ledger.removed(QueueId(1), SequenceRange { first: 1, last: 1 });
        let counts = DeliveryCounts { failed: 3, acquired: 5 };
        ledger.returned(QueueId(1), SequenceRange { first: 2, last: 2 }, counts);
        ledger.delivered(QueueId(1), SequenceRange { first: 0, last: 0 });
        ledger.changed(b"key", Some(b"value"));
        let (_, lists) = ledger.index_of_open(5).finish(5, 64);
        ledger.sealed(5, 1000, &lists);
        ledger
    }

    #[test]
    fn a_checkpoint_is_read_as_it_was_written() {
        let ledger = ledger();
        let (head, read) = decode(&encode(&HEAD, &ledger)).unwrap();
        assert_eq!(head, HEAD);
        assert_eq!(format!("{:?}", read.queues_sorted()), format!("{:?}", ledger.queues_sorted()));
        assert_eq!((read.files, read.next_queue), (ledger.files, ledger.next_queue));
        assert_eq!(read.definitions, ledger.definitions);
    }

    #[test]
    fn a_checkpoint_that_is_cut_or_damaged_is_none() {
        let bytes = encode(&HEAD, &ledger());
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_none(), "{end} bytes");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 4;
            assert!(decode(&bytes).is_none(), "byte {at}");
        }
    }
}
