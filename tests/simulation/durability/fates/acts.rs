//! What clients do, and what they are told of it.

use std::collections::BTreeMap;

use super::book::{Answer, End, Heard, Key, Sent};
use super::rules::{BURY, LAST, LATER, QUEUES};
use super::world::{Client, World};
use crate::client::{Delivery, Incoming, What};
use crate::durability::seat::{Awaited, CONSUMING, DECLARING, PUBLISHING, Seat};
use crate::operation::{Bind, Consume, DeclareExchange, DeclareQueue, Operation, Publish};

/// Clients that do things, by number.
const CLIENTS: std::ops::Range<usize> = 1..4;

/// The exchange whose messages come to several queues, and these.
const FAN: &str = "fan";
const FAN_QUEUES: [&str; 2] = ["a0", "b0"];

/// Messages that are out with a client before it does nothing but end deliveries.
const OUT_MAX: usize = 12;

impl World {
    pub(super) fn seat(&mut self, client: usize) -> &mut Seat {
        self.node.seats.get_mut(&client).unwrap()
    }

    pub(super) fn client(&mut self, client: usize) -> &mut Client {
        self.clients.entry(client).or_default()
    }

    pub(super) fn say(&mut self, client: usize, channel: u16, operation: &Operation) {
        self.note(format!("{client}: {operation:?}"));
        let now = self.now;
        self.seat(client).send(channel, operation, now);
    }

    fn ask(&mut self, client: usize, channel: u16, operation: &Operation, name: &'static str) {
        self.seat(client).awaited = Some(Awaited::Answer { name, version: None });
        self.say(client, channel, operation);
    }

    pub(super) fn connect(&mut self, client: usize, prefetch: u16) {
        let seat = Seat::new(self.node.broker.clone(), false, prefetch, self.now);
        self.node.seats.insert(client, seat);
        self.clients.insert(client, Client::default());
    }

    /// All there is, once.
    pub(super) fn declare(&mut self) -> Result<(), String> {
        let client = CLIENTS.start;
        self.connect(client, 1);
        for (name, kind) in [(LATER, "x-delayed-message"), (BURY, "direct"), (FAN, "fanout")] {
            let declare = DeclareExchange {
                exchange: name.to_owned(),
                kind: kind.to_owned(),
                delayed_kind: (name == LATER).then(|| "direct".to_owned()),
                ..DeclareExchange::default()
            };
            let declare = Operation::DeclareExchange(declare);
            self.ask_now(client, &declare, "exchange.declare-ok")?;
        }
        for queue in QUEUES {
            let arguments = self.rules[queue].arguments();
            let name = queue.to_owned();
            let declare =
                DeclareQueue { queue: name, durable: true, arguments, ..DeclareQueue::default() };
            self.ask_now(client, &Operation::DeclareQueue(declare), "queue.declare-ok")?;
            for source in [LATER, BURY, FAN] {
                if source == FAN && !FAN_QUEUES.contains(&queue) {
                    continue;
                }
                let (source, destination) = (source.to_owned(), queue.to_owned());
                let routing_key = queue.to_owned();
                let bind = Bind { source, destination, routing_key, ..Bind::default() };
                self.ask_now(client, &Operation::Bind(bind), "queue.bind-ok")?;
            }
        }
        Ok(())
    }

    fn ask_now(
        &mut self,
        client: usize,
        operation: &Operation,
        name: &'static str,
    ) -> Result<(), String> {
        self.ask(client, DECLARING, operation, name);
        self.flush()
    }

    pub(super) fn act(&mut self) -> Result<(), String> {
        let client = CLIENTS.start + self.chance.below(CLIENTS.len());
        let out_count = self.clients.get(&client).map_or(0, |client| client.out.len());
        match self.node.seats.get(&client) {
            None => {
                let prefetch = u16::try_from(1 + self.chance.below(5)).unwrap();
                self.connect(client, prefetch);
            }
            Some(_) if self.chance.one_in(60) => self.lose(client),
            Some(seat) if !seat.is_free() => {}
            Some(_) if out_count > OUT_MAX => self.end_delivery(client),
            Some(_) => match self.chance.below(12) {
                0..5 => self.publish(client),
                5..9 => self.end_delivery(client),
                9 => self.get(client),
                10 => self.consume(client),
                _ => self.cancel(client),
            },
        }
        self.settle()
    }

    /// The socket of a client is gone, and the broker gives back what it held.
    pub(super) fn lose(&mut self, client: usize) {
        self.note(format!("{client}: gone"));
        self.coverage.add("connections lost", 1);
        if let Some(seat) = self.node.seats.remove(&client) {
            if matches!(seat.awaited, Some(Awaited::Get { .. })) {
                self.book.forget_orders();
            }
            seat.leave(self.now);
        }
        let gone = self.clients.remove(&client).unwrap_or_default();
        for key in gone.out.values() {
            self.end(key, End::Failed);
        }
    }

