//! Floor 4, and with it all below: messages from one client through a queue to another. A round is
//! what one read of a busy publisher's socket brings; doors and system calls are not in it.

use std::sync::Arc;

use leveret::broker::{Broker, BrokerOptions, Left, MemoryOptions};
use leveret::limits::READ_BUFFER_SIZE;
use leveret::protocol::field::FieldTable;
use leveret::protocol::methods::{basic, confirm, queue};
use leveret::store::{self, MemoryStorage, StoreOptions, Writer};

use crate::client::{Client, NOW};
use crate::wire::{self, CONSUMER_TAG, Content, QUEUE};
use crate::{Operation, Round};

/// Unacknowledged messages that a consumer has at the most.
const PREFETCH_COUNT: u16 = 1000;

/// Deliveries that one acknowledgement is for.
const ACK_STEP: u64 = 100;

/// Messages of a round in which each comes alone.
const ALONE_COUNT: u64 = 100;

/// Queues that a publisher publishes to in turn.
const QUEUE_COUNT: usize = 25;

/// Bindings of the topic exchange.
const BINDING_COUNT: usize = 10_000;

/// Idle queues, or bindings that match nothing, beside what is measured. A hundred thousand cost as
/// little, and take a minute to declare under callgrind.
const BESIDE_COUNT: usize = 10_000;

/// More keys in turn than a channel remembers.
const FORGOTTEN_COUNT: usize = 20_000;

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        Operation::new("broker_publish_deliver_16", || publish_deliver(16)),
        Operation::new("broker_publish_deliver_1024", || publish_deliver(1024)),
        Operation::new("broker_publish_deliver_16_alone", publish_deliver_alone),
        Operation::new("broker_publish_deliver_ack_16", || publish_deliver_ack(16)),
        Operation::new("broker_publish_deliver_ack_1024", || publish_deliver_ack(1024)),
        Operation::new("broker_publish_deliver_ack_256_queues_in_turn", queues_in_turn),
        Operation::new("broker_publish_confirm_deliver_ack_16", || durable(16, FieldTable::new())),
        Operation::new("broker_publish_confirm_deliver_ack_1024", || {
            durable(1024, FieldTable::new())
        }),
        Operation::new("broker_publish_confirm_deliver_ack_16_limited", || durable(16, limits())),
        Operation::new("broker_publish_confirm_deliver_ack_1024_limited", || {
            durable(1024, limits())
        }),
        Operation::new("broker_publish_deliver_topic_remembered", || topic(BINDING_COUNT, 16)),
        Operation::new("broker_publish_deliver_topic_forgotten", || {
            topic(FORGOTTEN_COUNT, FORGOTTEN_COUNT)
        }),
        Operation::new("broker_publish_deliver_16_beside_0", || beside(0, 0)),
        Operation::new("broker_publish_deliver_16_beside_queues", || beside(BESIDE_COUNT, 0)),
        Operation::new("broker_publish_deliver_16_beside_bindings", || beside(0, BESIDE_COUNT)),
    ]
}

/// A broker over a store, as a node has it, the disk in memory; a publisher, and a consumer of the
/// queue that it publishes to.
struct Setting {
    writer: Writer,
    publisher: Client,
    consumer: Client,
}

impl Setting {
    fn new(durable: bool, no_ack: bool) -> Self {
        Self::with_arguments(durable, no_ack, FieldTable::new())
    }

    /// The same with these arguments of the queue.
    fn with_arguments(durable: bool, no_ack: bool, arguments: FieldTable) -> Self {
        let (writer, broker) = open();
        let (publisher, consumer) = (Client::new(&broker), Client::new(&broker));
        let mut setting = Self { writer, publisher, consumer };
        setting.declare(QUEUE, durable, arguments);
        setting.consume(QUEUE, CONSUMER_TAG, no_ack);
        setting
    }

    fn declare(&mut self, queue: &str, durable: bool, arguments: FieldTable) {
        let consumer = &mut self.consumer;
        let declare = queue::Declare {
            queue,
            passive: false,
            durable,
            exclusive: false,
            auto_delete: false,
            nowait: false,
            arguments,
        };
        let declared = consumer.send(&wire::method(&declare)) + consumer.take();
        self.writer.turn(NOW);
        assert!(declared + consumer.take() > 0, "the queue was not declared");
    }

    fn consume(&mut self, queue: &str, consumer_tag: &str, no_ack: bool) {
        let consumer = &mut self.consumer;
        let qos = basic::Qos { prefetch_size: 0, prefetch_count: PREFETCH_COUNT, global: false };
        let consume = basic::Consume {
            queue,
            consumer_tag,
            no_local: false,
            no_ack,
            exclusive: false,
            nowait: false,
            arguments: FieldTable::new(),
        };
        assert!(consumer.send(&wire::method(&qos)) > 0, "no prefetch");
        assert!(consumer.send(&wire::method(&consume)) > 0, "no consumer");
    }
}

