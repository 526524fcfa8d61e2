//! What clients do: one picks something that makes sense now, says it, and the model changes as the
//! broker should. What is heard of it is in `hear`.

use super::model::{ExchangeModel, arguments_of};
use super::seat::{Awaited, CONSUMING, ConsumerModel, DECLARING, Out, PUBLISHING, Seat};
use super::world::{CLIENTS, World};
use crate::operation::{Bind, Consume, DeclareExchange, DeclareQueue, Operation, Publish};

/// Queues by name: `d` are durable, `a` too and go with their last consumer, `t` are not.
const QUEUES: [&str; 6] = ["d0", "d1", "d2", "a0", "t0", "t1"];

/// Exchanges: the last one is not durable.
const EXCHANGES: [&str; 3] = ["fan", "dir", "passing"];

const KEYS: [&str; 2] = ["k0", "k1"];

/// Messages of a queue before nobody publishes to it any more.
const BACKLOG_MAX: usize = 60;

impl World {
    pub(super) fn seat(&mut self, client: usize) -> &mut Seat {
        self.node.seats.get_mut(&client).unwrap()
    }

    pub(super) fn say(&mut self, client: usize, channel: u16, operation: &Operation) {
        self.note(format!("{client}: {operation:?}"));
        let now = self.now;
        self.seat(client).send(channel, operation, now);
    }

