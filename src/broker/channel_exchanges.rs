//! What a channel published to each exchange: counted once a batch by its session, which alone
//! writes, and read by who looks at the channel or at the exchange. It knows no rules; what counts
//! as what stands in `publish`.

use std::sync::Arc;

use super::listed_connection::ListedChannel;
use super::lock::lock;
use super::session::ChannelState;
use crate::connection::{Gauge, Published};
use crate::limits::CHANNEL_EXCHANGES_MAX;
use crate::message::{ExchangeId, Name};
use crate::routing::Exchange;

/// A channel with an exchange that it publishes to.
#[derive(Debug)]
pub(super) struct ChannelExchange {
    exchange: Arc<Exchange>,
    published: Gauge,
    confirmed: Gauge,
    returned: Gauge,
    dropped: Gauge,
}

/// What a channel published to an exchange so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangePublishes {
    /// The exchange: another one of its name has another number.
    pub exchange: ExchangeId,
    /// Its name.
    pub name: Name,
    /// The messages.
    pub published: Published,
}

impl ChannelExchange {
    fn new(exchange: &Arc<Exchange>) -> Self {
        Self {
            exchange: exchange.clone(),
            published: Gauge::default(),
            confirmed: Gauge::default(),
            returned: Gauge::default(),
            dropped: Gauge::default(),
        }
    }

    /// More was published.
    pub(super) fn count_published(&self, count: u64) {
        self.published.add(count);
    }

    /// Some of it was confirmed, which the exchange counts, too.
    pub(super) fn count_confirmed(&self, count: u64) {
        self.confirmed.add(count);
        self.exchange.count_confirmed(count);
    }

    /// No queue took some of it; the exchange counts that, too.
    pub(super) fn count_unroutable(&self, count: u64, is_returned: bool) {
        let counter = if is_returned { &self.returned } else { &self.dropped };
        counter.add(count);
        self.exchange.count_unroutable(count, is_returned);
    }

    fn figures(&self) -> ExchangePublishes {
        let published = Published {
            received: self.published.value(),
            confirmed: self.confirmed.value(),
            returned: self.returned.value(),
            dropped: self.dropped.value(),
            ..Published::default()
        };
        ExchangePublishes {
            exchange: self.exchange.id(),
            name: self.exchange.name().clone(),
            published,
        }
    }
}

impl ChannelState {
    /// What is counted of this channel and this exchange. Of a channel that publishes to very many
    /// the others count for their exchange alone.
    pub(super) fn with_exchange(&mut self, exchange: &Arc<Exchange>) -> Arc<ChannelExchange> {
        match self.known_exchange(exchange) {
            Some(known) => known.clone(),
            None => self.with_new_exchange(exchange),
        }
    }

    /// The same, where it was counted before.
    #[inline]
    pub(super) fn known_exchange(&self, exchange: &Arc<Exchange>) -> Option<&Arc<ChannelExchange>> {
        self.exchanges.iter().find(|known| Arc::ptr_eq(&known.exchange, exchange))
    }

    #[inline(never)]
    fn with_new_exchange(&mut self, exchange: &Arc<Exchange>) -> Arc<ChannelExchange> {
        let new = Arc::new(ChannelExchange::new(exchange));
        if self.exchanges.len() < CHANNEL_EXCHANGES_MAX {
            self.exchanges.push(new.clone());
            lock(&self.live.exchanges).push(new.clone());
        }
        new
    }
}

impl ListedChannel {
    /// What was published on it, by exchange, also by those that are gone by now.
    #[must_use]
    pub fn publishes(&self) -> Vec<ExchangePublishes> {
        lock(&self.live.exchanges).iter().map(|known| known.figures()).collect()
    }
}
