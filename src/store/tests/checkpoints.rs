//! Checkpoints that are damaged: the one before stands in with nothing lost, and without any the
//! log is read from its first file on, or the start is refused.

use super::lab::*;
use super::*;

/// Two checkpoints, log behind both, and no first log file any more.
fn with_two() -> (MemoryStorage, Holds) {
    let mut lab = Lab::new(WIDE);
    lab.change("queue 1", Some("durable"));
    lab.add(&[1], 3);
    lab.sync();
    lab.rotate();
    lab.remove(1, 0, 2);
    lab.add(&[1, 2], 4);
    lab.sync();
    for settled in 0..2 {
        lab.rotate();
        lab.opened.writer.checkpoint(false).unwrap();
        lab.change("queue 2", Some("durable"));
        lab.remove(2, settled, settled);
        lab.add(&[1], 2);
        lab.sync();
    }
    lab.opened.writer.tend(Moment(lab.now));
    lab.add(&[2], 1);
    lab.sync();
    let disk = lab.disk.kill();
    let names: Vec<String> = files(&disk.kill()).into_keys().collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let expected = [
        "checkpoint-000000000002",
        "checkpoint-000000000003",
        "log-000000000002",
        "log-000000000003",
        "log-000000000004",
        "spare-000000000001",
    ];
    assert_eq!(names, expected);
    let holds = found(&open(Arc::new(disk.kill()), WIDE).unwrap());
    assert_eq!((holds.messages.len(), holds.definitions.len()), (11, 2));
    (disk, holds)
}

const NEWEST: &str = "checkpoint-000000000003";
const OLDER: &str = "checkpoint-000000000002";

#[test]
fn behind_a_damaged_newest_checkpoint_the_one_before_gives_everything() {
    let (disk, holds) = with_two();
    let bytes = files(&disk.kill())[NEWEST].clone();
    for at in 0..bytes.len() {
        let disk = flipped(&disk, NEWEST, at, 16);
        let opened = open(Arc::new(disk.clone()), WIDE).unwrap();
        assert_eq!(found(&opened), holds, "byte {at}");
        assert_eq!(opened.damage.checkpoints, [NEWEST], "byte {at}");
        let aside = files(&disk).remove(&format!("quarantine-{NEWEST}")).unwrap();
        assert_eq!((aside.len(), aside[at] ^ 16), (bytes.len(), bytes[at]));
        let again = open(Arc::new(disk.kill()), WIDE).unwrap();
        assert_eq!((found(&again), again.damage.is_none()), (holds.clone(), true), "byte {at}");
    }
}

#[test]
fn a_checkpoint_cut_anywhere_is_none() {
    let (disk, holds) = with_two();
    for end in 0..files(&disk.kill())[NEWEST].len() {
        let disk = disk.kill();
        disk.open(NEWEST).unwrap().set_size(end as u64).unwrap();
        let opened = open(Arc::new(disk), WIDE).unwrap();
        assert_eq!(found(&opened), holds, "{end} bytes");
    }
}

#[test]
fn a_damaged_older_checkpoint_is_told_and_nothing_is_lost() {
    let (disk, holds) = with_two();
    let opened = open(Arc::new(flipped(&disk, OLDER, 90, 1)), WIDE).unwrap();
    assert_eq!(
        (found(&opened), opened.damage.checkpoints.as_slice()),
        (holds, &[OLDER.into()][..])
    );
}

#[test]
fn without_a_checkpoint_a_log_that_lacks_its_beginning_is_refused_and_nothing_is_changed() {
    let (disk, _) = with_two();
    let disk = flipped(&flipped(&disk, NEWEST, 80, 1), OLDER, 80, 1);
    disk.create("reserve").unwrap().write_at(0, &[0; 100]).unwrap();
    let before = files(&disk);
    let refused = open(Arc::new(disk.clone()), WIDE).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "no checkpoint is whole, and without one the log cannot be read but from its beginning; \
         missing: log-000000000001; found: checkpoint-000000000002, checkpoint-000000000003, \
         log-000000000002, log-000000000003, log-000000000004; put a copy of the data directory \
         back"
    );
    assert_eq!(files(&disk), before);
}

#[test]
fn without_a_checkpoint_a_whole_log_is_read_from_its_beginning() {
    let mut lab = Lab::new(WIDE);
    fill(&mut lab);
    lab.rotate();
    lab.add(&[1], 1);
    lab.sync();
    let disk = flipped(&lab.disk, "checkpoint-000000000001", 70, 1);
    let holds = expected(&files(&disk), None);
    let opened = open(Arc::new(disk), WIDE).unwrap();
    assert_eq!(found(&opened), holds);
    assert_eq!(opened.damage.checkpoints, ["checkpoint-000000000001"]);
}

#[test]
fn a_checkpoint_without_its_log_is_no_new_store() {
    let lab = Lab::new(WIDE);
    let disk = flipped(&lab.disk, "checkpoint-000000000001", 70, 1);
    disk.remove("log-000000000001").unwrap();
    let refused = open(Arc::new(disk), WIDE).unwrap_err();
    assert!(matches!(refused, StoreError::NoCheckpoint { missing, .. } if missing.len() == 1));
}

#[test]
fn a_log_file_that_is_missing_is_named_and_stops_the_start_unless_it_is_accepted() {
    let mut lab = Lab::new(WIDE);
    for _ in 0..3 {
        lab.add(&[1], 2);
        lab.sync();
        lab.rotate();
    }
    lab.add(&[1], 1);
    lab.sync();
    let disk = lab.disk.kill();
    disk.remove("log-000000000002").unwrap();
    let before = files(&disk);
    let refused = open(Arc::new(disk.clone()), WIDE).unwrap_err();
    assert!(matches!(refused, StoreError::DamagedDefinition { .. }), "{refused}");
    assert_eq!(files(&disk), before);
    let accepting = StoreOptions { accepts_damaged_definitions: true, ..WIDE };
    let opened = open(Arc::new(disk), accepting).unwrap();
    let sequences: Vec<_> = found(&opened).messages.into_keys().map(|place| place.1).collect();
    assert_eq!(sequences, [0, 1, 4, 5, 6]);
    assert_eq!(opened.damage.quarantined, [("log-000000000003".into(), 64, 0)]);
}

#[test]
fn a_file_before_the_checkpoint_that_is_missing_is_told() {
    let mut lab = Lab::new(WIDE);
    lab.add(&[1], 2);
    lab.sync();
    lab.rotate();
    lab.opened.writer.checkpoint(false).unwrap();
    let disk = lab.disk.kill();
    disk.remove("log-000000000001").unwrap();
    let opened = open(Arc::new(disk), WIDE).unwrap();
    assert_eq!(opened.damage.quarantined, [("log-000000000001".into(), 0, 0)]);
    assert!(found(&opened).messages.is_empty());
}
