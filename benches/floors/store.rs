//! Floor 3: the log. A message into the batch that gathers, and from there to a file, whose disk is
//! in memory; what the kernel does for a real one is not in it.

use std::sync::Arc;

use leveret::message::{QueueId, SequenceRange};
use leveret::store::{self, Log, MemoryStorage, Stay, StoreOptions, Tail, Writer};

use crate::client::NOW;
use crate::wire::Content;
use crate::{Operation, Round};

/// Messages of one round: a batch.
const COUNT: u64 = 100;

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        Operation::new("log_append", append),
        Operation::new("log_append_write_16", || append_write(16)),
        Operation::new("log_append_write_1024", || append_write(1024)),
    ]
}

/// A message and its end, one append each: what is settled before the batch is cut is not written.
fn append() -> Round {
    let (writer, log, tail) = open();
    let message = Content::persistent(16).message();
    let mut next = 0;
    Box::new(move || {
        for _ in 0..COUNT {
            log.append().added(&tail, next, vec![message.clone()], Stay::durable(NOW));
            log.append().removed(&tail, SequenceRange::one(next));
            next += 1;
        }
        assert_eq!(writer.counts().batches, 0, "nothing is to be written");
        COUNT
    })
}

/// A batch is gathered, written and synced; then its messages end, which the next one has.
fn append_write(body_size: usize) -> Round {
    let (mut writer, log, tail) = open();
    let message = Content::persistent(body_size).message();
    let mut next = 0;
    Box::new(move || {
        let range = SequenceRange { first: next, last: next + COUNT - 1 };
        for sequence in range.iter() {
            log.append().added(&tail, sequence, vec![message.clone()], Stay::durable(NOW));
        }
        next += COUNT;
        let position = log.append().position();
        assert!(writer.write(NOW, true) && writer.sync(), "nothing was written");
        assert!(log.durable() >= position, "it is not on disk");
        log.append().removed(&tail, range);
        COUNT
    })
}

fn open() -> (Writer, Arc<Log>, Arc<Tail>) {
    let disk = Arc::new(MemoryStorage::new(1 << 30));
    let opened = store::open(disk, StoreOptions::default()).expect("an empty store");
    (opened.writer, opened.log, Arc::new(Tail::new(QueueId(1), 0)))
}
