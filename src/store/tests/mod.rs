//! The store as a whole, in memory and turned by hand: what was synced is there after any crash,
//! what was removed does not come back, and what is read is what was written.
//!
//! What becomes of single bytes: `flips`, `torn`, `foreign`, `checkpoints`; of failing calls:
//! `failures`, `full`; of what is written: `written`, and counted: `figures`. What all of them look
//! with: `lab`.

mod checkpoints;
mod failures;
mod figures;
mod flips;
mod foreign;
mod full;
mod lab;
mod torn;
mod written;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::limits::COMPACTION_REST_MS;
use crate::message::{
    Body, DeliveryCounts, Envelope, Message, Moment, QueueId, Random, ReadBack, RecoveredRun,
    Sequence, SequenceRange,
};

const SMALL: StoreOptions = StoreOptions {
    file_size: 4096,
    ready_size: 0,
    is_synced: true,
    reserve_size: 0,
    accepts_damaged_definitions: false,
};

fn message(body: &[u8]) -> Message {
    let envelope =
        Envelope { exchange: "x", routing_key: "k", properties: &[0, 0], is_persistent: true };
    Message::new(envelope, Body::Copied(body))
}

fn body(queue: u64, sequence: Sequence) -> Vec<u8> {
    let size = 10 + usize::try_from((queue * 31 + sequence * 7) % 200).unwrap();
    let mut body = vec![u8::try_from(sequence % 251).unwrap(); size];
    body.extend_from_slice(&queue.to_le_bytes());
    body.extend_from_slice(&sequence.to_le_bytes());
    body
}

fn one(sequence: Sequence) -> SequenceRange {
    SequenceRange { first: sequence, last: sequence }
}

/// What a queue must hold: surely alive, surely gone, or either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Added, and on disk.
    Alive,
    /// Added, and not known to be on disk.
    Unknown,
    /// Removed, and that is on disk.
    Gone,
    /// Removed, and not known to be on disk.
    MayBeGone,
}

