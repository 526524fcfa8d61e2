//! One record of the log, applied to the ledger as it was when it was written.

use super::super::fact::{self, Fact};
use super::super::index::{self, IndexEntry, List};
use super::super::ledger::Ledger;
use super::super::record::{FLAG_EXPIRES, FLAG_MOVED, FLAG_TRANSIENT, Kind, RecordHeader};
use crate::message::QueueId;

/// A record and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) file: u64,
    pub(super) offset: u64,
    pub(super) header: RecordHeader,
    pub(super) payload: &'a [u8],
}

/// Makes a fact true. An index gives its lists: its file is sealed with it.
pub(super) fn apply(ledger: &mut Ledger, record: &Record<'_>) -> Option<Vec<(QueueId, List)>> {
    if record.header.kind == Kind::Index {
        return index::directory(record.payload);
    }
    match fact::parse(&record.header, record.payload)? {
        Fact::Filled { owners, flags, level, offset, body_size } => {
            let offset = u32::try_from(offset.unwrap_or(record.offset)).ok()?;
            for place in owners {
                let entry = IndexEntry { sequence: place.sequence, offset, body_size };
                if flags & FLAG_MOVED != 0 {
                    ledger.moved(record.file, place.queue, &entry);
                } else {
                    let is_transient = flags & FLAG_TRANSIENT != 0;
                    ledger.added(record.file, place.queue, &[entry], is_transient);
                    if flags & FLAG_EXPIRES != 0 {
                        ledger.expiring(place.queue, &[entry]);
                    }
                    if let Some(level) = level {
                        ledger.leveled(place.queue, level, &[entry]);
                    }
                }
            }
        }
        Fact::Removed { queue, ranges } => {
            ranges.into_iter().for_each(|range| ledger.removed(queue, range));
        }
        Fact::Returned { queue, counts, ranges } => {
            ranges.into_iter().for_each(|range| ledger.returned(queue, range, counts));
        }
        Fact::Delivered { queue, ranges } => {
            ranges.into_iter().for_each(|range| ledger.delivered(queue, range));
        }
        Fact::Changed { key, value } => ledger.changed(key, value),
        Fact::Forgotten { queue } => ledger.forgotten(queue),
        Fact::Nothing => {}
    }
    None
}
