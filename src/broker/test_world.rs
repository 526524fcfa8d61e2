//! A broker over a disk in memory whose queues can be broken, and its clients.

use std::sync::Arc;

use smallvec::smallvec;

use super::batch::Batch;
use super::session::Place;
use super::{Broker, BrokerOptions, Left, MemoryOptions, Peer, Session};
use crate::auth::Permissions;
use crate::connection::command::{Consume, DeclareQueue, DeleteQueue};
use crate::connection::{Event, Publish, Reply, Settle};
use crate::message::{
    Body, ConsumerKey, Envelope, Message, MessageRun, Moment, Outcome, QueueId, Sequence,
    SequenceRange,
};
use crate::protocol::field::FieldTable;
use crate::store::{MemoryStorage, StoreOptions, Writer};

/// A broker, and the log's thread by hand.
pub(super) struct World {
    pub(super) disk: MemoryStorage,
    pub(super) writer: Writer,
    pub(super) broker: Arc<Broker>,
}

impl World {
    pub(super) fn new() -> Self {
        let world = Self::open(MemoryStorage::new(1 << 26));
        world.broker.declare_defaults().unwrap();
        world
    }

    pub(super) fn open(disk: MemoryStorage) -> Self {
        Self::open_with(disk, MemoryOptions::default())
    }

    /// The same, with so much room in memory.
    pub(super) fn open_with(disk: MemoryStorage, memory: MemoryOptions) -> Self {
        let opened = crate::store::open(Arc::new(disk.clone()), StoreOptions::default()).unwrap();
        let (writer, left) = Left::part(opened);
        let broker = Broker::open(BrokerOptions::default(), [1, 2], left, memory).unwrap();
        Self { disk, writer, broker: Arc::new(broker) }
    }

    /// The process is killed, and starts again.
    pub(super) fn killed(self) -> Self {
        let disk = self.disk.kill();
        drop(self);
        Self::open(disk)
    }

    /// The log's thread and the reader's come round.
    pub(super) fn turn(&mut self) {
        self.writer.write(Moment(1), true);
        self.writer.sync();
        while self.broker.fetch(Moment(1)) {}
    }

    pub(super) fn client(&self) -> Client {
        let mut session = Session::new(self.broker.clone(), Peer { address: None }, Moment(0));
        let host = self.broker.virtual_host("/").unwrap();
        let permissions = Arc::new(Permissions::new(".*", ".*", ".*").unwrap());
        session.place = Some(Place { host, permissions, topics: None });
        session.channels.insert(1, session.new_channel(1));
        Client { session, confirm: 0 }
    }
}

/// A session without its connection machine: what it would tell it is looked at here.
pub(super) struct Client {
    pub(super) session: Session,
    /// The number of the last publish.
    pub(super) confirm: u64,
}

/// A delivery: body, and whether it is flagged.
pub(super) type Seen = (String, bool);

impl Client {
    pub(super) fn declare_as(&mut self, declaration: &DeclareQueue) {
        self.session.declare_queue(declaration).unwrap();
        self.session.look_after_queues();
    }

    pub(super) fn declare(&mut self, queue: &str, durable: bool) {
        self.session.declare_queue(&DeclareQueue { durable, ..declaration(queue) }).unwrap();
    }

    pub(super) fn delete(&mut self, queue: &str) {
        let delete = DeleteQueue { queue: queue.into(), if_unused: false, if_empty: false };
        self.session.delete_queue(1, false, &delete).unwrap();
    }

    /// What a passive declare answers: how many messages, or the refusal's text.
    pub(super) fn look_at(&mut self, queue: &str) -> Result<u32, String> {
        let passive = DeclareQueue { passive: true, ..declaration(queue) };
        match self.session.declare_queue(&passive) {
            Ok(Reply::QueueDeclared { message_count, .. }) => Ok(message_count),
            other => Err(format!("{other:?}")),
        }
    }

    /// From now on it is this late.
    pub(super) fn at(&mut self, now: u64) -> &mut Self {
        self.session.work.now = Moment(now);
        self
    }

    pub(super) fn publish(&mut self, queue: &str, bodies: &[&str]) {
        self.publish_to("", queue, bodies);
    }

    pub(super) fn publish_to(&mut self, exchange: &str, routing_key: &str, bodies: &[&str]) {
        let mut batch = Batch::default();
        for body in bodies {
            self.confirm += 1;
            let properties = &[0, 0];
            let envelope = Envelope { exchange, routing_key, properties, is_persistent: true };
            let message = Message::new(envelope, Body::Copied(body.as_bytes()));
            let (confirm, messages) = (self.confirm, MessageRun::one(message));
            let publish = Publish { channel: 1, messages, mandatory: false, confirm, way: None };
            self.session.publish(publish, &mut batch);
        }
        self.session.flush(&mut batch);
        self.session.look_after_queues();
    }

    pub(super) fn consume(&mut self, queue: &str, number: u32) {
        let consume = Consume {
            queue: queue.into(),
            consumer: ConsumerKey { channel: 1, number },
            consumer_tag: "tag".into(),
            no_ack: false,
            exclusive: false,
            arguments: FieldTable::new(),
        };
        self.session.consume(&consume, true).unwrap();
    }

    /// What happened since, as the connection would hear it.
    pub(super) fn events(&mut self) -> Vec<Event> {
        self.session.release_durable();
        std::iter::from_fn(|| self.session.mailbox.pop()).collect()
    }

    /// Confirms and refusals of publishes since: the numbers of each.
    pub(super) fn outcomes(&mut self) -> (Vec<u64>, Vec<u64>) {
        let (mut confirmed, mut refused) = (Vec::new(), Vec::new());
        for event in self.events() {
            match event {
                Event::Confirmed { first, last, .. } => confirmed.extend(first..=last),
                Event::Rejected { number, .. } => refused.push(number),
                _ => {}
            }
        }
        (confirmed, refused)
    }

    pub(super) fn settle(&mut self, queue: QueueId, sequences: SequenceRange, outcome: Outcome) {
        let sequences = smallvec![sequences];
        let settle = Settle { channel: 1, queue, outcome, to_consumers: 1, sequences };
        self.session.settle(&settle);
    }

    /// Something breaks under the queue's lock, in a step of this client.
    pub(super) fn plant(&mut self, queue: &str) {
        let host = self.session.place().unwrap().host;
        let handle = host.queue(queue).unwrap();
        let broken = handle.with(&mut self.session.work, |_| panic!("planted"));
        assert!(broken.is_err());
        self.session.look_after_queues();
    }
}

pub(super) fn declaration(queue: &str) -> DeclareQueue {
    DeclareQueue {
        queue: queue.into(),
        is_server_named: false,
        passive: false,
        durable: false,
        exclusive: false,
        auto_delete: false,
        arguments: FieldTable::new(),
    }
}

/// Deliveries among events: under which number of the queue, and each with its place.
pub(super) fn deliveries(events: &[Event]) -> Vec<(QueueId, Sequence, Seen)> {
    let mut seen = Vec::new();
    for event in events {
        let Event::Delivered(delivered) = event else { continue };
        for delivery in &delivered.run {
            let body = String::from_utf8(delivery.message.body_to_vec()).unwrap();
            seen.push((delivered.queue, delivery.sequence, (body, delivery.is_redelivered)));
        }
    }
    seen
}

pub(super) fn bodies(events: &[Event]) -> Vec<Seen> {
    deliveries(events).into_iter().map(|(_, _, seen)| seen).collect()
}

pub(super) fn flagged(bodies: &[&str]) -> Vec<Seen> {
    bodies.iter().map(|body| ((*body).to_owned(), true)).collect()
}
