//! A disk whose nth call fails, for every n: nothing confirmed is lost, nothing that was settled
//! for certain comes back, nothing is there twice; a failed sync, and a write that failed for
//! another reason than a full disk, end confirms, and a full disk does not.

use super::lab::*;
use super::*;
use crate::limits::{COMPACTION_REST_MS, FULL_DISK_PAUSE_MS};

/// Small files, so that all that happens to files happens.
const OPTIONS: StoreOptions = StoreOptions { file_size: 1500, reserve_size: 1000, ..SMALL };

const OPERATIONS: [Operation; 10] = [
    Operation::List,
    Operation::Open,
    Operation::Create,
    Operation::Rename,
    Operation::Remove,
    Operation::SyncDirectory,
    Operation::Read,
    Operation::Write,
    Operation::SetSize,
    Operation::Sync,
];

const FAILURES: [Failure; 2] = [Failure::InputOutput, Failure::NoSpace];

/// What was said to the log, and how far it came.
struct Told {
    opened: Opened,
    /// Places by when they were added, and when they were removed.
    added: BTreeMap<Sequence, Position>,
    removed: BTreeMap<Sequence, Position>,
    now: u64,
}

impl Told {
    /// A store on a disk that works, before the faults.
    fn open(disk: &MemoryStorage, faults: &Faults) -> Result<Self, StoreError> {
        let storage = FaultyStorage::new(Arc::new(disk.clone()), faults.clone());
        let opened = open(Arc::new(storage), OPTIONS)?;
        Ok(Self { opened, added: BTreeMap::new(), removed: BTreeMap::new(), now: 1000 })
    }

    /// Messages come and go in every round, and all but a few are settled.
    fn run(&mut self) {
        let tail = Arc::new(Tail::new(QueueId(1), 0));
        let mut next = 0;
        for round in 0..14 {
            let mut appender = self.opened.log.append();
            let position = appender.position();
            let messages = (next..next + 4).map(|at| message(&body(1, at))).collect();
            appender.added(&tail, next, messages, Stay::durable(Moment(0)));
            self.added.extend((next..next + 4).map(|at| (at, position)));
            let value = Some(vec![round]);
            appender.changed(Change { key: b"round".to_vec(), value });
            for at in (next.saturating_sub(8)..next.saturating_sub(4)).filter(|at| at % 7 != 0) {
                appender.removed(&tail, one(at));
                self.removed.insert(at, position);
            }
            appender.returned(&tail, one(next), DeliveryCounts::NONE.after_failure());
            drop(appender);
            next += 4;
            self.opened.log.want(position);
            self.turn();
            if round % 2 == 1 {
                self.opened.writer.tend(Moment(self.now));
            }
            if round == 9 {
                self.opened.writer.reclaim(Moment(self.now));
            }
        }
    }

    fn turn(&mut self) {
        self.now += FULL_DISK_PAUSE_MS.max(COMPACTION_REST_MS);
        self.opened.writer.turn(Moment(self.now));
    }

    fn is_poisoned(&self) -> bool {
        matches!(self.opened.log.health(), Health::Poisoned(_))
    }

    /// What is there after the end of this process keeps what was promised.
    fn check(&self, disk: &MemoryStorage, what: &str) {
        let durable = self.opened.log.durable();
        let is_durable =
            |of: &BTreeMap<_, _>, at: &Sequence| of.get(at).is_some_and(|at| *at <= durable);
        let opened = open(Arc::new(disk.clone()), OPTIONS).unwrap();
        assert!(opened.damage.quarantined.is_empty(), "{what}: {:?}", opened.damage);
        let holds = found(&opened);
        for at in self.added.keys() {
            let is_there = holds.messages.contains_key(&(1, *at));
            if is_durable(&self.removed, at) {
                assert!(!is_there, "{what}: {at} came back");
            } else if is_durable(&self.added, at) && !self.removed.contains_key(at) {
                assert!(is_there, "{what}: {at} is lost");
            }
        }
        for ((queue, at), found) in &holds.messages {
            assert!(*queue == 1 && *found == body(1, *at), "{what}: {at} is not what was sent");
            assert!(self.added.contains_key(at), "{what}: {at} is invented");
        }
        for run in opened.queues.iter().flat_map(|queue| &queue.runs) {
            let there = (run.range.first..=run.range.last).map(|at| (1, at));
            assert!(
                there.into_iter().all(|at| holds.messages.contains_key(&at)),
                "{what}: {run:?}"
            );
        }
    }

    /// After a kill, and after power losses that lose all or some of what was not synced.
    fn check_ends(&self, disk: &MemoryStorage, what: &str) {
        self.check(&disk.kill(), &format!("{what}, killed"));
        self.check(&disk.crash(&mut |count| count - 1), &format!("{what}, all lost"));
        for seed in 0..3 {
            let mut random = Random::new([seed, 5]);
            let mut choose = |limit: usize| {
                usize::try_from(random.draw() % u64::try_from(limit).unwrap()).unwrap()
            };
            self.check(&disk.crash(&mut choose), &format!("{what}, some lost, {seed}"));
        }
    }
}

