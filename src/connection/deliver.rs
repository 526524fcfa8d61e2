//! Events of the broker, turned into frames: answers, deliveries, returns, confirms. This is where
//! a delivery gets its tag.

use super::channel::{Channel, Mode, State};
use super::command::{Effect, Settle};
use super::event::{Delivered, Event, Reply};
use super::machine::Connection;
use super::message_frames::{DeliveryFrames, Recipient, write_message};
use super::output::Output;
use super::phase::Phase;
use super::unsettled::Origin;
use crate::message::{
    ConsumerKey, Delivery, Message, Name, Outcome, QueueId, QueueKind, SequenceRange,
};
use crate::protocol::frame;
use crate::protocol::methods::{
    access, basic, channel as channel_class, confirm, connection, exchange, queue, tx,
};
use crate::protocol::reply::ReplyCode;

impl Connection {
    /// Something happened in the broker.
    pub fn notify(&mut self, event: Event, effects: &mut Vec<Effect>) {
        if self.phase.is_ending() {
            return self.notify_while_ending(event, effects);
        }
        match event {
            Event::Authenticated { user } => self.authenticated(user),
            Event::LoginRefused { error, delay_ms } => self.login_refused(error, delay_ms),
            Event::VirtualHostOpened => self.entered(),
            Event::Answered { channel, reply } => self.answer(channel, reply, effects),
            Event::Refused { channel: 0, error } => self.fail(error.into_hard(), effects),
            Event::Refused { channel, error } => self.refuse(channel, error, effects),
            Event::Delivered(delivered) => self.deliver(&delivered, effects),
            Event::Returned { channel, message } => self.give_back(channel, &message),
            Event::Confirmed { channel, first, last } => self.confirm(channel, first, last),
            Event::Rejected { channel, number } => self.reject(channel, number),
            Event::ConsumerCancelled { consumer, .. } => self.cancel_consumer(consumer),
            Event::Closing(error) => self.close_by_order(error, effects),
            Event::Blocked { reason } => self.block(reason),
            Event::Unblocked => self.unblock(),
            // What these mean, the session decides.
            Event::AlarmsChanged
            | Event::ConsumerTimedOut { .. }
            | Event::PasswordChecked { .. }
            | Event::Released => {}
        }
    }

