//! A consumer that held a delivery for too long. Its queue says so to the session it belongs to,
//! and the session takes it out: only there is known which of its deliveries are settled, so that
//! none is given to somebody else and then settled late by the first one. How long is too long, and
//! when that is over, the queue knows.

use tracing::warn;

use super::live_queue::Live;
use super::options::BrokerOptions;
use super::session::{LiveConsumer, Session, window_cost};
use super::work::Work;
use crate::connection::{Delivered, Event};
use crate::limits::CONSUMER_TIMEOUT_MS;
use crate::message::{ConsumerId, ConsumerKey, QueueKind, SequenceRange};
use crate::protocol::reply::{AmqpError, ChannelError};

impl BrokerOptions {
    /// How long consumers may hold a delivery where neither they nor their queue say. Long jobs on
    /// classic queues are common, so nobody is cut off there unasked.
    pub(super) fn consumer_timeout_of(&self, kind: QueueKind) -> Option<u64> {
        let by_kind = (kind == QueueKind::Quorum).then_some(CONSUMER_TIMEOUT_MS);
        self.consumer_timeout_ms.or(by_kind)
    }
}

impl Live {
    /// Tells a consumer's session that its time is over.
    pub(super) fn time_out(&self, consumer: ConsumerId, timeout_ms: u64, work: &mut Work) {
        if let Some(subscriber) = self.subscribers.get(&consumer) {
            let event = Event::ConsumerTimedOut { consumer: subscriber.key, timeout_ms };
            // A session that is gone gives everything back by itself.
            let _ = subscriber.mailbox.push(event, &mut work.wakers);
        }
    }

    /// Takes a consumer out together with what it has; tells which places these are.
    fn expel(&mut self, consumer: ConsumerId) -> Vec<SequenceRange> {
        self.touch();
        self.subscribers.remove(&consumer);
        self.queue.expel(consumer, &mut self.effects)
    }
}

impl Session {
    /// While the client reads nothing, what it does not read keeps nobody's time from being over.
    /// False where there is nothing to do.
    pub(super) fn time_out_unread(&mut self) -> bool {
        let Some((key, timeout_ms, unread)) = self.mailbox.take_timed_out() else { return false };
        self.consumer_timed_out(key, timeout_ms, unread);
        true
    }

    /// Takes a consumer out whose time is over, with the deliveries for it that nobody saw. It may
    /// have been cancelled meanwhile.
    pub(super) fn consumer_timed_out(
        &mut self,
        key: ConsumerKey,
        timeout_ms: u64,
        unread: Vec<Delivered>,
    ) {
        let window_size = unread.iter().map(window_cost).sum();
        let mut count: u64 = unread.iter().map(|delivered| delivered.run.len() as u64).sum();
        let Some(consumer) = self.consumers.remove(&key) else {
            unread.into_iter().for_each(|delivered| self.give_back(delivered));
            return self.give_credit(key.channel, count, window_size);
        };
        self.discount_consumer(key);
        self.note_consumer_end(key, &consumer, None);
        let LiveConsumer { id, queue, .. } = consumer;
        let places = queue.with(&mut self.work, |live| {
            unread.into_iter().for_each(|one| live.queue.return_unseen(id, one.run));
            live.expel(id)
        });
        // What left service has nothing out any more, and says so by itself.
        let places = places.unwrap_or_default();
        count += places.iter().map(|range| range.count()).sum::<u64>();
        let (name, host) = (&*queue.definition.name, &*queue.virtual_host);
        warn!(
            target: "queue",
            queue = name, virtual_host = host, connection = &*self.name, channel = key.channel,
            timeout_ms, count, "a consumer held a delivery for too long, and loses what it has"
        );
        self.connection.take_away(key.channel, queue.incarnation, &places);
        self.give_credit(key.channel, count, window_size);
        if self.connection.takes_cancels() {
            let event = Event::ConsumerCancelled { consumer: key, by: None };
            self.connection.notify(event, &mut self.effects);
        } else {
            self.refuse(key.channel, timed_out(key.channel, timeout_ms));
        }
    }

    fn give_credit(&mut self, channel: u16, count: u64, window_size: u64) {
        let state = self.channels.get(&channel);
        if count > 0 && state.is_some_and(|state| state.live.credit.give(count)) {
            self.resume(Some(channel));
        }
        if window_size > 0 && self.mailbox.window.give(window_size) {
            self.resume(None);
        }
    }
}

/// What a client hears that cannot take a cancel.
fn timed_out(channel: u16, timeout_ms: u64) -> AmqpError {
    ChannelError::precondition_failed(format!(
        "delivery acknowledgement on channel {channel} timed out. Timeout value used: {timeout_ms} \
         ms. This timeout value can be configured, see consumers doc guide to learn more"
    ))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::test_world::{World, bodies};

    const KEY: ConsumerKey = ConsumerKey { channel: 1, number: 1 };

    #[test]
    fn what_nobody_saw_goes_back_unflagged_also_where_the_consumer_is_cancelled_meanwhile() {
        for is_cancelled in [false, true] {
            let world = World::new();
            let mut client = world.client();
            client.session.set_prefetch(1, 1, true);
            client.declare("q", false);
            client.consume("q", 1);
            client.publish("q", &["a"]);
            let credit = client.session.channels[&1].live.credit.clone();
            assert!(!credit.take(1), "the message is on its way");
            let event = Event::ConsumerTimedOut { consumer: KEY, timeout_ms: 9 };
            client.session.mailbox.push(event, &mut Vec::new()).unwrap();
            if is_cancelled {
                client.session.cancel(1, Some(KEY), "tag".into(), true);
            }
            assert!(client.session.time_out_unread());
            assert!(!client.session.time_out_unread(), "it is done once");
            assert!(credit.take(1) && !credit.take(1));
            let mut other = world.client();
            other.consume("q", 1);
            assert_eq!(bodies(&other.events()), [("a".to_owned(), false)]);
        }
    }

    #[test]
    fn the_node_limits_consumers_of_quorum_queues_unless_it_is_told_otherwise() {
        let of = |consumer_timeout_ms, kind| {
            BrokerOptions { consumer_timeout_ms, ..BrokerOptions::default() }
                .consumer_timeout_of(kind)
        };
        assert_eq!(of(None, QueueKind::Quorum), Some(1_800_000));
        assert_eq!(of(None, QueueKind::Classic), None);
        assert_eq!(of(Some(5), QueueKind::Classic), Some(5));
        assert_eq!(of(Some(0), QueueKind::Quorum), Some(0));
    }
}
