//! lapin, the Rust client, against the real binary: the same list as the clients in
//! `tests/interop`. With LEVERET_TEST_ADDRESS=HOST:PORT it is done with the broker that listens
//! there, and what needs a restart is left out.

mod delivery;
mod errors;
mod publishing;
mod reconnecting;
mod rpc;
mod topology;

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_lite::StreamExt;
use lapin::message::{BasicGetMessage, Delivery};
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer};

use crate::process::{PATIENCE, Process};

/// A broker, one connection to it, and one channel.
struct Client {
    _process: Option<Process>,
    address: String,
    connection: Connection,
    channel: Channel,
}

impl Client {
    async fn start() -> Self {
        let (process, address) = match std::env::var("LEVERET_TEST_ADDRESS") {
            Ok(address) => (None, address),
            Err(_) => {
                let process = Process::start();
                let address = process.address().to_string();
                (Some(process), address)
            }
        };
        let connection = connect(&address).await;
        let channel = connection.create_channel().await.expect("a channel");
        Self { _process: process, address, connection, channel }
    }

    /// Another channel of the same connection.
    async fn channel(&self) -> Channel {
        self.connection.create_channel().await.expect("a channel")
    }

    /// Another connection.
    async fn connect(&self) -> Connection {
        connect(&self.address).await
    }

    /// A queue of this connection, named by the broker.
    async fn queue(&self) -> String {
        let (options, none) = (QueueDeclareOptions::exclusive(), FieldTable::default());
        let queue = self.channel.queue_declare("".into(), options, none).await;
        queue.expect("a queue").name().as_str().to_owned()
    }

    async fn publish(&self, queue: &str, bodies: &[&[u8]]) {
        for body in bodies {
            publish(&self.channel, "", queue, body).await;
        }
    }

    async fn get(&self, queue: &str) -> Option<BasicGetMessage> {
        get(&self.channel, queue, false).await
    }

    /// Takes a message for good.
    async fn take(&self, queue: &str) -> Option<Vec<u8>> {
        get(&self.channel, queue, true).await.map(|message| message.delivery.data)
    }

    async fn consume(&self, queue: &str) -> Consumer {
        consume(&self.channel, queue, BasicConsumeOptions::default()).await
    }

    /// How many messages are ready.
    async fn message_count(&self, queue: &str) -> u32 {
        let options = QueueDeclareOptions::exclusive().passive();
        let none = FieldTable::default();
        let queue = self.channel.queue_declare(queue.into(), options, none).await;
        queue.expect("a queue").message_count()
    }
}

/// A test's body, which must end in time.
async fn in_time(body: impl Future<Output = ()>) {
    tokio::time::timeout(PATIENCE, body).await.expect("it ends in time");
}

async fn connect(address: &str) -> Connection {
    let uri = format!("amqp://guest:guest@{address}/%2f");
    Connection::connect(&uri, ConnectionProperties::default()).await.expect("a connection")
}

/// A name that no other test has.
fn unique(word: &str) -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    format!("leveret-{word}-{}-{number}", std::process::id())
}

async fn publish(channel: &Channel, exchange: &str, key: &str, body: &[u8]) -> Confirmation {
    let properties = BasicProperties::default();
    publish_with(channel, exchange, key, BasicPublishOptions::default(), body, properties).await
}

async fn publish_with(
    channel: &Channel,
    exchange: &str,
    key: &str,
    options: BasicPublishOptions,
    body: &[u8],
    properties: BasicProperties,
) -> Confirmation {
    let sent = channel.basic_publish(exchange.into(), key.into(), options, body, properties).await;
    sent.expect("it is sent").await.expect("it is confirmed")
}

async fn get(channel: &Channel, queue: &str, no_ack: bool) -> Option<BasicGetMessage> {
    channel.basic_get(queue.into(), BasicGetOptions { no_ack }).await.expect("an answer")
}

async fn consume(channel: &Channel, queue: &str, options: BasicConsumeOptions) -> Consumer {
    let none = FieldTable::default();
    channel.basic_consume(queue.into(), "".into(), options, none).await.expect("a consumer")
}

async fn next(consumer: &mut Consumer) -> Delivery {
    consumer.next().await.expect("the consumer lives").expect("a delivery")
}

fn table(entries: &[(&str, &str)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert((*name).into(), lapin::types::AMQPValue::LongString((*value).into()));
    }
    table
}