    /// Messages go back to where they came from; the last word to say is close-ok.
    fn notify_while_ending(&mut self, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Released if self.phase == Phase::Releasing => {
                self.send(0, &connection::CloseOk {});
                self.phase = Phase::Closed;
            }
            Event::Delivered(delivered) => give_up(&delivered, effects),
            Event::Answered { channel, reply: Reply::Got { queue, delivery, .. } } => {
                effects.push(Effect::Settle(settle_got(
                    channel,
                    queue,
                    &delivery,
                    Outcome::Requeued,
                )));
            }
            _ => {}
        }
    }

    fn open_channel_mut(&mut self, number: u16) -> Option<(&mut Channel, &mut Output)> {
        let channel = self.channels.get_mut(&number)?;
        (channel.state == State::Open).then_some((channel, &mut self.output))
    }

    fn deliver(&mut self, delivered: &Delivered, effects: &mut Vec<Effect>) {
        let frame_size_max = self.frame_size_max;
        let key = delivered.consumer;
        let Some((channel, output)) = self.open_channel_mut(key.channel) else {
            return give_up(delivered, effects);
        };
        let Some(consumer) = channel.consumer(key) else { return give_up(delivered, effects) };
        let (no_ack, consumer_tag) = (consumer.no_ack, consumer.consumer_tag.clone());
        let queue_kind = consumer.queue_kind;
        let recipient = Recipient { channel: key.channel, frame_size_max };
        let mut frames = DeliveryFrames::new(recipient, &consumer_tag);
        let mut settle = Settle::new(key.channel, delivered.queue, Outcome::Accepted);
        for delivery in &delivered.run {
            let origin =
                Origin { queue: delivered.queue, sequence: delivery.sequence, to_consumer: true };
            let delivery_tag =
                if no_ack { channel.unsettled.skip() } else { channel.unsettled.push(origin) };
            frames.write(output, delivery, delivery_tag);
            if delivery.needs_settle {
                settle.add(SequenceRange::one(delivery.sequence), false);
            }
        }
        if let Some(kind) = queue_kind {
            let consumed = channel.traffic.consumed(kind);
            consumed.count_delivered(no_ack, delivered.run.len(), delivered.redelivered);
        }
        if !settle.sequences.is_empty() {
            effects.push(Effect::SettleSent(settle));
        }
    }

    fn give_back(&mut self, channel: u16, message: &Message) {
        let frame_size_max = self.frame_size_max;
        let Some((_, output)) = self.open_channel_mut(channel) else { return };
        let method = basic::Return {
            reply_code: ReplyCode::NoRoute.number(),
            reply_text: "NO_ROUTE",
            exchange: message.exchange(),
            routing_key: message.routing_key(),
        };
        write_message(output, Recipient { channel, frame_size_max }, &method, message);
    }

    fn confirm(&mut self, number: u16, first: u64, last: u64) {
        let Some((channel, output)) = self.open_channel_mut(number) else { return };
        let Mode::Confirm(confirms) = &mut channel.mode else { return };
        for ack in confirms.confirm(first, last) {
            let method = basic::Ack { delivery_tag: ack.tag, multiple: ack.multiple };
            frame::write_method(output.buffer(), number, &method);
        }
        channel.traffic.count_confirmed(last - first + 1);
    }

    fn reject(&mut self, number: u16, publish: u64) {
        let Some((channel, output)) = self.open_channel_mut(number) else { return };
        let Mode::Confirm(confirms) = &mut channel.mode else { return };
        confirms.reject(publish);
        channel.traffic.count_rejected();
        let method = basic::Nack { delivery_tag: publish, multiple: false, requeue: false };
        frame::write_method(output.buffer(), number, &method);
    }

    /// The client understands that a consumer is cancelled.
    #[must_use]
    pub fn takes_cancels(&self) -> bool {
        self.capabilities.consumer_cancel_notify
    }

    /// A delivery to this consumer goes out: neither it nor its channel is on its way to its end.
    #[must_use]
    pub fn takes_deliveries(&self, key: ConsumerKey) -> bool {
        let channel = self.channels.get(&key.channel).filter(|_| self.takes_answers(key.channel));
        channel.is_some_and(|channel| channel.consumer(key).is_some())
    }

    /// An answer on this channel goes out.
    #[must_use]
    pub fn takes_answers(&self, channel: u16) -> bool {
        let channel = self.channels.get(&channel).filter(|_| !self.phase.is_ending());
        channel.is_some_and(|channel| channel.state == State::Open)
    }

    /// A consumer consumes from a queue of this type.
    pub fn consumes_from(&mut self, key: ConsumerKey, kind: QueueKind) {
        let channel = self.channels.get_mut(&key.channel);
        if let Some(consumer) = channel.and_then(|channel| channel.consumer_mut(key)) {
            consumer.queue_kind = Some(kind);
        }
    }

    /// A queue took these deliveries back, and may have given them to somebody else: who settles
    /// them late settles nothing.
    pub fn take_away(&mut self, channel: u16, queue: QueueId, places: &[SequenceRange]) {
        if let Some(channel) = self.channels.get_mut(&channel) {
            channel.take_away(queue, places);
        }
    }

    /// A consumer is no more; clients that understand it are told.
    fn cancel_consumer(&mut self, key: ConsumerKey) {
        let tells = self.takes_cancels();
        let Some((channel, output)) = self.open_channel_mut(key.channel) else { return };
        let Some(consumer) = channel.remove_consumer(key) else { return };
        if tells {
            let method = basic::Cancel { consumer_tag: &consumer.consumer_tag, nowait: true };
            frame::write_method(output.buffer(), key.channel, &method);
        }
    }

    fn answer(&mut self, number: u16, reply: Reply, effects: &mut Vec<Effect>) {
        if matches!(reply, Reply::SecretUpdated) {
            return self.send(0, &connection::UpdateSecretOk {});
        }
        if matches!(reply, Reply::ChannelClosed) {
            return self.end_channel(number);
        }
        let frame_size_max = self.frame_size_max;
        let Some((channel, output)) = self.open_channel_mut(number) else {
            if let Reply::Got { queue, delivery, .. } = reply {
                let settle = settle_got(number, queue, &delivery, Outcome::Requeued);
                effects.push(Effect::Settle(settle));
            }
            return;
        };
        match reply {
            Reply::Got { queue, no_ack, delivery, message_count } => {
                let get = (queue, no_ack, message_count);
                write_get_ok(channel, output, get, &delivery, frame_size_max);
                if delivery.needs_settle {
                    let settle = settle_got(number, queue, &delivery, Outcome::Accepted);
                    effects.push(Effect::SettleSent(settle));
                }
            }
            Reply::Cancelled { consumer, consumer_tag, nowait } => {
                if let Some(key) = consumer {
                    channel.remove_consumer(key);
                }
                if !nowait {
                    let method = basic::CancelOk { consumer_tag: &consumer_tag };
                    frame::write_method(output.buffer(), number, &method);
                }
            }
            reply => write_reply(output.buffer(), number, &reply),
        }
    }

    fn end_channel(&mut self, number: u16) {
        self.send(number, &channel_class::CloseOk {});
        self.channels.remove(&number);
    }
}

