//! Consumers: basic.consume, cancel, qos and get.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::live_queue::{Getter, Subscriber};
use super::out_of_service::OutOfService;
use super::queue_delivery::got_reply;
use super::queue_handle::QueueHandle;
use super::replies::REPLY_TO;
use super::session::{LiveConsumer, Place, Session};
use crate::auth::Access;
use crate::connection::{Event, Reply, Settle, command::Consume};
use crate::message::{
    ConsumerId, ConsumerKey, ConsumerOptions, Name, QueueId, QueueKind, Resource,
};
use crate::protocol::reply::{AmqpError, ChannelError, ConnectionError};
use crate::queue::{Backoff, Consumer, Fetched, Patience, SubscribeRefused};

impl Session {
    pub(super) fn consume(&mut self, consume: &Consume, nowait: bool) -> Result<(), AmqpError> {
        let place = self.place()?;
        if &*consume.queue == REPLY_TO {
            return self.consume_replies(consume, nowait);
        }
        self.check_consumer_count(consume.consumer.channel)?;
        let resource = Resource::queue(&consume.queue, &place.host.name);
        self.check(&place, Access::Read, resource)?;
        let handle = self.open_queue(&place, &consume.queue)?;
        let kind = handle.definition.options.kind;
        let options = ConsumerOptions::parse(resource, &consume.arguments, kind)?;
        let consumer = self.new_consumer(consume, &options, kind);
        let id = consumer.id;
        let subscribed = self.subscribe(&handle, consumer, consume, nowait);
        match subscribed.map_err(|out_of_service| out_of_service.refusal(resource))? {
            Ok(()) => {
                self.connection.consumes_from(consume.consumer, kind);
                let live = LiveConsumer { id, tag: consume.consumer_tag.clone(), queue: handle };
                self.consumers.insert(consume.consumer, live);
                self.count_consumer(consume.consumer);
                self.note_consumer(consume);
                Ok(())
            }
            Err(SubscribeRefused::Gone) => Err(not_found(resource).into()),
            Err(SubscribeRefused::InExclusiveUse) => {
                Err(ChannelError::access_refused(format!("{resource} in exclusive use")).into())
            }
        }
    }

    fn check_consumer_count(&self, channel: u16) -> Result<(), ConnectionError> {
        let Some(maximum) = self.broker.options.consumers_per_channel_max else { return Ok(()) };
        let count = self.consumers.keys().filter(|key| key.channel == channel).count();
        if count < maximum {
            return Ok(());
        }
        let text = format!("reached maximum ({maximum}) of consumers per channel");
        Err(ConnectionError::not_allowed(text))
    }

    fn new_consumer(
        &self,
        consume: &Consume,
        options: &ConsumerOptions,
        kind: QueueKind,
    ) -> Consumer {
        let state = self.channels.get(&consume.consumer.channel);
        Consumer {
            id: self.broker.next_consumer_id(),
            no_ack: consume.no_ack,
            is_exclusive: consume.exclusive,
            priority: options.priority,
            prefetch_count: state.map_or(0, |state| u32::from(state.live.prefetch_count())),
            channel_credit: state.map(|state| state.live.credit.clone()),
            window: self.mailbox.window.clone(),
            patience: Patience {
                own_ms: options.consumer_timeout_ms,
                otherwise_ms: self.broker.options.consumer_timeout_of(kind),
            },
            backoff: options
                .retry_delay_ms
                .map(|step_ms| Backoff { step_ms, max_ms: options.retry_delay_max_ms }),
        }
    }

    /// Lets the consumer in. The answer goes into the mailbox under the queue's lock, so that no
    /// delivery can come before it.
    fn subscribe(
        &mut self,
        handle: &Arc<QueueHandle>,
        consumer: Consumer,
        consume: &Consume,
        nowait: bool,
    ) -> Result<Result<(), SubscribeRefused>, OutOfService> {
        let id = consumer.id;
        let mailbox = self.mailbox.clone();
        let mut wakers = Vec::new();
        handle.with(&mut self.work, |live| {
            live.queue.subscribe(consumer)?;
            let arguments = &consume.arguments;
            let subscriber = Subscriber {
                mailbox: mailbox.clone(),
                key: consume.consumer,
                consumer_tag: consume.consumer_tag.clone(),
                no_ack: consume.no_ack,
                arguments: (!arguments.is_empty()).then(|| Arc::new(arguments.clone())),
            };
            live.subscribe(id, subscriber);
            if !nowait {
                let reply = Reply::Consuming { consumer_tag: consume.consumer_tag.clone() };
                let channel = consume.consumer.channel;
                // This session is alive: it is running this.
                let _ = mailbox.push(Event::Answered { channel, reply }, &mut wakers);
            }
            Ok(())
        })
    }

