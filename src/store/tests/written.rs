//! What the log writes: a body once for all queues, very much of it in parts, and little of it over
//! zeros.

use bytes::Bytes;

use super::lab::*;
use super::*;
use crate::limits::{LOG_BATCH_SIZE_MAX, LOG_SMALL_BATCH_SIZE_MAX};
use crate::store::header::FILE_HEADER_SIZE;

#[test]
fn a_message_for_ten_queues_writes_its_body_once() {
    let mut lab = Lab::new(WIDE);
    let queues: Vec<u64> = (1..=10).collect();
    lab.add(&queues, 1);
    lab.sync();
    let disk = lab.disk.kill();
    let (files, body) = (files(&disk), body(1, 0));
    let log = &files["log-000000000001"];
    assert_eq!(log.windows(body.len()).filter(|window| *window == body).count(), 1);
    let holds = found(&open(Arc::new(disk), WIDE).unwrap());
    let all: BTreeMap<_, _> = queues.iter().map(|queue| ((*queue, 0), body.clone())).collect();
    assert_eq!(holds.messages, all);
}

#[test]
fn queues_of_a_later_batch_refer_to_the_body_of_an_earlier_one() {
    let mut lab = Lab::new(WIDE);
    let sent = message(&body(1, 0));
    sent.share();
    for queue in 1..=3 {
        let tail = lab.tail(queue).0.clone();
        lab.opened.log.append().added(&tail, 0, vec![sent.clone()], Stay::durable(Moment(0)));
        assert!(lab.opened.writer.write(Moment(2000 + queue), true));
    }
    let disk = lab.disk.kill();
    let log = files(&disk).remove("log-000000000001").unwrap();
    let body = body(1, 0);
    assert_eq!(log.windows(body.len()).filter(|window| *window == body).count(), 1);
    assert_eq!(found(&open(Arc::new(disk), WIDE).unwrap()).messages.len(), 3);
}

#[test]
fn more_than_a_batch_may_have_is_written_as_several_and_confirmed_together() {
    const PART: usize = 8 * 1024 * 1024;
    let mut lab = Lab::new(StoreOptions { file_size: 1 << 40, ..WIDE });
    let part = Bytes::from(vec![7; PART]);
    let envelope =
        Envelope { exchange: "x", routing_key: "k", properties: &[0, 0], is_persistent: true };
    let count = usize::try_from(LOG_BATCH_SIZE_MAX).unwrap() / PART + 2;
    let messages = (0..count).map(|_| Message::new(envelope, Body::Shared(vec![part.clone()])));
    let tail = lab.tail(1).0.clone();
    let mut appender = lab.opened.log.append();
    appender.added(&tail, 0, messages.collect(), Stay::durable(Moment(0)));
    let position = appender.position();
    drop(appender);
    lab.sync();
    assert_eq!(lab.opened.writer.counts().batches, 2);
    assert_eq!(lab.opened.log.durable(), position);
    let opened = open(Arc::new(lab.disk.kill()), WIDE).unwrap();
    let runs: u64 = opened.queues[0].runs.iter().map(|run| run.range.count()).sum();
    assert_eq!(runs, count as u64);
}

fn size_of(disk: &MemoryStorage, name: &str) -> u64 {
    disk.open(name).unwrap().size().unwrap()
}

#[test]
fn small_batches_are_written_over_zeros_that_are_not_taken_for_a_torn_end() {
    const READY: u64 = 4096;
    const FIRST: &str = "log-000000000001";
    let mut lab = Lab::new(StoreOptions { ready_size: READY, ..WIDE });
    lab.add(&[1], 1);
    lab.sync();
    assert_eq!(size_of(&lab.disk, FIRST), READY);
    assert_eq!(lab.opened.writer.counts().ready_bytes, READY - FILE_HEADER_SIZE as u64);
    lab.add(&[1], 1);
    lab.sync();
    assert_eq!(size_of(&lab.disk, FIRST), READY, "there is room for more than two");
    let opened = open(Arc::new(lab.disk.crash(&mut |count| count - 1)), WIDE).unwrap();
    assert_eq!((found(&opened).messages.len(), opened.damage.torn_size), (2, 0));
}

#[test]
fn a_file_that_is_sealed_early_gives_back_what_was_not_written_over() {
    let mut lab = Lab::new(StoreOptions { ready_size: 1 << 19, ..WIDE });
    lab.add(&[1], 1);
    lab.sync();
    lab.opened.writer.stop(Moment(9000)).unwrap();
    assert!(size_of(&lab.disk, "log-000000000001") < 4096);
    assert_eq!(found(&open(Arc::new(lab.disk.kill()), WIDE).unwrap()).messages.len(), 1);
}

#[test]
fn large_batches_are_written_without_zeros_before_them() {
    let mut lab = Lab::new(StoreOptions { ready_size: 1 << 19, ..WIDE });
    let size = usize::try_from(LOG_SMALL_BATCH_SIZE_MAX).unwrap();
    let tail = lab.tail(1).0.clone();
    lab.opened.log.append().added(
        &tail,
        0,
        vec![message(&vec![1; size])],
        Stay::durable(Moment(0)),
    );
    lab.sync();
    assert_eq!(lab.opened.writer.counts().ready_bytes, 0);
    assert!(size_of(&lab.disk, "log-000000000001") < 2 * LOG_SMALL_BATCH_SIZE_MAX);
}

#[test]
fn a_disk_without_room_for_zeros_takes_a_small_batch_all_the_same() {
    let disk = MemoryStorage::new(2048);
    let options = StoreOptions { ready_size: 1 << 19, ..WIDE };
    let mut lab = Lab::on(disk.clone(), open(Arc::new(disk), options).unwrap());
    lab.add(&[1], 1);
    lab.sync();
    assert_eq!(lab.opened.writer.counts().ready_bytes, 0);
    assert_eq!(found(&open(Arc::new(lab.disk.kill()), WIDE).unwrap()).messages.len(), 1);
}
