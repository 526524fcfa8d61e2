//! A full disk: what is set aside is given up at the start too, what waits takes bounded room, and
//! a file that cannot be read is not tried for ever.

use super::lab::*;
use super::*;
use crate::limits::{COMPACTION_REST_MS, FULL_DISK_PAUSE_MS};

const RESERVE_SIZE: u64 = 8 * 1024;

#[test]
fn a_start_on_a_full_disk_gives_the_reserve_up() {
    let options = StoreOptions { reserve_size: RESERVE_SIZE, ..WIDE };
    let mut lab = Lab::new(options);
    fill(&mut lab);
    lab.opened.writer.tend(Moment(lab.now));
    let disk = lab.disk.kill();
    let all = files(&disk);
    assert_eq!(all["reserve"].len() as u64, RESERVE_SIZE);
    disk.set_capacity(all.values().map(|bytes| bytes.len() as u64).sum());
    let mut opened = open(Arc::new(disk.clone()), options).unwrap();
    let holds = found(&opened);
    assert_eq!(holds, expected(&all, None));
    let tail = Arc::new(Tail::new(QueueId(1), 5));
    opened.log.append().removed(&tail, one(0));
    assert!(opened.writer.write(Moment(5000), true) && opened.writer.sync());
    let again = open(Arc::new(disk.kill()), options).unwrap();
    assert_eq!(found(&again).messages.len(), holds.messages.len() - 1);
}

#[test]
fn a_start_that_is_refused_keeps_the_reserve() {
    let options = StoreOptions { reserve_size: RESERVE_SIZE, ..WIDE };
    let mut lab = Lab::new(options);
    fill(&mut lab);
    lab.sync_witness();
    lab.opened.writer.tend(Moment(lab.now));
    let disk = lab.disk.kill();
    let bytes = files(&disk)["log-000000000001"].clone();
    let at = bytes.windows(10).position(|window| window == b"exchange x").unwrap();
    let disk = flipped(&disk, "log-000000000001", at, 1);
    let before = files(&disk);
    assert!(open(Arc::new(disk.clone()), options).is_err());
    assert_eq!(files(&disk), before);
}

#[test]
fn definitions_and_returns_that_wait_for_room_take_that_of_the_last_one() {
    let mut lab = Lab::new(WIDE);
    lab.change("queue 1", Some("durable"));
    lab.add(&[1], 3);
    lab.sync();
    let used: usize = files(&lab.disk).values().map(Vec::len).sum();
    lab.disk.set_capacity(used as u64);
    let tail = lab.tail(1).0.clone();
    for round in 0..1000_u32 {
        lab.change("exchange x", Some(&format!("{round}")));
        let all = SequenceRange { first: 0, last: 2 };
        lab.opened.log.append().returned(&tail, all, DeliveryCounts { failed: 7, acquired: round });
        lab.now += FULL_DISK_PAUSE_MS;
        assert!(!lab.opened.writer.write(Moment(lab.now), true));
    }
    assert_eq!(lab.opened.log.health(), Health::Full);
    lab.disk.set_capacity(1 << 30);
    let before = files(&lab.disk).values().map(Vec::len).sum::<usize>();
    lab.now += FULL_DISK_PAUSE_MS;
    lab.sync();
    assert_eq!(lab.opened.log.health(), Health::Good);
    let after = files(&lab.disk).values().map(Vec::len).sum::<usize>();
    assert!(after - before < 200, "{} bytes", after - before);
    let opened = open(Arc::new(lab.disk.kill()), WIDE).unwrap();
    assert_eq!(found(&opened).definitions[&b"exchange x"[..]], b"999");
    let last = DeliveryCounts { failed: 7, acquired: 999 };
    assert_eq!(opened.queues[0].runs[0].counts, last);
}

#[test]
fn a_sparse_file_that_cannot_be_read_is_left_and_the_next_one_copied_on() {
    let disk = MemoryStorage::new(1 << 30);
    let faults = Faults::new();
    let storage = FaultyStorage::new(Arc::new(disk.clone()), faults.clone());
    let opened = open(Arc::new(storage), WIDE).unwrap();
    let mut lab = Lab::on(disk, opened);
    for first in [0, 10] {
        lab.add(&[1], 10);
        lab.sync();
        lab.rotate();
        lab.remove(1, first, first + 8);
        lab.sync();
    }
    let body = body(1, 9);
    let log = files(&lab.disk).remove("log-000000000001").unwrap();
    let at = log.windows(body.len()).position(|window| window == body).unwrap() as u64;
    faults.flip_bits("log-000000000001", at..at + 1, 1);
    for _ in 0..4 {
        lab.now += COMPACTION_REST_MS;
        lab.opened.writer.tend(Moment(lab.now));
    }
    assert_eq!(lab.opened.writer.counts().moved, 1, "the message of the second file");
    let reads = faults.count(Operation::Read);
    for _ in 0..10 {
        lab.now += COMPACTION_REST_MS;
        lab.opened.writer.tend(Moment(lab.now));
    }
    assert_eq!(faults.count(Operation::Read), reads, "it is not tried again");
    faults.heal();
    lab.sync_witness();
    assert_eq!(found(&open(Arc::new(lab.disk.kill()), WIDE).unwrap()).messages.len(), 2);
}

#[test]
fn a_stop_is_clean_though_the_next_file_was_made_before_the_disk_was_full() {
    let disk = MemoryStorage::new(1 << 30);
    let faults = Faults::new();
    let storage = FaultyStorage::new(Arc::new(disk.clone()), faults.clone());
    let opened = open(Arc::new(storage), WIDE).unwrap();
    let mut lab = Lab::on(disk, opened);
    lab.add(&[1], 2);
    lab.sync();
    faults.fail_nth(Operation::Write, 2, Failure::NoSpace);
    assert!(lab.opened.writer.rotate(Moment(2000), Default::default()).unwrap_err().is_full());
    assert!(files(&lab.disk).contains_key("log-000000000002"), "made before the seal failed");
    lab.opened.writer.stop(Moment(3000)).unwrap();
    let opened = open(Arc::new(lab.disk.crash(&mut |count| count - 1)), WIDE).unwrap();
    assert!(opened.was_clean);
    assert_eq!(found(&opened).messages.len(), 2);
}
