//! Ends of deliveries on their way to their queues, and what they set free.

use std::sync::Arc;

use super::queue_handle::QueueHandle;
use super::session::Session;
use crate::connection::Settle;
use crate::message::QueueId;

impl Session {
    /// The live queue of this number. A deleted one is gone with all it had out.
    pub(super) fn queue_by_id(&self, id: QueueId) -> Option<Arc<QueueHandle>> {
        self.place.as_ref()?.host.queue_by_id(id)
    }

    /// Ends deliveries of one queue and gives the channel's credit back.
    pub(super) fn settle(&mut self, settle: &Settle) {
        if let Some(handle) = self.queue_by_id(settle.queue) {
            handle.with(&mut self.work, |live| {
                live.queue.settle(&settle.sequences, settle.outcome);
            });
        }
        let Some(state) = self.channels.get(&settle.channel) else { return };
        if settle.to_consumers > 0 && state.credit.give(u64::from(settle.to_consumers)) {
            self.resume(Some(settle.channel));
        }
    }
}
