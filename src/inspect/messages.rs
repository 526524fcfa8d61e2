//! The messages of a queue one after the other, a few in memory at a time. How they are shown is
//! decided elsewhere.

use std::collections::VecDeque;
use std::slice;

use super::catalog::QueueState;
use crate::limits::{INSPECT_READ_COUNT_MAX, INSPECT_READ_SIZE_MAX};
use crate::message::{QueueId, RecoveredRun, Sequence, SequenceRange};
use crate::store::Reader;
use crate::store::survey::{Seen, StoredMessage};

/// One place of a queue.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) sequence: Sequence,
    pub(super) is_redelivered: bool,
    pub(super) failure_count: u32,
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
                failure_count: run.failure_count,
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