fn write_get_ok(
    channel: &mut Channel,
    output: &mut Output,
    (queue, no_ack, message_count): (QueueId, bool, u32),
    delivery: &Delivery,
    frame_size_max: usize,
) {
    let origin = Origin { queue, sequence: delivery.sequence, to_consumer: false };
    let delivery_tag =
        if no_ack { channel.unsettled.skip() } else { channel.unsettled.push(origin) };
    let message = &delivery.message;
    let method = basic::GetOk {
        delivery_tag,
        redelivered: delivery.is_redelivered,
        exchange: message.exchange(),
        routing_key: message.routing_key(),
        message_count,
    };
    let recipient = Recipient { channel: channel.number, frame_size_max };
    write_message(output, recipient, &method, message);
}

/// The answers that are a method and nothing more.
fn write_reply(out: &mut Vec<u8>, channel: u16, reply: &Reply) {
    match reply {
        Reply::ChannelOpened => frame::write_method(out, channel, &channel_class::OpenOk {}),
        Reply::ExchangeDeclared => frame::write_method(out, channel, &exchange::DeclareOk {}),
        Reply::ExchangeDeleted => frame::write_method(out, channel, &exchange::DeleteOk {}),
        Reply::ExchangeBound => frame::write_method(out, channel, &exchange::BindOk {}),
        Reply::ExchangeUnbound => frame::write_method(out, channel, &exchange::UnbindOk {}),
        Reply::QueueDeclared { queue, message_count, consumer_count } => {
            write_declare_ok(out, channel, queue, *message_count, *consumer_count);
        }
        Reply::QueueBound => frame::write_method(out, channel, &queue::BindOk {}),
        Reply::QueueUnbound => frame::write_method(out, channel, &queue::UnbindOk {}),
        Reply::QueuePurged { message_count } => {
            frame::write_method(out, channel, &queue::PurgeOk { message_count: *message_count });
        }
        Reply::QueueDeleted { message_count } => {
            frame::write_method(out, channel, &queue::DeleteOk { message_count: *message_count });
        }
        Reply::QosSet => frame::write_method(out, channel, &basic::QosOk {}),
        Reply::Consuming { consumer_tag } => {
            frame::write_method(out, channel, &basic::ConsumeOk { consumer_tag });
        }
        Reply::GotEmpty => frame::write_method(out, channel, &basic::GetEmpty {}),
        Reply::Recovered => frame::write_method(out, channel, &basic::RecoverOk {}),
        Reply::ConfirmSelected => frame::write_method(out, channel, &confirm::SelectOk {}),
        Reply::TransactionSelected => frame::write_method(out, channel, &tx::SelectOk {}),
        Reply::Committed => frame::write_method(out, channel, &tx::CommitOk {}),
        Reply::RolledBack => frame::write_method(out, channel, &tx::RollbackOk {}),
        Reply::FlowActive => {
            frame::write_method(out, channel, &channel_class::FlowOk { active: true });
        }
        Reply::AccessGranted => frame::write_method(out, channel, &access::RequestOk { ticket: 1 }),
        // These are answered where the channel's state changes with them.
        Reply::ChannelClosed
        | Reply::Cancelled { .. }
        | Reply::Got { .. }
        | Reply::SecretUpdated => {}
    }
}

fn write_declare_ok(
    out: &mut Vec<u8>,
    channel: u16,
    queue: &Name,
    message_count: u32,
    consumer_count: u32,
) {
    let method = queue::DeclareOk { queue, message_count, consumer_count };
    frame::write_method(out, channel, &method);
}

/// Deliveries for a channel or consumer that is no more go back to their queue.
fn give_up(delivered: &Delivered, effects: &mut Vec<Effect>) {
    let mut settle = Settle::new(delivered.consumer.channel, delivered.queue, Outcome::Requeued);
    for delivery in &delivered.run {
        settle.add(SequenceRange::one(delivery.sequence), true);
    }
    effects.push(Effect::Settle(settle));
}

/// Ends a delivery that was fetched with get.
fn settle_got(channel: u16, queue: QueueId, delivery: &Delivery, outcome: Outcome) -> Settle {
    let mut settle = Settle::new(channel, queue, outcome);
    settle.add(SequenceRange::one(delivery.sequence), false);
    settle
}
