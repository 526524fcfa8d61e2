//! What another version wrote: an unknown format, or a record of an unknown kind that may not be
//! passed over, stops the start with a clear text and is never taken for torn.

use super::super::checksum::checksum;
use super::super::record::Kind;
use super::lab::*;
use super::*;

const LOG: &str = "log-000000000001";
const CHECKPOINT: &str = "checkpoint-000000000001";

/// The log of a killed node, and one more in which the kind of a record is another.
fn with_kind(of: u64, kind: u8) -> (MemoryStorage, u64) {
    let mut lab = Lab::new(WIDE);
    fill(&mut lab);
    let disk = lab.disk.kill();
    let bytes = files(&disk)[LOG].clone();
    let file = disk.open(LOG).unwrap();
    let offsets: Vec<u64> = places(LOG, &bytes)
        .into_iter()
        .filter_map(|place| match place {
            Place::Record(Kind::Message, offset) => Some(offset),
            _ => None,
        })
        .collect();
    let offset = if of == 0 { offsets[0] } else { *offsets.last().unwrap() };
    set_kind(&*file, 1, offset, kind);
    (disk, offset)
}

fn set_kind(file: &dyn StorageFile, number: u64, offset: u64, kind: u8) {
    let mut head = [0; 16];
    file.read_at(offset, &mut head).unwrap();
    head[12] = kind;
    let check = checksum(number, offset, &head[4..]);
    head[..4].copy_from_slice(&check.to_le_bytes());
    file.write_at(offset, &head).unwrap();
}

#[test]
fn an_unknown_kind_stops_the_start_in_the_first_batch_and_in_the_last() {
    for of in [0, 1] {
        let (disk, at) = with_kind(of, 100);
        let before = files(&disk);
        let refused = open(Arc::new(disk.clone()), WIDE).unwrap_err();
        assert!(
            matches!(&refused, StoreError::UnknownKind { file, offset, kind: 100 }
                if file == LOG && *offset == at),
            "{refused}"
        );
        assert_eq!(files(&disk), before, "a refused start changes nothing");
    }
}

#[test]
fn an_unknown_kind_that_may_be_passed_over_is() {
    for of in [0, 1] {
        let (disk, at) = with_kind(of, 200);
        let holds = expected(&files(&disk), Some((LOG, at)));
        let opened = open(Arc::new(disk), WIDE).unwrap();
        assert_eq!(found(&opened), holds);
        assert!(opened.damage.is_none());
    }
}

#[test]
fn an_unknown_kind_in_a_checkpoint_stops_the_start() {
    let mut lab = Lab::new(WIDE);
    fill(&mut lab);
    let disk = lab.disk.kill();
    set_kind(&*disk.open(CHECKPOINT).unwrap(), 1, 64, 100);
    let refused = open(Arc::new(disk), WIDE).unwrap_err();
    let told = matches!(&refused, StoreError::UnknownKind { file, offset: 64, kind: 100 }
        if file == CHECKPOINT);
    assert!(told, "{refused}");
}

#[test]
fn an_unknown_format_is_named_and_nothing_is_changed() {
    for name in [LOG, CHECKPOINT] {
        let mut lab = Lab::new(WIDE);
        fill(&mut lab);
        let disk = lab.disk.kill();
        let file = disk.open(name).unwrap();
        file.write_at(8, &9_u16.to_le_bytes()).unwrap();
        // Its checksum may be made otherwise.
        file.write_at(60, &[7; 4]).unwrap();
        let before = files(&disk);
        let refused = open(Arc::new(disk.clone()), WIDE).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(
                "{name} has format 9, and this version of Leveret reads format 1 only; start the \
                 version that wrote it"
            )
        );
        assert_eq!(files(&disk), before);
    }
}
