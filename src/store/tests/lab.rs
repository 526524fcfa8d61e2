//! A small store and what it must hold, told by its own bytes: every record of its log is applied
//! to a picture of its own, but for one that is damaged. It judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::super::fact::{self, Fact};
use super::super::record::Kind;
use super::super::scan;
use super::super::shelf::{Named, parse_name, read_from};
use super::*;

/// A log file is sealed when the test says so.
pub(super) const WIDE: StoreOptions = StoreOptions { file_size: 1 << 20, ..SMALL };

/// All files by their names.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// What a store holds that somebody can see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Holds {
    pub(super) messages: BTreeMap<(u64, Sequence), Vec<u8>>,
    pub(super) definitions: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// A store on a disk in memory, with the tails of its queues.
pub(super) struct Lab {
    pub(super) disk: MemoryStorage,
    pub(super) opened: Opened,
    tails: BTreeMap<u64, (Arc<Tail>, Sequence)>,
    pub(super) now: u64,
}

impl Lab {
    pub(super) fn new(options: StoreOptions) -> Self {
        let disk = MemoryStorage::new(1 << 30);
        let opened = open(Arc::new(disk.clone()), options).unwrap();
        Self::on(disk, opened)
    }

    pub(super) fn on(disk: MemoryStorage, opened: Opened) -> Self {
        Self { disk, opened, tails: BTreeMap::new(), now: 1000 }
    }

    pub(super) fn tail(&mut self, queue: u64) -> &mut (Arc<Tail>, Sequence) {
        self.tails.entry(queue).or_insert_with(|| (Arc::new(Tail::new(QueueId(queue), 0)), 0))
    }

    /// Messages for the ends of these queues: with several, each is one message for all.
    pub(super) fn add(&mut self, queues: &[u64], count: usize) {
        for _ in 0..count {
            let sequence = self.tail(queues[0]).1;
            let sent = message(&body(queues[0], sequence));
            if queues.len() > 1 {
                sent.share();
            }
            for queue in queues {
                let (tail, next) = self.tail(*queue);
                let (tail, first) = (tail.clone(), *next);
                *next += 1;
                self.opened.log.append().added(
                    &tail,
                    first,
                    vec![sent.clone()],
                    Stay::durable(Moment(0)),
                );
            }
        }
    }

    pub(super) fn remove(&mut self, queue: u64, first: Sequence, last: Sequence) {
        let tail = self.tail(queue).0.clone();
        self.opened.log.append().removed(&tail, SequenceRange { first, last });
    }

    pub(super) fn change(&mut self, key: &str, value: Option<&str>) {
        let value = value.map(|value| value.as_bytes().to_vec());
        self.opened.log.append().changed(Change { key: key.as_bytes().to_vec(), value });
    }

    /// One batch, on disk.
    pub(super) fn sync(&mut self) {
        self.now += 10;
        assert!(self.opened.writer.write(Moment(self.now), true));
        assert!(self.opened.writer.sync(), "{:?}", self.opened.log.health());
    }

    /// One more batch, whose head tells that those before it are on disk.
    pub(super) fn sync_witness(&mut self) {
        self.change("witness", None);
        self.sync();
    }

    pub(super) fn rotate(&mut self) {
        self.opened.writer.rotate(Moment(self.now), Default::default()).unwrap();
    }
}

/// Three batches of all kinds of facts.
pub(super) fn fill(lab: &mut Lab) {
    lab.change("exchange x", Some("direct"));
    lab.change("queue 1", Some("durable"));
    lab.add(&[1], 4);
    lab.sync();
    lab.add(&[1, 2, 3], 1);
    lab.add(&[2], 1);
    lab.sync();
    let tail = lab.tail(1).0.clone();
    lab.remove(1, 1, 1);
    lab.opened.log.append().returned(&tail, one(2), DeliveryCounts { failed: 3, acquired: 4 });
    lab.change("exchange x", None);
    lab.opened.log.append().forgotten(QueueId(9));
    lab.add(&[3], 2);
    lab.sync();
}

/// All that is on a disk.
pub(super) fn files(disk: &MemoryStorage) -> Files {
    let names = disk.list().unwrap().into_iter();
    names.map(|name| (name.clone(), read_from(&*disk.open(&name).unwrap(), 0).unwrap())).collect()
}

pub(super) fn log_names(files: &Files) -> Vec<String> {
    files.keys().filter(|name| matches!(parse_name(name), Named::Log(_))).cloned().collect()
}

