//! Panics planted in a whole node in this process, with its threads, its doors and a client over
//! sockets: what breaks is back, and nobody else notices. What a queue does by itself is shown in
//! `broker::out_of_service_tests`.

use std::sync::Arc;
use std::time::Duration;

use futures_lite::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, Consumer};

use super::test_node::{Node, in_time};
use crate::store::{MemoryStorage, StoreOptions};

async fn declare(channel: &Channel, passive: bool) -> lapin::Result<u32> {
    let options = QueueDeclareOptions { passive, durable: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare("q".into(), options, FieldTable::default()).await?;
    Ok(queue.message_count())
}

/// Publishes a persistent message and tells whether it was confirmed.
async fn is_confirmed(channel: &Channel, body: &[u8]) -> bool {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish("".into(), "q".into(), options, body, properties).await;
    matches!(sent.unwrap().await.unwrap(), Confirmation::Ack(_))
}

async fn consume(channel: &Channel) -> Consumer {
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    channel.basic_consume("q".into(), "".into(), options, none).await.unwrap()
}

/// The next messages, acknowledged where that is asked for: bodies, and whether all were flagged.
async fn take(consumer: &mut Consumer, count: usize, acknowledges: bool) -> (Vec<u8>, bool) {
    let (mut bodies, mut are_flagged) = (Vec::new(), true);
    while bodies.len() < count {
        let delivery = in_time(consumer.next()).await.unwrap().unwrap();
        bodies.extend(&delivery.data);
        are_flagged &= delivery.redelivered;
        if acknowledges {
            delivery.ack(BasicAckOptions::default()).await.unwrap();
        }
    }
    (bodies, are_flagged)
}

/// Until the queue is back in service: who asks before gets 404 and a closed channel.
async fn until_back(connection: &Connection) -> u32 {
    loop {
        let channel = connection.create_channel().await.unwrap();
        match declare(&channel, true).await {
            Ok(count) => return count,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_breaks_is_back_with_all_that_was_confirmed() {
    let node = Node::start(Arc::new(MemoryStorage::new(1 << 28)));
    let (publishing, consuming) = (node.connect().await, node.connect().await);
    let channel = publishing.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    declare(&channel, false).await.unwrap();
    for body in [b"a", b"b", b"c"] {
        assert!(in_time(is_confirmed(&channel, body)).await);
    }
    let mut consumer = consume(&consuming.create_channel().await.unwrap()).await;
    assert_eq!(take(&mut consumer, 3, false).await, (b"abc".to_vec(), false));

    node.broker.plant_panic("/", "q");
    assert!(in_time(consumer.next()).await.is_none(), "the consumer is cancelled");
    assert_eq!(in_time(until_back(&publishing)).await, 3);
    assert!(publishing.status().connected() && consuming.status().connected());
    assert!(in_time(is_confirmed(&channel, b"d")).await);
    let mut consumer = consume(&consuming.create_channel().await.unwrap()).await;
    assert_eq!(take(&mut consumer, 3, true).await, (b"abc".to_vec(), true));
    assert_eq!(take(&mut consumer, 1, false).await, (b"d".to_vec(), false));

    in_time(consuming.close(200, "bye".into())).await.unwrap();
    while in_time(until_back(&publishing)).await != 1 {}
    let node = node.restarted();
    let connection = node.connect().await;
    let mut consumer = consume(&connection.create_channel().await.unwrap()).await;
    assert_eq!(take(&mut consumer, 1, true).await, (b"d".to_vec(), true));
    assert_eq!(in_time(until_back(&connection)).await, 0);
    node.threads.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_session_closes_its_connection_and_no_other() {
    let node = Node::start(Arc::new(MemoryStorage::new(1 << 28)));
    let (victim, other) = (node.connect().await, node.connect().await);
    let channel = victim.create_channel().await.unwrap();
    node.broker.plant_panic_in_session();
    assert!(in_time(declare(&channel, false)).await.is_err());
    let channel = other.create_channel().await.unwrap();
    assert_eq!(in_time(declare(&channel, false)).await, Ok(0));
    while node.broker.session_count() > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(node.broker.failure(), None);
    node.threads.stop();
}

#[tokio::test]
async fn a_node_that_cannot_go_on_says_so_and_its_log_counts_as_torn() {
    let node = Node::start(Arc::new(MemoryStorage::new(1 << 28)));
    node.broker.fail("it broke");
    in_time(node.failed.notified()).await;
    assert_eq!(node.broker.failure(), Some("it broke"));
    node.threads.stop();
    let opened = crate::store::open(node.disk, StoreOptions::default()).unwrap();
    assert!(!opened.was_clean);
}
