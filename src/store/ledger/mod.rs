//! What the facts come to, all queues and files together: which places are alive and where they
//! stand, and which definitions hold. Writing, replaying and checkpoints go through it, so that a
//! start ends where the last run was. It reads and writes nothing.

mod queue;

use std::collections::BTreeMap;

use hashbrown::HashMap;

pub(in crate::store) use queue::{Extent, QueueLedger};

use super::index::{IndexBuilder, IndexEntry, List};
use super::ranges::RangeSet;
use crate::message::{DeliveryCounts, QueueId, Sequence, SequenceRange};

/// One log file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FileLedger {
    /// Places in it that are alive.
    pub(super) live: u64,
    /// Places that were ever written to it.
    pub(super) written: u64,
    /// Bytes, its index included.
    pub(super) size: u64,
    /// It is closed and has its index.
    pub(super) is_sealed: bool,
}

type Open = HashMap<QueueId, Vec<IndexEntry>, foldhash::fast::FixedState>;

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) queues: HashMap<QueueId, QueueLedger, foldhash::fast::FixedState>,
    pub(super) files: BTreeMap<u64, FileLedger>,
    pub(super) definitions: BTreeMap<Box<[u8]>, Box<[u8]>>,
    /// Above every number of a queue that any record names.
    pub(super) next_queue: u64,
    /// Places in the file that is being written.
    open: Open,
}

impl Ledger {
    /// Places of one queue were written to the open file.
    pub(super) fn added(
        &mut self,
        file: u64,
        queue: QueueId,
        entries: &[IndexEntry],
        is_transient: bool,
    ) {
        self.name_queue(queue);
        self.queues.entry(queue).or_default().added(file, entries, is_transient);
        self.fill(file, entries.len() as u64);
        let open = self.open.entry(queue).or_default();
        for entry in entries {
            insert_sorted(open, *entry);
        }
    }

    /// Messages at these places have an expiration.
    pub(super) fn expiring(&mut self, queue: QueueId, entries: &[IndexEntry]) {
        let found = self.queues.entry(queue).or_default();
        entries.iter().for_each(|entry| found.expiring.insert(SequenceRange::one(entry.sequence)));
    }

    /// Messages at these places have a priority of their own.
    pub(super) fn leveled(&mut self, queue: QueueId, level: u8, entries: &[IndexEntry]) {
        let places = self.queues.entry(queue).or_default().levels.entry(level).or_default();
        entries.iter().for_each(|entry| places.insert(SequenceRange::one(entry.sequence)));
    }

    /// A living place stands in the open file from now on. False where it is not alive.
    pub(super) fn moved(&mut self, file: u64, queue: QueueId, entry: &IndexEntry) -> bool {
        let Some(found) = self.queues.get_mut(&queue) else { return false };
        let Some(left) = found.moved(file, entry) else { return false };
        self.leave(&[left]);
        self.fill(file, 1);
        insert_sorted(self.open.entry(queue).or_default(), *entry);
        true
    }

    /// Places are free again.
    pub(super) fn removed(&mut self, queue: QueueId, range: SequenceRange) {
        self.name_queue(queue);
        let left = self.queues.entry(queue).or_default().removed(range);
        self.leave(&left);
    }

    /// Places came back.
    pub(super) fn returned(
        &mut self,
        queue: QueueId,
        range: SequenceRange,
        counts: DeliveryCounts,
    ) {
        self.name_queue(queue);
        self.queues.entry(queue).or_default().returned(range, counts);
    }

    /// These were delivered before a clean stop.
    pub(super) fn delivered(&mut self, queue: QueueId, range: SequenceRange) {
        self.queues.entry(queue).or_default().delivered.insert(range);
    }

    /// A queue is gone with all it held; its number is not used again.
    pub(super) fn forgotten(&mut self, queue: QueueId) {
        self.name_queue(queue);
        self.open.remove(&queue);
        if let Some(found) = self.queues.remove(&queue) {
            let left: Vec<_> =
                found.extents.values().map(|extent| (extent.file, extent.live)).collect();
            self.leave(&left);
        }
    }

    /// A definition holds, or no longer.
    pub(super) fn changed(&mut self, key: &[u8], value: Option<&[u8]>) {
        match value {
            Some(value) => {
                self.definitions.insert(key.into(), value.into());
            }
            None => {
                self.definitions.remove(key);
            }
        }
    }

    /// Numbers of queues rise; the next start begins above all that were seen.
    pub(super) fn name_queue(&mut self, queue: QueueId) {
        self.next_queue = self.next_queue.max(queue.0.saturating_add(1));
    }

    fn fill(&mut self, file: u64, count: u64) {
        let file = self.files.entry(file).or_default();
        file.live += count;
        file.written += count;
    }

