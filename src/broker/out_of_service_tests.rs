//! Panics planted under a queue's lock, in a broker over a disk in memory: what is there after the
//! queue was read again, what its clients hear, and what of everybody else is untouched. Over
//! sockets this is shown in `node::store_threads`.

use std::panic::{AssertUnwindSafe, catch_unwind};
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
struct World {
    disk: MemoryStorage,
    writer: Writer,
    broker: Arc<Broker>,
}

impl World {
    fn new() -> Self {
        let world = Self::open(MemoryStorage::new(1 << 26));
        world.broker.declare_defaults().unwrap();
        world
    }

    fn open(disk: MemoryStorage) -> Self {
        let opened = crate::store::open(Arc::new(disk.clone()), StoreOptions::default()).unwrap();
        let (writer, left) = Left::part(opened);
        let (options, memory) = (BrokerOptions::default(), MemoryOptions::default());
        let broker = Broker::open(options, [1, 2], left, memory).unwrap();
        Self { disk, writer, broker: Arc::new(broker) }
    }

    /// The process is killed, and starts again.
    fn killed(self) -> Self {
        let disk = self.disk.kill();
        drop(self);
        Self::open(disk)
    }

    /// The log's thread and the reader's come round.
    fn turn(&mut self) {
        self.writer.write(Moment(1), true);
        self.writer.sync();
        while self.broker.fetch(Moment(1)) {}
    }

    fn client(&self) -> Client {
        let mut session = Session::new(self.broker.clone(), Peer { address: None }, Moment(0));
        let host = self.broker.virtual_host("/").unwrap();
        let permissions = Arc::new(Permissions::new(".*", ".*", ".*").unwrap());
        session.place = Some(Place { host, permissions });
        session.channels.insert(1, session.new_channel());
        Client { session, confirm: 0 }
    }
}

/// A session without its connection machine: what it would tell it is looked at here.
struct Client {
    session: Session,
    /// The number of the last publish.
    confirm: u64,
}

/// A delivery: body, and whether it is flagged.
type Seen = (String, bool);

impl Client {
    fn declare(&mut self, queue: &str, durable: bool) {
        self.session.declare_queue(&DeclareQueue { durable, ..declaration(queue) }).unwrap();
    }

    /// What a passive declare answers: how many messages, or the refusal's text.
    fn look_at(&mut self, queue: &str) -> Result<u32, String> {
        let passive = DeclareQueue { passive: true, ..declaration(queue) };
        match self.session.declare_queue(&passive) {
            Ok(Reply::QueueDeclared { message_count, .. }) => Ok(message_count),
            other => Err(format!("{other:?}")),
        }
    }

    fn publish(&mut self, queue: &str, bodies: &[&str]) {
        let mut batch = Batch::default();
        for body in bodies {
            self.confirm += 1;
            let properties = &[0, 0];
            let envelope =
                Envelope { exchange: "", routing_key: queue, properties, is_persistent: true };
            let message = Message::new(envelope, Body::Copied(body.as_bytes()));
            let (confirm, messages) = (self.confirm, MessageRun::one(message));
            let publish = Publish { channel: 1, messages, mandatory: false, confirm, way: None };
            self.session.publish(publish, &mut batch);
        }
        self.session.flush(&mut batch);
    }

