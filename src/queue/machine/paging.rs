//! Bodies leave RAM and come back, and a queue comes back from the disk. The queue says what it
//! wants; who reads and writes is not its business.

use super::{Fetching, Queue};
use crate::message::{DeliveryCounts, Message, ReadBack, RecoveredRun, Sequence, SequenceRange};
use crate::queue::due::{Due, Lifetime};
use crate::queue::fact::Fact;
use crate::queue::far::Far;
use crate::queue::paging::{Forgetting, Pages};
use crate::queue::stretch::{Marks, Stretch};
use crate::queue::totals::Resident;
use crate::queue::traits::QueueTraits;

impl Queue {
    /// A queue as the log has it: all bodies are on disk. `next_sequence` is a place that no
    /// message ever had.
    #[must_use]
    pub fn recovered(
        traits: QueueTraits,
        next_sequence: Sequence,
        runs: impl IntoIterator<Item = RecoveredRun>,
    ) -> Self {
        let mut runs: Vec<RecoveredRun> = runs.into_iter().collect();
        runs.sort_unstable_by_key(|run| run.range);
        let mut queue = Self::new(traits);
        let lifetime = queue.traits.lifetime();
        let is_in_order = lifetime.is_rising();
        let stretches =
            runs.into_iter().map(|run| (stretch(run, lifetime), run.expires || !is_in_order));
        queue.contents.recover(next_sequence, stretches);
        queue
    }

    /// The bodies to read next, whether or not they were asked for.
    #[must_use]
    pub fn wants(&self) -> Option<SequenceRange> {
        self.contents.wants()
    }

    /// Bodies that were asked for were read: all of them, or the first part up to where `read`
    /// ends. What is on disk only and was not found there is lost; tells how many.
    pub fn fetched(&mut self, read: SequenceRange, mut found: Vec<ReadBack>) -> u64 {
        found.sort_unstable_by_key(|read| read.sequence);
        let is_answer = |asked: &mut Fetching| asked.range.first == read.first;
        let is_leaving = self.activity().fetching.take_if(is_answer).is_some_and(|f| f.is_leaving);
        let lost = match is_leaving {
            true => self.activity().leaving.fetched(read, found),
            false if self.is_asked_of_far(read.first) => self.fetched_far(read, &found),
            false => self.contents.fetched(read, found, self.traits.lifetime()),
        };
        lost.iter().for_each(|range| self.forget_keys(*range));
        let activity = self.activity();
        lost.iter().for_each(|range| activity.facts.remove(*range));
        lost.iter().map(|range| range.count()).sum()
    }

    /// Forgets bodies that the log has stored: of ready messages those behind the first
    /// `keep_bytes` that it was given, and those of all that are out or wait. Tells how many bytes
    /// of RAM that were.
    pub fn shed(&mut self, stored_below: Sequence, keep_bytes: u64) -> u64 {
        if self.resident().logged == 0 {
            return 0;
        }
        let fetching = self.activity().fetching.map(|fetching| fetching.range);
        let mut forgetting = Forgetting { stored_below, fetching, forgotten: 0 };
        self.contents.forget(keep_bytes, &mut forgetting);
        let activity = self.activity();
        activity.unsettled.forget(&mut forgetting);
        activity.leaving.forget(&mut forgetting);
        activity.held.forget(0, &mut forgetting);
        if self.traits.lifetime().is_by_delay {
            let mut far = self.activity().far.take().unwrap_or_default();
            self.contents.move_far(&mut far, self.now);
            self.activity().far = Some(far);
        }
        forgetting.forgotten
    }

    /// What waits for its time only, on disk.
    pub(super) fn far(&self) -> Option<&Far> {
        self.activity.as_ref()?.far.as_deref()
    }

    fn is_asked_of_far(&self, first: Sequence) -> bool {
        let wanted = self.far().and_then(|far| far.wants(self.now));
        wanted.is_some_and(|range| range.contains(first)) && !self.contents.has_paged_at(first)
    }