fn open() -> (Writer, Arc<Broker>) {
    let disk = Arc::new(MemoryStorage::new(1 << 30));
    let opened = store::open(disk, StoreOptions::default()).expect("an empty store");
    let (mut writer, left) = Left::part(opened);
    let (options, memory) = (BrokerOptions::default(), MemoryOptions::default());
    let broker = Broker::open(options, [1, 2], left, memory).expect("a broker");
    broker.declare_defaults().expect("a virtual host and a user");
    assert!(writer.write(NOW, true) && writer.sync(), "the disk is in memory");
    (writer, Arc::new(broker))
}

/// As many publishes as one read brings.
fn one_read(content: &Content<'_>) -> (Vec<u8>, u64) {
    let publish = content.publish();
    let count = READ_BUFFER_SIZE / publish.len();
    (publish.repeat(count), count as u64)
}

/// Transient messages to a consumer that acknowledges nothing.
fn publish_deliver(body_size: usize) -> Round {
    let Setting { writer, mut publisher, mut consumer } = Setting::new(false, true);
    let content = Content::transient(body_size);
    let (bytes, count) = one_read(&content);
    let delivery_size = content.delivery().len();
    let written = writer.counts().batches;
    Box::new(move || {
        publisher.send(&bytes);
        let delivered = (consumer.take() / delivery_size) as u64;
        assert_eq!(delivered, count, "messages are missing");
        assert_eq!(writer.counts().batches, written, "the log has nothing to do with them");
        count
    })
}

/// The same, where each is delivered before the next one comes.
fn publish_deliver_alone() -> Round {
    let Setting { writer: _writer, mut publisher, mut consumer } = Setting::new(false, true);
    let content = Content::transient(16);
    let (bytes, delivery_size) = (content.publish(), content.delivery().len());
    Box::new(move || {
        for _ in 0..ALONE_COUNT {
            publisher.send(&bytes);
            assert_eq!(consumer.take(), delivery_size, "a message is missing");
        }
        ALONE_COUNT
    })
}

/// The same to one that acknowledges a hundred at once, as soon as it has them.
fn publish_deliver_ack(body_size: usize) -> Round {
    let Setting { writer: _writer, mut publisher, consumer } = Setting::new(false, false);
    let content = Content::transient(body_size);
    let (bytes, count) = one_read(&content);
    let mut acks = Acks::new(consumer, content.delivery().len());
    Box::new(move || {
        publisher.send(&bytes);
        acks.take_all(count);
        count
    })
}

/// The same through one queue after the other, so that no two neighbors go the same way.
fn queues_in_turn() -> Round {
    let mut setting = Setting::new(false, false);
    let names: Vec<_> = (0..QUEUE_COUNT).map(|number| format!("queue-{number:02}")).collect();
    for name in &names {
        setting.declare(name, false, FieldTable::new());
        setting.consume(name, name, false);
    }
    let Setting { writer: _writer, mut publisher, consumer } = setting;
    let contents =
        names.iter().map(|name| Content { routing_key: name, ..Content::transient(256) });
    let publishes: Vec<_> = contents.map(|content| content.publish()).collect();
    let turns = READ_BUFFER_SIZE / publishes.concat().len();
    let (bytes, count) = (publishes.concat().repeat(turns), (turns * QUEUE_COUNT) as u64);
    let first = Content { routing_key: &names[0], ..Content::transient(256) };
    let mut acks = Acks::new(consumer, first.delivery_to(&names[0]).len());
    Box::new(move || {
        publisher.send(&bytes);
        acks.take_all(count);
        count
    })
}

/// What a careful user sets, and what these messages never come to.
fn limits() -> FieldTable {
    let mut limits = FieldTable::new();
    limits.insert("x-message-ttl", 3_600_000);
    limits.insert("x-max-length", 10_000_000);
    limits.insert("x-dead-letter-exchange", "amq.fanout");
    limits
}

/// Persistent messages to a durable queue, in confirm mode: all of a read are written, synced and
/// confirmed before the consumer has its turn. What is acknowledged before that is not written.
fn durable(body_size: usize, arguments: FieldTable) -> Round {
    let setting = Setting::with_arguments(true, false, arguments);
    let Setting { mut writer, mut publisher, consumer } = setting;
    assert!(publisher.send(&wire::method(&confirm::Select { nowait: false })) > 0, "no confirms");
    let content = Content::persistent(body_size);
    let (bytes, count) = one_read(&content);
    let mut acks = Acks::new(consumer, content.delivery().len());
    Box::new(move || {
        let early = publisher.send(&bytes) + publisher.take();
        assert_eq!(early, 0, "confirmed before it is on disk");
        assert!(writer.turn(NOW), "nothing was written");
        assert!(publisher.take() > 0, "nothing was confirmed");
        acks.take_all(count);
        count
    })
}