    fn consume(&mut self, queue: &str, number: u32) {
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
    fn events(&mut self) -> Vec<Event> {
        self.session.release_durable();
        std::iter::from_fn(|| self.session.mailbox.pop()).collect()
    }

    /// Confirms and refusals of publishes since: the numbers of each.
    fn outcomes(&mut self) -> (Vec<u64>, Vec<u64>) {
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

    fn settle(&mut self, queue: QueueId, sequences: SequenceRange, outcome: Outcome) {
        let sequences = smallvec![sequences];
        let settle = Settle { channel: 1, queue, outcome, to_consumers: 1, sequences };
        self.session.settle(&settle);
    }

    /// Something breaks under the queue's lock, in a step of this client.
    fn plant(&mut self, queue: &str) {
        let host = self.session.place().unwrap().host;
        let handle = host.queue(queue).unwrap();
        let broken = handle.with(&mut self.session.work, |_| panic!("planted"));
        assert!(broken.is_err());
        self.session.look_after_queues();
    }
}

fn declaration(queue: &str) -> DeclareQueue {
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
fn deliveries(events: &[Event]) -> Vec<(QueueId, Sequence, Seen)> {
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

fn bodies(events: &[Event]) -> Vec<Seen> {
    deliveries(events).into_iter().map(|(_, _, seen)| seen).collect()
}

fn flagged(bodies: &[&str]) -> Vec<Seen> {
    bodies.iter().map(|body| ((*body).to_owned(), true)).collect()
}

#[test]
fn what_was_confirmed_before_a_panic_is_delivered_again_in_order() {
    let mut world = World::new();
    let (mut publisher, mut consumer) = (world.client(), world.client());
    publisher.declare("q", true);
    publisher.publish("q", &["a", "b", "c"]);
    world.turn();
    assert_eq!(publisher.outcomes(), (vec![1, 2, 3], vec![]));
    consumer.consume("q", 1);
    let first = deliveries(&consumer.events());
    consumer.settle(first[0].0, SequenceRange::one(first[0].1), Outcome::Accepted);
    publisher.publish("q", &["d"]);
    publisher.plant("q");
    world.turn();
    assert_eq!(publisher.look_at("q"), Ok(3));
    let mut second = world.client();
    second.consume("q", 1);
    world.turn();
    assert_eq!(bodies(&second.events()), flagged(&["b", "c", "d"]));
    assert_eq!(publisher.outcomes(), (vec![4], vec![]), "it was given to the log before");
}

#[test]
fn a_queue_that_broke_cancels_its_consumers_and_refuses_until_it_is_read_again() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.consume("q", 1);
    client.plant("q");
    let events = client.events();
    assert!(matches!(&events[..], [Event::ConsumerCancelled(key)] if key.number == 1));
    let refusal = client.look_at("q").unwrap_err();
    assert!(refusal.contains("queue 'q' in vhost '/' has crashed and failed to restart"));
    assert!(client.session.get(1, "q", false).is_err());
    assert!(client.session.purge_queue("q").is_err());
    world.turn();
    assert_eq!(client.look_at("q"), Ok(0));
}

#[test]
fn a_publish_to_a_queue_out_of_service_is_refused_and_one_after_it_is_confirmed() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.publish("q", &["a"]);
    client.plant("q");
    client.publish("q", &["lost", "lost too"]);
    world.turn();
    assert_eq!(client.outcomes(), (vec![1], vec![2, 3]));
    client.publish("q", &["b"]);
    world.turn();
    assert_eq!(client.outcomes(), (vec![4], vec![]));
    client.consume("q", 1);
    world.turn();
    let seen = bodies(&client.events());
    assert_eq!(seen, [("a".to_owned(), true), ("b".to_owned(), false)]);
}

#[test]
fn a_transaction_with_a_queue_out_of_service_is_not_committed() {
    let world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.session.channels.get_mut(&1).unwrap().transaction = Some(Vec::new());
    client.publish("q", &["a"]);
    client.plant("q");
    let error = format!("{:?}", client.session.commit(1, &[]).unwrap_err());
    assert!(error.contains("partial tx completion"));
}

#[test]
fn an_acknowledgement_of_the_life_before_settles_nothing() {
    let mut world = World::new();
    let (mut old, mut new) = (world.client(), world.client());
    old.declare("q", true);
    old.publish("q", &["a"]);
    old.consume("q", 1);
    let before = deliveries(&old.events());
    old.plant("q");
    world.turn();
    new.consume("q", 1);
    world.turn();
    let after = deliveries(&new.events());
    assert_eq!(before[0].1, after[0].1, "the place is the same");
    assert_ne!(before[0].0, after[0].0, "and it is known under another number");
    old.settle(before[0].0, SequenceRange::one(before[0].1), Outcome::Requeued);
    assert!(new.events().is_empty(), "it is not delivered twice");
    new.settle(after[0].0, SequenceRange::one(after[0].1), Outcome::Accepted);
    world.turn();
    assert_eq!(new.look_at("q"), Ok(0));
    drop((old, new));
    assert_eq!(world.killed().client().look_at("q"), Ok(0));
}

#[test]
fn places_go_on_above_all_that_were_given_before() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.publish("q", &["a", "b"]);
    client.consume("q", 1);
    for (queue, sequence, _) in deliveries(&client.events()) {
        client.settle(queue, SequenceRange::one(sequence), Outcome::Accepted);
    }
    client.plant("q");
    world.turn();
    client.publish("q", &["c"]);
    client.consume("q", 2);
    assert_eq!(deliveries(&client.events())[0].1, 2);
}

#[test]
fn a_restart_after_a_panic_has_everything_once() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.publish("q", &["a", "b"]);
    client.plant("q");
    world.turn();
    client.publish("q", &["c"]);
    client.consume("q", 1);
    world.turn();
    let first = deliveries(&client.events())[0].clone();
    client.settle(first.0, SequenceRange::one(first.1), Outcome::Accepted);
    world.turn();
    drop(client);
    let mut world = world.killed();
    let mut client = world.client();
    client.consume("q", 1);
    world.turn();
    assert_eq!(bodies(&client.events()), flagged(&["b", "c"]));
}

