//! The records of a batch: facts as bytes. Each has a checksum of its head and one of its payload.
//! What a fact changes is in `ledger`; the drawings are in `format.md`.

use bytes::{Buf, BufMut};

use super::checksum::checksum;
use crate::message::{BodyPart, DeliveryCounts, Message, QueueId, Sequence, SequenceRange};

/// Bytes of a record's head.
pub(super) const RECORD_HEADER_SIZE: usize = 16;

/// Bytes of a checksum.
const CHECK_SIZE: usize = 4;

/// Queues that one message record can name.
pub(super) const OWNERS_MAX: usize = u16::MAX as usize;

/// A kind with this bit may be passed over by a version that does not know it.
const MAY_BE_SKIPPED: u8 = 0x80;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A message, and the places in queues it has.
    Message,
    /// More places for a message that stands before it in the same file.
    Reference,
    /// Places that are free again.
    Removed,
    /// Deliveries that failed, with their count.
    Returned,
    /// Places whose messages were delivered before: told at a clean stop.
    Delivered,
    /// A definition.
    Changed,
    /// Something that is kept under a key and is no definition.
    Noted,
    /// A queue that is gone with all it held.
    Forgotten,
    /// Where in this file the places of queues are.
    Index,
    /// Checkpoint: one queue.
    Queue,
    /// Checkpoint: one file.
    File,
    /// Checkpoint: its last record.
    End,
    /// Written by a later version, and of no importance to this one.
    Skipped,
}

pub(super) const KINDS: [(Kind, u8); 12] = [
    (Kind::Message, 1),
    (Kind::Reference, 2),
    (Kind::Removed, 3),
    (Kind::Returned, 4),
    (Kind::Delivered, 5),
    (Kind::Changed, 6),
    (Kind::Forgotten, 7),
    (Kind::Index, 8),
    (Kind::Queue, 9),
    (Kind::File, 10),
    (Kind::End, 11),
    (Kind::Noted, 12),
];

impl Kind {
    fn number(self) -> u8 {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or(MAY_BE_SKIPPED, |(_, number)| *number)
    }

    /// None where it is not known, and may not be passed over.
    pub(super) fn parse(number: u8) -> Option<Self> {
        match KINDS.iter().find(|(_, known)| *known == number) {
            Some((kind, _)) => Some(*kind),
            None => (number & MAY_BE_SKIPPED != 0).then_some(Self::Skipped),
        }
    }
}

/// The head of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) kind: Kind,
    pub(super) flags: u8,
    /// Message and reference: how many places.
    pub(super) owner_count: u16,
    pub(super) size: u32,
    payload_check: u32,
}

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordError {
    /// Its head is damaged: where the next one starts is not known.
    Head,
    /// Its payload is damaged; the next record stands this many bytes further.
    Payload { kind: Kind, record_size: usize },
    /// Whole, and of a kind this version must know and does not.
    UnknownKind { kind: u8, record_size: usize },
}

/// The message lives as long as the node that wrote it.
pub(super) const FLAG_TRANSIENT: u8 = 1;
/// It stood in another file before, in the same place of its queue.
pub(super) const FLAG_MOVED: u8 = 2;
/// Its publisher asked for persistence.
pub(super) const FLAG_PERSISTENT: u8 = 32;
/// References point to it: not all its places are named here.
pub(super) const FLAG_SHARED: u8 = 64;
/// Its publisher gave it an expiration, which is among its properties.
pub(super) const FLAG_EXPIRES: u8 = 4;
/// A priority follows.
pub(super) const FLAG_PRIORITY: u8 = 8;
/// A key for deduplication follows.
pub(super) const FLAG_DEDUPLICATION: u8 = 16;

/// How a message came to its queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Came {
    /// When, in milliseconds since the epoch.
    pub(super) arrived: u64,
    /// Its priority, where it is noted.
    pub(super) level: Option<u8>,
}

