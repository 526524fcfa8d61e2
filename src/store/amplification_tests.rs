//! Write amplification, byte by byte at the door to the disk: what is written for each byte of
//! bodies and properties. The flows are turned by hand, so that the figures are the same every
//! time. Files are smaller than a node's, so that heads, indexes and checkpoints weigh more.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::limits::{COMPACTION_REST_MS, RESERVE_SIZE};
use crate::message::{Body, Envelope, Message, Moment, QueueId, Sequence, SequenceRange};

const FILE_SIZE: u64 = 1024 * 1024;

/// Enough for a dozen files.
const COUNT: Sequence = 12_000;

/// Flags and list of the properties: delivery mode 2.
const PERSISTENT: [u8; 3] = [0x10, 0, 2];

const BODY_SIZE: usize = 1024;

/// Octets of body and properties of one message.
const CONTENT_SIZE: u64 = (BODY_SIZE + PERSISTENT.len()) as u64;

/// A disk that counts what it is given.
#[derive(Clone, Debug)]
struct CountingStorage {
    disk: MemoryStorage,
    written: Arc<AtomicU64>,
    set_aside: Arc<AtomicU64>,
    /// Zeros before small batches.
    ready: Arc<AtomicU64>,
}

#[derive(Debug)]
struct CountingFile {
    file: Arc<dyn StorageFile>,
    storage: CountingStorage,
}

impl CountingStorage {
    fn new() -> Self {
        let disk = MemoryStorage::new(1 << 30);
        Self { disk, written: Arc::default(), set_aside: Arc::default(), ready: Arc::default() }
    }

    fn counted(&self, file: Arc<dyn StorageFile>) -> Arc<dyn StorageFile> {
        Arc::new(CountingFile { file, storage: self.clone() })
    }
}

