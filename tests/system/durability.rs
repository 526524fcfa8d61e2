//! What is there after the broker was ended, in order or by `kill -9`, and started again: real
//! clients, the real binary, real files. Power failures are the simulation's business.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_lite::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, BasicQosOptions,
    BasicRejectOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use leveret::message::Random;
use rustix::process::Signal;

use crate::process::Process;

/// How often the broker is killed.
const ROUNDS: u64 = 50;

/// Publishes on their way before a publisher waits for the first.
const WINDOW: usize = 100;

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

/// What publishers and consumers know, over all lives of the broker.
#[derive(Debug, Default)]
struct Books {
    /// The next number of each publisher.
    next: BTreeMap<u64, u64>,
    confirmed: BTreeSet<(u64, u64)>,
    /// How often each message came.
    came: BTreeMap<(u64, u64), u64>,
}

impl Books {
    /// A message came: what came before must be flagged, and none is from nowhere.
    fn take(&mut self, body: &[u8], is_redelivered: bool) -> (u64, u64) {
        let text = std::str::from_utf8(body).unwrap();
        let (publisher, number) = text.trim_end_matches('.').split_once(':').unwrap();
        let message = (publisher.parse().unwrap(), number.parse().unwrap());
        assert!(message.1 < self.next[&message.0], "{text} was never published");
        let count = self.came.entry(message).or_default();
        *count += 1;
        assert!(*count == 1 || is_redelivered, "{text} came again and is not flagged");
        message
    }
}

/// Publishes until the broker is gone.
async fn publish_on(channel: Channel, publisher: u64, books: Arc<Mutex<Books>>) {
    let mut open = VecDeque::new();
    loop {
        let number = {
            let mut books = books.lock().unwrap();
            let next = books.next.entry(publisher).or_default();
            *next += 1;
            *next - 1
        };
        let body = format!("{publisher}:{number}{}", ".".repeat(200));
        let (to, key) = if publisher == 0 { ("all", "") } else { ("", "crash-0") };
        let options = BasicPublishOptions::default();
        let sent =
            channel.basic_publish(to.into(), key.into(), options, body.as_bytes(), persistent());
        let Ok(confirm) = sent.await else { return };
        open.push_back((number, confirm));
        if open.len() >= WINDOW {
            let Some((number, confirm)) = open.pop_front() else { return };
            match confirm.await {
                Ok(confirmation) if confirmation.is_ack() => {
                    books.lock().unwrap().confirmed.insert((publisher, number));
                }
                _ => return,
            }
        }
    }
}

/// Consumes a queue until the broker is gone; new ones must come in the order of their publisher.
async fn consume_on(channel: Channel, queue: String, books: Arc<Mutex<Books>>) {
    channel.basic_qos(50, BasicQosOptions::default()).await.unwrap();
    let options = BasicConsumeOptions::default();
    let none = FieldTable::default();
    let consumer = channel.basic_consume(queue.as_str().into(), "".into(), options, none).await;
    let Ok(mut consumer) = consumer else { return };
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    while let Some(Ok(delivery)) = consumer.next().await {
        let (publisher, number) = books.lock().unwrap().take(&delivery.data, delivery.redelivered);
        if !delivery.redelivered {
            let before = last.insert(publisher, number);
            assert!(before.is_none_or(|before| before < number), "{publisher}:{number} is late");
        }
        if delivery.acker.ack(BasicAckOptions::default()).await.is_err() {
            return;
        }
    }
}

/// A client's task ends when its broker is gone. One that waits for a confirm that no longer comes
/// is ended.
async fn ended(mut task: tokio::task::JoinHandle<()>) {
    match tokio::time::timeout(Duration::from_millis(200), &mut task).await {
        Ok(result) => result.unwrap(),
        Err(_) => task.abort(),
    }
}

/// Each queue has books of its own for what comes; publishers share theirs.
#[expect(clippy::disallowed_methods, reason = "clients of a test; each task ends with its broker")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_confirmed_is_lost_by_many_kills() {
    let seed = std::env::var("LEVERET_CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    let rounds = std::env::var("LEVERET_CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    println!("again with LEVERET_CRASH_SEED={seed}");
    let mut random = Random::new([seed, 0]);
    let books = Arc::new(Mutex::new(Books::default()));
    let others = Arc::new(Mutex::new(Books::default()));
    let mut process = Process::start();
    let (connection, channel) = connect(&process).await;
    for queue in ["crash-0", "crash-1"] {
        declare(&channel, queue, true).await;
    }
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let none = FieldTable::default();
    channel
        .exchange_declare("all".into(), ExchangeKind::Fanout, options, none.clone())
        .await
        .unwrap();
    for queue in ["crash-0", "crash-1"] {
        let options = QueueBindOptions::default();
        channel
            .queue_bind(queue.into(), "all".into(), "".into(), options, none.clone())
            .await
            .unwrap();
    }
    drop((channel, connection));
    for _ in 0..rounds.unwrap_or(ROUNDS) {
        let (connection, channel) = connect(&process).await;
        let mut tasks = Vec::new();
        for publisher in 0..2 {
            let channel = connection.create_channel().await.unwrap();
            channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
            tasks.push(tokio::spawn(publish_on(channel, publisher, books.clone())));
        }
        others.lock().unwrap().next.insert(0, u64::MAX);
        for (queue, books) in [("crash-0", &books), ("crash-1", &others)] {
            let channel = connection.create_channel().await.unwrap();
            tasks.push(tokio::spawn(consume_on(channel, queue.to_owned(), books.clone())));
        }
        tokio::time::sleep(Duration::from_millis(50 + random.draw() % 200)).await;
        process = process.restart(Signal::KILL);
        for task in tasks {
            ended(task).await;
        }
        drop((channel, connection));
    }
    let (_connection, channel) = connect(&process).await;
    for (queue, books) in [("crash-0", &books), ("crash-1", &others)] {
        while let Some(got) =
            channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.unwrap()
        {
            books.lock().unwrap().take(&got.delivery.data, got.delivery.redelivered);
        }
    }
    let (books, others) = (books.lock().unwrap(), others.lock().unwrap());
    println!("{} confirmed, {} came", books.confirmed.len(), books.came.len());
    assert!(books.confirmed.len() > 1000, "too little happened");
    let missing = |books: &Books, message: &&(u64, u64)| !books.came.contains_key(*message);
    let lost: Vec<_> = books.confirmed.iter().filter(|message| missing(&books, message)).collect();
    assert_eq!(lost, Vec::<&(u64, u64)>::new());
    let fanned = books.confirmed.iter().filter(|(publisher, _)| *publisher == 0);
    let lost: Vec<_> = fanned.filter(|message| missing(&others, message)).collect();
    assert_eq!(lost, Vec::<&(u64, u64)>::new());
}