impl Came {
    fn flag(self) -> u8 {
        if self.level.is_some() { FLAG_PRIORITY } else { 0 }
    }
}

/// Where in a file a message stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) offset: u64,
    pub(super) body_size: u64,
}

/// A place in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    /// The queue.
    pub(super) queue: QueueId,
    /// Where in it.
    pub(super) sequence: Sequence,
}

/// Writes records behind each other.
#[derive(Debug)]
pub(super) struct RecordWriter<'a> {
    out: &'a mut Vec<u8>,
    file: u64,
    /// Where in the file the first byte of `out` will be.
    base: u64,
    pub(super) count: u32,
}

impl<'a> RecordWriter<'a> {
    /// A writer whose output goes to this place of this file.
    pub(super) fn new(out: &'a mut Vec<u8>, file: u64, base: u64) -> Self {
        Self { out, file, base, count: 0 }
    }

    /// Where the next record will be.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.out.len() as u64
    }

    /// Writes one record; `payload` appends its bytes.
    pub(super) fn write(
        &mut self,
        kind: Kind,
        flags: u8,
        owner_count: u16,
        payload: impl FnOnce(&mut Vec<u8>),
    ) {
        let start = self.out.len();
        let offset = self.base + start as u64;
        self.out.put_bytes(0, RECORD_HEADER_SIZE);
        payload(self.out);
        let (_, record) = self.out.split_at_mut(start);
        let (head, body) = record.split_at_mut(RECORD_HEADER_SIZE);
        let (check, head) = head.split_at_mut(CHECK_SIZE);
        let body_offset = offset + RECORD_HEADER_SIZE as u64;
        let mut fields = &mut *head;
        fields.put_u32_le(u32::try_from(body.len()).unwrap_or(u32::MAX));
        fields.put_u32_le(checksum(self.file, body_offset, body));
        fields.put_u8(kind.number());
        fields.put_u8(flags);
        fields.put_u16_le(owner_count);
        check.copy_from_slice(&checksum(self.file, offset, head).to_le_bytes());
        self.count += 1;
    }

    /// A message with its places, and when it came.
    pub(super) fn message(&mut self, owners: &[Place], flags: u8, came: Came, message: &Message) {
        let owner_count = u16::try_from(owners.len()).unwrap_or(u16::MAX);
        self.write(Kind::Message, flags | came.flag(), owner_count, |out| {
            put_places(out, owners);
            out.put_u64_le(came.arrived);
            out.extend(came.level);
            put_message(out, message);
        });
    }

    /// Places for a message that stands in this file.
    pub(super) fn reference(
        &mut self,
        owners: &[Place],
        flags: u8,
        came: Came,
        standing: Standing,
    ) {
        let owner_count = u16::try_from(owners.len()).unwrap_or(u16::MAX);
        self.write(Kind::Reference, flags | came.flag(), owner_count, |out| {
            put_places(out, owners);
            out.put_u64_le(standing.offset);
            out.put_u32_le(u32::try_from(standing.body_size).unwrap_or(u32::MAX));
            out.extend(came.level);
        });
    }

    /// Places of one queue, for the kinds that are a list of ranges.
    pub(super) fn ranges(&mut self, kind: Kind, queue: QueueId, ranges: &[SequenceRange]) {
        self.write(kind, 0, 0, |out| {
            out.put_u64_le(queue.0);
            put_ranges(out, ranges.iter().copied());
        });
    }

    /// How often these places came back.
    pub(super) fn returned(
        &mut self,
        queue: QueueId,
        counts: DeliveryCounts,
        ranges: impl IntoIterator<Item = SequenceRange>,
    ) {
        self.write(Kind::Returned, 0, 0, |out| {
            out.put_u64_le(queue.0);
            put_counts(out, counts);
            put_ranges(out, ranges);
        });
    }

    /// A definition under its key, or that it is gone.
    pub(super) fn changed(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.write(Kind::Changed, 0, 0, |out| put_change(out, key, value));
    }

    /// What is kept under a key, or that it is gone.
    pub(super) fn noted(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.write(Kind::Noted, 0, 0, |out| put_change(out, key, value));
    }

    /// A queue that is gone.
    pub(super) fn forgotten(&mut self, queue: QueueId) {
        self.write(Kind::Forgotten, 0, 0, |out| out.put_u64_le(queue.0));
    }
}

