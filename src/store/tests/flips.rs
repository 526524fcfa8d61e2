//! A flipped bit, wherever it is in what is known to be on disk: nothing but the record it hits is
//! lost, what was hit is counted and kept, and a definition that may be lost stops the start.

use std::collections::BTreeSet;

use super::super::record::Kind;
use super::lab::*;
use super::*;

const ACCEPTING: StoreOptions = StoreOptions { accepts_damaged_definitions: true, ..WIDE };

/// Bits that are flipped, one at a time and several.
const MASKS: [u8; 3] = [1, 128, 0xff];

/// The last batch of a log, of which no other tells that it is on disk.
fn add_witness(lab: &mut Lab) -> usize {
    let name = log_names(&files(&lab.disk)).pop().unwrap();
    let known = files(&lab.disk)[&name].len();
    lab.add(&[4], 1);
    lab.sync();
    known
}

/// Flips every byte of a file that is read at the start.
fn check_replayed(disk: &MemoryStorage, name: &str, end: usize) {
    let before = files(&disk.kill());
    let whole = expected(&before, None);
    for (at, place) in places(name, &before[name]).into_iter().enumerate().take(end) {
        for mask in MASKS {
            let what = format!("byte {at} of {name}, {place:?}, mask {mask}");
            let damaged = flipped(disk, name, at, mask);
            let bytes = files(&damaged);
            let hit = match place {
                Place::Record(Kind::Index, _) | Place::Head | Place::Padding => None,
                Place::Record(_, offset) => Some((name, offset)),
            };
            if matches!(place, Place::Record(Kind::Changed | Kind::Forgotten, _)) {
                let refused = open(Arc::new(damaged.clone()), WIDE).unwrap_err();
                assert!(matches!(refused, StoreError::DamagedDefinition { .. }), "{what}");
                assert_eq!(files(&damaged), bytes, "{what}: a refused start changes nothing");
            }
            let opened = open(Arc::new(damaged.clone()), ACCEPTING).unwrap();
            let holds = if hit.is_some() { expected(&before, hit) } else { whole.clone() };
            assert_eq!(found(&opened), holds, "{what}");
            check_kept(&opened, &bytes, &damaged, (name, at), place);
            let again = open(Arc::new(damaged.kill()), WIDE).unwrap();
            assert_eq!(found(&again), holds, "{what}, at the next start");
            assert!(again.damage.is_none(), "{what}: it is told once, {:?}", again.damage);
        }
    }
}

/// The hit byte is counted once, and is in one file aside.
fn check_kept(
    opened: &Opened,
    before: &Files,
    disk: &MemoryStorage,
    (name, at): (&str, usize),
    place: Place,
) {
    let what = format!("byte {at} of {name}, {place:?}: {:?}", opened.damage);
    let after = files(disk);
    let aside: Vec<_> = after.keys().filter(|name| name.starts_with("quarantine-")).collect();
    if place == Place::Padding {
        assert!(opened.damage.is_none() && aside.is_empty(), "{what}");
        return;
    }
    let [(file, offset, size)] = opened.damage.quarantined.as_slice() else { panic!("{what}") };
    let (start, size) = (usize::try_from(*offset).unwrap(), usize::try_from(*size).unwrap());
    assert!(file == name && (start..start + size).contains(&at), "{what}");
    assert_eq!(aside, [&format!("quarantine-{name}-{offset}")], "{what}");
    assert_eq!(after[aside[0]], before[name][start..start + size], "{what}");
    assert_eq!(opened.damage.torn_size, 0, "{what}");
}

#[test]
fn a_flipped_bit_of_the_open_file_loses_the_record_it_hits_and_nothing_else() {
    let mut lab = Lab::new(WIDE);
    fill(&mut lab);
    let known = add_witness(&mut lab);
    let disk = lab.disk.kill();
    check_replayed(&disk, "log-000000000001", known);
}

#[test]
fn a_flipped_bit_of_a_sealed_file_that_is_read_at_the_start_loses_the_record_it_hits() {
    let mut lab = Lab::new(WIDE);
    fill(&mut lab);
    lab.rotate();
    lab.change("queue 2", Some("durable"));
    lab.remove(1, 2, 2);
    lab.add(&[1, 2], 2);
    lab.sync();
    lab.rotate();
    let known = add_witness(&mut lab);
    let disk = lab.disk.kill();
    assert_eq!(files(&disk.kill()).len(), 4, "three log files behind the first checkpoint");
    for name in ["log-000000000001", "log-000000000002"] {
        check_replayed(&disk, name, usize::MAX);
    }
    check_replayed(&disk, "log-000000000003", known);
}

