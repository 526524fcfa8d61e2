//! The end of a session: what it holds of others goes back to them, also where a panic ends it. How
//! it lives is in `session`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::error;

use super::out_of_service::reason;
use super::session::Session;
use crate::connection::{Delivered, Event, Reply, Settle};
use crate::message::{ConsumerId, Outcome, SequenceRange};

impl Session {
    /// The connection ends: consumers, unsettled deliveries, unread ones, exclusive queues.
    pub(super) fn release(&mut self, settles: &[Settle]) {
        self.waiting.clear();
        self.getting = None;
        self.let_go(None, settles);
        self.requeue_unsent();
        for (channel, state) in std::mem::take(&mut self.channels) {
            self.note_channel_end(channel);
            if let Some(token) = state.reply_token {
                self.broker.replies.remove(&token);
            }
        }
        self.hide_channels(None);
        let unread = self.mailbox.take();
        self.give_back_unread(unread);
        for queue in std::mem::take(&mut self.exclusive_queues) {
            self.delete_live_queue(&queue, false);
        }
        self.admission = None;
        self.post(Event::Released);
    }

    /// Deliveries that nobody acknowledges, and of which nobody knows whether they arrived.
    fn requeue_unsent(&mut self) {
        for settle in std::mem::take(&mut self.sent_settles) {
            self.end_deliveries(&Settle { outcome: Outcome::Requeued, ..settle });
        }
    }

    /// What was delivered but never read goes back as if it had not been.
    fn give_back_unread(&mut self, unread: impl IntoIterator<Item = Event>) {
        for event in unread {
            match event {
                Event::Delivered(delivered) => self.give_back(delivered),
                Event::Answered { reply: Reply::Got { queue, delivery, .. }, .. } => {
                    if let Some(handle) = self.queue_by_id(queue) {
                        // What leaves service has nothing out any more.
                        let _ = handle.with(&mut self.work, |live| {
                            let range = SequenceRange::one(delivery.sequence);
                            live.queue.settle(&[range], Outcome::Requeued);
                        });
                    }
                }
                _ => {}
            }
        }
    }

    /// A delivery that nobody saw goes back as if it had not been.
    pub(super) fn give_back(&mut self, delivered: Delivered) {
        let Some(handle) = self.queue_by_id(delivered.queue) else { return };
        // As above.
        let _ = handle.with(&mut self.work, |live| {
            // Its consumer is gone by now, so no credit is to be given back.
            live.queue.return_unseen(ConsumerId(0), delivered.run);
        });
    }

    /// Everything that is left to do when nobody uses the session any more.
    fn leave(&mut self) {
        self.abort(self.work.now);
        let unread = self.mailbox.close();
        self.give_back_unread(unread);
        self.look_after_queues();
        self.work.wake();
    }
}

impl Drop for Session {
    /// Also where a panic ends it: what it holds of others is given back, and nothing that breaks
    /// once more here may end more than this session.
    fn drop(&mut self) {
        while let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.leave())) {
            let (name, panic) = (&self.name, reason(&*panic));
            error!(target: "connection", panic, "something broke as connection ({name}) ended");
            // What broke is not tried again; what comes after it is.
            if self.in_hand.len() == 0 && self.effects.is_empty() {
                break;
            }
        }
        if self.broker.unregister(self.id) {
            self.note_end();
            self.work.wake();
        }
    }
}
