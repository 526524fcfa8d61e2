//! Connections and channels begin and end, and what that takes along: consumers, unsettled
//! deliveries, exclusive queues.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{At, Channel, Choice, Connection, Consumer, Detail, Mode, Oracle, State};
use crate::fact::{ChannelId, Fact, Seen};
use crate::operation::Operation;

impl Oracle {
    pub(super) fn apply_to_connection(&mut self, at: At, operation: &Operation) {
        match operation {
            Operation::Header => {
                let connection = Connection {
                    id: self.next_id(),
                    channels: BTreeMap::new(),
                    is_ending: false,
                    expected: VecDeque::new(),
                };
                self.connections.insert(at.client, connection);
                self.expect(at, "connection.start", Detail::None);
            }
            Operation::StartOk => self.expect(at, "connection.tune", Detail::None),
            Operation::OpenConnection => self.expect(at, "connection.open-ok", Detail::None),
            Operation::UpdateSecret => {
                self.expect(at, "connection.update-secret-ok", Detail::None);
            }
            Operation::CloseConnection => {
                self.expect(at, "connection.close-ok", Detail::None);
                self.end_connection(at.client);
            }
            Operation::ConnectionCloseOk => _ = self.connections.remove(&at.client),
            _ => {}
        }
    }

    pub(super) fn open_channel(&mut self, at: At) {
        let incarnation = self.next_id();
        let connection = self.connection_id(at);
        let channel = Channel {
            id: ChannelId { connection, number: at.channel, incarnation },
            is_broken: false,
            mode: Mode::Plain,
            unsettled: BTreeMap::new(),
            claimed: BTreeSet::new(),
            consumers: BTreeMap::new(),
            prefetch_count: 0,
            limit: 0,
            expected: VecDeque::new(),
            reply_consumer: None,
            replies_due: Vec::new(),
        };
        if let Some(connection) = self.connections.get_mut(&at.client) {
            connection.channels.insert(at.channel, channel);
            self.expect(at, "channel.open-ok", Detail::None);
        }
    }

    pub(super) fn close_channel(&mut self, at: At) {
        self.expect(at, "channel.close-ok", Detail::None);
        if self.channel(at).is_some_and(|channel| !channel.is_broken) {
            self.end_channel(at);
        }
    }

    /// Consumers end, what is out comes back, what waits for commit is dropped.
    pub(super) fn end_channel(&mut self, at: At) {
        self.end_consumers(at);
        self.release_channel(at);
    }

    fn end_consumers(&mut self, at: At) {
        let Some(channel) = self.channel(at) else { return };
        let consumers: Vec<usize> = channel.consumers.values().copied().collect();
        for id in consumers {
            let Consumer { queue, no_ack, is_ended, .. } = self.consumers[id];
            let may_have_more = !self.step.is_single || self.deaf.contains(&at.client);
            if let (Some(queue), false, true) = (queue, is_ended, may_have_more) {
                self.take_along(queue, no_ack);
            }
            self.end_consumer(id);
        }
    }

    fn release_channel(&mut self, at: At) {
        let Some(channel) = self.channel_mut(at) else { return };
        channel.is_broken = true;
        channel.claimed.clear();
        channel.replies_due.clear();
        let id = channel.id;
        let mut origins: Vec<_> = std::mem::take(&mut channel.unsettled).into_values().collect();
        if let Mode::Transaction { settled, .. } = &mut channel.mode {
            origins.extend(settled.drain(..).map(|(_, origin, _)| origin));
        }
        for origin in origins {
            if let (Some(queue), Some(place)) = (origin.queue, origin.place) {
                self.queues[queue].put_back(place);
            }
        }
        self.facts.push(Fact::ChannelEnded(id));
    }

    /// A consumer takes nothing more.
    pub(super) fn end_consumer(&mut self, id: usize) {
        let consumer = &mut self.consumers[id];
        if std::mem::replace(&mut consumer.is_ended, true) {
            return;
        }
        let (at, queue) = (consumer.at, consumer.queue);
        if let Some(channel) = self.channel_mut(at)
            && channel.reply_consumer == Some(id)
        {
            channel.reply_consumer = None;
        }
        let Some(queue) = queue else { return };
        let known = &mut self.queues[queue];
        known.consumers.retain(|known| *known != id);
        if known.is_alive && known.auto_delete && known.consumers.is_empty() {
            self.remove_queue(queue);
        }
    }

