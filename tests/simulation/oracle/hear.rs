//! What comes from the broker, matched against what is known.

use super::{At, Connection, Detail, Expected, Oracle, Origin, State};
use crate::client::{Delivery, Incoming, What};
use crate::fact::{ChannelId, Delivered, Fact, Kind, Match, Seen};
use crate::operation::REPLY_TO;

impl Oracle {
    /// A client heard something.
    pub(crate) fn hear(&mut self, client: usize, incoming: &Incoming) {
        let at = At { client, channel: incoming.channel };
        match &incoming.what {
            What::Heartbeat => {}
            What::Answer(name) => self.answered(at, Kind::Named(name)),
            What::Refused { code } => self.answered(at, Kind::Refused(*code)),
            What::Declared { queue, messages, consumers } => {
                self.declared(at, queue, *messages, *consumers);
            }
            What::Counted { name, messages } => {
                let detail = self.take_expected(at, Kind::Named(name));
                if let Detail::Removed { queue_name, messages: (least, most) } = detail {
                    let (what, told) = ("messages", *messages);
                    self.facts.push(Fact::Counted { queue_name, what, told, least, most });
                }
            }
            What::Delivery(delivery) => self.delivered(at, delivery),
            What::Returned { message } => {
                if let Some(channel) = self.channel_id(at) {
                    self.facts.push(Fact::Returned { channel, message: *message });
                }
            }
            What::Confirm { tag, multiple, is_refusal } => {
                let (tag, multiple, is_refusal) = (*tag, *multiple, *is_refusal);
                if let Some(channel) = self.channel_id(at) {
                    self.facts.push(Fact::Confirmed { channel, tag, multiple, is_refusal });
                }
            }
            What::ConsumerGone { consumer_tag } => {
                if let Some(channel) = self.channel_id(at) {
                    let consumer_tag = consumer_tag.clone();
                    self.facts.push(Fact::CancelTold { channel, consumer_tag });
                }
            }
        }
    }

    fn channel_id(&self, at: At) -> Option<ChannelId> {
        if at.channel == 0 {
            let connection = self.connections.get(&at.client)?.id;
            return Some(ChannelId { connection, number: 0, incarnation: 0 });
        }
        self.channel(at).map(|channel| channel.id)
    }

    /// The details of the answer that was due; where another came, of the first it could be.
    fn take_expected(&mut self, at: At, kind: Kind) -> Detail {
        if let Some(channel) = self.channel_id(at) {
            self.facts.push(Fact::Answered { channel, kind });
        }
        let Some(Connection { channels, expected, .. }) = self.connections.get_mut(&at.client)
        else {
            return Detail::None;
        };
        let expected = match channels.get_mut(&at.channel) {
            Some(channel) => &mut channel.expected,
            None => expected,
        };
        let is_it = |expected: &Expected| expected.answers.contains(&kind);
        let Some(index) = expected.iter().position(is_it) else { return Detail::None };
        expected.drain(..=index).next_back().map_or(Detail::None, |expected| expected.detail)
    }

    fn answered(&mut self, at: At, kind: Kind) {
        let detail = self.take_expected(at, kind);
        match detail {
            Detail::Get { queue, is_exact: true, .. } => {
                // It was empty.
                if let Some(entry) = self.queues[queue].first_sure() {
                    let (message, queue_name) = (entry.message, self.queues[queue].name.clone());
                    self.facts.push(Fact::Vanished { queue_name, message });
                }
                self.none_is_here(queue);
            }
            Detail::Consume { consumer } => self.consumers[consumer].is_told = true,
            Detail::Limit { prefetch_count } => {
                if let Some(channel) = self.channel_id(at) {
                    let is_answered = true;
                    self.facts.push(Fact::Limited { channel, prefetch_count, is_answered });
                }
            }
            Detail::Look { queue_name } => {
                let is_there = kind != Kind::Refused(404);
                self.facts.push(Fact::Looked { queue_name, is_there });
            }
            _ => {}
        }
        if kind == Kind::Named("channel.close-ok")
            && let Some(connection) = self.connections.get_mut(&at.client)
        {
            connection.channels.remove(&at.channel);
        }
        if kind == Kind::Named("connection.close-ok") {
            self.connections.remove(&at.client);
        }
    }

    fn declared(&mut self, at: At, name: &str, told: u32, told_consumers: u32) {
        let detail = self.take_expected(at, Kind::Named("queue.declare-ok"));
        let queue_name = name.to_owned();
        match detail {
            Detail::ServerNamed(declare) => _ = self.add_queue(at, &declare, queue_name),
            Detail::Counts { queue, consumers, messages } => {
                if let Some((least, most)) = messages {
                    let what = "messages";
                    let queue_name = queue_name.clone();
                    self.facts.push(Fact::Counted { queue_name, what, told, least, most });
                    self.resolve(queue, told as usize);
                }
                let (what, told) = ("consumers", told_consumers);
                let (least, most) = (consumers, consumers);
                self.facts.push(Fact::Counted { queue_name, what, told, least, most });
            }
            _ => {
                // It answers no declare that was to go well: somebody found what is not there.
                self.facts.push(Fact::Looked { queue_name, is_there: true });
            }
        }
    }

