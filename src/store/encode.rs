//! A cut batch as bytes, and what of it the ledger must know. A message that went to several queues
//! is written once. It writes to no file.

use hashbrown::HashMap;

use super::batch::Batch;
use super::header::BATCH_HEADER_SIZE;
use super::index::{IndexBuilder, IndexEntry, List};
use super::queue_facts::{Added, QueueFacts};
use super::ranges::RangeCounts;
use super::record::{
    FLAG_EXPIRES, FLAG_PERSISTENT, FLAG_SHARED, FLAG_TRANSIENT, Kind, OWNERS_MAX, Place,
    RECORD_HEADER_SIZE, RecordWriter, Standing,
};
use crate::message::{DeliveryCounts, Message, Moment, QueueId, SequenceRange};

/// Places of one queue that a batch fills.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) queue: QueueId,
    pub(super) is_transient: bool,
    /// They have an expiration.
    pub(super) expires: bool,
    /// Their priority, where it is noted.
    pub(super) level: Option<u8>,
    pub(super) entries: Vec<IndexEntry>,
}

/// A message that went to several queues: its address, whether it ends with this boot, what
/// priority is noted, and when it came: a queue may be a moment ahead of another, and how long the
/// message lives there depends on it.
type SharedKey = (usize, bool, Option<u8>, u32);

/// Where such messages stand. Each is kept, so that no other takes its address meanwhile.
pub(super) type Shared = HashMap<SharedKey, (Message, u64), foldhash::fast::FixedState>;

/// A batch as it goes to disk, without its head.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    pub(super) filled: Vec<Filled>,
    pub(super) shared: Shared,
    pub(super) record_count: u32,
    /// How many of them are definitions, or queues that are gone.
    pub(super) definition_count: u32,
}

/// Encodes one batch.
struct Encoder<'a> {
    writer: RecordWriter<'a>,
    /// Where the last batch's shared messages stand in this file.
    before: &'a Shared,
    now: Moment,
    /// All places of messages that this batch has for several queues.
    owners: HashMap<SharedKey, Vec<Place>, foldhash::fast::FixedState>,
    encoded: Encoded,
}

/// Appends the records of `batch` to `out`, which will stand at `offset` of the file, head first.
pub(super) fn encode(
    batch: &Batch,
    before: &Shared,
    (file, offset): (u64, u64),
    now: Moment,
    out: &mut Vec<u8>,
) -> Encoded {
    out.clear();
    // Growing by doubling would take twice the memory for a moment.
    out.reserve(usize::try_from(batch.size).unwrap_or(0) + BATCH_HEADER_SIZE);
    out.resize(BATCH_HEADER_SIZE, 0);
    let mut encoder = Encoder {
        writer: RecordWriter::new(out, file, offset),
        before,
        now,
        owners: owners_of_shared(batch),
        encoded: Encoded::default(),
    };
    for change in &batch.changes {
        encoder.writer.changed(&change.key, change.value.as_deref());
    }
    batch.queues.iter().for_each(|facts| encoder.queue(facts));
    batch.forgotten.iter().for_each(|queue| encoder.writer.forgotten(*queue));
    for note in &batch.notes {
        encoder.writer.noted(&note.key, note.value.as_deref());
    }
    let definitions = batch.changes.len() + batch.forgotten.len();
    encoder.encoded.definition_count = u32::try_from(definitions).unwrap_or(u32::MAX);
    encoder.encoded.record_count = encoder.writer.count;
    encoder.encoded
}

/// The index of a file as the batch that seals it at `offset`, head first, and its lists.
pub(super) fn encode_index(
    index: IndexBuilder,
    file: u64,
    offset: u64,
) -> (Vec<u8>, Vec<(QueueId, List)>) {
    let payload_offset = offset + (BATCH_HEADER_SIZE + RECORD_HEADER_SIZE) as u64;
    let (payload, lists) = index.finish(file, payload_offset);
    let mut out = vec![0; BATCH_HEADER_SIZE];
    let mut writer = RecordWriter::new(&mut out, file, offset);
    writer.write(Kind::Index, 0, 0, |out| out.extend_from_slice(&payload));
    (out, lists)
}

