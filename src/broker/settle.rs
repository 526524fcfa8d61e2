//! Ends of deliveries on their way to their queues, and what they set free.

use std::sync::Arc;

use super::queue_handle::QueueHandle;
use super::session::{ChannelState, Session};
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
        let count: u64 = settle.sequences.iter().map(|range| range.count()).sum();
        let acknowledged = if settle.outcome == Outcome::Accepted { count } else { 0 };
        let kind = self.end_in_queue(settle, acknowledged);
        let Some(state) = self.channels.get(&settle.channel) else { return };
        state.live.count_settled(settle, count);
        state.live.touch(self.work.now);
        if let Some(kind) = kind.filter(|_| acknowledged > 0) {
            state.live.traffic.consumed(kind).count_acknowledged(acknowledged);
        }
        if give_credit_back(state, settle) {
            self.resume(Some(settle.channel));
        }
    }

    /// Ends deliveries of one queue that the client did not, and gives the channel's credit back.
    pub(super) fn end_deliveries(&mut self, settle: &Settle) {
        self.end_in_queue(settle, 0);
        if self.channels.get(&settle.channel).is_some_and(|state| give_credit_back(state, settle)) {
            self.resume(Some(settle.channel));
        }
    }

    /// Tells the type of the queue, where it is still there.
    fn end_in_queue(&mut self, settle: &Settle, acknowledged: u64) -> Option<QueueKind> {
        let handle = self.queue_by_id(settle.queue)?;
        // What leaves service has nothing out any more.
        let _ = handle.with(&mut self.work, |live| {
            live.acknowledged += acknowledged;
            live.queue.settle(&settle.sequences, settle.outcome);
        });
        Some(handle.definition.options.kind)
    }
}

/// Tells whether consumers of the channel may take more now.
fn give_credit_back(state: &ChannelState, settle: &Settle) -> bool {
    settle.to_consumers > 0 && state.live.credit.give(u64::from(settle.to_consumers))
}