pub(super) fn number_of(name: &str) -> u64 {
    match parse_name(name) {
        Named::Log(number) | Named::Checkpoint(number) | Named::Spare(number) => number,
        Named::Other => panic!("{name} has no number"),
    }
}

/// The disk with these bits of one byte flipped.
pub(super) fn flipped(disk: &MemoryStorage, name: &str, at: usize, mask: u8) -> MemoryStorage {
    let disk = disk.kill();
    let file = disk.open(name).unwrap();
    let mut byte = [0];
    file.read_at(at as u64, &mut byte).unwrap();
    file.write_at(at as u64, &[byte[0] ^ mask]).unwrap();
    file.sync().unwrap();
    disk
}

/// What stands at a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The head of the file, or of a batch.
    Head,
    /// A record, and where it starts.
    Record(Kind, u64),
    /// Nothing.
    Padding,
}

/// What stands at each byte of a whole log file.
pub(super) fn places(name: &str, bytes: &[u8]) -> Vec<Place> {
    let number = number_of(name);
    let mut places = vec![Place::Padding; bytes.len()];
    places[..64].fill(Place::Head);
    for span in scan::scan(number, bytes).batches {
        let start = usize::try_from(span.offset).unwrap();
        places[start..start + 56].fill(Place::Head);
        for record in scan::records(number, &span, bytes) {
            let (offset, header, payload) = record.unwrap();
            let start = usize::try_from(offset).unwrap();
            let place = Place::Record(header.kind, offset);
            places[start..start + 16 + payload.len()].fill(place);
        }
    }
    places
}

/// What a log comes to whose records are all applied but this one.
pub(super) fn expected(files: &Files, hit: Option<(&str, u64)>) -> Holds {
    let mut bodies: BTreeMap<(u64, u64), Vec<u8>> = BTreeMap::new();
    let mut filled: BTreeMap<(u64, Sequence), (u64, u64)> = BTreeMap::new();
    let mut holds = Holds::default();
    for name in log_names(files) {
        let (number, bytes) = (number_of(&name), &files[&name]);
        for span in scan::scan(number, bytes).batches {
            for (offset, header, payload) in
                scan::records(number, &span, bytes).into_iter().flatten()
            {
                if hit == Some((name.as_str(), offset)) {
                    continue;
                }
                if let Some(stored) = fact::parse_message(&header, payload) {
                    bodies.insert((number, offset), stored.message.body_to_vec());
                }
                match fact::parse(&header, payload).unwrap() {
                    Fact::Filled { owners, offset: of, .. } => {
                        let at = (number, of.unwrap_or(offset));
                        filled.extend(owners.iter().map(|o| ((o.queue.0, o.sequence), at)));
                    }
                    Fact::Removed { queue, ranges } => filled.retain(|(of, sequence), _| {
                        *of != queue.0 || !ranges.iter().any(|range| range.contains(*sequence))
                    }),
                    Fact::Forgotten { queue } => filled.retain(|(of, _), _| *of != queue.0),
                    Fact::Changed { key, value: Some(value) } => {
                        holds.definitions.insert(key.to_vec(), value.to_vec());
                    }
                    Fact::Changed { key, value: None } => {
                        holds.definitions.remove(key);
                    }
                    Fact::Returned { .. } | Fact::Delivered { .. } | Fact::Nothing => {}
                }
            }
        }
    }
    let read = filled.into_iter();
    let read = read.filter_map(|(place, at)| Some((place, bodies.get(&at)?.clone())));
    holds.messages = read.collect();
    holds
}

/// What a store that is open holds.
pub(super) fn found(opened: &Opened) -> Holds {
    let definitions = opened.definitions.iter();
    let mut holds = Holds {
        definitions: definitions.map(|(key, value)| (key.to_vec(), value.to_vec())).collect(),
        ..Holds::default()
    };
    let mut seen = BTreeSet::new();
    for queue in &opened.queues {
        for run in &queue.runs {
            let mut next = run.range.first;
            while next <= run.range.last {
                let range = SequenceRange { first: next, last: run.range.last };
                let read = opened.reader.read(queue.queue, range, 300).unwrap();
                for ReadBack { sequence, message, .. } in read.messages {
                    let place = (queue.queue.0, sequence);
                    assert!(seen.insert(place), "{place:?} is there twice");
                    holds.messages.insert(place, message.body_to_vec());
                }
                next = read.covered.last + 1;
            }
        }
    }
    holds
}
