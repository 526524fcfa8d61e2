//! Ends of deliveries on their way to their queues, and what they set free.

use std::sync::Arc;

use super::queue_handle::QueueHandle;
use super::session::Session;
use crate::connection::Settle;
use crate::message::QueueId;

impl Session {
    /// The live queue that made deliveries under this number. A deleted one is gone with all it had
    /// out, and one that was read again has it ready.
    pub(super) fn queue_by_id(&self, id: QueueId) -> Option<Arc<QueueHandle>> {
        self.place.as_ref()?.host.incarnation(id)
    }

    /// The client ended deliveries of one queue.
    pub(super) fn settle(&mut self, settle: &Settle) {
        if let Some(state) = self.channels.get(&settle.channel) {
            state.live.count_settled(settle);
        }
        self.end_deliveries(settle);
    }

    /// Ends deliveries of one queue and gives the channel's credit back.
    pub(super) fn end_deliveries(&mut self, settle: &Settle) {
        if let Some(handle) = self.queue_by_id(settle.queue) {
            // What leaves service has nothing out any more.
            let _ = handle.with(&mut self.work, |live| {
                live.queue.settle(&settle.sequences, settle.outcome);
            });
        }
        let Some(state) = self.channels.get(&settle.channel) else { return };
        if settle.to_consumers > 0 && state.live.credit.give(u64::from(settle.to_consumers)) {
            self.resume(Some(settle.channel));
        }
    }
}
