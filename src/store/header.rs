//! The fixed heads on disk: of a file, of a batch. What stands behind them is in `record`; the
//! drawings are in `format.md`.

use bytes::{Buf, BufMut};

use super::checksum::checksum;

/// The format this version writes, and the only one it reads.
pub(super) const FORMAT_VERSION: u16 = 1;

/// Bytes of a file's head.
pub(super) const FILE_HEADER_SIZE: usize = 64;

/// Bytes of a batch's head.
pub(super) const BATCH_HEADER_SIZE: usize = 56;

/// Batches start at multiples of this, so that the next one is found behind a damaged one.
pub(super) const BATCH_ALIGNMENT: usize = 8;

const FILE_MAGIC: [u8; 8] = *b"LEVERET\0";
const BATCH_MAGIC: [u8; 4] = *b"LBAT";

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    /// A part of the log.
    Log,
    /// All that is alive at one position.
    Checkpoint,
}

impl FileKind {
    fn number(self) -> u16 {
        match self {
            Self::Log => 1,
            Self::Checkpoint => 2,
        }
    }
}

/// The head of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileHeader {
    pub(super) kind: FileKind,
    /// Never used twice, whatever the file is called: the generation of a recycled file.
    pub(super) number: u64,
    /// Log: its first batch. Checkpoint: the batch behind the last one it covers.
    pub(super) next_batch: u64,
    /// Log: unused. Checkpoint: the first log file it does not cover.
    pub(super) next_file: u64,
    /// Counts the starts of the node.
    pub(super) boot: u64,
}

/// Why a head is not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderError {
    /// Not the bytes of a Leveret file, or damaged.
    Damaged,
    /// A format this version does not know.
    UnknownVersion(u16),
}

impl FileHeader {
    /// The head as bytes.
    pub(super) fn encode(&self) -> [u8; FILE_HEADER_SIZE] {
        let mut bytes = [0; FILE_HEADER_SIZE];
        let mut out = &mut bytes[..];
        out.put_slice(&FILE_MAGIC);
        out.put_u16_le(FORMAT_VERSION);
        out.put_u16_le(self.kind.number());
        // The shard: there is one log.
        out.put_u32_le(0);
        out.put_u64_le(self.number);
        out.put_u64_le(self.next_batch);
        out.put_u64_le(self.next_file);
        out.put_u64_le(self.boot);
        let check = checksum(self.number, 0, bytes.first_chunk::<60>().map_or(&[], |c| &c[..]));
        if let Some(place) = bytes.last_chunk_mut::<4>() {
            *place = check.to_le_bytes();
        }
        bytes
    }

    /// Reads a head.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let bytes: &[u8; FILE_HEADER_SIZE] = bytes.first_chunk().ok_or(HeaderError::Damaged)?;
        let mut input = &bytes[..];
        let magic = input.copy_to_bytes(FILE_MAGIC.len());
        let version = input.get_u16_le();
        // No version is 0: that is a head of which only the first bytes were written.
        if magic[..] != FILE_MAGIC || version == 0 {
            return Err(HeaderError::Damaged);
        }
        // Before the checksum, which another version may make otherwise. Where ours fits all the
        // same, it is the version that is damaged.
        if version != FORMAT_VERSION {
            let mut ours = *bytes;
            let [_, _, _, _, _, _, _, _, low, high, ..] = &mut ours;
            [*low, *high] = FORMAT_VERSION.to_le_bytes();
            let is_ours = Self::decode(&ours).is_ok();
            return Err(if is_ours {
                HeaderError::Damaged
            } else {
                HeaderError::UnknownVersion(version)
            });
        }
        let kind = match input.get_u16_le() {
            1 => FileKind::Log,
            2 => FileKind::Checkpoint,
            _ => return Err(HeaderError::Damaged),
        };
        input.advance(4);
        let number = input.get_u64_le();
        let header = Self {
            kind,
            number,
            next_batch: input.get_u64_le(),
            next_file: input.get_u64_le(),
            boot: input.get_u64_le(),
        };
        if header.encode() == *bytes { Ok(header) } else { Err(HeaderError::Damaged) }
    }
}

/// The head of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchHeader {
    /// Counts up over all files.
    pub(super) number: u64,
    /// The last batch that was known to be synced when this one was written.
    pub(super) synced: u64,
    /// Bytes of records behind the head.
    pub(super) size: u32,
    /// How many records that is.
    pub(super) record_count: u32,
    /// When it was written, in milliseconds since the epoch: the arrival of what is in it.
    pub(super) written_at: u64,
    /// The boot that wrote it.
    pub(super) boot: u64,
    pub(super) flags: BatchFlags,
    /// Records of definitions in its file, its own included: by it a start knows whether one is
    /// among what it cannot read.
    pub(super) definition_count: u32,
}