    pub(super) fn end(&mut self, key: &Key, end: End) {
        self.book.ended(key, end, self.now.0, &self.rules);
    }

    fn publish(&mut self, client: usize) {
        for _ in 0..=self.chance.below(5) {
            let Some(queue) = self.chance.pick(&QUEUES[..QUEUES.len() - 1]).copied() else {
                return;
            };
            let (exchange, queues) = match self.chance.below(8) {
                0 => (FAN, FAN_QUEUES.to_vec()),
                1 | 2 => (LATER, vec![queue]),
                _ => ("", vec![queue]),
            };
            let delay_ms = (exchange == LATER && !self.chance.one_in(4))
                .then(|| 1 + self.chance.below(700) as u64);
            self.next_message += 1;
            let size = if self.chance.one_in(6) { 3000 } else { 200 };
            let publish = Publish {
                message: self.next_message,
                exchange: exchange.to_owned(),
                routing_key: queue.to_owned(),
                is_persistent: !self.chance.one_in(6),
                size: 8 + self.chance.below(size),
                expiration_ms: self.chance.one_in(4).then(|| self.chance.below(600) as u64),
                priority: self
                    .chance
                    .one_in(3)
                    .then(|| u8::try_from(self.chance.below(8)).unwrap()),
                delay_ms,
                ..Publish::default()
            };
            self.coverage.add("publishes", 1);
            self.coverage.add("publishes to several", u64::from(exchange == FAN));
            self.coverage.add("publishes that wait", u64::from(delay_ms.is_some()));
            let ttl_of = |queue: &str| (queue.to_owned(), self.rules[queue].in_force().ttl_ms);
            let queues: BTreeMap<_, _> = queues.into_iter().map(ttl_of).collect();
            self.client(client).published += 1;
            let number = self.client(client).published;
            self.client(client).unanswered.insert(number, publish.message);
            self.say(client, PUBLISHING, &Operation::Publish(publish.clone()));
            let is_taken = self.seat(client).is_free();
            let sent = Sent {
                publisher: client,
                at: self.now.0,
                is_taken,
                delay_ms: delay_ms.unwrap_or(0),
                expiration_ms: publish.expiration_ms,
                priority: publish.priority,
                is_persistent: publish.is_persistent,
                queues,
                answer: Answer::None,
                life: self.book.life,
            };
            self.book.sent.insert(publish.message, sent);
        }
    }

    fn end_delivery(&mut self, client: usize) {
        let tags: Vec<u64> = self.client(client).out.keys().copied().collect();
        let Some(tag) = self.chance.pick(&tags).copied() else { return };
        let multiple = self.chance.one_in(3);
        let (operation, end) = match self.chance.below(10) {
            0..4 => (Operation::Ack { tag, multiple }, End::Accepted),
            4 | 5 => (Operation::Nack { tag, multiple, requeue: true }, End::Returned),
            6 | 7 => (Operation::Reject { tag, requeue: true }, End::Failed),
            8 => (Operation::Reject { tag, requeue: false }, End::Rejected),
            _ => (Operation::Nack { tag, multiple, requeue: false }, End::Rejected),
        };
        let is_many = multiple && !matches!(operation, Operation::Reject { .. });
        self.say(client, CONSUMING, &operation);
        let is_meant = |other: &u64| *other == tag || is_many && *other < tag;
        for tag in tags.into_iter().filter(is_meant) {
            let Some(key) = self.client(client).out.remove(&tag) else { continue };
            let name = match end {
                End::Accepted => "accepted",
                End::Rejected => "rejected",
                End::Returned => "requeues",
                End::Failed => "failures",
            };
            self.coverage.add(name, 1);
            self.end(&key, end);
            self.coverage.add("retries that wait", u64::from(self.book.waits(&key, self.now.0)));
        }
    }

    fn get(&mut self, client: usize) {
        let Some(queue) = self.chance.pick(&QUEUES).copied() else { return };
        self.coverage.add("gets", 1);
        let (queue, no_ack) = (queue.to_owned(), self.chance.one_in(4));
        self.seat(client).awaited = Some(Awaited::Get { queue: queue.clone(), life: 0, no_ack });
        self.say(client, CONSUMING, &Operation::Get { queue, no_ack });
    }