    fn leave(&mut self, left: &[(u64, u32)]) {
        for (file, count) in left {
            if let Some(file) = self.files.get_mut(file) {
                file.live = file.live.saturating_sub(u64::from(*count));
            }
        }
    }

    /// What must be in the index of the open file: an extent after the other, only what is alive.
    pub(super) fn index_of_open(&self, file: u64) -> IndexBuilder {
        let mut builder = IndexBuilder::default();
        for (queue, entries) in self.open_sorted() {
            let Some(found) = self.queues.get(&queue) else { continue };
            for (first, extent) in extents_in(found, file) {
                builder.push(queue, &alive_of(entries, &found.alive, first, extent.last));
            }
        }
        builder
    }

    /// The open file is closed: its places stand in these lists now, which are sorted. Who only
    /// looks seals no file, and may leave an earlier one open.
    pub(super) fn sealed(&mut self, file: u64, size: u64, lists: &[(QueueId, List)]) {
        let mut open: Vec<_> = std::mem::take(&mut self.open).into_iter().collect();
        open.sort_unstable_by_key(|(queue, _)| *queue);
        let mut lists = lists.iter().peekable();
        for (queue, mut entries) in open {
            while lists.next_if(|(other, _)| *other < queue).is_some() {}
            let own = std::iter::from_fn(|| lists.next_if(|(other, _)| *other == queue));
            let own: Vec<List> = own.map(|(_, list)| *list).collect();
            let Some(found) = self.queues.get_mut(&queue) else { continue };
            let alive = &found.alive;
            for (first, extent) in found.extents.iter_mut().filter(|(_, e)| e.file == file) {
                let listed = alive_of(&entries, alive, *first, extent.last);
                // Where records were damaged, an extent may hold less than its list.
                let begin = listed.first().map_or(*first, |entry| entry.sequence);
                let at = own.partition_point(|list| list.first <= begin);
                extent.list = at.checked_sub(1).and_then(|at| own.get(at)).copied();
                extent.total = u32::try_from(listed.len()).unwrap_or(u32::MAX);
                extent.bytes = listed.iter().map(|entry| u64::from(entry.body_size)).sum();
            }
            if found.extents.values().any(|extent| extent.list.is_none() && extent.file != file) {
                let is_open = |entry: &IndexEntry| {
                    found.extent_of(entry.sequence).is_some_and(|(_, e)| e.list.is_none())
                };
                entries.retain(is_open);
                self.open.insert(queue, entries);
            }
        }
        let state = self.files.entry(file).or_default();
        *state = FileLedger { size, is_sealed: true, ..*state };
    }

    /// Entries of the open file for the living places of a range.
    pub(super) fn open_entries(&self, queue: QueueId, range: SequenceRange) -> Vec<IndexEntry> {
        let Some(entries) = self.open.get(&queue) else { return Vec::new() };
        let start = entries.partition_point(|entry| entry.sequence < range.first);
        let rest = entries.get(start..).unwrap_or(&[]);
        rest.iter().take_while(|entry| entry.sequence <= range.last).copied().collect()
    }

    /// Messages of earlier boots that were not to survive them.
    pub(super) fn drop_transient(&mut self) {
        let queues: Vec<QueueId> = self
            .queues
            .iter()
            .filter(|(_, queue)| !queue.transient.is_empty())
            .map(|(id, _)| *id)
            .collect();
        for queue in queues {
            let Some(found) = self.queues.get_mut(&queue) else { continue };
            for range in std::mem::take(&mut found.transient).iter() {
                let left = self.queues.get_mut(&queue).map(|found| found.removed(range));
                self.leave(&left.unwrap_or_default());
            }
        }
    }

    /// Queues in the order of their numbers.
    pub(super) fn queues_sorted(&self) -> Vec<(QueueId, &QueueLedger)> {
        let mut queues: Vec<_> = self.queues.iter().map(|(id, queue)| (*id, queue)).collect();
        queues.sort_unstable_by_key(|(id, _)| *id);
        queues
    }

    fn open_sorted(&self) -> Vec<(QueueId, &Vec<IndexEntry>)> {
        let mut queues: Vec<_> = self.open.iter().map(|(id, entries)| (*id, entries)).collect();
        queues.sort_unstable_by_key(|(id, _)| *id);
        queues
    }
}

fn extents_in(queue: &QueueLedger, file: u64) -> impl Iterator<Item = (Sequence, &Extent)> {
    queue
        .extents
        .iter()
        .filter(move |(_, extent)| extent.file == file)
        .map(|(first, extent)| (*first, extent))
}

/// The entries between two places that are alive.
fn alive_of(
    entries: &[IndexEntry],
    alive: &RangeSet,
    first: Sequence,
    last: Sequence,
) -> Vec<IndexEntry> {
    let mut listed = Vec::new();
    for part in alive.within(SequenceRange { first, last }) {
        let start = entries.partition_point(|entry| entry.sequence < part.first);
        let rest = entries.get(start..).unwrap_or(&[]);
        listed.extend(rest.iter().take_while(|entry| entry.sequence <= part.last));
    }
    listed
}

