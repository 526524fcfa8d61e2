//! What a batch of publishes came to so far, on one channel and through one exchange: plain
//! numbers, which become those that others see once for many messages. It knows no rules; what
//! counts as what stands in `publish`.

use std::sync::Arc;

use smallvec::SmallVec;

use super::batch::Batch;
use super::channel_exchanges::ChannelExchange;
use super::session::{ChannelState, Session};
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
    /// So many of them are to be confirmed, and the number of the last of these.
    confirming: u64,
    last_confirm: u64,
    /// Exchanges that publishes on this channel came to before.
    passed: Vec<(Arc<Exchange>, Passed)>,
    /// What is to be confirmed of them.
    due: ConfirmsDue,
}

/// Publishes to one exchange that follow each other on one channel.
#[derive(Clone, Copy, Debug)]
struct Passed {
    entered: u64,
    confirming: u64,
    last_confirm: u64,
}

/// Those of them that are to be confirmed.
#[derive(Debug)]
pub(super) struct ConfirmDue {
    exchange: Arc<ChannelExchange>,
    channel: u16,
    first: u64,
    last: u64,
}

pub(super) type ConfirmsDue = SmallVec<[ConfirmDue; 1]>;

impl ConfirmDue {
    /// How many are confirmed where queues refused some.
    fn count(&self, refused: &[(u16, u64)]) -> u64 {
        let is_here = |(channel, number): &&(u16, u64)| {
            *channel == self.channel && (self.first..=self.last).contains(number)
        };
        self.last + 1 - self.first - refused.iter().filter(is_here).count() as u64
    }
}

impl PublishTally {
    /// Messages came to an exchange, and that many to queues from there. `confirm` is the number of
    /// the first where they are to be confirmed.
    #[inline]
    pub(super) fn pass(
        &mut self,
        exchange: &Arc<Exchange>,
        (entered, left): (u64, u64),
        confirm: u64,
    ) {
        if !self.exchange.as_ref().is_some_and(|known| Arc::ptr_eq(known, exchange)) {
            self.change_exchange(exchange);
        }
        self.entered += entered;
        self.left += left;
        if confirm > 0 {
            self.confirming += entered;
            self.last_confirm = confirm + entered - 1;
        }
    }

    #[inline(never)]
    fn change_exchange(&mut self, next: &Arc<Exchange>) {
        if let Some(exchange) = self.exchange.replace(next.clone()) {
            let passed = self.leave(&exchange);
            self.passed.push((exchange, passed));
        }
    }

    /// What is to be confirmed, now that the queues have it; nothing where that is none.
    #[inline]
    pub(super) fn take_due(&mut self) -> Option<ConfirmsDue> {
        (!self.due.is_empty()).then(|| std::mem::take(&mut self.due))
    }

    /// Whatever is published was received, or comes to its exchange now that it is committed.
    fn is_any(&self) -> bool {
        self.published.received > 0 || self.exchange.is_some()
    }

    /// What came to the exchange that it is at.
    fn leave(&mut self, exchange: &Exchange) -> Passed {
        let entered = std::mem::take(&mut self.entered);
        exchange.count(entered, std::mem::take(&mut self.left));
        let confirming = std::mem::take(&mut self.confirming);
        Passed { entered, confirming, last_confirm: self.last_confirm }
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

    /// Confirms are on their way, but for those of messages that a queue refused: what they confirm
    /// counts for its exchange when it is on disk, as they are sent then.
    pub(super) fn count_confirms(&mut self, due: ConfirmsDue, refused: &[(u16, u64)]) {
        let position = self.work.position;
        let durability = self.broker.durability.as_ref();
        let waits = durability.is_some_and(|durability| !durability.is_durable(position));
        for due in due {
            let count = due.count(refused);
            match waits {
                true => self.waiting.count_later(position, due.exchange, count),
                false => due.exchange.count_confirmed(count),
            }
        }
    }

    /// By itself, so that the many steps which publish nothing do not carry it along.
    #[inline(never)]
    fn add_published(&mut self, tally: &mut PublishTally) {
        let Some(state) = self.channels.get_mut(&tally.channel) else {
            // Nothing is published on a channel that is not there.
            *tally = PublishTally::default();
            return;
        };
        state.live.traffic.count_published(&tally.published);
        tally.published = Published::default();
        state.live.touch(self.work.now);
        if !tally.passed.is_empty() {
            for (exchange, passed) in std::mem::take(&mut tally.passed) {
                state.count_passed(&exchange, passed, tally);
            }
        }
        if let Some(exchange) = tally.exchange.take() {
            let passed = tally.leave(&exchange);
            state.count_passed(&exchange, passed, tally);
        }
    }
}

impl ChannelState {
    #[inline]
    fn count_passed(&mut self, exchange: &Arc<Exchange>, passed: Passed, tally: &mut PublishTally) {
        let Passed { entered, confirming, last_confirm: last } = passed;
        let known = match self.known_exchange(exchange) {
            Some(known) if confirming == 0 => return known.count_published(entered),
            Some(known) => known.clone(),
            None => self.with_exchange(exchange),
        };
        known.count_published(entered);
        if confirming > 0 {
            let (channel, first) = (tally.channel, last + 1 - confirming);
            tally.due.push(ConfirmDue { exchange: known, channel, first, last });
        }
    }
}
