//! Where the places of queues are in one file: a list per extent, sorted by sequence, at the end of
//! a sealed file. An entry has a fixed size and a checksum of its own, so that any part of a list
//! is read alone.

use bytes::{Buf, BufMut};

use super::checksum::checksum;
use crate::message::{QueueId, Sequence};

/// Bytes of an entry on disk.
pub(super) const ENTRY_SIZE: usize = 16;

/// Bytes of an entry that its checksum covers.
const FIELDS_SIZE: usize = 12;

/// Bytes of a list's line in the directory.
const LINE_SIZE: usize = 24;

/// One place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) sequence: Sequence,
    /// Where its record starts in the file.
    pub(super) offset: u32,
    pub(super) body_size: u32,
}

/// Where a list stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct List {
    /// What the entries' sequences are counted from.
    pub(super) first: Sequence,
    /// Its first entry's offset in the file.
    pub(super) offset: u32,
    /// How many entries it has.
    pub(super) count: u32,
}

impl List {
    /// Where entry `number` stands in the file.
    pub(super) fn offset_of(&self, number: u32) -> u64 {
        u64::from(self.offset) + u64::from(number) * ENTRY_SIZE as u64
    }

    /// Reads entries that stand behind each other, from this one on. What is damaged is left out.
    pub(super) fn decode(&self, file: u64, number: u32, bytes: &[u8]) -> Vec<IndexEntry> {
        let (entries, _) = bytes.as_chunks::<ENTRY_SIZE>();
        let numbered = entries.iter().zip(number..);
        numbered.filter_map(|(entry, number)| self.decode_one(file, number, entry)).collect()
    }

    fn decode_one(&self, file: u64, number: u32, entry: &[u8; ENTRY_SIZE]) -> Option<IndexEntry> {
        let (fields, mut check) = entry.split_at(FIELDS_SIZE);
        if check.get_u32_le() != checksum(file, self.offset_of(number), fields) {
            return None;
        }
        let mut input = fields;
        let sequence = self.first.saturating_add(u64::from(input.get_u32_le()));
        Some(IndexEntry { sequence, offset: input.get_u32_le(), body_size: input.get_u32_le() })
    }
}

/// An index in the making: lists, and which queue each is of.
#[derive(Debug, Default)]
pub(super) struct IndexBuilder {
    lines: Vec<(QueueId, List)>,
    entries: Vec<u8>,
}

impl IndexBuilder {
    /// Adds the list of one extent: sorted, and not wider than an entry can say.
    pub(super) fn push(&mut self, queue: QueueId, entries: &[IndexEntry]) {
        let Some(first) = entries.first().map(|entry| entry.sequence) else { return };
        let offset = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        self.lines.push((queue, List { first, offset, count }));
        for entry in entries {
            let distance = entry.sequence.saturating_sub(first);
            self.entries.put_u32_le(u32::try_from(distance).unwrap_or(u32::MAX));
            self.entries.put_u32_le(entry.offset);
            self.entries.put_u32_le(entry.body_size);
            // Where it will stand is not known yet.
            self.entries.put_u32_le(0);
        }
    }

    /// The payload, which will stand at `offset` of this file, and the lists where they will stand.
    pub(super) fn finish(mut self, file: u64, offset: u64) -> (Vec<u8>, Vec<(QueueId, List)>) {
        let entries_start = offset + 4 + (self.lines.len() * LINE_SIZE) as u64;
        let base = u32::try_from(entries_start).unwrap_or(u32::MAX);
        let mut payload = Vec::with_capacity(4 + self.lines.len() * LINE_SIZE + self.entries.len());
        payload.put_u32_le(u32::try_from(self.lines.len()).unwrap_or(u32::MAX));
        for (queue, list) in &mut self.lines {
            list.offset = list.offset.saturating_add(base);
            payload.put_u64_le(queue.0);
            payload.put_u64_le(list.first);
            payload.put_u32_le(list.offset);
            payload.put_u32_le(list.count);
        }
        let (entries, _) = self.entries.as_chunks_mut::<ENTRY_SIZE>();
        for (entry, at) in entries.iter_mut().zip((entries_start..).step_by(ENTRY_SIZE)) {
            let (fields, check) = entry.split_at_mut(FIELDS_SIZE);
            check.copy_from_slice(&checksum(file, at, fields).to_le_bytes());
        }
        payload.extend_from_slice(&self.entries);
        (payload, self.lines)
    }
}

/// The directory of a whole index: which lists it has. `None` where it is no index.
pub(super) fn directory(mut payload: &[u8]) -> Option<Vec<(QueueId, List)>> {
    let count = payload.try_get_u32_le().ok()? as usize;
    let lines = payload.get(..count.checked_mul(LINE_SIZE)?)?;
    let line = |mut input: &[u8]| {
        let queue = QueueId(input.get_u64_le());
        let first = input.get_u64_le();
        (queue, List { first, offset: input.get_u32_le(), count: input.get_u32_le() })
    };
    let (lines, _) = lines.as_chunks::<LINE_SIZE>();
    Some(lines.iter().map(|bytes| line(bytes)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(sequences: &[Sequence]) -> Vec<IndexEntry> {
        let entry = |&sequence| IndexEntry { sequence, offset: 100, body_size: 5 };
        sequences.iter().map(entry).collect()
    }

    #[test]
    fn lists_stand_where_the_directory_says() {
        let mut builder = IndexBuilder::default();
        builder.push(QueueId(7), &entries(&[10, 11, 15]));
        builder.push(QueueId(8), &entries(&[1 << 40]));
        builder.push(QueueId(9), &[]);
        let (payload, lists) = builder.finish(5, 1000);
        assert_eq!(directory(&payload), Some(lists.clone()));
        for (list, expected) in lists.iter().zip([entries(&[10, 11, 15]), entries(&[1 << 40])]) {
            let start = usize::try_from(list.1.offset_of(0) - 1000).unwrap();
            let end = start + list.1.count as usize * ENTRY_SIZE;
            assert_eq!(list.1.decode(5, 0, &payload[start..end]), expected);
        }
        assert_eq!(lists.len(), 2);
    }

    #[test]
    fn a_damaged_entry_is_left_out_and_no_other() {
        let mut builder = IndexBuilder::default();
        builder.push(QueueId(7), &entries(&[10, 11, 15]));
        let (payload, lists) = builder.finish(5, 0);
        let start = usize::try_from(lists[0].1.offset_of(1)).unwrap();
        for bit in 0..ENTRY_SIZE * 8 {
            let mut bytes = payload[start..].to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(lists[0].1.decode(5, 1, &bytes), entries(&[15]), "bit {bit}");
        }
        assert!(lists[0].1.decode(5, 0, &payload[start..]).is_empty(), "entries of another place");
    }

    #[test]
    fn what_is_cut_is_no_directory() {
        let mut builder = IndexBuilder::default();
        builder.push(QueueId(7), &entries(&[10]));
        let (payload, _) = builder.finish(5, 0);
        assert_eq!(directory(&payload[..20]), None);
        assert_eq!(directory(&[]), None);
    }
}
