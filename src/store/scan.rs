//! Reading a log file from its first batch on: whole batches, and what lies between them that is
//! none. Whether that is torn or damaged, recovery decides.

use super::header::{
    BATCH_ALIGNMENT, BATCH_HEADER_SIZE, BatchFlags, BatchHeader, FILE_HEADER_SIZE,
};
use super::record::{self, Kind, RECORD_HEADER_SIZE, RecordError, RecordHeader};

/// A batch whose head is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) header: BatchHeader,
    pub(super) offset: u64,
}

impl Span {
    /// Where its records end.
    pub(super) fn records_end(&self) -> u64 {
        self.offset + BATCH_HEADER_SIZE as u64 + u64::from(self.header.size)
    }
}

/// Bytes between batches that are none, or behind the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) offset: u64,
    pub(super) end: u64,
}

impl Gap {
    /// What may be left of batches whose heads are damaged, as if it were one batch.
    pub(super) fn span(&self) -> Span {
        let size = self.end.saturating_sub(self.offset).saturating_sub(BATCH_HEADER_SIZE as u64);
        let header = BatchHeader {
            number: 0,
            synced: 0,
            size: u32::try_from(size).unwrap_or(u32::MAX),
            record_count: 0,
            written_at: 0,
            boot: 0,
            flags: BatchFlags::default(),
            definition_count: 0,
        };
        Span { header, offset: self.offset }
    }
}

/// The batches of one file, and the gaps before some of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    pub(super) batches: Vec<Span>,
    pub(super) gaps: Vec<Gap>,
    /// Behind the last whole batch.
    pub(super) end: u64,
}

/// Finds the batches of a file; `bytes` is all of it.
pub(super) fn scan(file: u64, bytes: &[u8]) -> Scan {
    let mut scan = Scan { end: FILE_HEADER_SIZE as u64, ..Scan::default() };
    loop {
        let offset = scan.end;
        match batch_at(file, offset, bytes) {
            Some(span) if scan.is_next(&span) => {
                scan.end = span.header.end(offset);
                let is_last = span.header.flags.is_seal;
                scan.batches.push(span);
                if is_last {
                    return scan;
                }
            }
            _ => match find(&scan, file, offset, bytes) {
                Some(span) => {
                    scan.gaps.push(Gap { offset, end: span.offset });
                    scan.end = span.offset;
                }
                None => return scan,
            },
        }
    }
}

impl Scan {
    /// What stands between this batch and the one before it, where that is none.
    pub(super) fn gap_before(&self, span: &Span) -> Option<Gap> {
        self.gaps.iter().find(|gap| gap.end == span.offset).copied()
    }

    /// What is behind the last batch of a file that should go on.
    pub(super) fn gap_behind(&self, bytes: &[u8]) -> Option<Gap> {
        let is_sealed = self.batches.last().is_some_and(|span| span.header.flags.is_seal);
        let gap = Gap { offset: self.end, end: bytes.len() as u64 };
        (!is_sealed && gap.offset < gap.end).then_some(gap)
    }

    /// Numbers rise; what does not is of an earlier life.
    fn is_next(&self, span: &Span) -> bool {
        self.batches.last().is_none_or(|last| last.header.number < span.header.number)
    }
}

fn batch_at(file: u64, offset: u64, bytes: &[u8]) -> Option<Span> {
    let start = usize::try_from(offset).ok()?;
    let header = BatchHeader::decode(file, offset, bytes.get(start..)?)?;
    Some(Span { header, offset })
}

/// The next whole head behind `offset`.
fn find(scan: &Scan, file: u64, offset: u64, bytes: &[u8]) -> Option<Span> {
    let step = BATCH_ALIGNMENT as u64;
    let mut at = offset.next_multiple_of(step);
    loop {
        let start = usize::try_from(at).ok()?;
        let rest = bytes.get(start..)?;
        // Most of what is passed over is zeros: whole blocks of them cost little.
        let zeros = rest.iter().take_while(|byte| **byte == 0).count() as u64;
        at += zeros / step * step;
        if at > offset
            && let Some(span) = batch_at(file, at, bytes).filter(|span| scan.is_next(span))
        {
            return Some(span);
        }
        at += step;
    }
}