fn put_change(out: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    out.put_u32_le(u32::try_from(key.len()).unwrap_or(u32::MAX));
    out.put_slice(key);
    out.put_u8(u8::from(value.is_some()));
    out.put_slice(value.unwrap_or(&[]));
}

fn put_places(out: &mut Vec<u8>, places: &[Place]) {
    for place in places {
        out.put_u64_le(place.queue.0);
        out.put_u64_le(place.sequence);
    }
}

pub(super) fn put_counts(out: &mut Vec<u8>, counts: DeliveryCounts) {
    out.put_u32_le(counts.failed);
    out.put_u32_le(counts.acquired);
}

/// Ranges as first and count; one longer than a count can say is several.
pub(super) fn put_ranges(out: &mut Vec<u8>, ranges: impl IntoIterator<Item = SequenceRange>) {
    for range in ranges {
        let mut first = range.first;
        loop {
            let rest = (range.last - first).min(u64::from(u32::MAX));
            out.put_u64_le(first);
            out.put_u32_le(u32::try_from(rest).unwrap_or(u32::MAX));
            if range.last - first == rest {
                break;
            }
            first += rest + 1;
        }
    }
}

fn put_message(out: &mut Vec<u8>, message: &Message) {
    let (exchange, routing_key) = (message.exchange(), message.routing_key());
    out.put_u8(u8::try_from(exchange.len()).unwrap_or(u8::MAX));
    out.put_u8(u8::try_from(routing_key.len()).unwrap_or(u8::MAX));
    out.put_u32_le(u32::try_from(message.properties().len()).unwrap_or(u32::MAX));
    out.put_slice(exchange.as_bytes());
    out.put_slice(routing_key.as_bytes());
    out.put_slice(message.properties());
    message.body().for_each(|part: BodyPart<'_>| out.put_slice(part.as_slice()));
}

/// Reads the head of the record at this place.
pub(super) fn read_header(
    file: u64,
    offset: u64,
    bytes: &[u8],
) -> Result<RecordHeader, RecordError> {
    let head: &[u8; RECORD_HEADER_SIZE] = bytes.first_chunk().ok_or(RecordError::Head)?;
    let mut input = &head[..];
    let check = input.get_u32_le();
    if check != checksum(file, offset, input) {
        return Err(RecordError::Head);
    }
    let size = input.get_u32_le();
    let payload_check = input.get_u32_le();
    let number = input.get_u8();
    let record_size = RECORD_HEADER_SIZE + size as usize;
    let unknown = RecordError::UnknownKind { kind: number, record_size };
    let kind = Kind::parse(number).ok_or(unknown)?;
    let flags = input.get_u8();
    Ok(RecordHeader { kind, flags, owner_count: input.get_u16_le(), size, payload_check })
}

/// Reads the record at this place: its head and its payload, both whole.
pub(super) fn read(
    file: u64,
    offset: u64,
    bytes: &[u8],
) -> Result<(RecordHeader, &[u8]), RecordError> {
    let header = read_header(file, offset, bytes)?;
    let end = RECORD_HEADER_SIZE + header.size as usize;
    let damaged = RecordError::Payload { kind: header.kind, record_size: end };
    let payload = bytes.get(RECORD_HEADER_SIZE..end).ok_or(damaged)?;
    if checksum(file, offset + RECORD_HEADER_SIZE as u64, payload) != header.payload_check {
        return Err(damaged);
    }
    Ok((header, payload))
}