    fn consume(&mut self, client: usize) {
        let Some(queue) = self.chance.pick(&QUEUES).copied() else { return };
        if self.client(client).consumers.len() < 2 {
            let no_ack = self.chance.one_in(6);
            self.consume_from(client, queue, no_ack);
        }
    }

    pub(super) fn consume_from(&mut self, client: usize, queue: &'static str, no_ack: bool) {
        let known = self.client(client);
        known.consumer_count += 1;
        let consumer_tag = format!("c{}", known.consumer_count);
        known.consumers.insert(consumer_tag.clone(), (queue, no_ack));
        let queue = queue.to_owned();
        let consume = Consume { queue, consumer_tag, no_ack, ..Consume::default() };
        self.ask(client, CONSUMING, &Operation::Consume(consume), "basic.consume-ok");
    }

    fn cancel(&mut self, client: usize) {
        let tags: Vec<String> = self.client(client).consumers.keys().cloned().collect();
        let Some(consumer_tag) = self.chance.pick_from(tags) else { return };
        let cancel = Operation::Cancel { consumer_tag: consumer_tag.clone(), nowait: false };
        self.ask(client, CONSUMING, &cancel, "basic.cancel-ok");
        self.client(client).consumers.remove(&consumer_tag);
    }

    pub(super) fn hear(&mut self, client: usize, incoming: Incoming) -> Result<(), String> {
        let Incoming { channel, what } = incoming;
        self.note(format!("  {client} hears {what:?}"));
        match what {
            What::Delivery(delivery) => self.hear_delivery(client, &delivery),
            What::Confirm { tag, multiple, is_refusal } => {
                self.hear_answer(client, tag, multiple, is_refusal)
            }
            What::Refused { code } => {
                Err(format!("client {client} is refused on channel {channel}: {code}"))
            }
            What::Answer("basic.get-empty") => {
                self.seat(client).awaited = None;
                Ok(())
            }
            What::Declared { .. } => self.answered(client, "queue.declare-ok"),
            What::Answer(told) => self.answered(client, told),
            other => Err(format!("client {client} hears {other:?}")),
        }
    }

    fn answered(&mut self, client: usize, told: &str) -> Result<(), String> {
        let seat = self.seat(client);
        match &seat.awaited {
            Some(Awaited::Answer { name, .. }) if *name == told => seat.awaited = None,
            Some(other) if !is_of_login(told) => {
                return Err(format!("client {client} is told {told} and waits for {other:?}"));
            }
            _ => {}
        }
        Ok(())
    }

    fn hear_answer(
        &mut self,
        client: usize,
        tag: u64,
        multiple: bool,
        is_refusal: bool,
    ) -> Result<(), String> {
        let open = &mut self.client(client).unanswered;
        let first = if multiple { 0 } else { tag };
        let answered: BTreeMap<u64, u64> = open.extract_if(first..=tag, |_, _| true).collect();
        if !answered.contains_key(&tag) {
            return Err(format!("client {client} is told of publish {tag} again"));
        }
        let name = if is_refusal { "refusals" } else { "confirms" };
        self.coverage.add(name, answered.len() as u64);
        for message in answered.into_values() {
            match self.book.sent.get_mut(&message) {
                Some(_) if is_refusal => self.book.refused(message)?,
                Some(sent) => sent.answer = Answer::Confirmed,
                None => {}
            }
        }
        Ok(())
    }

    fn hear_delivery(&mut self, client: usize, delivery: &Delivery) -> Result<(), String> {
        let source = match &delivery.consumer_tag {
            Some(tag) => self.client(client).consumers.get(tag).copied(),
            None => match self.seat(client).awaited.take() {
                Some(Awaited::Get { queue, no_ack, .. }) => {
                    QUEUES.iter().find(|name| **name == queue).map(|name| (*name, no_ack))
                }
                _ => None,
            },
        };
        let Some((queue, no_ack)) = source else {
            return Err(format!("client {client} gets message {} for nothing", delivery.message));
        };
        self.coverage.add("deliveries", 1);
        self.coverage.add("redeliveries", u64::from(delivery.redelivered));
        self.coverage.add("accepted", u64::from(no_ack));
        let heard = Heard { now: self.now.0, client, queue, no_ack, delivery };
        let key = self.book.delivered(&heard, &self.rules)?;
        if !no_ack {
            self.client(client).out.insert(delivery.tag, key);
        }
        if queue == LAST && delivery.deaths.is_empty() {
            return Err(format!("message {} came to the end at once", delivery.message));
        }
        Ok(())
    }
}

fn is_of_login(name: &str) -> bool {
    name.starts_with("connection.")
        || ["channel.open-ok", "confirm.select-ok", "tx.select-ok", "basic.qos-ok"].contains(&name)
}