/// One record of a batch, or why it is none.
pub(super) type Read<'a> = Result<(u64, RecordHeader, &'a [u8]), Bad>;

/// A record that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// Where it starts, and where what can be read goes on.
    pub(super) offset: u64,
    pub(super) end: u64,
    /// What it was, where its head is whole.
    pub(super) kind: Option<Kind>,
    /// It is whole, and of a kind that must be known.
    pub(super) unknown_kind: Option<u8>,
}

/// All records of a batch. Behind a damaged head the next one is searched for. Nothing stands
/// behind an index, and what fills a batch up to the next one is none.
pub(super) fn records<'a>(file: u64, span: &Span, bytes: &'a [u8]) -> Vec<Read<'a>> {
    let mut offset = span.offset + BATCH_HEADER_SIZE as u64;
    let end = span.records_end();
    let mut records = Vec::new();
    while offset < end {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let stop = usize::try_from(end).unwrap_or(usize::MAX).min(bytes.len());
        let rest = bytes.get(start..stop).unwrap_or(&[]);
        if is_padding(rest, end - offset) {
            break;
        }
        match record::read(file, offset, rest) {
            Ok((header, payload)) => {
                records.push(Ok((offset, header, payload)));
                if header.kind == Kind::Index {
                    break;
                }
                offset += (RECORD_HEADER_SIZE + payload.len()) as u64;
            }
            Err(RecordError::Payload { kind, record_size }) => {
                let next = (offset + record_size as u64).min(end);
                records.push(Err(Bad { offset, end: next, kind: Some(kind), unknown_kind: None }));
                offset = next;
            }
            Err(RecordError::UnknownKind { kind, record_size }) => {
                let next = offset + record_size as u64;
                // Where the batch ends before it, nobody may take it for whole.
                let unknown_kind = (next <= stop as u64).then_some(kind);
                records.push(Err(Bad { offset, end: next.min(end), kind: None, unknown_kind }));
                offset = next;
            }
            Err(RecordError::Head) => {
                let next = offset + next_head(file, offset, rest).unwrap_or(end - offset);
                records.push(Err(Bad { offset, end: next, kind: None, unknown_kind: None }));
                offset = next;
            }
        }
    }
    records
}

fn is_padding(rest: &[u8], size: u64) -> bool {
    size < BATCH_ALIGNMENT as u64 && rest.len() as u64 == size && rest.iter().all(|byte| *byte == 0)
}