    /// A count may tell where a message is.
    fn resolve(&mut self, queue: usize, told: usize) {
        if !self.is_clear(queue) {
            return;
        }
        let (sure, most) = self.queues[queue].ready_range();
        if sure == most {
            return;
        }
        if told == sure {
            self.none_is_here(queue);
        } else if told == most {
            for place in self.queues[queue].ready.clone() {
                self.queues[queue].entries[place].is_sure = true;
                self.found(queue, place);
            }
        }
    }

    /// Of the messages that are not known for sure, none is here.
    fn none_is_here(&mut self, queue: usize) {
        for place in self.queues[queue].ready.clone() {
            if !self.queues[queue].entries[place].is_sure {
                self.is_not_here(queue, place);
            }
        }
    }

    fn delivered(&mut self, at: At, delivery: &Delivery) {
        let Some(channel) = self.channel(at) else { return };
        let id = channel.id;
        let known = delivery.consumer_tag.as_ref().map(|tag| channel.consumers.get(tag).copied());
        let (consumer, queue, no_ack) = match known {
            Some(Some(id)) => (Some(id), self.consumers[id].queue, self.consumers[id].no_ack),
            Some(None) => (None, None, false),
            None => match self.take_expected(at, Kind::Named("basic.get-ok")) {
                Detail::Get { queue, no_ack, is_exact } => {
                    self.count_left(queue, delivery, is_exact);
                    (None, Some(queue), no_ack)
                }
                _ => (None, None, false),
            },
        };
        let (matched, place) = match queue {
            Some(queue) => self.queues[queue].find(delivery.message),
            None => (self.match_reply(at, delivery.message), None),
        };
        let known = queue.zip(place).map(|(queue, place)| (&self.queues[queue], place));
        let teller = consumer.map(|id| &self.consumers[id]);
        let fact = Delivered {
            channel: id,
            queue,
            queue_name: queue.map_or_else(String::new, |queue| self.queues[queue].name.clone()),
            message: delivery.message,
            place,
            tag: delivery.tag,
            redelivered: delivery.redelivered,
            matched,
            seen: known.map_or(Seen::No, |(queue, place)| queue.seen(place)),
            was_returned: known.is_some_and(|(queue, place)| queue.entries[place].was_returned),
            consumer,
            no_ack,
            prefetch_count: teller.map_or(0, |consumer| consumer.prefetch_count),
            is_told: teller.is_none_or(|consumer| consumer.is_told),
            is_altered: self.is_altered(delivery),
        };
        self.facts.push(Fact::Delivered(Box::new(fact)));
        self.take_out(at, delivery.tag, Origin { queue, place, consumer }, matched, no_ack);
    }

    /// A get leaves one less than there were.
    fn count_left(&mut self, queue: usize, delivery: &Delivery, is_exact: bool) {
        if is_exact {
            let (sure, most) = self.queues[queue].ready_range();
            self.facts.push(Fact::Counted {
                queue_name: self.queues[queue].name.clone(),
                what: "messages",
                told: delivery.left,
                least: sure.saturating_sub(1),
                most: most.saturating_sub(1),
            });
        }
    }

    fn match_reply(&mut self, at: At, message: u64) -> Match {
        let Some(channel) = self.channel_mut(at) else { return Match::Never };
        match channel.replies_due.iter().position(|due| *due == message) {
            Some(index) => {
                channel.replies_due.remove(index);
                Match::Ready
            }
            None => Match::Never,
        }
    }

    /// Blind copies are hidden, and a request carries the address of who waits for its answer.
    fn is_altered(&mut self, delivery: &Delivery) -> bool {
        let address = delivery.reply_to.as_deref();
        let is_address = |text: &str| text.len() > REPLY_TO.len() && text.starts_with(REPLY_TO);
        let is_right = match (self.requests.get(&delivery.message), address) {
            (None, None) => true,
            (Some(place), Some(text)) if is_address(text) => {
                *self.reply_keys.entry(text.to_owned()).or_insert(*place) == *place
            }
            _ => false,
        };
        delivery.shows_blind_copies || !is_right
    }

    fn take_out(&mut self, at: At, tag: u64, origin: Origin, matched: Match, no_ack: bool) {
        if let (Some(queue), Some(place), Match::Ready) = (origin.queue, origin.place, matched) {
            self.found(queue, place);
            let state = if no_ack { State::Gone } else { State::Out };
            self.queues[queue].take(place, state);
            let entry = &mut self.queues[queue].entries[place];
            entry.is_sure = true;
            entry.seen = Seen::Yes;
            self.step.delivered.entry(queue).or_default().push(place);
        }
        if no_ack {
            return;
        }
        // What was out with another, or settled, is not this channel's to settle.
        let place = origin.place.filter(|_| matched == Match::Ready);
        if let Some(id) = origin.consumer {
            self.consumers[id].unsettled_count += 1;
        }
        if let Some(channel) = self.channel_mut(at) {
            channel.unsettled.insert(tag, Origin { place, ..origin });
        }
    }
}
