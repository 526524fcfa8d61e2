//! Direct reply-to: a requester consumes from a queue that is none, and answers go straight into
//! its mailbox. Nothing is stored; an answer to somebody who left is lost, as in RabbitMQ.

use std::sync::{Arc, RwLock};

use hashbrown::HashMap;
use smallvec::smallvec;

use super::lock::{read, write};
use super::mailbox::Mailbox;
use super::session::Session;
use crate::connection::command::Consume;
use crate::connection::{Delivered, Event, Reply};
use crate::limits::DELIVERY_OVERHEAD_SIZE;
use crate::message::{ConsumerKey, Delivery, Message, Name, QueueId};
use crate::protocol::properties::Properties;
use crate::protocol::reply::{AmqpError, ChannelError};

/// The queue that is none.
pub(super) const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// What an answer's routing key begins with; the requester's token follows.
const REPLY_TO_PREFIX: &str = "amq.rabbitmq.reply-to.";

/// Who waits for answers, by token.
#[derive(Debug, Default)]
pub(super) struct Replies {
    targets: RwLock<HashMap<Name, Target, foldhash::fast::FixedState>>,
}

#[derive(Clone, Debug)]
struct Target {
    mailbox: Arc<Mailbox>,
    consumer: ConsumerKey,
}

impl Replies {
    fn insert(&self, token: Name, target: Target) {
        write(&self.targets).insert(token, target);
    }

    pub(super) fn remove(&self, token: &str) {
        write(&self.targets).remove(token);
    }

    /// Somebody waits under this routing key.
    pub(super) fn is_alive(&self, routing_key: &str) -> bool {
        routing_key
            .strip_prefix(REPLY_TO_PREFIX)
            .is_some_and(|token| read(&self.targets).contains_key(token))
    }

    fn target(&self, routing_key: &str) -> Option<Target> {
        read(&self.targets).get(routing_key.strip_prefix(REPLY_TO_PREFIX)?).cloned()
    }
}

impl Session {
    /// A key of an answer, which no queue takes.
    pub(super) fn is_reply_key(routing_key: &str) -> bool {
        routing_key.starts_with(REPLY_TO_PREFIX)
    }

    /// Starts to wait for answers on a channel.
    pub(super) fn consume_replies(
        &mut self,
        consume: &Consume,
        nowait: bool,
    ) -> Result<(), AmqpError> {
        let channel = consume.consumer.channel;
        if !consume.no_ack {
            let text = "reply consumer cannot acknowledge";
            return Err(ChannelError::precondition_failed(text).into());
        }
        let token: Name = self.broker.fork_random().name("g1").into();
        let Some(state) = self.channels.get_mut(&channel) else { return Ok(()) };
        if state.reply_token.is_some() {
            return Err(ChannelError::precondition_failed("reply consumer already set").into());
        }
        state.reply_token = Some(token.clone());
        state.reply_consumer = Some(consume.consumer);
        let target = Target { mailbox: self.mailbox.clone(), consumer: consume.consumer };
        self.broker.replies.insert(token, target);
        if !nowait {
            let consumer_tag = consume.consumer_tag.clone();
            self.answer(channel, Reply::Consuming { consumer_tag });
        }
        Ok(())
    }

    /// Stops waiting where `key` is the consumer of answers.
    pub(super) fn cancel_replies(&mut self, key: ConsumerKey) {
        let Some(state) = self.channels.get_mut(&key.channel) else { return };
        if state.reply_consumer == Some(key) {
            state.reply_consumer = None;
            if let Some(token) = state.reply_token.take() {
                self.broker.replies.remove(&token);
            }
        }
    }

    /// Hands an answer to its requester. False where it left.
    pub(super) fn reply(&mut self, message: &Message, routed: &mut u64) -> bool {
        let Some(target) = self.broker.replies.target(message.routing_key()) else { return false };
        if !target.mailbox.reply_window.take(message.body_size() + DELIVERY_OVERHEAD_SIZE) {
            return true;
        }
        let delivery = Delivery {
            sequence: 0,
            message: message.clone(),
            is_redelivered: false,
            needs_settle: false,
        };
        let delivered = Delivered {
            consumer: target.consumer,
            queue: QueueId(0),
            run: smallvec![delivery],
            redelivered: 0,
        };
        let taken = target.mailbox.push(Event::Delivered(delivered), &mut self.work.wakers).is_ok();
        *routed += u64::from(taken);
        taken
    }

    /// A request asks for answers under the pseudo-queue's name: it gets the channel's own key.
    pub(super) fn with_reply_key(
        &self,
        channel: u16,
        message: &Message,
    ) -> Result<Message, ChannelError> {
        let token = self.channels.get(&channel).and_then(|state| state.reply_token.as_ref());
        let token = token.ok_or_else(|| {
            ChannelError::precondition_failed("fast reply consumer does not exist")
        })?;
        let mut properties = Properties::decode(message.properties())
            .map_err(|_| ChannelError::precondition_failed("invalid message: properties"))?;
        properties.reply_to = Some(format!("{REPLY_TO_PREFIX}{token}").into());
        let mut encoded = Vec::new();
        properties.encode(&mut encoded);
        Ok(message.with_properties(&encoded))
    }
}
