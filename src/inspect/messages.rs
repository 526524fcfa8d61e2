//! The messages of a queue one after the other, a few in memory at a time. How they are shown is
//! decided elsewhere.

use std::collections::VecDeque;
use std::slice;

use super::catalog::QueueState;
use crate::limits::{INSPECT_READ_COUNT_MAX, INSPECT_READ_SIZE_MAX};
use crate::message::{DeliveryCounts, QueueId, RecoveredRun, Sequence, SequenceRange};
use crate::store::Reader;
use crate::store::survey::{Seen, StoredMessage};

/// One place of a queue.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) sequence: Sequence,
    pub(super) is_redelivered: bool,
    pub(super) counts: DeliveryCounts,
    /// None where it is damaged, or the disk does not give it.
    pub(super) stored: Option<StoredMessage>,
}

/// All places of a queue, in order.
#[derive(Debug)]
pub(super) struct Messages<'a> {
    reader: &'a Reader,
    queue: QueueId,
    runs: slice::Iter<'a, RecoveredRun>,
    /// What is left of the run that is being read.
    rest: Option<RecoveredRun>,
    ready: VecDeque<Place>,
}

impl<'a> Messages<'a> {
    pub(super) fn of(reader: &'a Reader, queue: &'a QueueState) -> Self {
        let (queue, runs) = (queue.number, queue.runs.iter());
        Self { reader, queue, runs, rest: None, ready: VecDeque::new() }
    }

    /// Reads the next few; none where there are no more.
    fn fill(&mut self) -> Option<()> {
        let run = self.rest.take().or_else(|| self.runs.next().copied())?;
        let SequenceRange { first, last } = run.range;
        let asked = SequenceRange {
            first,
            last: last.min(first.saturating_add(INSPECT_READ_COUNT_MAX - 1)),
        };
        let seen = self.read(asked);
        if seen.last < last {
            let range = SequenceRange { first: seen.last + 1, last };
            self.rest = Some(RecoveredRun { range, ..run });
        }
        let mut messages = seen.messages.into_iter().peekable();
        for sequence in first..=seen.last {
            self.ready.push_back(Place {
                sequence,
                is_redelivered: run.is_redelivered,
                counts: run.counts,
                stored: messages.next_if(|message| message.sequence == sequence),
            });
        }
        Some(())
    }

    /// Where the disk does not give several at once, it may give some of them alone.
    fn read(&self, range: SequenceRange) -> Seen {
        let alone = SequenceRange::one(range.first);
        let nothing = || Seen { last: range.first, messages: Vec::new() };
        self.reader
            .look(self.queue, range, INSPECT_READ_SIZE_MAX)
            .or_else(|_| self.reader.look(self.queue, alone, INSPECT_READ_SIZE_MAX))
            .unwrap_or_else(|_| nothing())
    }
}

impl Iterator for Messages<'_> {
    type Item = Place;

    fn next(&mut self) -> Option<Place> {
        if self.ready.is_empty() {
            self.fill()?;
        }
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::inspect::overlay::Overlay;
    use crate::message::{Body, Envelope, Message, Moment};
    use crate::store::{self, MemoryStorage, Opened, Stay, Storage, StoreOptions, Tail};

    const QUEUE: QueueId = QueueId(3);
    const COUNT: u64 = 2 * INSPECT_READ_COUNT_MAX + 7;
    const COUNTS: DeliveryCounts = DeliveryCounts { failed: 2, acquired: 3 };

    fn body(sequence: Sequence) -> Vec<u8> {
        format!("body of {sequence:06}").into_bytes()
    }

    fn message(sequence: Sequence) -> Message {
        let envelope =
            Envelope { exchange: "x", routing_key: "k", properties: &[0, 0], is_persistent: true };
        Message::new(envelope, Body::Copied(&body(sequence)))
    }

    /// A disk as the end of a process leaves it, with messages in several files.
    fn disk() -> MemoryStorage {
        let disk = MemoryStorage::new(1 << 24);
        let options =
            StoreOptions { file_size: 100_000, reserve_size: 0, ..StoreOptions::default() };
        let mut opened = store::open(Arc::new(disk.clone()), options).unwrap();
        let tail = Arc::new(Tail::new(QUEUE, 0));
        for sequence in 0..COUNT {
            opened.log.append().added(
                &tail,
                sequence,
                vec![message(sequence)],
                Stay::durable(Moment(0)),
            );
            if sequence % 100 == 99 {
                opened.writer.write(Moment(sequence), true);
            }
        }
        opened.log.append().removed(&tail, SequenceRange { first: 40, last: 49 });
        opened.log.append().returned(&tail, SequenceRange::one(60), COUNTS);
        opened.writer.write(Moment(COUNT), true);
        opened.writer.sync();
        disk.kill()
    }

    fn open(disk: &MemoryStorage) -> (Opened, QueueState) {
        let overlay = Overlay::over(Arc::new(disk.clone()), disk.list().unwrap());
        let opened = store::open(Arc::new(overlay), StoreOptions::default()).unwrap();
        let queue = QueueState {
            number: QUEUE,
            virtual_host: None,
            name: None,
            kind: None,
            runs: opened.queues[0].runs.clone(),
        };
        (opened, queue)
    }

    #[test]
    fn all_messages_of_several_files_come_in_order_and_the_disk_stays_as_it_is() {
        let disk = disk();
        let before = disk.list().unwrap();
        assert!(before.len() > 3, "{before:?}");
        let (opened, queue) = open(&disk);
        let places: Vec<Place> = Messages::of(&opened.reader, &queue).collect();
        let sequences: Vec<Sequence> = places.iter().map(|place| place.sequence).collect();
        let expected: Vec<Sequence> = (0..40).chain(50..COUNT).collect();
        assert_eq!(sequences, expected);
        for place in &places {
            let stored = place.stored.as_ref().unwrap();
            assert_eq!(stored.message.body_to_vec(), body(place.sequence));
            let none = DeliveryCounts::NONE;
            assert_eq!(place.counts, if place.sequence == 60 { COUNTS } else { none });
            assert!(place.is_redelivered, "nobody knows after a kill");
        }
        assert_eq!(disk.list().unwrap(), before);
    }

    #[test]
    fn a_damaged_message_is_a_place_of_its_own_and_the_others_are_there() {
        let disk = disk();
        let (opened, queue) = open(&disk);
        let damaged = 77;
        let name = format!("log-{:012}", opened.reader.log_file_of(QUEUE, damaged).unwrap());
        drop(opened);
        let file = disk.open(&name).unwrap();
        let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
        file.read_at(0, &mut bytes).unwrap();
        let body = body(damaged);
        let at = bytes.windows(body.len()).position(|part| part == body).unwrap();
        file.write_at(at as u64, b"B").unwrap();
        let (opened, _) = open(&disk);
        let missing: Vec<Sequence> = Messages::of(&opened.reader, &queue)
            .filter(|place| place.stored.is_none())
            .map(|place| place.sequence)
            .collect();
        assert_eq!(missing, [damaged]);
    }
}