/// A store and what it must hold.
struct World {
    disk: MemoryStorage,
    opened: Opened,
    tails: BTreeMap<u64, Arc<Tail>>,
    next: BTreeMap<u64, Sequence>,
    fates: BTreeMap<(u64, Sequence), Fate>,
    /// Changes since the last sync: what becomes certain with it.
    random: Random,
    now: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let disk = MemoryStorage::new(1 << 30);
        let opened = open(Arc::new(disk.clone()), SMALL).unwrap();
        let mut world = Self {
            disk,
            opened,
            tails: BTreeMap::new(),
            next: BTreeMap::new(),
            fates: BTreeMap::new(),
            random: Random::new([seed, 3]),
            now: 1000,
        };
        world.attach();
        world
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random.draw() % limit
    }

    fn attach(&mut self) {
        for queue in 1..=3 {
            let found = self.opened.queues.iter().find(|found| found.queue == QueueId(queue));
            let next = found.map_or(0, |found| found.next_sequence);
            let known = self.next.entry(queue).or_default();
            assert!(next <= *known || found.is_none() || next == *known, "a sequence from nowhere");
            self.tails.insert(queue, Arc::new(Tail::new(QueueId(queue), next)));
            self.next.insert(queue, next);
        }
    }

    fn step(&mut self) {
        match self.below(10) {
            0..4 => self.add(),
            4..7 => self.remove(),
            7 => {
                self.now += 60;
                self.opened.writer.write(Moment(self.now), true);
            }
            8 => self.sync(),
            _ => self.opened.writer.tend(Moment(self.now)),
        }
    }

    fn add(&mut self) {
        let count = 1 + self.below(6);
        let is_shared = self.below(4) == 0;
        let queues: Vec<u64> = if is_shared { vec![1, 2, 3] } else { vec![1 + self.below(3)] };
        for _ in 0..count {
            let sequence = self.next[&queues[0]];
            let sent = message(&body(queues[0], sequence));
            if is_shared {
                sent.share();
            }
            for queue in &queues {
                let sequence = self.next[queue];
                let own = if is_shared { sent.clone() } else { message(&body(*queue, sequence)) };
                self.opened.log.append().added(
                    &self.tails[queue],
                    sequence,
                    vec![own],
                    Stay::durable(Moment(0)),
                );
                self.fates.insert((*queue, sequence), Fate::Unknown);
                self.next.insert(*queue, sequence + 1);
                if is_shared && self.below(5) == 0 {
                    self.opened.writer.write(Moment(self.now), true);
                }
            }
        }
    }

    fn remove(&mut self) {
        let queue = 1 + self.below(3);
        let alive: Vec<Sequence> = self
            .fates
            .iter()
            .filter(|((of, _), fate)| *of == queue && matches!(fate, Fate::Alive | Fate::Unknown))
            .map(|((_, sequence), _)| *sequence)
            .collect();
        if alive.is_empty() {
            return;
        }
        let start = usize::try_from(self.below(4)).unwrap().min(alive.len() - 1);
        let count = usize::try_from(1 + self.below(9)).unwrap();
        for sequence in alive.iter().skip(start).take(count) {
            self.opened.log.append().removed(&self.tails[&queue], one(*sequence));
            self.fates.insert((queue, *sequence), Fate::MayBeGone);
        }
    }

    fn sync(&mut self) {
        let writer = &mut self.opened.writer;
        writer.write(Moment(self.now), true);
        assert!(writer.sync(), "{:?}", self.opened.log.health());
        for fate in self.fates.values_mut() {
            *fate = match *fate {
                Fate::Unknown | Fate::Alive => Fate::Alive,
                Fate::MayBeGone | Fate::Gone => Fate::Gone,
            };
        }
    }

    /// The process dies, perhaps with the machine, and starts again.
    fn crash(&mut self) {
        let with_power_loss = self.below(3) > 0;
        let mut random = self.random.fork();
        let mut choose =
            |limit: usize| usize::try_from(random.draw() % u64::try_from(limit).unwrap()).unwrap();
        let disk = if with_power_loss { self.disk.crash(&mut choose) } else { self.disk.kill() };
        self.disk = disk;
        self.opened = open(Arc::new(self.disk.clone()), SMALL).unwrap();
        assert!(self.opened.damage.quarantined.is_empty(), "{:?}", self.opened.damage);
        self.check();
        self.attach();
    }

    fn check(&mut self) {
        let mut found: BTreeMap<(u64, Sequence), RecoveredRun> = BTreeMap::new();
        for queue in &self.opened.queues {
            for run in &queue.runs {
                for sequence in run.range.first..=run.range.last {
                    assert!(found.insert((queue.queue.0, sequence), *run).is_none());
                }
            }
        }
        for (place, fate) in &self.fates {
            match fate {
                Fate::Alive => assert!(found.contains_key(place), "{place:?} is lost"),
                Fate::Gone => assert!(!found.contains_key(place), "{place:?} came back"),
                Fate::Unknown | Fate::MayBeGone => {}
            }
        }
        for place in found.keys() {
            assert!(self.fates.contains_key(place), "{place:?} was invented");
        }
        self.fates.retain(|place, fate| match found.contains_key(place) {
            true => {
                *fate = Fate::Alive;
                true
            }
            false => false,
        });
        self.read_all();
    }

    fn read_all(&self) {
        for queue in &self.opened.queues {
            for run in &queue.runs {
                let mut next = run.range.first;
                let mut bytes = 0;
                while next <= run.range.last {
                    let range = SequenceRange { first: next, last: run.range.last };
                    let found = self.opened.reader.read(queue.queue, range, 300).unwrap();
                    assert_eq!(found.covered.first, next);
                    let count = found.covered.count();
                    let extents = || {
                        let ledger = self.opened.reader.ledger.lock().unwrap();
                        format!("{:?} {:?}", ledger.queues[&queue.queue].extents, ledger.files)
                    };
                    assert_eq!(found.messages.len() as u64, count, "{queue:?} {}", extents());
                    for ReadBack { sequence, message, .. } in found.messages {
                        bytes += message.body_size();
                        self.check_body(queue.queue.0, sequence, &message);
                    }
                    next = found.covered.last + 1;
                }
                assert_eq!(bytes, run.bytes, "{run:?}");
            }
        }
    }

    fn check_body(&self, queue: u64, sequence: Sequence, message: &Message) {
        let sent = message.body_to_vec();
        let of = u64::from_le_bytes(sent[sent.len() - 16..][..8].try_into().unwrap());
        let at = u64::from_le_bytes(sent[sent.len() - 8..].try_into().unwrap());
        assert_eq!(sent, body(of, at));
        // A message for all three is called by its place in the first.
        assert!((of, at) == (queue, sequence) || of == 1, "{queue}/{sequence} is {of}/{at}");
    }
}