/// Messages for several queues, and whether they survive the boot: their places.
fn owners_of_shared(batch: &Batch) -> HashMap<SharedKey, Vec<Place>, foldhash::fast::FixedState> {
    let mut owners: HashMap<_, Vec<Place>, _> = HashMap::default();
    for facts in &batch.queues {
        for added in facts.added.iter().filter(|added| added.is_shared) {
            let place = Place { queue: facts.tail.queue(), sequence: added.sequence };
            owners.entry(shared_key(added)).or_default().push(place);
        }
    }
    owners
}

impl Encoder<'_> {
    fn queue(&mut self, facts: &QueueFacts) {
        let queue = facts.tail.queue();
        let mut filled: Option<Filled> = None;
        for added in &facts.added {
            let Ok(offset) = u32::try_from(self.message(queue, added)) else { continue };
            let body_size = u32::try_from(added.message.body_size()).unwrap_or(u32::MAX);
            let entry = IndexEntry { sequence: added.sequence, offset, body_size };
            let is_transient = added.is_transient;
            let (expires, level) = (added.message.has_expiration(), added.level);
            let kind = (is_transient, expires, level);
            let is_alike =
                |last: &&mut Filled| (last.is_transient, last.expires, last.level) == kind;
            match filled.as_mut().filter(is_alike) {
                Some(filled) => filled.entries.push(entry),
                None => {
                    let entries = vec![entry];
                    let next = Filled { queue, is_transient, expires, level, entries };
                    self.encoded.filled.extend(filled.replace(next));
                }
            }
        }
        self.encoded.filled.extend(filled);
        if !facts.removed.is_empty() {
            self.writer.ranges(Kind::Removed, queue, &facts.removed);
        }
        self.returned(queue, &facts.returned);
        if !facts.delivered.is_empty() {
            self.writer.ranges(Kind::Delivered, queue, &facts.delivered);
        }
    }

    /// Places that came back equally often are one record, as long as no other is between them.
    fn returned(&mut self, queue: QueueId, returned: &RangeCounts) {
        let returned: Vec<(SequenceRange, DeliveryCounts)> = returned.iter().collect();
        for alike in returned.chunk_by(|(_, one), (_, other)| one == other) {
            if let Some(&(_, counts)) = alike.first() {
                self.writer.returned(queue, counts, alike.iter().map(|(range, _)| *range));
            }
        }
    }

    /// Writes a message where it does not stand yet, and gives the place of its record.
    fn message(&mut self, queue: QueueId, added: &Added) -> u64 {
        let flags = flags(added);
        let place = Place { queue, sequence: added.sequence };
        if !added.is_shared {
            let offset = self.writer.offset();
            self.writer.message(&[place], flags, added.came(self.now), &added.message);
            return offset;
        }
        self.shared_message(place, flags, added)
    }

    /// One record names all places that the batch has for a message; where the last batch wrote
    /// it, a reference does.
    fn shared_message(&mut self, place: Place, flags: u8, added: &Added) -> u64 {
        let key = shared_key(added);
        let Some(owners) = self.owners.remove(&key) else {
            // A record names this place already.
            return self.encoded.shared.get(&key).map_or(u64::MAX, |(_, offset)| *offset);
        };
        let owners = if owners.is_empty() { vec![place] } else { owners };
        let body_size = added.message.body_size();
        let came = added.came(self.now);
        let mut standing = self.before.get(&key).map(|(_, offset)| *offset);
        for owners in owners.chunks(OWNERS_MAX) {
            match standing {
                Some(offset) => {
                    let standing = Standing { offset, body_size };
                    self.writer.reference(owners, flags, came, standing);
                }
                None => {
                    standing = Some(self.writer.offset());
                    let flags = flags | FLAG_SHARED;
                    self.writer.message(owners, flags, came, &added.message);
                }
            }
        }
        let offset = standing.unwrap_or(u64::MAX);
        self.encoded.shared.insert(key, (added.message.clone(), offset));
        offset
    }
}

fn shared_key(added: &Added) -> SharedKey {
    (added.message.address(), added.is_transient, added.level, added.arrived)
}

fn flags(added: &Added) -> u8 {
    let transient = if added.is_transient { FLAG_TRANSIENT } else { 0 };
    let persistent = if added.message.is_persistent() { FLAG_PERSISTENT } else { 0 };
    let expires = if added.message.has_expiration() { FLAG_EXPIRES } else { 0 };
    transient | persistent | expires
}
