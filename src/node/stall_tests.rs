//! A disk that does not answer under a whole node in this process: who waits for it, and who must
//! not. The disk stalls until the test lets it go on, so nothing here depends on how fast anything
//! is; how long messages take meanwhile is measured by `benches/stall`.

use std::sync::Arc;
use std::time::Duration;

use futures_lite::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicPublishOptions,
    ConfirmSelectOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, Consumer, ExchangeKind, PublisherConfirm,
};

use super::test_node::{Node, in_time};
use crate::limits::LOG_PENDING_SIZE_MAX;
use crate::store::{Faults, FaultyStorage, MemoryStorage, Operation};

/// The calls with which a batch of the log waits for the disk.
const STALLS: [Operation; 2] = [Operation::Write, Operation::Sync];

/// A node with a durable queue `durable` and a transient one, whose disk stalls at will; clients
/// are connected before.
struct Stall {
    node: Node,
    faults: Faults,
    /// Publishes what must be on disk, and awaits confirms.
    lasting: Channel,
    /// Has nothing to do with the disk.
    passing: Channel,
    connections: [Connection; 2],
}

impl Stall {
    async fn prepare() -> Self {
        let faults = Faults::new();
        let disk = FaultyStorage::new(Arc::new(MemoryStorage::new(1 << 28)), faults.clone());
        let node = Node::start(Arc::new(disk));
        let connections = [node.connect().await, node.connect().await];
        let [lasting, passing] = [&connections[0], &connections[1]].map(Connection::create_channel);
        let (lasting, passing) = (lasting.await.unwrap(), passing.await.unwrap());
        lasting.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        declare(&lasting, "durable").await;
        declare(&passing, "transient").await;
        Self { node, faults, lasting, passing, connections }
    }

    /// From now on the log's thread is in a call that does not come back.
    async fn begin(&self, stall: Operation) -> PublisherConfirm {
        self.faults.stall(stall);
        let confirm = publish(&self.lasting, "durable", 2, b"first").await;
        while self.faults.waiting_count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        confirm
    }

    /// The disk goes on; all that was promised is told.
    async fn end(self, confirms: Vec<PublisherConfirm>) {
        assert_eq!(self.faults.waiting_count(), 1, "the log's thread, and nobody else");
        self.faults.heal();
        for confirm in confirms {
            assert!(matches!(in_time(confirm).await.unwrap(), Confirmation::Ack(_)));
        }
        drop(self.connections);
        self.node.threads.stop();
    }
}

/// Declares a queue that is durable where it is called so.
async fn declare(channel: &Channel, queue: &str) {
    let options = QueueDeclareOptions { durable: queue == "durable", ..<_>::default() };
    in_time(channel.queue_declare(queue.into(), options, FieldTable::default())).await.unwrap();
}

async fn publish(channel: &Channel, queue: &str, mode: u8, body: &[u8]) -> PublisherConfirm {
    let properties = BasicProperties::default().with_delivery_mode(mode);
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish("".into(), queue.into(), options, body, properties);
    in_time(sent).await.unwrap()
}

async fn consume(channel: &Channel, queue: &str) -> Consumer {
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    in_time(channel.basic_consume(queue.into(), "".into(), options, none)).await.unwrap()
}

/// The next message's body, acknowledged.
async fn take(consumer: &mut Consumer) -> Vec<u8> {
    let delivery = in_time(consumer.next()).await.unwrap().unwrap();
    in_time(delivery.ack(BasicAckOptions::default())).await.unwrap();
    delivery.data
}

async fn get(channel: &Channel, queue: &str) -> Option<Vec<u8>> {
    let got = in_time(channel.basic_get(queue.into(), BasicGetOptions { no_ack: true })).await;
    got.unwrap().map(|message| message.delivery.data.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_disk_stalls_transient_messages_come_and_are_acknowledged() {
    for stall in STALLS {
        let world = Stall::prepare().await;
        let mut consumer = consume(&world.passing, "transient").await;
        let confirm = world.begin(stall).await;
        let publisher = in_time(world.node.connect()).await;
        let channel = in_time(publisher.create_channel()).await.unwrap();
        in_time(channel.confirm_select(ConfirmSelectOptions::default())).await.unwrap();
        for number in 0..100 {
            let confirm = publish(&channel, "transient", 1, &[number]).await;
            assert!(matches!(in_time(confirm).await.unwrap(), Confirmation::Ack(_)));
            assert_eq!(take(&mut consumer).await, [number]);
        }
        // By a durable queue too, behind the message that is not on disk yet.
        let mut consumer = consume(&world.passing, "durable").await;
        publish(&channel, "durable", 1, b"second").await;
        assert_eq!(take(&mut consumer).await, b"first");
        assert_eq!(take(&mut consumer).await, b"second");
        world.end(vec![confirm]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_disk_stalls_what_is_transient_is_declared_bound_and_deleted() {
    for stall in STALLS {
        let world = Stall::prepare().await;
        let confirm = world.begin(stall).await;
        // Somebody declares what lasts, which is not on disk yet.
        let declaring = in_time(world.connections[0].create_channel()).await.unwrap();
        let (durable, none) = (QueueDeclareOptions::durable(), FieldTable::default());
        let pending = declaring.queue_declare("other".into(), durable, none.clone());
        let mut pending = std::pin::pin!(pending);
        assert!(futures_lite::future::poll_once(&mut pending).await.is_none());
        while world.node.broker.figures().queues < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let channel = in_time(world.connections[1].create_channel()).await.unwrap();
        for _ in 0..2 {
            declare(&channel, "mine").await;
            let options = ExchangeDeclareOptions::default();
            let declared =
                channel.exchange_declare("e".into(), ExchangeKind::Direct, options, none.clone());
            in_time(declared).await.unwrap();
            for exchange in ["e", "amq.topic"] {
                let options = QueueBindOptions::default();
                let (queue, key) = ("mine".into(), "key".into());
                let bound = channel.queue_bind(queue, exchange.into(), key, options, none.clone());
                in_time(bound).await.unwrap();
            }
        }
        publish(&channel, "mine", 2, b"mine").await;
        assert_eq!(get(&channel, "mine").await, Some(b"mine".to_vec()));
        let gone = channel.queue_delete("mine".into(), QueueDeleteOptions::default());
        in_time(gone).await.unwrap();
        let gone = channel.exchange_delete("e".into(), ExchangeDeleteOptions::default());
        in_time(gone).await.unwrap();
        assert!(futures_lite::future::poll_once(&mut pending).await.is_none());
        world.end(vec![confirm]).await;
        in_time(pending).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_log_has_no_room_transient_messages_pass() {
    for stall in STALLS {
        let world = Stall::prepare().await;
        let mut consumer = consume(&world.passing, "transient").await;
        // It has published before, so that it may be held back at all.
        publish(&world.passing, "transient", 1, b"before").await;
        assert_eq!(take(&mut consumer).await, b"before");
        let mut confirms = vec![world.begin(stall).await];
        let body = vec![0; 64 * 1024];
        for _ in 0..2 * LOG_PENDING_SIZE_MAX / body.len() as u64 {
            confirms.push(publish(&world.lasting, "durable", 2, &body).await);
        }
        while !world.node.log.is_congested() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for number in 0..100 {
            publish(&world.passing, "transient", 1, &[number]).await;
            assert_eq!(take(&mut consumer).await, [number]);
        }
        assert!(world.node.log.is_congested());
        world.end(confirms).await;
    }
}