/// How far behind the first byte the next head of a record is whose record fits.
fn next_head(file: u64, offset: u64, bytes: &[u8]) -> Option<u64> {
    let windows = bytes.windows(RECORD_HEADER_SIZE).zip(0_u64..).skip(1);
    for (head, at) in windows {
        let size = head.get(4..8).and_then(|size| size.first_chunk()).copied();
        let end = at + RECORD_HEADER_SIZE as u64 + u64::from(u32::from_le_bytes(size?));
        let is_head = |read| !matches!(read, Err(RecordError::Head));
        if end <= bytes.len() as u64 && is_head(record::read_header(file, offset + at, head)) {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::QueueId;
    use crate::store::record::RecordWriter;

    const FILE: u64 = 5;

    fn push_batch(bytes: &mut Vec<u8>, number: u64, is_seal: bool) -> Span {
        let offset = bytes.len() as u64;
        let mut out = vec![0; BATCH_HEADER_SIZE];
        let mut writer = RecordWriter::new(&mut out, FILE, offset);
        writer.changed(b"key", Some(b"value"));
        writer.forgotten(QueueId(number));
        let header = BatchHeader {
            number,
            synced: number - 1,
            size: u32::try_from(out.len() - BATCH_HEADER_SIZE).unwrap(),
            record_count: 2,
            written_at: 0,
            boot: 1,
            flags: BatchFlags { is_seal, is_clean_stop: false },
            definition_count: 2,
        };
        out[..BATCH_HEADER_SIZE].copy_from_slice(&header.encode(FILE, offset));
        out.resize(out.len().next_multiple_of(BATCH_ALIGNMENT), 0);
        bytes.extend_from_slice(&out);
        Span { header, offset }
    }

    fn file_of(numbers: &[u64]) -> (Vec<u8>, Vec<Span>) {
        let mut bytes = vec![0; FILE_HEADER_SIZE];
        let spans = numbers.iter().map(|number| push_batch(&mut bytes, *number, false)).collect();
        (bytes, spans)
    }

    fn at(offset: u64) -> usize {
        usize::try_from(offset).unwrap()
    }

    #[test]
    fn whole_batches_are_found_up_to_the_zeros_behind() {
        let (mut bytes, spans) = file_of(&[7, 8, 9]);
        let end = bytes.len() as u64;
        bytes.resize(bytes.len() + 1000, 0);
        assert_eq!(scan(FILE, &bytes), Scan { batches: spans, gaps: vec![], end });
    }

    #[test]
    fn a_damaged_head_is_a_gap_and_reading_goes_on_behind() {
        let (mut bytes, spans) = file_of(&[7, 8, 9]);
        bytes[at(spans[1].offset) + 20] ^= 1;
        let scan = scan(FILE, &bytes);
        assert_eq!(scan.batches, [spans[0], spans[2]]);
        let gap = Gap { offset: spans[1].offset, end: spans[2].offset };
        assert_eq!((scan.gaps.as_slice(), scan.gap_before(&spans[2])), (&[gap][..], Some(gap)));
        let left = records(FILE, &gap.span(), &bytes);
        assert_eq!(left.iter().filter(|read| read.is_ok()).count(), 2, "records under the head");
        assert_eq!(left.len(), 2, "zeros up to the next batch are no damage");
    }

    #[test]
    fn nothing_counts_behind_a_seal_or_of_an_earlier_life() {
        let (mut bytes, _) = file_of(&[7]);
        push_batch(&mut bytes, 8, true);
        let sealed_end = bytes.len() as u64;
        push_batch(&mut bytes, 9, false);
        assert_eq!(scan(FILE, &bytes).end, sealed_end);
        let (mut bytes, _) = file_of(&[7]);
        let end = bytes.len() as u64;
        push_batch(&mut bytes, 3, false);
        assert_eq!(scan(FILE, &bytes).end, end);
    }

    #[test]
    fn a_damaged_record_hides_itself_and_nothing_else() {
        let (mut bytes, spans) = file_of(&[7]);
        let first = spans[0].offset + BATCH_HEADER_SIZE as u64;
        let read = |bytes: &[u8]| -> Vec<bool> {
            records(FILE, &spans[0], bytes).iter().map(Result::is_ok).collect()
        };
        assert_eq!(read(&bytes), [true, true]);
        bytes[at(first) + RECORD_HEADER_SIZE + 2] ^= 1;
        assert_eq!(read(&bytes), [false, true]);
        for byte in 0..RECORD_HEADER_SIZE {
            bytes[at(first) + byte] ^= 1;
            assert_eq!(read(&bytes), [false, true], "byte {byte} of the head");
            bytes[at(first) + byte] ^= 1;
        }
    }

    #[test]
    fn a_cut_file_is_read_as_far_as_it_goes() {
        let (bytes, spans) = file_of(&[7, 8]);
        for end in FILE_HEADER_SIZE..bytes.len() {
            let scan = scan(FILE, &bytes[..end]);
            for span in &scan.batches {
                let last = records(FILE, span, &bytes[..end]).pop().unwrap();
                assert!(last.is_ok() || end < at(span.records_end()));
            }
            assert!(scan.batches.len() <= spans.len());
        }
    }
}