#[test]
fn a_flipped_bit_of_a_file_that_is_not_read_at_the_start_loses_one_message() {
    let mut lab = Lab::new(WIDE);
    fill(&mut lab);
    lab.rotate();
    lab.opened.writer.checkpoint(false).unwrap();
    let disk = lab.disk.kill();
    let (before, name) = (files(&disk), "log-000000000001");
    let whole = expected(&before, None);
    let mut lost = BTreeSet::new();
    for (at, place) in places(name, &before[name]).into_iter().enumerate() {
        for mask in MASKS {
            let opened = open(Arc::new(flipped(&disk, name, at, mask)), WIDE).unwrap();
            let mut holds = whole.clone();
            if let Place::Record(Kind::Message, offset) = place {
                let readable = expected(&before, Some((name, offset))).messages;
                holds.messages.retain(|place, _| readable.contains_key(place));
                lost.extend((holds != whole).then_some(offset));
            }
            assert_eq!(found(&opened), holds, "byte {at}, {place:?}, mask {mask}");
            assert!(opened.damage.is_none());
        }
    }
    assert_eq!(lost.len(), 7, "eight messages, of which one is removed");
}

#[test]
fn two_batches_whose_heads_are_damaged_give_their_records_back() {
    let mut lab = Lab::new(WIDE);
    lab.add(&[1], 3);
    lab.sync();
    lab.add(&[1], 3);
    lab.sync();
    lab.add(&[1], 3);
    lab.sync();
    let known = add_witness(&mut lab);
    let (disk, name) = (lab.disk.kill(), "log-000000000001");
    let before = files(&disk);
    let heads = before[name].windows(4).take(known).enumerate();
    let heads: Vec<usize> = heads.filter(|(_, w)| *w == b"LBAT").map(|(at, _)| at).collect();
    assert_eq!(heads.len(), 3);
    let disk = flipped(&flipped(&disk, name, heads[1], 1), name, heads[2] + 30, 1);
    let opened = open(Arc::new(disk), WIDE).unwrap();
    assert_eq!(found(&opened), expected(&before, None));
    assert_eq!(opened.damage.quarantined.len(), 2);
}

#[test]
fn records_under_a_damaged_head_stay_where_the_batch_behind_them_is_torn() {
    let mut lab = Lab::new(WIDE);
    lab.add(&[1], 3);
    lab.sync();
    let second = files(&lab.disk)["log-000000000001"].len();
    lab.add(&[1], 3);
    lab.sync();
    let before = files(&lab.disk);
    let known = add_witness(&mut lab);
    let disk = flipped(&lab.disk, "log-000000000001", second + 8, 1);
    // The head of the last batch is there and tells that the one before it was synced.
    disk.open("log-000000000001").unwrap().set_size(known as u64 + 60).unwrap();
    let opened = open(Arc::new(disk.clone()), WIDE).unwrap();
    assert_eq!(found(&opened), expected(&before, None));
    let again = open(Arc::new(disk.kill()), WIDE).unwrap();
    assert_eq!(found(&again), expected(&before, None));
    assert!(again.damage.is_none());
}

#[test]
fn a_flipped_bit_between_a_damaged_head_and_a_torn_batch_may_have_been_a_definition() {
    let mut lab = Lab::new(WIDE);
    lab.sync_witness();
    let second = files(&lab.disk)["log-000000000001"].len();
    lab.change("queue 1", Some("durable"));
    lab.sync();
    let known = add_witness(&mut lab);
    let disk = flipped(&lab.disk, "log-000000000001", second + 8, 1);
    let disk = flipped(&disk, "log-000000000001", second + 60, 1);
    disk.open("log-000000000001").unwrap().set_size(known as u64 + 60).unwrap();
    let refused = open(Arc::new(disk.clone()), WIDE).unwrap_err();
    assert!(matches!(refused, StoreError::DamagedDefinition { .. }), "{refused}");
    assert!(open(Arc::new(disk), ACCEPTING).unwrap().definitions.is_empty());
}
