//! What is there after the broker was ended, in order or by `kill -9`, and started again: real
//! clients, the real binary, real files. Kills under load are in `tests/crash`; power failures are
//! the simulation's business.

use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, BasicRejectOptions,
    ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use rustix::process::Signal;

use crate::process::Process;

/// A client in confirm mode.
pub(crate) async fn connect(process: &Process) -> (Connection, Channel) {
    let uri = format!("amqp://guest:guest@{}/%2f", process.address());
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    (connection, channel)
}

fn persistent() -> BasicProperties {
    BasicProperties::default().with_delivery_mode(2)
}

async fn declare(channel: &Channel, queue: &str, durable: bool) {
    let options = QueueDeclareOptions { durable, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
}

async fn publish(channel: &Channel, exchange: &str, key: &str, body: &str, is_persistent: bool) {
    let properties = if is_persistent { persistent() } else { BasicProperties::default() };
    let options = BasicPublishOptions::default();
    let sent =
        channel.basic_publish(exchange.into(), key.into(), options, body.as_bytes(), properties);
    assert!(sent.await.unwrap().await.unwrap().is_ack());
}

/// Body and redelivered flag of the next message, which is acknowledged.
async fn take(channel: &Channel, queue: &str) -> Option<(String, bool)> {
    let got = channel.basic_get(queue.into(), BasicGetOptions::default()).await.unwrap()?;
    got.delivery.acker.ack(BasicAckOptions::default()).await.unwrap();
    let body = String::from_utf8(got.delivery.data.clone()).unwrap();
    Some((body, got.delivery.redelivered))
}

async fn is_declared(process: &Process, queue: &str) -> bool {
    let (connection, channel) = connect(process).await;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let found = channel.queue_declare(queue.into(), options, FieldTable::default()).await.is_ok();
    drop(connection);
    found
}

/// Durable things and persistent messages, and beside them those that are not.
async fn build(channel: &Channel) {
    declare(channel, "kept", true).await;
    declare(channel, "lost", false).await;
    for (exchange, durable) in [("kept-x", true), ("lost-x", false)] {
        let options = ExchangeDeclareOptions { durable, ..ExchangeDeclareOptions::default() };
        let none = FieldTable::default();
        channel
            .exchange_declare(exchange.into(), ExchangeKind::Topic, options, none.clone())
            .await
            .unwrap();
        let options = QueueBindOptions::default();
        channel
            .queue_bind("kept".into(), exchange.into(), "a.*".into(), options, none)
            .await
            .unwrap();
    }
    publish(channel, "kept-x", "a.b", "one", true).await;
    publish(channel, "", "kept", "transient", false).await;
    publish(channel, "", "lost", "persistent in a transient queue", true).await;
    publish(channel, "", "kept", "two", true).await;
}

async fn durable_things_survive(signal: Signal) {
    let process = Process::start();
    let (connection, channel) = connect(&process).await;
    build(&channel).await;
    drop((connection, channel));
    let process = process.restart(signal);
    assert!(!is_declared(&process, "lost").await);
    let (_connection, channel) = connect(&process).await;
    // Bound to what is durable still; to what is not, no longer.
    publish(&channel, "kept-x", "a.c", "three", true).await;
    let is_unclean = signal == Signal::KILL;
    for (body, flag) in [("one", is_unclean), ("two", is_unclean), ("three", false)] {
        assert_eq!(take(&channel, "kept").await, Some((body.to_owned(), flag)));
    }
    assert_eq!(take(&channel, "kept").await, None);
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let lost = channel.exchange_declare(
        "lost-x".into(),
        ExchangeKind::Topic,
        options,
        FieldTable::default(),
    );
    assert!(lost.await.is_err());
}

#[tokio::test]
async fn durable_things_and_persistent_messages_survive_a_stop() {
    durable_things_survive(Signal::TERM).await;
}

#[tokio::test]
async fn durable_things_and_persistent_messages_survive_a_kill() {
    durable_things_survive(Signal::KILL).await;
}

#[tokio::test]
async fn what_was_out_and_how_often_it_failed_is_known_after_a_restart() {
    let process = Process::start();
    let (connection, channel) = connect(&process).await;
    let mut arguments = FieldTable::default();
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(2));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("q".into(), options, arguments).await.unwrap();
    for body in ["one", "two", "three"] {
        publish(&channel, "", "q", body, true).await;
    }
    let reject = BasicRejectOptions { requeue: true };
    for _ in 0..2 {
        let got = channel.basic_get("q".into(), BasicGetOptions::default()).await.unwrap().unwrap();
        assert_eq!(got.delivery.data, b"one");
        got.delivery.acker.reject(reject).await.unwrap();
    }
    // The requests of one channel are carried out in order.
    declare_passively(&channel, "q").await;
    drop((connection, channel));
    let process = process.restart(Signal::TERM);
    let (_connection, channel) = connect(&process).await;
    let got = channel.basic_get("q".into(), BasicGetOptions::default()).await.unwrap().unwrap();
    assert_eq!((got.delivery.data.as_slice(), got.delivery.redelivered), (&b"one"[..], true));
    got.delivery.acker.reject(reject).await.unwrap();
    assert_eq!(take(&channel, "q").await, Some(("two".to_owned(), false)), "one failed too often");
    assert_eq!(take(&channel, "q").await, Some(("three".to_owned(), false)));
}

async fn declare_passively(channel: &Channel, queue: &str) {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
}

#[tokio::test]
async fn what_was_deleted_stays_deleted_after_a_kill() {
    let process = Process::start();
    let (connection, channel) = connect(&process).await;
    for queue in ["gone", "stays"] {
        declare(&channel, queue, true).await;
        publish(&channel, "", queue, "x", true).await;
    }
    channel.queue_delete("gone".into(), QueueDeleteOptions::default()).await.unwrap();
    declare(&channel, "gone", true).await;
    drop((connection, channel));
    let process = process.restart(Signal::KILL);
    let (_connection, channel) = connect(&process).await;
    assert_eq!(take(&channel, "gone").await, None, "it is another queue of that name");
    assert_eq!(take(&channel, "stays").await, Some(("x".to_owned(), true)));
}

#[tokio::test]
async fn a_committed_transaction_survives_a_kill() {
    let process = Process::start();
    let uri = format!("amqp://guest:guest@{}/%2f", process.address());
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, "q", true).await;
    channel.tx_select().await.unwrap();
    let options = BasicPublishOptions::default();
    for body in ["one", "two"] {
        let sent =
            channel.basic_publish("".into(), "q".into(), options, body.as_bytes(), persistent());
        drop(sent.await.unwrap());
    }
    channel.tx_commit().await.unwrap();
    drop((channel, connection));
    let process = process.restart(Signal::KILL);
    let (_connection, channel) = connect(&process).await;
    for body in ["one", "two"] {
        assert_eq!(take(&channel, "q").await, Some((body.to_owned(), true)));
    }
}