/// Messages by a topic exchange with very many bindings, of which each matches one; `key_count`
/// keys in turn: few are remembered by the channel, many are not.
fn topic(binding_count: usize, key_count: usize) -> Round {
    let Setting { writer: _writer, mut publisher, mut consumer } = Setting::new(false, true);
    for number in 0..binding_count {
        let bind = queue::Bind {
            queue: QUEUE,
            exchange: "amq.topic",
            routing_key: &format!("orders.{number:05}.*"),
            nowait: true,
            arguments: FieldTable::new(),
        };
        publisher.send(&wire::method(&bind));
    }
    let reads = topic_reads(binding_count, key_count);
    let mut reads = reads.into_iter().cycle();
    let delivery_size = topic_content("orders.00000.created").delivery().len();
    Box::new(move || {
        let (bytes, count) = reads.next().expect("it begins again");
        publisher.send(&bytes);
        assert_eq!((consumer.take() / delivery_size) as u64, count, "messages are missing");
        count
    })
}

/// Messages by a topic exchange, each delivered before the next one comes, beside idle queues, half
/// of them durable, and beside bindings of the same exchange with all that a pattern may have.
fn beside(queue_count: usize, binding_count: usize) -> Round {
    let Setting { mut writer, mut publisher, mut consumer } = Setting::new(false, true);
    let bind = |routing_key: &str| {
        let arguments = FieldTable::new();
        let bind = queue::Bind {
            queue: QUEUE,
            exchange: "amq.topic",
            routing_key,
            nowait: true,
            arguments,
        };
        wire::method(&bind)
    };
    publisher.send(&bind("orders.*"));
    for number in 0..queue_count {
        let declare = queue::Declare {
            queue: &format!("idle-{number}"),
            passive: false,
            durable: number % 2 == 0,
            exclusive: false,
            auto_delete: false,
            nowait: true,
            arguments: FieldTable::new(),
        };
        publisher.send(&wire::method(&declare));
    }
    for number in 0..binding_count {
        let pattern = ["idle.{}.*", "idle.*.{}", "idle.{}.#", "idle.#.{}"][number % 4];
        publisher.send(&bind(&pattern.replace("{}", &number.to_string())));
    }
    writer.write(NOW, true);
    let content = topic_content("orders.created");
    let (bytes, delivery_size) = (content.publish(), content.delivery().len());
    Box::new(move || {
        for _ in 0..ALONE_COUNT {
            publisher.send(&bytes);
            assert_eq!(consumer.take(), delivery_size, "a message is missing");
        }
        ALONE_COUNT
    })
}

fn topic_content(routing_key: &str) -> Content<'_> {
    Content { exchange: "amq.topic", routing_key, ..Content::transient(16) }
}

/// What some reads bring, one after the other, and how many publishes each has.
fn topic_reads(binding_count: usize, key_count: usize) -> Vec<(Vec<u8>, u64)> {
    let keys = (0..binding_count).map(|number| format!("orders.{:05}.created", number % key_count));
    let publishes: Vec<_> = keys.map(|key| topic_content(&key).publish()).collect();
    let count = READ_BUFFER_SIZE / publishes[0].len();
    publishes.chunks(count).map(|read| (read.concat(), read.len() as u64)).collect()
}

/// A consumer that acknowledges.
struct Acks {
    consumer: Client,
    delivery_size: usize,
    expected: u64,
    delivered: u64,
    acked: u64,
}

impl Acks {
    fn new(consumer: Client, delivery_size: usize) -> Self {
        Self { consumer, delivery_size, expected: 0, delivered: 0, acked: 0 }
    }

    /// Takes `count` more messages, and acknowledges in full steps.
    fn take_all(&mut self, count: u64) {
        self.expected += count;
        while self.delivered < self.expected {
            let mut size = self.consumer.take();
            self.delivered += (size / self.delivery_size) as u64;
            size += self.ack();
            assert!(size > 0, "messages are missing");
        }
        assert_eq!(self.delivered, self.expected, "more came than was sent");
    }

    fn ack(&mut self) -> usize {
        let steps = self.acked / ACK_STEP + 1..=self.delivered / ACK_STEP;
        let acks = steps
            .map(|step| basic::Ack { delivery_tag: step * ACK_STEP, multiple: true })
            .flat_map(|ack| wire::method(&ack));
        let bytes: Vec<u8> = acks.collect();
        self.acked = self.delivered / ACK_STEP * ACK_STEP;
        let size = self.consumer.send(&bytes);
        self.delivered += (size / self.delivery_size) as u64;
        size
    }
}
