//! The firehose: while a virtual host is traced, copies of what is published and delivered in it go
//! to its trace exchange. Each is given to its queues at once by the session that publishes or
//! delivers, which holds no lock then, before its message goes on: so a message is told as
//! published before it is told as delivered. Nobody waits for a copy: it is transient and not
//! confirmed, who has no room for it loses it, and a queue of copies that gets long holds no
//! publisher back. How a copy looks is in `message::trace`.

use std::sync::Arc;

use super::publish::Routed;
use super::session::{Place, Session};
use crate::connection::{Delivered, Publish, Reply};
use crate::message::trace::{TRACE_EXCHANGE, Tap, is_copy};
use crate::message::{Delivery, Message, Name};
use crate::routing::Exchange;

/// Where copies go.
struct Firehose {
    place: Place,
    exchange: Arc<Exchange>,
    user: Name,
}

impl Session {
    /// Somebody wants copies of what is published and delivered where this client is.
    #[inline]
    pub(super) fn is_traced(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.host.is_traced())
    }

    /// None where nobody would get a copy.
    fn firehose(&self) -> Option<Firehose> {
        let place = self.place.clone()?;
        let exchange = place.host.router.exchange(TRACE_EXCHANGE)?;
        let user = self.user.as_ref().map_or_else(|| "".into(), |user| user.name.clone());
        exchange.may_route().then_some(Firehose { place, exchange, user })
    }

    /// Somebody would get a copy.
    #[cfg(test)]
    pub(super) fn is_heard(&self) -> bool {
        self.firehose().is_some()
    }

    fn tap<'a>(&'a self, firehose: &'a Firehose, channel: u16) -> Tap<'a> {
        Tap {
            node: &self.broker.options.node_name,
            virtual_host: &firehose.place.host.name,
            connection: &self.name,
            channel,
            user: &firehose.user,
        }
    }

    /// Messages are published that are routed in the same way.
    pub(super) fn trace_published(&mut self, publish: &Publish, routed: &Routed) {
        let Some(firehose) = self.firehose() else { return };
        for original in publish.messages.iter() {
            let message = routed.message(original);
            let tap = self.tap(&firehose, publish.channel);
            let copy = tap.published(original, message, routed.queue_names());
            self.send_copy(&firehose, &copy);
        }
    }

    /// Messages go out to a consumer that is still there. Direct replies come from no queue.
    pub(super) fn trace_delivered(&mut self, delivered: &Delivered) {
        let key = delivered.consumer;
        let is_taken = delivered.queue.0 > 0 && self.connection.takes_deliveries(key);
        let Some(firehose) = self.firehose().filter(|_| is_taken) else { return };
        let handle = match self.consumers.get(&key) {
            Some(consumer) => consumer.queue.clone(),
            None => match firehose.place.host.incarnation(delivered.queue) {
                Some(handle) => handle,
                None => return,
            },
        };
        for delivery in &delivered.run {
            self.trace_delivery(&firehose, key.channel, &handle.definition.name, delivery);
        }
    }

    /// A message goes out that somebody asked for.
    pub(super) fn trace_got(&mut self, channel: u16, reply: &Reply) {
        let Reply::Got { queue, delivery, .. } = reply else { return };
        let handle = self.queue_by_id(*queue);
        let Some((firehose, handle)) = self.firehose().zip(handle) else { return };
        self.trace_delivery(&firehose, channel, &handle.definition.name, delivery);
    }

    fn trace_delivery(
        &mut self,
        firehose: &Firehose,
        channel: u16,
        queue: &str,
        delivery: &Delivery,
    ) {
        let Delivery { message, is_redelivered, .. } = delivery;
        if !is_copy(message) {
            let copy = self.tap(firehose, channel).delivered(message, queue, *is_redelivered);
            self.send_copy(firehose, &copy);
        }
    }

    /// What is confirmed does not wait for a copy, and who publishes does not wait for those who
    /// read copies.
    fn send_copy(&mut self, firehose: &Firehose, copy: &Message) {
        let (position, is_ahead) = (self.work.position, self.work.is_ahead);
        let Firehose { place, exchange, .. } = firehose;
        place.host.pass_on(exchange, copy, self.random.draw(), &mut self.work);
        (self.work.position, self.work.is_ahead) = (position, is_ahead);
    }
}
