//! Floor 4, and with it all below: messages from one client through a queue to another. A round is
//! what one read of a busy publisher's socket brings; doors and system calls are not in it.

use std::sync::Arc;

use leveret::broker::{Broker, BrokerOptions, Left, MemoryOptions};
use leveret::limits::READ_BUFFER_SIZE;
use leveret::protocol::field::FieldTable;
use leveret::protocol::methods::{basic, queue};
use leveret::store::{self, MemoryStorage, StoreOptions};

use crate::client::{Client, NOW};
use crate::wire::{self, CONSUMER_TAG, Content, QUEUE};
use crate::{Operation, Round};

/// Unacknowledged messages that a consumer has at the most.
const PREFETCH_COUNT: u16 = 1000;

/// Deliveries that one acknowledgement is for.
const ACK_STEP: u64 = 100;

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        Operation::new("broker_publish_deliver_16", || publish_deliver(16, usize::MAX)),
        Operation::new("broker_publish_deliver_1024", || publish_deliver(1024, usize::MAX)),
        Operation::new("broker_publish_deliver_16_alone", || publish_deliver(16, 1)),
        Operation::new("broker_publish_deliver_ack_16", || publish_deliver_ack(16)),
        Operation::new("broker_publish_deliver_ack_1024", || publish_deliver_ack(1024)),
    ]
}

/// A broker over a store, as a node has it; the disk is in memory.
fn broker() -> Arc<Broker> {
    let disk = Arc::new(MemoryStorage::new(1 << 30));
    let opened = store::open(disk, StoreOptions::default()).expect("an empty store");
    let (mut writer, left) = Left::part(opened);
    let (options, memory) = (BrokerOptions::default(), MemoryOptions::default());
    let broker = Broker::open(options, [1, 2], left, memory).expect("a broker");
    broker.declare_defaults().expect("a virtual host and a user");
    assert!(writer.write(NOW, true) && writer.sync(), "the disk is in memory");
    Arc::new(broker)
}

/// A publisher, and a consumer of the queue that it publishes to.
fn clients(broker: &Arc<Broker>, no_ack: bool) -> (Client, Client) {
    let (publisher, mut consumer) = (Client::new(broker), Client::new(broker));
    let declare = queue::Declare {
        queue: QUEUE,
        passive: false,
        durable: false,
        exclusive: false,
        auto_delete: false,
        nowait: false,
        arguments: FieldTable::new(),
    };
    let qos = basic::Qos { prefetch_size: 0, prefetch_count: PREFETCH_COUNT, global: false };
    let consume = basic::Consume {
        queue: QUEUE,
        consumer_tag: CONSUMER_TAG,
        no_local: false,
        no_ack,
        exclusive: false,
        nowait: false,
        arguments: FieldTable::new(),
    };
    for bytes in [wire::method(&declare), wire::method(&qos), wire::method(&consume)] {
        assert!(consumer.send(&bytes) > 0, "no answer");
    }
    (publisher, consumer)
}

/// As many publishes as one read brings, at the most `count_max`.
fn one_read(content: &Content<'_>, count_max: usize) -> (Vec<u8>, u64) {
    let publish = content.publish();
    let count = (READ_BUFFER_SIZE / publish.len()).min(count_max);
    (publish.repeat(count), count as u64)
}

/// Transient messages to a consumer that acknowledges nothing.
fn publish_deliver(body_size: usize, count_max: usize) -> Round {
    let (mut publisher, mut consumer) = clients(&broker(), true);
    let content = Content::transient(body_size);
    let (bytes, count) = one_read(&content, count_max);
    let delivery_size = content.delivery().len();
    Box::new(move || {
        publisher.send(&bytes);
        let delivered = (consumer.take() / delivery_size) as u64;
        assert_eq!(delivered, count, "messages are missing");
        count
    })
}

/// The same to one that acknowledges a hundred at once, as soon as it has them.
fn publish_deliver_ack(body_size: usize) -> Round {
    let (mut publisher, mut consumer) = clients(&broker(), false);
    let content = Content::transient(body_size);
    let (bytes, count) = one_read(&content, usize::MAX);
    let delivery_size = content.delivery().len();
    let (mut published, mut delivered, mut acked) = (0, 0, 0);
    Box::new(move || {
        publisher.send(&bytes);
        published += count;
        while delivered < published {
            delivered += (consumer.take() / delivery_size) as u64;
            let acks = (acked / ACK_STEP + 1..=delivered / ACK_STEP)
                .map(|step| basic::Ack { delivery_tag: step * ACK_STEP, multiple: true });
            let acks: Vec<u8> = acks.flat_map(|ack| wire::method(&ack)).collect();
            acked = delivered / ACK_STEP * ACK_STEP;
            delivered += (consumer.send(&acks) / delivery_size) as u64;
        }
        assert_eq!(delivered, published, "more came than was sent");
        count
    })
}