impl Storage for CountingStorage {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        Ok(self.counted(self.disk.open(name)?))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        Ok(self.counted(self.disk.create(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
}

impl StorageFile for CountingFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.storage.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.file.write_at(offset, bytes)
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.file.set_size(size)
    }

    /// Room that is set aside: a real disk writes nothing for that.
    fn allocate(&self, size: u64) -> io::Result<()> {
        self.storage.set_aside.fetch_add(size, Ordering::Relaxed);
        self.file.set_size(size)
    }

    /// Room made ready: counted apart.
    fn fill(&self, from: u64, to: u64) -> io::Result<()> {
        self.storage.ready.fetch_add(to - from, Ordering::Relaxed);
        self.file.fill(from, to)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

/// A store on such a disk, with its queues.
struct Flow {
    storage: CountingStorage,
    opened: Opened,
    tails: Vec<Arc<Tail>>,
    now: u64,
    /// All names that log files and spares ever had.
    names: BTreeSet<String>,
}

impl Flow {
    /// Through as many queues, the messages of each from the first place on.
    fn new(queues: u64) -> Self {
        let storage = CountingStorage::new();
        let options = StoreOptions { file_size: FILE_SIZE, ..StoreOptions::default() };
        let opened = open(Arc::new(storage.clone()), options).unwrap();
        let tails = (1..=queues).map(|queue| Arc::new(Tail::new(QueueId(queue), 0))).collect();
        Self { storage, opened, tails, now: 1, names: BTreeSet::new() }
    }

    /// So many messages to all queues, on disk when this returns, as a publisher waits for it.
    fn publish(&mut self, first: Sequence, count: u64) {
        for sequence in first..first + count {
            let sent = message(sequence);
            if self.tails.len() > 1 {
                sent.share();
            }
            for tail in &self.tails {
                self.opened.log.append().added(
                    tail,
                    sequence,
                    vec![sent.clone()],
                    Stay::durable(Moment(0)),
                );
            }
        }
        self.turn();
    }

    fn acknowledge(&self, range: SequenceRange) {
        for tail in &self.tails {
            self.opened.log.append().removed(tail, range);
        }
    }

    /// A batch is written and synced, and what can be tidied up is.
    fn turn(&mut self) {
        self.opened.writer.write(Moment(self.now), true);
        assert!(self.opened.writer.sync(), "{:?}", self.opened.log.health());
        self.opened.writer.tend(Moment(self.now));
        self.names.extend(self.storage.list().unwrap());
        self.now += 50;
    }

    /// Publishes all, and leaves it waiting. Unacknowledged messages weigh nothing here.
    fn fill(&mut self) {
        (0..COUNT).step_by(60).for_each(|first| self.publish(first, 60));
    }

    /// Long enough for everything that is worth it to be copied on.
    fn rest(&mut self) {
        self.now += COMPACTION_REST_MS;
        for _ in 0..200 {
            self.turn();
        }
    }

    /// Bytes written for each byte of all messages' content, all files, heads and checkpoints
    /// included, from the first start on.
    fn amplification(&self) -> f64 {
        let written = self.storage.written.load(Ordering::Relaxed);
        let counts = self.opened.writer.counts();
        // The head of the very first file is written before anybody counts.
        assert_eq!(counts.bytes + header::FILE_HEADER_SIZE as u64, written, "{counts:?}");
        let set_aside = self.storage.set_aside.load(Ordering::Relaxed);
        assert_eq!(set_aside, RESERVE_SIZE, "room is set aside once");
        assert_eq!(self.storage.ready.load(Ordering::Relaxed), counts.ready_bytes);
        written as f64 / (COUNT * CONTENT_SIZE) as f64
    }

    fn files(&self) -> usize {
        self.names.iter().filter(|name| name.starts_with("log-")).count()
    }
}

fn message(sequence: Sequence) -> Message {
    let envelope = Envelope {
        exchange: "orders",
        routing_key: "orders.new",
        properties: &PERSISTENT,
        is_persistent: true,
    };
    let body = vec![u8::try_from(sequence % 251).unwrap(); BODY_SIZE];
    Message::new(envelope, Body::Copied(&body))
}

fn range(first: Sequence, count: u64) -> SequenceRange {
    SequenceRange { first, last: first + count - 1 }
}

/// Every batch is on disk before its messages are delivered; they are acknowledged while the next
/// one is on its way.
fn consumed_promptly(queues: u64, batch: u64) -> Flow {
    let mut flow = Flow::new(queues);
    for first in (0..COUNT).step_by(usize::try_from(batch).unwrap()) {
        flow.publish(first, batch);
        flow.acknowledge(range(first, batch));
    }
    flow.turn();
    assert!(flow.files() >= 10, "{:?}", flow.names);
    assert!(flow.names.iter().any(|name| name.starts_with("spare-")), "files are used again");
    assert!(flow.opened.writer.counts().checkpoints >= 5, "{:?}", flow.opened.writer.counts());
    flow
}

#[test]
fn messages_consumed_promptly_are_written_once_with_little_around_them() {
    for batch in [4, 50, 400] {
        let amplification = consumed_promptly(1, batch).amplification();
        assert!((1.0..=1.1).contains(&amplification), "{amplification} in batches of {batch}");
    }
}

#[test]
fn a_message_for_several_queues_is_written_once() {
    let amplification = consumed_promptly(3, 50).amplification();
    assert!((1.0..=1.1).contains(&amplification), "{amplification}");
}

#[test]
fn what_is_acknowledged_before_its_batch_is_cut_is_not_written() {
    let mut flow = Flow::new(1);
    for first in (0..COUNT).step_by(50) {
        let tail = flow.tails[0].clone();
        let messages = (first..first + 50).map(message).collect();
        flow.opened.log.append().added(&tail, first, messages, Stay::durable(Moment(0)));
        flow.acknowledge(range(first, 50));
        flow.turn();
    }
    let amplification = flow.amplification();
    assert!(amplification < 0.001, "{amplification}");
}

#[test]
fn a_backlog_that_is_drained_in_order_is_written_once() {
    let mut flow = Flow::new(1);
    flow.fill();
    let full = flow.amplification();
    // Slowly: a file is as good as empty for a long time before it is.
    for first in (0..COUNT).step_by(20) {
        flow.acknowledge(range(first, 20));
        flow.turn();
    }
    flow.rest();
    let amplification = flow.amplification();
    assert!(amplification <= 1.11, "{amplification}, {full} when full");
    assert_eq!(flow.opened.writer.counts().moved, 0);
    assert!(flow.files() >= 10, "{:?}", flow.names);
}

#[test]
fn a_backlog_of_which_a_part_stays_is_written_at_most_twice() {
    let mut flow = Flow::new(1);
    flow.fill();
    for first in (0..COUNT).step_by(100) {
        let kept = |sequence: &Sequence| sequence % 10 == 3;
        (first..first + 100).filter(|at| !kept(at)).for_each(|at| flow.acknowledge(range(at, 1)));
        flow.turn();
    }
    flow.rest();
    let amplification = flow.amplification();
    // Each once, but for what is in the last file.
    let moved = flow.opened.writer.counts().moved;
    assert!((COUNT / 11..=COUNT / 10).contains(&moved), "{moved}");
    assert!(amplification <= 2.2, "{amplification}");
}

#[test]
fn a_backlog_that_is_drained_in_any_order_is_written_at_most_twice() {
    let mut flow = Flow::new(1);
    flow.fill();
    // Every place once, far from each other, and long enough apart that all sparse files are copied
    // on.
    for (number, at) in (0..COUNT).map(|number| number * 7001 % COUNT).enumerate() {
        flow.acknowledge(range(at, 1));
        if number % 100 == 0 {
            flow.now += COMPACTION_REST_MS;
            flow.turn();
        }
    }
    flow.rest();
    let amplification = flow.amplification();
    assert!(flow.opened.writer.counts().moved > 0);
    assert!(amplification <= 2.2, "{amplification}");
}
