//! A queue's side of the log: facts that it gives, bodies that leave RAM and come back, what is
//! told when it ends. The lock, and everything else that happens under it, is in `queue_handle`.

use std::sync::Arc;

use tracing::error;

use super::durability::Durability;
use super::live_queue::Live;
use super::out_of_service::OutOfService;
use super::queue_handle::QueueHandle;
use super::work::Work;
use crate::limits::{PAGE_OUT_SIZE, SHED_STEP_SIZE};
use crate::message::{DeliveryCounts, ReadBack, SequenceRange};
use crate::queue::{Fact, Resident};
use crate::store::{Appender, Stay, Tail};

/// A queue's way to the store.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) durability: Arc<Durability>,
    pub(super) tail: Arc<Tail>,
}

impl QueueHandle {
    /// Gives a fact to the log, which is locked where it is not yet.
    pub(super) fn append<'a>(
        &'a self,
        live: &mut Live,
        fact: Fact,
        appender: &mut Option<Appender<'a>>,
        work: &mut Work,
    ) {
        let Some(Link { durability, tail }) = &self.link else { return };
        let appender = appender.get_or_insert_with(|| durability.log.append());
        match fact {
            Fact::Added { first, messages, arrived, level } => {
                live.has_logged = true;
                let stay = Stay { is_durable: self.definition.durable, arrived, level };
                appender.added(tail, first, messages, stay);
            }
            Fact::Removed(range) => appender.removed(tail, range),
            Fact::Returned { range, counts } => appender.returned(tail, range, counts),
        }
        work.position = appender.position();
        live.appended_at = work.position;
    }

    /// Asks for bodies that are on disk only.
    pub(super) fn ask(self: &Arc<Self>, range: SequenceRange, work: &mut Work) {
        if let Some(link) = &self.link {
            link.durability.ask(Arc::clone(self), range, work);
        }
    }

    /// Bodies were read: those of `asked` that are not there are damaged.
    pub(super) fn fetched(
        self: &Arc<Self>,
        asked: SequenceRange,
        found: Vec<ReadBack>,
        work: &mut Work,
    ) {
        let lost = self.with(work, |live| {
            live.count_disk_reads(found.len());
            live.queue.fetched(asked, found)
        });
        if let Ok(lost) = lost
            && lost > 0
        {
            if let Some(link) = &self.link {
                link.durability.count_damaged(lost);
            }
            error!(
                target: "queue",
                queue = %self.definition.name, lost, "messages are damaged on disk and are left out"
            );
        }
    }

    /// Keeps the memory account, and forgets bodies where too many are in RAM.
    pub(super) fn count(self: &Arc<Self>, live: &mut Live) {
        let Some(Link { durability, tail }) = &self.link else { return };
        let mut resident = live.queue.resident();
        if resident == live.counted {
            return;
        }
        let memory = &durability.memory;
        let may_shed = live.late_until <= durability.log.stored();
        let is_more = resident.logged > live.kept + SHED_STEP_SIZE;
        if may_shed && is_more && (self.is_waiting_room || memory.is_logged_over()) {
            let size_kept = if self.is_waiting_room { 0 } else { live.size_kept() };
            live.queue.shed(tail.stored_below(), size_kept);
            resident = live.queue.resident();
            live.kept = resident.logged;
        }
        live.kept = live.kept.min(resident.logged);
        memory.update(live.counted, resident);
        live.counted = resident;
        if !live.is_listed {
            live.is_listed = true;
            memory.list(self);
        }
    }

    /// Too much is in RAM, and it is this queue's turn to give something up.
    pub(super) fn make_room(self: &Arc<Self>, work: &mut Work) {
        let Some(Link { durability, tail }) = &self.link else { return };
        // What left service holds nothing that is counted.
        let _ = self.with(work, |live| {
            live.is_listed = false;
            let may_shed = live.late_until <= durability.log.stored();
            if may_shed && durability.memory.is_logged_over() {
                // Each keeping a little, many queues together would keep more than there is.
                live.queue.shed(tail.stored_below(), 0);
            }
            if durability.memory.must_store() && live.queue.store_transient(PAGE_OUT_SIZE) {
                // They are appended when this step ends, or later.
                live.late_until = durability.log.append().position() + 1;
            }
            live.kept = live.queue.resident().logged;
            // What is left is counted again, and the queue listed again where it holds something.
            if live.queue.resident() == live.counted && live.counted != Resident::default() {
                live.is_listed = true;
                durability.memory.list(self);
            }
        });
    }

    /// The facts of its end: nothing of it is needed any more.
    pub(super) fn forget(&self, is_known: bool, work: &mut Work) {
        if let Some(link) = self.link.as_ref().filter(|_| is_known) {
            let mut appender = link.durability.log.append();
            appender.forgotten(self.id());
            work.position = appender.position();
        }
    }

    /// At a clean stop: what was delivered before is told to the log.
    pub(super) fn tell_delivered(self: &Arc<Self>, work: &mut Work) {
        let Some(link) = &self.link else { return };
        if !self.definition.durable {
            return;
        }
        let told = self.with(work, |live| live.queue.redelivered());
        // Of what is not read again yet, anything may have been delivered.
        let delivered = told.unwrap_or_else(|OutOfService| self.all_places());
        if delivered.is_empty() {
            return;
        }
        let mut appender = link.durability.log.append();
        delivered.into_iter().for_each(|(range, _)| appender.delivered(&link.tail, range));
    }

    /// All places that messages ever had.
    fn all_places(&self) -> Vec<(SequenceRange, DeliveryCounts)> {
        let (next_sequence, _) = self.left_behind();
        let last = next_sequence.checked_sub(1);
        let all = last.map(|last| SequenceRange { first: 0, last });
        all.map(|range| (range, DeliveryCounts::NONE)).into_iter().collect()
    }
}