#[test]
fn other_queues_and_clients_are_undisturbed() {
    let mut world = World::new();
    let (mut victim, mut other) = (world.client(), world.client());
    victim.declare("q", true);
    other.declare("other", true);
    other.consume("other", 1);
    victim.consume("q", 1);
    victim.consume("other", 2);
    victim.plant("q");
    other.publish("other", &["a", "b"]);
    world.turn();
    let (ours, theirs) = (victim.events(), other.events());
    assert_eq!(bodies(&ours).len() + bodies(&theirs).len(), 2);
    assert!(!theirs.iter().any(|event| matches!(event, Event::ConsumerCancelled(_))));
    assert!(theirs.iter().any(|event| matches!(event, Event::Confirmed { first: 1, last: 2, .. })));
}

#[test]
fn a_transient_queue_comes_back_empty_at_once() {
    let world = World::new();
    let mut client = world.client();
    client.declare("t", false);
    client.publish("t", &["a"]);
    client.plant("t");
    assert_eq!(client.look_at("t"), Ok(0));
    client.publish("t", &["b"]);
    assert_eq!(client.look_at("t"), Ok(1));
}

#[test]
fn bodies_of_a_queue_that_broke_are_counted_no_longer() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.declare("t", false);
    client.publish("q", &["aaaa"]);
    client.publish("t", &["bb"]);
    let (logged, unlogged) = world.broker.body_memory();
    assert!(logged > 0 && unlogged > 0);
    client.plant("q");
    client.plant("t");
    assert_eq!(world.broker.body_memory(), (0, 0));
    world.turn();
    client.consume("q", 1);
    world.turn();
    for (queue, sequence, _) in deliveries(&client.events()) {
        client.settle(queue, SequenceRange::one(sequence), Outcome::Accepted);
    }
    assert_eq!(world.broker.body_memory(), (0, 0), "what came back is counted, and leaves again");
}