/// What is particular about a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BatchFlags {
    /// It is the last of its file: the index.
    pub(super) is_seal: bool,
    /// It is the last of a node that stopped in order.
    pub(super) is_clean_stop: bool,
}

impl BatchHeader {
    /// The head as bytes, for this place.
    pub(super) fn encode(&self, file: u64, offset: u64) -> [u8; BATCH_HEADER_SIZE] {
        let mut bytes = [0; BATCH_HEADER_SIZE];
        let mut out = &mut bytes[..];
        out.put_slice(&BATCH_MAGIC);
        out.put_u32_le(0);
        out.put_u64_le(self.number);
        out.put_u64_le(self.synced);
        out.put_u32_le(self.size);
        out.put_u32_le(self.record_count);
        out.put_u64_le(self.written_at);
        out.put_u64_le(self.boot);
        let flags = u32::from(self.flags.is_seal) | u32::from(self.flags.is_clean_stop) << 1;
        out.put_u32_le(flags);
        out.put_u32_le(self.definition_count);
        let check = checksum(file, offset, bytes.get(8..).unwrap_or(&[]));
        if let Some(place) = bytes.get_mut(4..8) {
            place.copy_from_slice(&check.to_le_bytes());
        }
        bytes
    }

    /// Reads the head at this place; `None` where none stands there.
    pub(super) fn decode(file: u64, offset: u64, bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; BATCH_HEADER_SIZE] = bytes.first_chunk()?;
        let mut input = &bytes[..];
        if input.copy_to_bytes(BATCH_MAGIC.len())[..] != BATCH_MAGIC {
            return None;
        }
        let check = input.get_u32_le();
        if check != checksum(file, offset, bytes.get(8..)?) {
            return None;
        }
        let number = input.get_u64_le();
        let synced = input.get_u64_le();
        let size = input.get_u32_le();
        let record_count = input.get_u32_le();
        let written_at = input.get_u64_le();
        let boot = input.get_u64_le();
        let flags = input.get_u32_le();
        let flags = BatchFlags { is_seal: flags & 1 != 0, is_clean_stop: flags & 2 != 0 };
        let definition_count = input.get_u32_le();
        Some(Self { number, synced, size, record_count, written_at, boot, flags, definition_count })
    }

    /// Where the next batch starts.
    pub(super) fn end(&self, offset: u64) -> u64 {
        let end = offset + (BATCH_HEADER_SIZE as u64) + u64::from(self.size);
        end.next_multiple_of(BATCH_ALIGNMENT as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileHeader =
        FileHeader { kind: FileKind::Log, number: 7, next_batch: 30, next_file: 0, boot: 2 };

    fn batch() -> BatchHeader {
        BatchHeader {
            number: 31,
            synced: 29,
            size: 9,
            record_count: 1,
            written_at: 1_700_000_000_000,
            boot: 2,
            flags: BatchFlags { is_seal: false, is_clean_stop: true },
            definition_count: 5,
        }
    }

    #[test]
    fn heads_are_read_as_they_were_written() {
        assert_eq!(FileHeader::decode(&FILE.encode()), Ok(FILE));
        assert_eq!(BatchHeader::decode(7, 64, &batch().encode(7, 64)), Some(batch()));
    }

    #[test]
    fn a_head_of_another_place_or_another_life_is_none() {
        let bytes = batch().encode(7, 64);
        assert_eq!(BatchHeader::decode(7, 72, &bytes), None);
        assert_eq!(BatchHeader::decode(8, 64, &bytes), None);
    }

    #[test]
    fn every_flipped_bit_of_a_head_is_seen() {
        for bit in 0..FILE_HEADER_SIZE * 8 {
            let mut bytes = FILE.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FileHeader::decode(&bytes), Err(HeaderError::Damaged), "bit {bit}");
        }
        for bit in 0..BATCH_HEADER_SIZE * 8 {
            let mut bytes = batch().encode(7, 64);
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(BatchHeader::decode(7, 64, &bytes), None, "bit {bit}");
        }
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = FILE.encode();
        bytes[8] = 9;
        bytes[60..].fill(7);
        assert_eq!(FileHeader::decode(&bytes), Err(HeaderError::UnknownVersion(9)));
    }

    #[test]
    fn batches_start_at_multiples_of_eight() {
        assert_eq!(batch().end(64), 136);
    }
}