    /// Ends a consumer. The answer goes into the mailbox behind its last delivery.
    pub(super) fn cancel(
        &mut self,
        channel: u16,
        consumer: Option<ConsumerKey>,
        consumer_tag: Name,
        nowait: bool,
    ) {
        let live = consumer.and_then(|key| Some((key, self.consumers.remove(&key)?)));
        if let Some((key, live)) = live {
            self.discount_consumer(key);
            // In what is out of service, nobody is a consumer.
            let _ = live.queue.with(&mut self.work, |queue| queue.unsubscribe(live.id));
            let user = self.work.user.clone();
            self.note_consumer_end(key, &live, user.as_deref());
        } else if let Some(key) = consumer {
            self.cancel_replies(key);
        }
        self.answer(channel, Reply::Cancelled { consumer, consumer_tag, nowait });
    }

    /// Ends the consumers of a channel, or all, and gives back what was out with them: in one step
    /// for each queue, so that nobody else is served before everything is back in its place, and
    /// nothing goes to a consumer that is going as well.
    pub(super) fn let_go(&mut self, channel: Option<u16>, settles: &[Settle]) {
        let state = channel.and_then(|number| self.channels.get(&number));
        let is_asked_for = state.is_some_and(|state| !state.is_refused);
        let user = self.work.user.clone().filter(|_| is_asked_for);
        let is_meant = |key: &ConsumerKey| channel.is_none_or(|number| key.channel == number);
        let keys: Vec<ConsumerKey> = self.consumers.keys().copied().filter(is_meant).collect();
        let mut queues: BTreeMap<QueueId, (Arc<QueueHandle>, Vec<ConsumerId>)> = BTreeMap::new();
        for key in keys {
            let Some(live) = self.consumers.remove(&key) else { continue };
            self.note_consumer_end(key, &live, user.as_deref());
            let id = live.queue.incarnation;
            queues.entry(id).or_insert_with(|| (live.queue, Vec::new())).1.push(live.id);
        }
        for handle in settles.iter().filter_map(|settle| self.queue_by_id(settle.queue)) {
            queues.entry(handle.incarnation).or_insert_with(|| (handle, Vec::new()));
        }
        for (queue, (handle, ids)) in queues {
            // What leaves service lets everybody go by itself.
            let _ = handle.with(&mut self.work, |live| {
                ids.into_iter().for_each(|id| live.unsubscribe(id));
                for settle in settles.iter().filter(|settle| settle.queue == queue) {
                    live.queue.settle(&settle.sequences, settle.outcome);
                }
            });
        }
    }

    /// basic.qos: for consumers made later, or for the whole channel at once.
    pub(super) fn set_prefetch(&mut self, channel: u16, prefetch_count: u16, global: bool) {
        let Some(state) = self.channels.get(&channel) else { return };
        if !global {
            return state.live.set_prefetch_count(prefetch_count);
        }
        if state.live.credit.limit_to(u64::from(prefetch_count)) {
            self.resume(Some(channel));
        }
    }

    pub(super) fn get(&mut self, channel: u16, queue: &str, no_ack: bool) -> Result<(), AmqpError> {
        let place = self.place()?;
        let resource = Resource::queue(queue, &place.host.name);
        self.check(&place, Access::Read, resource)?;
        let handle = self.open_queue(&place, queue)?;
        let get = self.broker.next_get_id();
        let getter = Getter { mailbox: self.mailbox.clone(), channel, no_ack };
        let got = handle.with(&mut self.work, |live| match live.queue.is_single_active() {
            true => None,
            false => Some(live.get(no_ack, get, getter)),
        });
        let got = got.map_err(|out_of_service| out_of_service.refusal(resource))?;
        let Some(got) = got else { return Err(single_active(resource).into()) };
        self.getting = Some(handle.definition.options.kind);
        let got = match got {
            // It is answered when the body was read.
            Fetched::Later => return Ok(()),
            Fetched::Empty => None,
            Fetched::Got(delivery, left) => Some((delivery, left)),
        };
        let reply = got_reply(handle.incarnation, no_ack, got);
        self.post(Event::Answered { channel, reply });
        Ok(())
    }

    /// A live queue that this client may use: it exists and is not another's.
    pub(super) fn open_queue(
        &self,
        place: &Place,
        name: &str,
    ) -> Result<Arc<QueueHandle>, ChannelError> {
        let resource = Resource::queue(name, &place.host.name);
        let handle = place.host.queue(name).ok_or_else(|| not_found(resource))?;
        self.check_owner(&handle)?;
        Ok(handle)
    }

    /// An exclusive queue is its connection's alone.
    pub(super) fn check_owner(&self, handle: &QueueHandle) -> Result<(), ChannelError> {
        let definition = &handle.definition;
        if definition.owner.is_none_or(|owner| owner == self.id) {
            return Ok(());
        }
        let host = self.place.as_ref().map_or("", |place| &*place.host.name);
        Err(Resource::queue(&definition.name, host).locked())
    }
}

/// The 404 of a queue or an exchange.
pub(super) fn not_found(resource: Resource<'_>) -> ChannelError {
    ChannelError::not_found(format!("no {resource}"))
}

fn single_active(resource: Resource<'_>) -> ChannelError {
    ChannelError::resource_locked(format!(
        "cannot obtain access to locked {resource}. basic.get operations are not supported on \
         queues with single active consumer"
    ))
}
