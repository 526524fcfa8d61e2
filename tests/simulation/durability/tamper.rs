//! Batches as bytes, for bugs that are planted on the disk: their records are changed and their
//! checksums made right again, so that only what they say is wrong. The drawings are in the store's
//! description of its format.

use leveret::store::{MemoryStorage, Storage};

const FILE_HEADER_SIZE: usize = 64;
const BATCH_HEADER_SIZE: usize = 56;
const RECORD_HEADER_SIZE: usize = 16;
const BATCH_ALIGNMENT: usize = 8;
const MAGIC: &[u8] = b"LBAT";

const KIND_MESSAGE: u8 = 1;
const KIND_REMOVED: u8 = 3;
const FLAG_MOVED: u8 = 2;

/// The number in the name of a log file.
pub(super) fn log_number(name: &str) -> Option<u64> {
    name.strip_prefix("log-")?.parse().ok()
}

fn checksum(file: u64, offset: usize, bytes: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&file.to_le_bytes());
    hasher.update(&(offset as u64).to_le_bytes());
    hasher.update(bytes);
    hasher.finalize().to_le_bytes()
}

fn number_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().unwrap())
}

fn size_at(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(*bytes[at..].first_chunk().unwrap()) as usize
}

/// Where the records of a batch start, and how many bytes each has.
fn records(batch: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    if !batch.starts_with(MAGIC) || batch.len() < BATCH_HEADER_SIZE {
        return found;
    }
    let end = (BATCH_HEADER_SIZE + size_at(batch, 24)).min(batch.len());
    let mut at = BATCH_HEADER_SIZE;
    while at + RECORD_HEADER_SIZE <= end {
        let size = RECORD_HEADER_SIZE + size_at(batch, at + 4);
        if at + size > end {
            break;
        }
        found.push((at, size));
        at += size;
    }
    found
}

/// A batch holds copies of messages from an older file.
pub(super) fn has_moved(batch: &[u8]) -> bool {
    let is_moved = |at: usize| batch[at + 12] == KIND_MESSAGE && batch[at + 13] & FLAG_MOVED != 0;
    records(batch).into_iter().any(|(at, _)| is_moved(at))
}

/// Makes the checksums of a record right.
fn stamp(batch: &mut [u8], file: u64, offset: usize, at: usize, size: usize) {
    let payload = at + RECORD_HEADER_SIZE;
    let check = checksum(file, offset + payload, &batch[payload..at + size]);
    batch[at + 8..at + 12].copy_from_slice(&check);
    let check = checksum(file, offset + at, &batch[at + 4..payload]);
    batch[at..at + 4].copy_from_slice(&check);
}

/// Settlements are written for another queue than theirs. Tells how many.
pub(super) fn swap_queues(batch: &mut [u8], file: u64, offset: u64, known: &mut Vec<u64>) -> u64 {
    let mut count = 0;
    for (at, size) in records(batch) {
        let payload = at + RECORD_HEADER_SIZE;
        let queue = if size >= RECORD_HEADER_SIZE + 8 { number_at(batch, payload) } else { 0 };
        if batch[at + 12] == KIND_MESSAGE && !known.contains(&queue) {
            known.push(queue);
        }
        let other = known.iter().rev().find(|other| **other != queue).copied();
        if let (KIND_REMOVED, Some(other)) = (batch[at + 12], other) {
            batch[payload..payload + 8].copy_from_slice(&other.to_le_bytes());
            stamp(batch, file, usize::try_from(offset).unwrap(), at, size);
            count += 1;
        }
    }
    count
}

/// A batch of the last file's earlier life passes for the next one. True where there was one.
pub(super) fn revive_stale(disk: &MemoryStorage) -> bool {
    let names = disk.list().unwrap();
    let Some(name) = names.iter().rfind(|name| log_number(name).is_some()) else { return false };
    let (file, number) = (disk.open(name).unwrap(), log_number(name).unwrap());
    let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    if bytes.len() < FILE_HEADER_SIZE || number_at(&bytes, 16) != number {
        return false;
    }
    let mut next = number_at(&bytes, 24);
    let mut at = FILE_HEADER_SIZE;
    while let Some(found) = next_batch(&bytes, at) {
        let size = BATCH_HEADER_SIZE + size_at(&bytes, found + 24);
        if bytes.len() < found + size {
            return false;
        }
        if checksum(number, found, &bytes[found + 8..found + BATCH_HEADER_SIZE])
            != bytes[found + 4..found + 8]
        {
            revive(&mut bytes[found..found + size], number, found, next);
            file.write_at(found as u64, &bytes[found..found + size]).unwrap();
            file.sync().unwrap();
            return true;
        }
        next = number_at(&bytes, found + 8) + 1;
        at = (found + size).next_multiple_of(BATCH_ALIGNMENT);
    }
    false
}

fn next_batch(bytes: &[u8], from: usize) -> Option<usize> {
    let end = bytes.len().saturating_sub(BATCH_HEADER_SIZE);
    (from..end).step_by(BATCH_ALIGNMENT).find(|at| bytes[*at..].starts_with(MAGIC))
}

fn revive(batch: &mut [u8], file: u64, offset: usize, number: u64) {
    for (at, size) in records(batch) {
        stamp(batch, file, offset, at, size);
    }
    batch[8..16].copy_from_slice(&number.to_le_bytes());
    let check = checksum(file, offset, &batch[8..BATCH_HEADER_SIZE]);
    batch[4..8].copy_from_slice(&check);
}
