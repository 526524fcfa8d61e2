//! Reading a log file from its first batch on: whole batches, and what lies between them that is
//! none. Whether that is torn or damaged, recovery decides.

use super::header::{BATCH_ALIGNMENT, BATCH_HEADER_SIZE, BatchHeader, FILE_HEADER_SIZE};
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

/// Bytes between batches that are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) offset: u64,
    pub(super) end: u64,
    /// The number of the batch behind it.
    pub(super) next: Option<u64>,
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
                    let next = Some(span.header.number);
                    scan.gaps.push(Gap { offset, end: span.offset, next });
                    scan.end = span.offset;
                }
                None => return scan,
            },
        }
    }
}

impl Scan {
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

/// All records of a batch. Behind a damaged head nothing more of the batch can be read.
pub(super) fn records<'a>(file: u64, span: &Span, bytes: &'a [u8]) -> Vec<Read<'a>> {
    let mut offset = span.offset + BATCH_HEADER_SIZE as u64;
    let end = span.records_end();
    let mut records = Vec::new();
    while offset < end {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let stop = usize::try_from(end).unwrap_or(usize::MAX).min(bytes.len());
        let rest = bytes.get(start..stop).unwrap_or(&[]);
        match record::read(file, offset, rest) {
            Ok((header, payload)) => {
                records.push(Ok((offset, header, payload)));
                offset += (RECORD_HEADER_SIZE + payload.len()) as u64;
            }
            Err(RecordError::Payload { kind, record_size }) => {
                let next = (offset + record_size as u64).min(end);
                records.push(Err(Bad { offset, end: next, kind: Some(kind), unknown_kind: None }));
                offset = next;
            }
            Err(RecordError::UnknownKind(kind)) => {
                records.push(Err(Bad { offset, end, kind: None, unknown_kind: Some(kind) }));
                return records;
            }
            Err(RecordError::Head) => {
                records.push(Err(Bad { offset, end, kind: None, unknown_kind: None }));
                return records;
            }
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::QueueId;
    use crate::store::header::BatchFlags;
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
        let gap = Gap { offset: spans[1].offset, end: spans[2].offset, next: Some(9) };
        assert_eq!(scan.gaps, [gap]);
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
    fn a_damaged_record_hides_itself_and_a_damaged_head_the_rest_of_its_batch() {
        let (mut bytes, spans) = file_of(&[7]);
        let first = spans[0].offset + BATCH_HEADER_SIZE as u64;
        let read = |bytes: &[u8]| -> Vec<bool> {
            records(FILE, &spans[0], bytes).iter().map(Result::is_ok).collect()
        };
        assert_eq!(read(&bytes), [true, true]);
        bytes[at(first) + RECORD_HEADER_SIZE + 2] ^= 1;
        assert_eq!(read(&bytes), [false, true]);
        bytes[at(first) + 2] ^= 1;
        assert_eq!(read(&bytes), [false]);
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
