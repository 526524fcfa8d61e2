//! tx.commit: what waited on a channel is published and settled. How a message finds its way is in
//! `publish`, and so is what a channel with a transaction does with it until then.

use super::batch::Batch;
use super::session::{Pending, Session};
use crate::connection::Settle;
use crate::protocol::reply::{AmqpError, ChannelError};

impl Session {
    /// tx.commit: the messages, then the settlements.
    pub(super) fn commit(&mut self, channel: u16, settles: &[Settle]) -> Result<(), AmqpError> {
        let state = self.channels.get_mut(&channel);
        let pending = state.and_then(|state| {
            state.live.uncommitted.set(0);
            state.transaction.replace(Vec::new())
        });
        let mut batch = Batch::default();
        let published = self.publish_pending(pending.unwrap_or_default(), &mut batch);
        self.flush(&mut batch);
        let is_taken = !batch.is_short;
        published?;
        settles.iter().for_each(|settle| self.settle(settle));
        if !is_taken {
            return Err(ChannelError::precondition_failed("partial tx completion").into());
        }
        Ok(())
    }

    /// Each goes where it was routed to, but for those of which an equal may have come meanwhile.
    fn publish_pending(
        &mut self,
        pending: Vec<Pending>,
        batch: &mut Batch,
    ) -> Result<(), AmqpError> {
        for Pending { publish, routed, is_deduplicated, .. } in pending {
            match publish.messages.first().filter(|_| is_deduplicated) {
                None => self.enqueue(publish, routed, batch),
                Some(message) => {
                    let routed = self.route(&publish, message)?;
                    self.take(publish, routed, batch)?;
                }
            }
        }
        Ok(())
    }
}
