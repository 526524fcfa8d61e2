//! Ends of deliveries on their way to their queues, and what they set free.

use std::sync::Arc;

use super::queue_handle::QueueHandle;
use super::session::Session;
use crate::connection::Settle;
use crate::message::{Outcome, QueueId, QueueKind};

impl Session {
    /// The live queue that made deliveries under this number. A deleted one is gone with all it had
    /// out, and one that was read again has it ready.
    pub(super) fn queue_by_id(&self, id: QueueId) -> Option<Arc<QueueHandle>> {
        self.place.as_ref()?.host.incarnation(id)
    }

    /// The client ended deliveries of one queue. Those that it acknowledged are counted.
    pub(super) fn settle(&mut self, settle: &Settle) {
        if let Some(state) = self.channels.get(&settle.channel) {
            state.live.count_settled(settle);
        }
        let kind = self.end_deliveries(settle).filter(|_| settle.outcome == Outcome::Accepted);
        if let Some(kind) = kind {
            let count: u64 = settle.sequences.iter().map(|range| range.count()).sum();
            self.connection.traffic().consumed(kind).acknowledged += count;
        }
    }

    /// Ends deliveries of one queue and gives the channel's credit back; tells the queue's type
    /// where queue and channel are still there.
    pub(super) fn end_deliveries(&mut self, settle: &Settle) -> Option<QueueKind> {
        let handle = self.queue_by_id(settle.queue);
        if let Some(handle) = &handle {
            // What leaves service has nothing out any more.
            let _ = handle.with(&mut self.work, |live| {
                live.queue.settle(&settle.sequences, settle.outcome);
            });
        }
        let kind = handle.map(|handle| handle.definition.options.kind);
        let state = self.channels.get(&settle.channel)?;
        if settle.to_consumers > 0 && state.live.credit.give(u64::from(settle.to_consumers)) {
            self.resume(Some(settle.channel));
        }
        kind
    }
}