#[test]
fn credit_that_a_broken_step_took_is_free_again() {
    let world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.publish("q", &["a", "b"]);
    let host = client.session.place().unwrap().host;
    let handle = host.queue("q").unwrap();
    client.session.set_prefetch(1, 2, true);
    let state_credit = client.session.channels[&1].credit.clone();
    let consumer = crate::queue::Consumer {
        id: crate::message::ConsumerId(9),
        no_ack: false,
        is_exclusive: false,
        priority: 0,
        prefetch_count: 0,
        channel_credit: Some(state_credit.clone()),
        window: client.session.mailbox.window.clone(),
    };
    let broken = handle.with(&mut client.session.work, |live| {
        live.queue.subscribe(consumer).unwrap();
        let mut effects = Vec::new();
        live.queue.dispatch(&mut effects);
        assert!(!state_credit.take(1), "all of it is taken");
        live.put_off(effects);
        panic!("planted");
    });
    assert!(broken.is_err());
    assert!(state_credit.take(1) && state_credit.take(1) && !state_credit.take(1));
}

#[test]
fn a_queue_out_of_service_can_be_deleted_and_does_not_come_back() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.publish("q", &["a"]);
    client.plant("q");
    let delete = DeleteQueue { queue: "q".into(), if_unused: false, if_empty: false };
    client.session.delete_queue(1, true, &delete).unwrap();
    world.turn();
    assert!(client.look_at("q").unwrap_err().contains("no queue 'q'"));
    client.declare("q", true);
    assert_eq!(client.look_at("q"), Ok(0));
    world.turn();
    drop(client);
    assert_eq!(world.killed().client().look_at("q"), Ok(0));
}

#[test]
fn a_queue_may_break_again() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.publish("q", &["a"]);
    for _ in 0..3 {
        client.plant("q");
        world.turn();
        assert_eq!(client.look_at("q"), Ok(1));
    }
    client.consume("q", 1);
    world.turn();
    assert_eq!(bodies(&client.events()), flagged(&["a"]));
}

#[test]
fn an_exclusive_queue_that_was_read_again_goes_with_its_connection() {
    let world = World::new();
    let mut client = world.client();
    let exclusive = DeclareQueue { exclusive: true, ..declaration("x") };
    client.session.declare_queue(&exclusive).unwrap();
    client.plant("x");
    assert_eq!(client.look_at("x"), Ok(0));
    client.consume("x", 1);
    client.events();
    for queue in std::mem::take(&mut client.session.exclusive_queues) {
        client.session.delete_live_queue(&queue, false);
    }
    assert!(matches!(&client.events()[..], [Event::ConsumerCancelled(_)]), "it was the live one");
    assert!(client.look_at("x").unwrap_err().contains("no queue 'x'"));
}

#[test]
fn a_panic_under_the_definitions_stops_the_node_and_nothing_is_confirmed() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    world.turn();
    client.events();
    assert_eq!(world.broker.failure(), None);
    let host = world.broker.virtual_host("/").unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _definitions = host.definitions();
        panic!("planted");
    }));
    assert!(panicked.is_err());
    assert_eq!(world.broker.failure(), None, "nobody looked yet");
    client.declare("r", true);
    assert_eq!(world.broker.failure(), Some("a panic broke the definitions of a virtual host"));
    client.publish("q", &["a"]);
    world.turn();
    assert_eq!(client.outcomes(), (vec![], vec![1]));
    drop(client);
    let world = world.killed();
    assert!(world.client().look_at("r").is_err(), "what followed the panic is not on disk");
    assert_eq!(world.client().look_at("q"), Ok(0));
}

#[test]
fn what_a_session_holds_of_others_is_given_back_though_it_panics() {
    let mut world = World::new();
    let (mut broken, mut other) = (world.client(), world.client());
    broken.declare("q", true);
    broken.publish("q", &["a"]);
    broken.consume("q", 1);
    let seen = catch_unwind(AssertUnwindSafe(move || {
        let _client = broken;
        panic!("planted");
    }));
    assert!(seen.is_err());
    other.consume("q", 1);
    world.turn();
    assert_eq!(bodies(&other.events()).len(), 1);
    assert_eq!(world.broker.session_count(), 1);
}