    /// Somebody left and may have had any of the ready messages, on the way or in his hands.
    fn take_along(&mut self, queue: usize, no_ack: bool) {
        let known = &mut self.queues[queue];
        for place in known.ready.clone() {
            let entry = &mut known.entries[place];
            if no_ack {
                entry.is_sure = false;
                if let Some(choice) = entry.choice {
                    self.choices[choice].may_be_none = true;
                }
            }
            if entry.seen == Seen::No {
                entry.seen = Seen::Maybe;
            }
        }
        if no_ack {
            self.doubtful.insert(queue);
        }
    }

    /// The connection ends, with a word or without.
    pub(super) fn end_connection(&mut self, client: usize) {
        let Some(connection) = self.connections.get_mut(&client) else { return };
        connection.is_ending = true;
        let id = connection.id;
        // Channels let go one after the other, and what the first gives back may be gone by the
        // time the last gives back what is older.
        self.step.is_scrambled |= connection.channels.len() > 1;
        let channels: Vec<At> =
            connection.channels.keys().map(|channel| At { client, channel: *channel }).collect();
        channels.iter().for_each(|at| self.end_consumers(*at));
        channels.iter().for_each(|at| self.release_channel(*at));
        if let Some(connection) = self.connections.get_mut(&client) {
            connection.channels.clear();
        }
        let is_its = |queue: &&usize| self.queues[**queue].owner == Some(id);
        let owned: Vec<usize> = self.names.values().filter(is_its).copied().collect();
        for queue in owned {
            let queue_name = self.queues[queue].name.clone();
            self.remove_queue(queue);
            self.facts.push(Fact::OwnerGone { queue_name: queue_name.clone() });
            self.orphans.push(queue_name);
        }
    }

    /// The socket of a client is gone.
    pub(crate) fn lose(&mut self, client: usize) {
        let Some(connection) = self.connections.get(&client) else { return };
        let (id, is_ending) = (connection.id, connection.is_ending);
        if !is_ending {
            self.end_connection(client);
        }
        self.connections.remove(&client);
        self.facts.push(Fact::ConnectionLost(id));
    }

    /// A queue is gone, with its messages, bindings and consumers.
    pub(super) fn remove_queue(&mut self, queue: usize) {
        let is_exact = self.is_exact(queue);
        let name = self.queues[queue].name.clone();
        self.names.remove(&name);
        self.topology.forget_queue(&name);
        self.let_choices_go(queue);
        let known = &mut self.queues[queue];
        known.is_alive = false;
        known.drop_ready(is_exact);
        for id in std::mem::take(&mut known.consumers) {
            let consumer = &mut self.consumers[id];
            consumer.is_ended = true;
            let (at, consumer_tag) = (consumer.at, consumer.consumer_tag.clone());
            if let Some(channel) = self.channel(at) {
                let channel = channel.id;
                self.facts.push(Fact::CancelDue { channel, consumer_tag });
            }
        }
    }

    /// What a choice may have sent to this queue cannot be known any more.
    pub(super) fn let_choices_go(&mut self, queue: usize) {
        for place in self.queues[queue].ready.clone() {
            if let Some(choice) = self.queues[queue].entries[place].choice.take() {
                self.choices[choice].may_be_none = true;
                self.choices[choice].open.remove(&queue);
            }
        }
    }

    /// A choice's message was found in `queue`: the others never had it.
    pub(super) fn found(&mut self, queue: usize, place: usize) {
        let Some(choice) = self.queues[queue].entries[place].choice.take() else { return };
        for (other, place) in std::mem::take(&mut self.choices[choice].open) {
            if other != queue {
                self.queues[other].entries[place].choice = None;
                self.queues[other].take(place, State::Gone);
            }
        }
    }

    /// A ready message that was not known for sure is not here.
    pub(super) fn is_not_here(&mut self, queue: usize, place: usize) {
        let choice = self.queues[queue].entries[place].choice.take();
        let message = self.queues[queue].entries[place].message;
        self.queues[queue].take(place, State::Gone);
        let Some(choice) = choice else { return };
        let Choice { open, may_be_none } = &mut self.choices[choice];
        open.remove(&queue);
        if *may_be_none {
            return;
        }
        match open.len() {
            0 => {
                let queue_name = self.queues[queue].name.clone();
                self.facts.push(Fact::Vanished { queue_name, message });
            }
            1 => {
                let last = open.iter().next().map(|(queue, place)| (*queue, *place));
                if let Some((queue, place)) = last {
                    self.queues[queue].entries[place].is_sure = true;
                    self.found(queue, place);
                }
            }
            _ => {}
        }
    }
}