/// Places come in order, but for those that move or are written late.
fn insert_sorted(entries: &mut Vec<IndexEntry>, entry: IndexEntry) {
    if entries.last().is_none_or(|last| last.sequence < entry.sequence) {
        entries.push(entry);
        return;
    }
    match entries.binary_search_by_key(&entry.sequence, |known| known.sequence) {
        Ok(at) => {
            if let Some(known) = entries.get_mut(at) {
                *known = entry;
            }
        }
        Err(at) => entries.insert(at, entry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: QueueId = QueueId(3);

    fn entries(sequences: &[Sequence]) -> Vec<IndexEntry> {
        let entry = |&sequence| IndexEntry {
            sequence,
            offset: u32::try_from(sequence).unwrap() * 100,
            body_size: 10,
        };
        sequences.iter().map(entry).collect()
    }

    fn range(first: Sequence, last: Sequence) -> SequenceRange {
        SequenceRange { first, last }
    }

    fn seal(ledger: &mut Ledger, file: u64) -> Vec<(QueueId, List)> {
        let (_, lists) = ledger.index_of_open(file).finish(file, 0);
        ledger.sealed(file, 1000, &lists);
        lists
    }

    #[test]
    fn a_file_is_as_alive_as_its_places() {
        let mut ledger = Ledger::default();
        ledger.added(1, QUEUE, &entries(&[0, 1, 2]), false);
        ledger.added(1, QueueId(4), &entries(&[0]), false);
        ledger.removed(QUEUE, range(0, 1));
        assert_eq!(ledger.files[&1].live, 2);
        ledger.forgotten(QueueId(4));
        ledger.removed(QUEUE, range(2, 2));
        assert_eq!(ledger.files[&1].live, 0);
        assert_eq!(ledger.next_queue, 5);
    }

    #[test]
    fn a_seal_lists_what_is_alive() {
        let mut ledger = Ledger::default();
        ledger.added(1, QUEUE, &entries(&[0, 1, 2, 3]), false);
        ledger.removed(QUEUE, range(1, 1));
        let lists = seal(&mut ledger, 1);
        assert_eq!(lists.iter().map(|(_, list)| list.count).collect::<Vec<_>>(), [3]);
        let (first, extent) = ledger.queues[&QUEUE].extent_of(2).unwrap();
        assert_eq!((first, extent.total, extent.live, extent.bytes), (0, 3, 3, 30));
        assert_eq!(ledger.files[&1].written, 4);
        assert!(ledger.open_entries(QUEUE, range(0, 9)).is_empty());
    }

    #[test]
    fn who_seals_no_file_reads_it_without_an_index() {
        let mut ledger = Ledger::default();
        ledger.added(1, QUEUE, &entries(&[0, 1]), false);
        ledger.added(2, QUEUE, &entries(&[2]), false);
        seal(&mut ledger, 2);
        assert_eq!(ledger.open_entries(QUEUE, range(0, 9)), entries(&[0, 1]));
        assert!(ledger.queues[&QUEUE].extent_of(2).is_some_and(|(_, e)| e.list.is_some()));
    }

    #[test]
    fn moved_places_are_listed_in_the_new_file() {
        let mut ledger = Ledger::default();
        ledger.added(1, QUEUE, &entries(&[0, 1, 2]), false);
        seal(&mut ledger, 1);
        ledger.added(2, QUEUE, &entries(&[9]), false);
        for entry in entries(&[0, 1, 2]) {
            assert!(ledger.moved(2, QUEUE, &entry));
        }
        assert_eq!((ledger.files[&1].live, ledger.files[&2].live), (0, 4));
        let lists = seal(&mut ledger, 2);
        assert_eq!(
            lists.iter().map(|(_, list)| (list.first, list.count)).collect::<Vec<_>>(),
            [(0, 3), (9, 1)]
        );
    }

    #[test]
    fn transient_places_end_with_their_boot() {
        let mut ledger = Ledger::default();
        ledger.added(1, QUEUE, &entries(&[0]), false);
        ledger.added(1, QUEUE, &entries(&[1, 2]), true);
        ledger.drop_transient();
        assert_eq!(ledger.queues[&QUEUE].alive.iter().collect::<Vec<_>>(), [range(0, 0)]);
        assert_eq!(ledger.files[&1].live, 1);
    }

    #[test]
    fn definitions_hold_until_they_are_taken_back() {
        let mut ledger = Ledger::default();
        ledger.changed(b"a", Some(b"1"));
        ledger.changed(b"b", Some(b"2"));
        ledger.changed(b"a", None);
        assert_eq!(ledger.definitions.len(), 1);
    }
}
