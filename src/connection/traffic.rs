//! How many messages came and went on one channel: its session alone counts, once for many
//! messages, and anybody reads. What all channels come to together is added up by who asks; that
//! is in the broker.

use std::ops::AddAssign;

use super::gauge::Gauge;
use crate::message::QueueKind;

/// Messages that clients published, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Every basic.publish with its content, whatever became of it.
    pub received: u64,
    /// Those that passed the checks on a channel with confirms or transactions.
    pub received_confirm: u64,
    /// Confirmed to their publisher.
    pub confirmed: u64,
    /// Given to a queue: once for each.
    pub routed: u64,
    /// No queue took them, and nobody asked for them back.
    pub dropped: u64,
    /// No queue took them, and they went back.
    pub returned: u64,
}

/// Messages that clients got from queues of one type, and what they said of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consumed {
    /// Delivered to consumers that acknowledge nothing.
    pub consume_auto_ack: u64,
    /// Delivered to consumers that acknowledge.
    pub consume_manual_ack: u64,
    /// Fetched by basic.get without acknowledgement.
    pub get_auto_ack: u64,
    /// Fetched by basic.get, to be acknowledged.
    pub get_manual_ack: u64,
    /// How often basic.get found nothing.
    pub get_empty: u64,
    /// Those of all above that were delivered before.
    pub redelivered: u64,
    /// Acknowledged by clients.
    pub acknowledged: u64,
}

impl Consumed {
    /// Messages that went out, in whichever way.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.consume_auto_ack + self.consume_manual_ack + self.get_auto_ack + self.get_manual_ack
    }
}

#[cfg(test)]
impl Published {
    /// From its numbers, in the order of the fields.
    pub fn from_array(
        [received, received_confirm, confirmed, routed, dropped, returned]: [u64; 6],
    ) -> Self {
        Self { received, received_confirm, confirmed, routed, dropped, returned }
    }
}

#[cfg(test)]
impl Consumed {
    /// From its numbers, in the order of the fields.
    pub fn from_array(numbers: [u64; 7]) -> Self {
        let [consume_auto_ack, consume_manual_ack, get_auto_ack, get_manual_ack, ..] = numbers;
        let [.., get_empty, redelivered, acknowledged] = numbers;
        Self {
            consume_auto_ack,
            consume_manual_ack,
            get_auto_ack,
            get_manual_ack,
            get_empty,
            redelivered,
            acknowledged,
        }
    }
}

impl AddAssign for Published {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.received_confirm += other.received_confirm;
        self.confirmed += other.confirmed;
        self.routed += other.routed;
        self.dropped += other.dropped;
        self.returned += other.returned;
    }
}

impl AddAssign for Consumed {
    fn add_assign(&mut self, other: Self) {
        self.consume_auto_ack += other.consume_auto_ack;
        self.consume_manual_ack += other.consume_manual_ack;
        self.get_auto_ack += other.get_auto_ack;
        self.get_manual_ack += other.get_manual_ack;
        self.get_empty += other.get_empty;
        self.redelivered += other.redelivered;
        self.acknowledged += other.acknowledged;
    }
}

/// What one channel came to so far.
#[derive(Debug, Default)]
pub struct ChannelTraffic {
    received: Gauge,
    received_confirm: Gauge,
    confirmed: Gauge,
    rejected: Gauge,
    routed: Gauge,
    dropped: Gauge,
    returned: Gauge,
    /// Settlements that wait for tx.commit.
    pub(super) acks_uncommitted: Gauge,
    classic: ConsumedTraffic,
    quorum: ConsumedTraffic,
}

/// What went to one channel from queues of one type, and came back as acknowledged.
#[derive(Debug, Default)]
pub struct ConsumedTraffic {
    auto_ack: Gauge,
    manual_ack: Gauge,
    get_auto_ack: Gauge,
    get_manual_ack: Gauge,
    get_empty: Gauge,
    redelivered: Gauge,
    acknowledged: Gauge,
}

impl ChannelTraffic {
    /// More was published.
    pub fn count_published(&self, published: &Published) {
        self.received.add(published.received);
        self.routed.add(published.routed);
        if published.received_confirm > 0 {
            self.received_confirm.add(published.received_confirm);
        }
        if published.dropped + published.returned > 0 {
            self.dropped.add(published.dropped);
            self.returned.add(published.returned);
        }
    }

    /// Publishes were confirmed.
    pub fn count_confirmed(&self, count: u64) {
        self.confirmed.add(count);
    }

    /// A publish was rejected.
    pub fn count_rejected(&self) {
        self.rejected.add(1);
    }

    /// What went out of queues of a type, to be added to.
    #[must_use]
    pub fn consumed(&self, kind: QueueKind) -> &ConsumedTraffic {
        match kind {
            QueueKind::Classic => &self.classic,
            QueueKind::Quorum => &self.quorum,
        }
    }

    /// What came in so far.
    #[must_use]
    pub fn published(&self) -> Published {
        Published {
            received: self.received.value(),
            received_confirm: self.received_confirm.value(),
            confirmed: self.confirmed.value(),
            routed: self.routed.value(),
            dropped: self.dropped.value(),
            returned: self.returned.value(),
        }
    }

    /// Settlements that wait for tx.commit.
    #[must_use]
    pub fn acks_uncommitted(&self) -> u64 {
        self.acks_uncommitted.value()
    }

    /// Publishes that wait for their answer, of a channel that confirms.
    #[must_use]
    pub fn unconfirmed(&self) -> u64 {
        let answered = self.confirmed.value() + self.rejected.value();
        self.received_confirm.value().saturating_sub(answered)
    }
}

impl ConsumedTraffic {
    /// Messages went to a consumer, some of them again.
    #[inline]
    pub fn count_delivered(&self, no_ack: bool, count: usize, redelivered: usize) {
        let counter = if no_ack { &self.auto_ack } else { &self.manual_ack };
        counter.add(count as u64);
        if redelivered > 0 {
            self.redelivered.add(redelivered as u64);
        }
    }

    /// A message went to who fetched it.
    pub fn count_got(&self, no_ack: bool, is_redelivered: bool) {
        let counter = if no_ack { &self.get_auto_ack } else { &self.get_manual_ack };
        counter.add(1);
        self.redelivered.add(u64::from(is_redelivered));
    }

    /// There was nothing to fetch.
    pub fn count_got_empty(&self) {
        self.get_empty.add(1);
    }

    /// The client acknowledged deliveries.
    pub fn count_acknowledged(&self, count: u64) {
        self.acknowledged.add(count);
    }

    /// All of that so far.
    #[must_use]
    pub fn figures(&self) -> Consumed {
        Consumed {
            consume_auto_ack: self.auto_ack.value(),
            consume_manual_ack: self.manual_ack.value(),
            get_auto_ack: self.get_auto_ack.value(),
            get_manual_ack: self.get_manual_ack.value(),
            get_empty: self.get_empty.value(),
            redelivered: self.redelivered.value(),
            acknowledged: self.acknowledged.value(),
        }
    }
}