    /// Says something and waits for its answer, which promises this version.
    pub(super) fn ask(
        &mut self,
        client: usize,
        channel: u16,
        operation: &Operation,
        (name, version): (&'static str, Option<u64>),
    ) {
        self.seat(client).awaited = Some(Awaited::Answer { name, version });
        self.say(client, channel, operation);
    }

    pub(super) fn act(&mut self) -> Result<(), String> {
        let client = CLIENTS.start + self.chance.below(CLIENTS.len());
        self.coverage.add("operations", 1);
        match self.node.seats.get(&client) {
            None => self.connect(client),
            Some(_) if self.chance.one_in(80) => self.lose(client),
            Some(seat) if !seat.is_free() => {}
            Some(_) => self.choose(client),
        }
        if self.chance.one_in(400) {
            self.settle()?;
            return self.audit();
        }
        self.settle()
    }

    fn choose(&mut self, client: usize) {
        match self.chance.below(24) {
            0..8 => self.publish(client),
            8..12 => self.end_delivery(client),
            12..14 => self.get(client),
            14 | 15 => self.consume(client),
            16 => self.cancel(client),
            17..19 => self.declare_queue(client),
            19 => self.declare_exchange(client),
            20..22 => self.bind(client),
            22 => self.purge_or_delete(client),
            _ => self.delete_exchange(client),
        }
    }

    pub(super) fn connect(&mut self, client: usize) {
        let prefetch = u16::try_from(1 + self.chance.below(8)).unwrap();
        let has_transactions = client == CLIENTS.start;
        let seat = Seat::new(self.node.broker.clone(), has_transactions, prefetch, self.now);
        self.node.seats.insert(client, seat);
    }

    /// The socket of a client is gone.
    pub(super) fn lose(&mut self, client: usize) {
        self.note(format!("{client}: gone"));
        self.coverage.add("connections lost", 1);
        self.give_back(client);
        if let Some(seat) = self.node.seats.remove(&client) {
            seat.leave(self.now);
        }
    }

    /// The broker gives back what a client held: its connection ended.
    pub(super) fn give_back(&mut self, client: usize) {
        let Some(seat) = self.node.seats.get_mut(&client) else { return };
        let out = std::mem::take(&mut seat.out);
        let consumers = std::mem::take(&mut seat.consumers);
        for Out { queue, life, place } in out.values() {
            if let Some(known) = self.model.queue(queue, *life) {
                known.put_back(*place, true);
            }
        }
        for (tag, ConsumerModel { queue, life, .. }) in &consumers {
            self.model.cancel(queue, *life, &(client, tag.clone()));
        }
        let own = self.model.queues.iter().find(|(_, queue)| queue.owner == Some(client));
        if let Some(name) = own.map(|(name, _)| name.clone()) {
            self.model.delete_queue(&name);
        }
        self.changed();
    }

    fn any_queue(&mut self, client: usize) -> Option<(String, u64)> {
        let mine = self
            .model
            .queues
            .iter()
            .filter(|(_, queue)| queue.owner.is_none_or(|owner| owner == client));
        let names: Vec<_> = mine.map(|(name, queue)| (name.clone(), queue.life)).collect();
        self.chance.pick_from(names)
    }

    fn publish(&mut self, client: usize) {
        let has_transactions = self.seat(client).has_transactions;
        for _ in 0..=self.chance.below(4) {
            let Some((exchange, routing_key)) = self.any_route(client) else { continue };
            let queues = self.model.route(&exchange, &routing_key);
            if queues.iter().any(|name| self.model.queues[name].places.len() > BACKLOG_MAX) {
                continue;
            }
            self.next_message += 1;
            let message = self.next_message;
            let size = if self.chance.one_in(6) { 6000 } else { 300 };
            let size = 8 + self.chance.below(size);
            let mandatory = self.chance.one_in(3);
            let is_persistent = !self.chance.one_in(4);
            let publish = Publish {
                message,
                exchange,
                routing_key,
                mandatory,
                is_persistent,
                size,
                ..Publish::default()
            };
            if mandatory && queues.is_empty() {
                self.seat(client).returns.insert(message);
            }
            if has_transactions {
                let life = |name: String| (name.clone(), self.model.queues[&name].life);
                let queues = queues.into_iter().map(life).collect();
                self.seat(client).pending.push((message, queues, is_persistent));
            } else {
                let version = self.enqueue(message, &queues, is_persistent);
                let seat = self.seat(client);
                seat.published += 1;
                seat.unconfirmed.insert(seat.published, version);
            }
            self.say(client, PUBLISHING, &Operation::Publish(publish));
        }
        if has_transactions && !self.chance.one_in(3) {
            self.end_transaction(client);
        }
    }

    fn any_route(&mut self, client: usize) -> Option<(String, String)> {
        let exchange = match self.chance.below(5) {
            0..3 => String::new(),
            _ => self.chance.pick_from(self.model.exchanges.keys().cloned())?,
        };
        if exchange.is_empty() && !self.chance.one_in(12) {
            return Some((exchange, self.any_queue(client)?.0));
        }
        let key = *self.chance.pick(&KEYS)?;
        Some((exchange, key.to_owned()))
    }

    /// Queues take a message; the version that a confirm of it promises.
    pub(super) fn enqueue(
        &mut self,
        number: u64,
        queues: &[String],
        is_persistent: bool,
    ) -> Option<u64> {
        let mut is_lasting = false;
        for queue in queues {
            is_lasting |= self.model.push(queue, number, is_persistent);
        }
        let version = self.changed();
        is_lasting.then_some(version)
    }

    fn end_transaction(&mut self, client: usize) {
        let pending = std::mem::take(&mut self.seat(client).pending);
        if self.chance.one_in(4) {
            self.coverage.add("rollbacks", 1);
            for (message, ..) in pending {
                self.seat(client).returns.remove(&message);
            }
            return self.ask(client, PUBLISHING, &Operation::Rollback, ("tx.rollback-ok", None));
        }
        let mut promised = None;
        for (message, queues, is_persistent) in pending {
            let there = queues.into_iter().filter(|(name, life)| {
                self.model.queues.get(name).is_some_and(|queue| queue.life == *life)
            });
            let there: Vec<String> = there.map(|(name, _)| name).collect();
            promised = self.enqueue(message, &there, is_persistent).or(promised);
        }
        self.ask(client, PUBLISHING, &Operation::Commit, ("tx.commit-ok", promised));
    }

    fn end_delivery(&mut self, client: usize) {
        let tags: Vec<u64> = self.seat(client).out.keys().copied().collect();
        let Some(tag) = self.chance.pick(&tags).copied() else { return };
        let multiple = self.chance.one_in(3);
        let (operation, comes_back, has_failed) = match self.chance.below(8) {
            0..4 => (Operation::Ack { tag, multiple }, false, false),
            4 | 5 => (Operation::Nack { tag, multiple, requeue: true }, true, false),
            6 => (Operation::Reject { tag, requeue: true }, true, true),
            _ => (Operation::Nack { tag, multiple, requeue: false }, false, false),
        };
        let is_many = multiple && !has_failed;
        self.coverage.add("requeues", u64::from(comes_back));
        self.coverage.add("rejects", u64::from(has_failed));
        let ended: Vec<u64> = if is_many {
            tags.into_iter().filter(|other| *other <= tag).collect()
        } else {
            vec![tag]
        };
        for tag in ended {
            let Some(Out { queue, life, place }) = self.seat(client).out.remove(&tag) else {
                continue;
            };
            let Some(known) = self.model.queue(&queue, life) else { continue };
            if comes_back {
                known.put_back(place, has_failed);
            } else {
                known.places.remove(&place);
            }
        }
        self.changed();
        self.say(client, CONSUMING, &operation);
    }

    fn get(&mut self, client: usize) {
        let Some((queue, life)) = self.any_queue(client) else { return };
        let no_ack = self.chance.one_in(3);
        self.coverage.add("gets", 1);
        self.seat(client).awaited = Some(Awaited::Get { queue: queue.clone(), life, no_ack });
        self.say(client, CONSUMING, &Operation::Get { queue, no_ack });
    }

    fn consume(&mut self, client: usize) {
        let Some((queue, life)) = self.any_queue(client) else { return };
        let no_ack = self.chance.one_in(4);
        let seat = self.seat(client);
        if seat.consumers.len() >= 2 {
            return;
        }
        seat.consumer_count += 1;
        let consumer_tag = format!("c{}", seat.consumer_count);
        let consumer = ConsumerModel { queue: queue.clone(), life, no_ack };
        seat.consumers.insert(consumer_tag.clone(), consumer);
        if let Some(known) = self.model.queue(&queue, life) {
            known.consumers.insert((client, consumer_tag.clone()));
        }
        let consume = Consume { queue, consumer_tag, no_ack, ..Consume::default() };
        let answer = ("basic.consume-ok", None);
        self.ask(client, CONSUMING, &Operation::Consume(consume), answer);
    }

    fn cancel(&mut self, client: usize) {
        let tags: Vec<String> = self.seat(client).consumers.keys().cloned().collect();
        let Some(consumer_tag) = self.chance.pick_from(tags) else { return };
        let Some(consumer) = self.seat(client).consumers.remove(&consumer_tag) else { return };
        self.model.cancel(&consumer.queue, consumer.life, &(client, consumer_tag.clone()));
        self.changed();
        let cancel = Operation::Cancel { consumer_tag, nowait: false };
        self.ask(client, CONSUMING, &cancel, ("basic.cancel-ok", None));
    }

    /// The answer promises that the queue lasts, also where somebody else declared it just before.
    fn declare_queue(&mut self, client: usize) {
        let own = format!("x{client}");
        let name = match self.chance.below(QUEUES.len() + 1) {
            0 => own.as_str(),
            at => QUEUES[at - 1],
        };
        self.coverage.add("declarations", 1);
        let is_own = name == own;
        if !self.model.queues.contains_key(name) {
            let life = self.model.declare(name, is_own.then_some(client));
            let version = self.changed();
            self.definitions.insert(format!("queue {name} {life}"), version);
        }
        let durable = !name.starts_with('t') && !is_own;
        let declare = DeclareQueue {
            queue: name.to_owned(),
            durable,
            exclusive: is_own,
            auto_delete: name.starts_with('a'),
            arguments: arguments_of(name),
            ..DeclareQueue::default()
        };
        let promised = durable.then(|| self.declared_at(name));
        let answer = ("queue.declare-ok", promised);
        self.ask(client, DECLARING, &Operation::DeclareQueue(declare), answer);
    }

    fn declare_exchange(&mut self, client: usize) {
        let Some(name) = self.chance.pick(&EXCHANGES).copied() else { return };
        self.coverage.add("declarations", 1);
        let (is_fanout, durable) = (name != "dir", name != "passing");
        if !self.model.exchanges.contains_key(name) {
            let exchange = ExchangeModel { is_fanout, durable };
            self.model.exchanges.insert(name.to_owned(), exchange);
            let version = self.changed();
            self.definitions.insert(format!("exchange {name}"), version);
        }
        let declare = DeclareExchange {
            exchange: name.to_owned(),
            kind: if is_fanout { "fanout" } else { "direct" }.to_owned(),
            is_transient: !durable,
            ..DeclareExchange::default()
        };
        let promised = durable.then(|| self.defined(&format!("exchange {name}")));
        let answer = ("exchange.declare-ok", promised);
        self.ask(client, DECLARING, &Operation::DeclareExchange(declare), answer);
    }

    fn bind(&mut self, client: usize) {
        let Some((queue, _)) = self.any_queue(client) else { return };
        let exchanges: Vec<String> = self.model.exchanges.keys().cloned().collect();
        let Some(exchange) = self.chance.pick_from(exchanges) else { return };
        let Some(key) = self.chance.pick(&KEYS).copied() else { return };
        let is_unbind = self.chance.one_in(3);
        let binding = (exchange.clone(), queue.clone(), key.to_owned());
        let has_changed = if is_unbind {
            self.model.bindings.remove(&binding)
        } else {
            self.model.bindings.insert(binding.clone())
        };
        let what = format!("binding {binding:?}");
        if has_changed {
            let version = self.changed();
            self.definitions.insert(what.clone(), version);
        }
        let lasts = self.model.queues[&queue].durable && self.model.exchanges[&exchange].durable;
        let promised = lasts.then(|| self.defined(&what));
        let bind = Bind {
            is_unbind,
            source: exchange,
            destination: queue,
            routing_key: key.to_owned(),
            ..Bind::default()
        };
        let name = if is_unbind { "queue.unbind-ok" } else { "queue.bind-ok" };
        self.ask(client, DECLARING, &Operation::Bind(bind), (name, promised));
    }

    fn purge_or_delete(&mut self, client: usize) {
        let Some((queue, _)) = self.any_queue(client) else { return };
        if self.chance.one_in(2) {
            self.coverage.add("purges", 1);
            self.model.queues.get_mut(&queue).into_iter().for_each(|known| known.purge());
            self.changed();
            let purge = Operation::PurgeQueue { queue, nowait: false };
            return self.ask(client, DECLARING, &purge, ("queue.purge-ok", None));
        }
        self.coverage.add("deletions", 1);
        let durable = self.model.queues[&queue].durable;
        self.model.delete_queue(&queue);
        let version = self.changed();
        let (if_unused, if_empty, nowait) = (false, false, false);
        let delete = Operation::DeleteQueue { queue, if_unused, if_empty, nowait };
        let answer = ("queue.delete-ok", durable.then_some(version));
        self.ask(client, DECLARING, &delete, answer);
    }

    fn delete_exchange(&mut self, client: usize) {
        let exchanges: Vec<String> = self.model.exchanges.keys().cloned().collect();
        let exchange = self.chance.pick_from(exchanges).filter(|_| self.chance.one_in(4));
        let Some(exchange) = exchange else { return };
        self.coverage.add("deletions", 1);
        let durable = self.model.exchanges[&exchange].durable;
        self.model.delete_exchange(&exchange);
        let version = self.changed();
        let delete = Operation::DeleteExchange { exchange, if_unused: false, nowait: false };
        let answer = ("exchange.delete-ok", durable.then_some(version));
        self.ask(client, DECLARING, &delete, answer);
    }

    /// When this was declared; what was there at the start is on disk.
    fn defined(&self, what: &str) -> u64 {
        self.definitions.get(what).copied().unwrap_or(0)
    }

    fn declared_at(&self, queue: &str) -> u64 {
        let life = self.model.queues[queue].life;
        self.defined(&format!("queue {queue} {life}"))
    }
}
