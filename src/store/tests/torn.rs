//! A batch that was never known to be synced, cut at every byte: nothing before it is lost, nothing
//! of it is half there, and the start never fails.

use super::lab::*;
use super::*;

/// A synced log, and one batch more that is only written. Gives where that starts.
fn with_last_batch() -> (MemoryStorage, String, usize) {
    let mut lab = Lab::new(WIDE);
    fill(&mut lab);
    let name = log_names(&files(&lab.disk)).pop().unwrap();
    let start = files(&lab.disk)[&name].len();
    lab.change("queue 3", Some("durable"));
    lab.remove(1, 0, 0);
    lab.add(&[1, 2], 2);
    lab.add(&[3], 2);
    assert!(lab.opened.writer.write(Moment(5000), true));
    (lab.disk.kill(), name, start)
}

/// Opens a disk with a torn batch, goes on, and opens it again.
fn check(disk: &MemoryStorage, holds: &Holds, what: &str) {
    let mut opened = open(Arc::new(disk.clone()), WIDE).unwrap();
    assert_eq!(found(&opened), *holds, "{what}");
    assert!(opened.damage.is_none(), "{what}: {:?}", opened.damage);
    let next = opened.queues.iter().find(|queue| queue.queue == QueueId(1));
    let next = next.map_or(0, |queue| queue.next_sequence);
    let tail = Arc::new(Tail::new(QueueId(1), next));
    opened.log.append().added(&tail, next, vec![message(b"after")], Stay::durable(Moment(0)));
    assert!(opened.writer.write(Moment(9000), true) && opened.writer.sync());
    let opened = open(Arc::new(disk.crash(&mut |count| count - 1)), WIDE).unwrap();
    let mut holds = holds.clone();
    holds.messages.insert((1, next), b"after".to_vec());
    assert_eq!(found(&opened), holds, "{what}, and gone on");
    assert!(opened.damage.is_none() && opened.damage.torn_size == 0, "{what}");
}

#[test]
fn a_file_that_ends_in_its_last_batch_loses_that_batch_and_nothing_else() {
    let (disk, name, start) = with_last_batch();
    let whole = files(&disk);
    let mut before = whole.clone();
    before.get_mut(&name).unwrap().truncate(start);
    let (before, after) = (expected(&before, None), expected(&whole, None));
    let size = whole[&name].len();
    let records_end = places(&name, &whole[&name]).iter().rposition(|p| *p != Place::Padding);
    for end in start..=size {
        let disk = disk.kill();
        disk.open(&name).unwrap().set_size(end as u64).unwrap();
        let is_whole = records_end.unwrap() < end;
        let holds = if is_whole { &after } else { &before };
        check(&disk, holds, &format!("{end} of {size} bytes"));
    }
}

#[test]
fn a_last_batch_of_which_some_bytes_are_zeros_is_not_there() {
    let (disk, name, start) = with_last_batch();
    let whole = files(&disk);
    let mut before = whole.clone();
    before.get_mut(&name).unwrap().truncate(start);
    let before = expected(&before, None);
    let size = whole[&name].len();
    let places = places(&name, &whole[&name]);
    for at in (start..size).filter(|at| places[*at] != Place::Padding) {
        for range in [start..at, at..size] {
            let zeros = vec![0; range.len()];
            if zeros == whole[&name][range.clone()] {
                continue;
            }
            let disk = disk.kill();
            disk.open(&name).unwrap().write_at(range.start as u64, &zeros).unwrap();
            check(&disk, &before, &format!("zeros at {range:?}"));
        }
    }
}

#[test]
fn a_flipped_bit_in_a_batch_not_known_to_be_synced_cuts_it_off() {
    let (disk, name, start) = with_last_batch();
    let whole = files(&disk);
    let mut before = whole.clone();
    before.get_mut(&name).unwrap().truncate(start);
    let before = expected(&before, None);
    let places = places(&name, &whole[&name]);
    for (at, place) in places.into_iter().enumerate().skip(start) {
        if place != Place::Padding {
            check(&flipped(&disk, &name, at, 4), &before, &format!("byte {at}"));
        }
    }
}

#[test]
fn what_a_killed_process_sealed_without_a_sync_is_on_disk_when_the_start_is_over() {
    let (disk, faults) = (MemoryStorage::new(1 << 30), Faults::new());
    let storage = FaultyStorage::new(Arc::new(disk.clone()), faults.clone());
    let opened = open(Arc::new(storage), WIDE).unwrap();
    let mut lab = Lab::on(disk, opened);
    faults.skip_sync(true);
    fill(&mut lab);
    lab.rotate();
    let disk = lab.disk.kill();
    let holds = expected(&files(&disk), None);
    assert_eq!(found(&open(Arc::new(disk.clone()), WIDE).unwrap()), holds);
    let opened = open(Arc::new(disk.crash(&mut |count| count - 1)), WIDE).unwrap();
    assert_eq!(found(&opened), holds);
}

#[test]
fn what_is_kept_aside_is_on_disk_before_it_is_cut() {
    let mut lab = Lab::new(WIDE);
    fill(&mut lab);
    lab.rotate();
    lab.add(&[1], 1);
    lab.sync();
    let name = "log-000000000001";
    let bytes = files(&lab.disk).remove(name).unwrap();
    let index = places(name, &bytes).iter().rposition(|place| *place != Place::Padding).unwrap();
    let disk = flipped(&lab.disk, name, index, 1);
    let damaged = files(&disk)[name].clone();
    let counted = Faults::new();
    let count = |faults: &Faults| {
        open(Arc::new(FaultyStorage::new(Arc::new(disk.kill()), faults.clone())), WIDE).unwrap();
        faults.count(Operation::Sync)
    };
    for nth in 1..=count(&counted) {
        let (disk, faults) = (disk.kill(), Faults::new());
        faults.fail_from_nth(Operation::Sync, nth, Failure::InputOutput);
        let storage = FaultyStorage::new(Arc::new(disk.clone()), faults);
        assert!(open(Arc::new(storage), WIDE).is_err());
        let after = files(&disk.crash(&mut |count| count - 1));
        let aside = after.iter().find(|(name, _)| name.starts_with("quarantine-"));
        let is_kept = aside.is_some_and(|(_, kept)| kept.contains(&damaged[index]));
        assert!(after[name] == damaged || is_kept, "sync {nth}");
    }
}