#[test]
fn what_was_synced_survives_any_crash_and_what_was_removed_stays_away() {
    for seed in 0..150 {
        let mut world = World::new(seed);
        for _ in 0..6 {
            for _ in 0..world.below(60) {
                world.step();
            }
            world.crash();
        }
    }
}

#[test]
fn files_are_given_back_and_leftovers_copied_on() {
    let mut world = World::new(7);
    for round in 0..400 {
        world.add();
        world.sync();
        let oldest = world.fates.keys().next().copied();
        let alive: Vec<_> = world.fates.keys().copied().filter(|at| Some(*at) != oldest).collect();
        for (queue, sequence) in alive {
            world.opened.log.append().removed(&world.tails[&queue], one(sequence));
            world.fates.insert((queue, sequence), Fate::MayBeGone);
        }
        world.sync();
        world.fates.retain(|_, fate| *fate == Fate::Alive);
        world.opened.writer.tend(Moment(round * COMPACTION_REST_MS));
    }
    let names = world.disk.list().unwrap();
    assert!(names.len() < 12, "{names:?}");
    assert!(world.opened.writer.counts().moved > 0);
    world.crash();
    assert_eq!(world.fates.len(), 1);
}

#[test]
fn a_clean_stop_keeps_the_flag_of_what_was_delivered_and_every_start_the_counts() {
    let disk = MemoryStorage::new(1 << 30);
    let mut opened = open(Arc::new(disk.clone()), SMALL).unwrap();
    let tail = Arc::new(Tail::new(QueueId(1), 0));
    let messages = (0..4).map(|sequence| message(&body(1, sequence))).collect();
    let (polite, failed) =
        (DeliveryCounts::NONE.after_return(), DeliveryCounts { failed: 2, acquired: 5 });
    let mut appender = opened.log.append();
    appender.added(&tail, 0, messages, Stay::durable(Moment(0)));
    appender.returned(&tail, one(2), polite);
    appender.returned(&tail, one(3), failed);
    appender.delivered(&tail, one(1));
    drop(appender);
    opened.writer.stop(Moment(5)).unwrap();
    let disk = disk.kill();
    let opened = open(Arc::new(disk.clone()), SMALL).unwrap();
    assert!(opened.was_clean);
    let runs = |opened: &Opened| -> Vec<_> {
        let runs = opened.queues[0].runs.iter();
        runs.map(|run| (run.range, run.is_redelivered, run.counts)).collect()
    };
    let never = DeliveryCounts::NONE;
    let counted = [(one(2), true, polite), (one(3), true, failed)];
    assert_eq!(runs(&opened)[..2], [(one(0), false, never), (one(1), true, never)]);
    assert_eq!(runs(&opened)[2..], counted);
    let again = open(Arc::new(disk.kill()), SMALL).unwrap();
    assert!(!again.was_clean, "somebody may have been given something since");
    assert_eq!(runs(&again)[..2], [(one(0), true, never), (one(1), true, never)]);
    assert_eq!(runs(&again)[2..], counted);
}

#[test]
fn a_disk_that_does_not_answer_is_no_damage() {
    let disk = MemoryStorage::new(1 << 30);
    let faults = Faults::new();
    let storage = FaultyStorage::new(Arc::new(disk), faults.clone());
    let mut opened = open(Arc::new(storage), SMALL).unwrap();
    let tail = Arc::new(Tail::new(QueueId(1), 0));
    opened.log.append().added(&tail, 0, vec![message(&body(1, 0))], Stay::durable(Moment(0)));
    opened.writer.write(Moment(5), true);
    faults.fail_nth(Operation::Read, 1, Failure::InputOutput);
    assert!(opened.reader.read(QueueId(1), one(0), 1000).is_err());
    assert_eq!(opened.reader.read(QueueId(1), one(0), 1000).unwrap().messages.len(), 1);
}
