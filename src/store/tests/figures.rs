//! What those who watch are told: it follows what is done, and what was found.

use super::super::shelf::checkpoint_name;
use super::lab::*;
use super::*;

fn figures(opened: &Opened) -> StoreFigures {
    opened.reader.figures()
}

/// Where these bytes stand.
fn place_of(written: &[u8], body: &[u8]) -> usize {
    written.windows(body.len()).position(|part| part == body).unwrap()
}

#[test]
fn what_is_written_is_told_as_soon_as_the_log_was_turned() {
    let mut lab = Lab::new(WIDE);
    let before = figures(&lab.opened);
    assert_eq!((before.batches, before.syncs, before.log_bytes), (0, 0, 0));
    assert!(before.checkpoint_bytes > 0, "a new store has its first checkpoint");
    assert_eq!((before.log_files, before.index_bytes, before.moved_bytes), (1, 0, 0));
    lab.add(&[1], 3);
    let position = lab.opened.log.append().position();
    lab.opened.log.want(position);
    assert!(lab.opened.writer.turn(Moment(2000)));
    let after = figures(&lab.opened);
    assert_eq!((after.batches, after.syncs, after.written_messages), (1, 1, 3));
    let expected = lab.opened.writer.counts().bytes - before.checkpoint_bytes;
    assert_eq!(after.log_bytes, expected);
    assert!(expected > 0);
    let counted = StoreFigures { batches: 0, syncs: 0, log_bytes: 0, written_messages: 0, ..after };
    assert_eq!(counted, before);
}

#[test]
fn a_sealed_file_is_counted_with_its_index() {
    let mut lab = Lab::new(WIDE);
    let before = figures(&lab.opened);
    for files in 2..4 {
        lab.add(&[1], 1);
        lab.sync();
        lab.rotate();
        lab.opened.writer.tend(Moment(lab.now));
        let after = figures(&lab.opened);
        assert_eq!(after.log_files, files);
        assert_eq!(after.index_bytes, lab.opened.writer.counts().index_bytes);
        assert!(after.index_bytes > before.index_bytes);
    }
    lab.opened.writer.checkpoint(false).unwrap();
    lab.opened.writer.tend(Moment(lab.now));
    let after = figures(&lab.opened);
    assert!(after.checkpoint_bytes > before.checkpoint_bytes);
    assert_eq!(after.checkpoint_bytes, lab.opened.writer.counts().checkpoint_bytes);
}

#[test]
fn what_is_copied_on_counts_as_moved_and_not_as_log() {
    let mut lab = Lab::new(WIDE);
    lab.add(&[1], 8);
    lab.sync();
    lab.rotate();
    lab.remove(1, 0, 6);
    lab.sync();
    lab.opened.writer.tend(Moment(lab.now));
    let before = figures(&lab.opened);
    assert_eq!(before.moved_bytes, 0);
    lab.opened.writer.tend(Moment(lab.now + COMPACTION_REST_MS));
    let after = figures(&lab.opened);
    assert!(after.moved_bytes > 0);
    assert_eq!(after.moved_bytes, lab.opened.writer.counts().moved_bytes);
    assert_eq!(after.log_bytes, before.log_bytes);
}

#[test]
fn the_free_space_is_told_from_the_start_on_and_whenever_it_is_looked_at() {
    let mut lab = Lab::new(WIDE);
    let before = figures(&lab.opened).free_bytes;
    assert!(before > 0);
    lab.add(&[1], 50);
    lab.sync();
    let free = lab.opened.writer.free_bytes().unwrap();
    assert!(free < before);
    assert_eq!(figures(&lab.opened).free_bytes, free);
}

#[test]
fn what_the_start_found_damaged_is_told_and_what_reading_finds_is_added() {
    let mut lab = Lab::new(WIDE);
    lab.add(&[1], 3);
    lab.sync();
    lab.add(&[2], 1);
    lab.sync();
    lab.sync_witness();
    let name = log_names(&files(&lab.disk)).pop().unwrap();
    let at = place_of(&files(&lab.disk)[&name], &body(2, 0));
    let damaged = flipped(&lab.disk, &name, at, 1);
    let opened = open(Arc::new(damaged), WIDE).unwrap();
    let told = figures(&opened);
    assert_eq!((told.quarantined_places, told.torn_bytes, told.damaged_checkpoints), (1, 0, 0));
    assert_eq!(told.quarantined_bytes, opened.damage.quarantined[0].2);
    assert!(told.quarantined_bytes >= body(2, 0).len() as u64);
    opened.reader.count_damaged(2);
    assert_eq!(figures(&opened), StoreFigures { quarantined_places: 3, ..told });
}

#[test]
fn what_the_start_cut_off_and_a_checkpoint_that_is_not_whole_are_told() {
    let mut lab = Lab::new(WIDE);
    lab.add(&[1], 3);
    lab.sync();
    lab.rotate();
    lab.opened.writer.checkpoint(false).unwrap();
    lab.add(&[1], 1);
    lab.sync();
    let (name, checkpoint) = (log_names(&files(&lab.disk)).pop().unwrap(), checkpoint_name(2));
    let torn = flipped(&lab.disk, &name, place_of(&files(&lab.disk)[&name], &body(1, 3)), 1);
    let torn = flipped(&torn, &checkpoint, 70, 1);
    let opened = open(Arc::new(torn), WIDE).unwrap();
    let told = figures(&opened);
    assert!(told.torn_bytes > 0);
    assert_eq!(told.torn_bytes, opened.damage.torn_size);
    assert_eq!((told.quarantined_places, told.damaged_checkpoints), (0, 1));
}