/// How often each call comes in a run, and in the start before it.
fn counts(disk: &MemoryStorage, faults: &Faults) -> BTreeMap<Operation, u64> {
    let mut told = Told::open(disk, faults).unwrap();
    let before: Vec<u64> = OPERATIONS.iter().map(|at| faults.count(*at)).collect();
    told.run();
    assert!(told.opened.writer.counts().moved > 0, "messages are copied on");
    let after = OPERATIONS.iter().zip(before);
    after.map(|(at, before)| (*at, faults.count(*at) - before)).collect()
}

#[test]
fn a_call_that_fails_in_a_running_store_loses_nothing_confirmed() {
    let counts = counts(&MemoryStorage::new(1 << 30), &Faults::new());
    let mut poisoned = 0;
    let mut full = 0;
    for (operation, failure) in OPERATIONS.iter().flat_map(|at| FAILURES.map(|how| (*at, how))) {
        for nth in 1..=counts[&operation] {
            let what = format!("{operation:?} {nth}, {failure:?}");
            let (disk, faults) = (MemoryStorage::new(1 << 30), Faults::new());
            let mut told = Told::open(&disk, &faults).unwrap();
            faults.fail_nth(operation, nth, failure);
            told.run();
            faults.heal();
            if operation == Operation::Sync {
                assert!(told.is_poisoned(), "{what}: a failed sync is never tried again");
            }
            if failure == Failure::InputOutput && operation == Operation::Write {
                let aside = matches!(told.opened.log.health(), Health::Good);
                assert!(told.is_poisoned() || aside, "{what}");
            }
            if failure == Failure::NoSpace
                && !matches!(operation, Operation::Sync | Operation::SyncDirectory)
            {
                assert!(!told.is_poisoned(), "{what}: {:?}", told.opened.log.health());
                (0..3).for_each(|_| told.turn());
                assert_eq!(told.opened.log.health(), Health::Good, "{what}");
                let last = told.added.values().max().copied().unwrap();
                assert!(told.opened.log.durable() >= last, "{what}: it recovers by itself");
                full += 1;
            }
            poisoned += u64::from(told.is_poisoned());
            told.check_ends(&disk, &what);
        }
    }
    assert!(poisoned > 40 && full > 40, "{poisoned} poisoned, {full} full");
}

#[test]
fn a_disk_that_stays_full_or_broken_from_a_call_on_loses_nothing_confirmed() {
    let counts = counts(&MemoryStorage::new(1 << 30), &Faults::new());
    for (operation, failure) in [
        (Operation::Write, Failure::NoSpace),
        (Operation::Create, Failure::NoSpace),
        (Operation::Write, Failure::InputOutput),
        (Operation::Sync, Failure::InputOutput),
        (Operation::Remove, Failure::InputOutput),
        (Operation::SetSize, Failure::InputOutput),
    ] {
        for nth in 1..=counts[&operation] {
            let what = format!("{operation:?} from {nth} on, {failure:?}");
            let (disk, faults) = (MemoryStorage::new(1 << 30), Faults::new());
            let mut told = Told::open(&disk, &faults).unwrap();
            faults.fail_from_nth(operation, nth, failure);
            told.run();
            faults.heal();
            if failure == Failure::NoSpace {
                (0..3).for_each(|_| told.turn());
                assert_eq!(told.opened.log.health(), Health::Good, "{what}");
                let last = told.added.values().max().copied().unwrap();
                assert!(told.opened.log.durable() >= last, "{what}: it recovers by itself");
            }
            told.check_ends(&disk, &what);
        }
    }
}

#[test]
fn a_write_that_is_torn_and_fails_leaves_nothing_half_there() {
    let counts = counts(&MemoryStorage::new(1 << 30), &Faults::new());
    for failure in FAILURES {
        for nth in 1..=counts[&Operation::Write] {
            for size in [1, 30, 57, 100, 300] {
                let what = format!("write {nth} stops after {size}, {failure:?}");
                let (disk, faults) = (MemoryStorage::new(1 << 30), Faults::new());
                let mut told = Told::open(&disk, &faults).unwrap();
                faults.tear_nth_write(nth, size, failure);
                told.run();
                faults.heal();
                told.check(&disk.kill(), &format!("{what}, killed"));
                told.check(&disk.crash(&mut |count| count - 1), &format!("{what}, lost"));
            }
        }
    }
}

#[test]
fn a_call_that_fails_in_a_start_fails_that_start_at_most() {
    let disk = MemoryStorage::new(1 << 30);
    let mut told = Told::open(&disk, &Faults::new()).unwrap();
    told.run();
    let disk = disk.kill();
    let mut refused = 0;
    for (operation, failure) in OPERATIONS.iter().flat_map(|at| FAILURES.map(|how| (*at, how))) {
        let faults = Faults::new();
        Told::open(&disk.kill(), &faults).unwrap();
        for nth in 1..=faults.count(operation) {
            let what = format!("{operation:?} {nth} of a start, {failure:?}");
            let (disk, faults) = (disk.kill(), Faults::new());
            faults.fail_nth(operation, nth, failure);
            let again = Told::open(&disk, &faults);
            refused += u64::from(again.is_err());
            drop(again);
            told.check_ends(&disk, &what);
        }
    }
    assert!(refused > 20, "{refused}");
}