    /// Bodies of messages whose time is near; gives the places of those that are lost.
    fn fetched_far(&mut self, read: SequenceRange, found: &[ReadBack]) -> Vec<SequenceRange> {
        let now = self.now;
        let taken = self.activity().far.as_mut().map(|far| far.take(read, found, now));
        let mut lost = Vec::new();
        for (due, place, body) in taken.unwrap_or_default() {
            match body {
                Some(body) => self.contents.come_near(due, body),
                None => lost.push(SequenceRange::one(place)),
            }
        }
        lost
    }

    /// Gives messages that wait or are ready, and are nowhere but in RAM, to the log, those that
    /// are needed last first, about `bytes_max` of them, so that they can be forgotten. False where
    /// there is nothing to give.
    pub fn store_transient(&mut self, bytes_max: u64) -> bool {
        let held = self.held().resident.unlogged;
        let ready = self.contents.totals().resident.unlogged;
        if self.traits.stays_in_memory() || ready + held == 0 {
            return false;
        }
        let mut unlogged = Vec::new();
        if held > 0 {
            unlogged = self.activity().held.log_unlogged(bytes_max);
        }
        let rest = bytes_max.saturating_sub(held - self.held().resident.unlogged);
        unlogged.extend(self.contents.log_unlogged(rest));
        let (lifetime, now) = (self.traits.lifetime(), self.now);
        let mut stored = Vec::new();
        for (first, messages, marks) in unlogged {
            let Marks { due, level, .. } = marks;
            let arrived = |message: &Message| lifetime.arrived(due, message, now);
            let mut first = first;
            // What dies together may have come one after the other.
            for messages in messages.chunk_by(|one, other| arrived(one) == arrived(other)) {
                let came = messages.first().map(arrived).unwrap_or_default();
                let messages = messages.to_vec();
                let next = first + messages.len() as u64;
                let added = Fact::Added { first, messages, arrived: came, level };
                stored.push(added);
                first = next;
            }
        }
        let facts = &mut self.activity().facts;
        stored.into_iter().for_each(|added| facts.push(added));
        true
    }

    /// Bytes of RAM that messages take, wherever they are.
    #[must_use]
    pub fn resident(&self) -> Resident {
        let mut resident = self.contents.totals().resident;
        if let Some(activity) = &self.activity {
            resident += activity.unsettled.totals().resident;
            resident += activity.leaving.totals().resident;
            resident += activity.held.totals().resident;
        }
        resident
    }

    /// Logged messages that a later life of the queue must call redelivered, and how often they
    /// came back. What is out was delivered, whatever comes of it.
    #[must_use]
    pub fn redelivered(&self) -> Vec<(SequenceRange, DeliveryCounts)> {
        let ready = self.contents.stretches().filter(|stretch| stretch.marks().is_redelivered);
        let out = self.activity.iter().flat_map(|activity| activity.unsettled.iter());
        let leaving = self.activity.iter().flat_map(|activity| activity.leaving.iter());
        let leaving = leaving.filter(|stretch| stretch.marks().is_redelivered);
        // What came back was delivered.
        let held = self.activity.iter().flat_map(|activity| activity.held.iter());
        let all = ready.chain(out).chain(leaving).chain(held);
        let mut runs: Vec<(SequenceRange, DeliveryCounts)> = all
            .filter(|stretch| stretch.marks().is_logged)
            .map(|stretch| (stretch.range(), stretch.marks().counts))
            .collect();
        let out = self.activity.iter().flat_map(|activity| activity.leaving.out_delivered());
        runs.extend(out);
        runs.sort_unstable();
        runs
    }
}

fn stretch(run: RecoveredRun, lifetime: &Lifetime) -> Stretch {
    let RecoveredRun { range, bytes, is_redelivered, counts, expires, level } = run;
    let lasts = lifetime.is_endless() && !expires;
    let due = if lasts { Due::NEVER } else { Due::UNKNOWN };
    let marks = Marks { is_logged: true, is_redelivered, counts, level, due };
    Stretch::paged(range, bytes, marks)
}
