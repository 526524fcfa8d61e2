//! What a batch of publishes came to so far, on one channel and through one exchange: plain
//! numbers, which become those that others see once for many messages. It knows no rules; what
//! counts as what stands in `publish`.

use std::sync::Arc;

use super::batch::Batch;
use super::session::Session;
use crate::connection::Published;
use crate::routing::Exchange;

/// Numbers that nobody saw yet.
#[derive(Debug, Default)]
pub(super) struct PublishTally {
    channel: u16,
    published: Published,
    exchange: Option<Arc<Exchange>>,
    entered: u64,
    left: u64,
}

impl PublishTally {
    /// Messages came to an exchange, and that many to queues from there.
    pub(super) fn pass(&mut self, exchange: &Arc<Exchange>, entered: u64, left: u64) {
        if !self.exchange.as_ref().is_some_and(|known| Arc::ptr_eq(known, exchange)) {
            self.leave_exchange();
            self.exchange = Some(exchange.clone());
        }
        self.entered += entered;
        self.left += left;
    }

    /// Whatever is published was received, or comes to its exchange now that it is committed.
    fn is_any(&self) -> bool {
        self.published.received > 0 || self.exchange.is_some()
    }

    fn leave_exchange(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            exchange.count(std::mem::take(&mut self.entered), std::mem::take(&mut self.left));
        }
    }
}

impl Session {
    /// What is published on a channel, to be added to.
    #[inline]
    pub(super) fn tally<'a>(&mut self, channel: u16, batch: &'a mut Batch) -> &'a mut Published {
        if batch.tally.channel != channel {
            self.count_published(batch);
            batch.tally.channel = channel;
        }
        &mut batch.tally.published
    }

    /// What a batch came to is seen from now on.
    #[inline]
    pub(super) fn count_published(&mut self, batch: &mut Batch) {
        if batch.tally.is_any() {
            self.add_published(&mut batch.tally);
        }
    }

    /// By itself, so that the many steps which publish nothing do not carry it along.
    #[inline(never)]
    fn add_published(&mut self, tally: &mut PublishTally) {
        tally.leave_exchange();
        let published = std::mem::take(&mut tally.published);
        if let Some(state) = self.channels.get(&tally.channel) {
            state.live.traffic.count_published(&published);
            state.live.touch(self.work.now);
        }
    }
}
