//! A restart of the broker, and lapin coming back.

use std::net::SocketAddr;
use std::time::Duration;

use futures_lite::StreamExt;
use lapin::options::{BasicConsumeOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, ErrorKind};

use super::{connect, consume, in_time, next, publish, unique};
use crate::process::Process;

/// Stops it, on a thread of its own so that the client can answer, and starts it again.
async fn restarted(mut process: Process) -> Process {
    let restart = move || {
        let address = process.address().to_string();
        process.stop();
        Process::start_with(&["--listen", &address])
    };
    tokio::task::spawn_blocking(restart).await.expect("it restarts")
}

/// A broker that may be restarted, which another one may not.
fn own_process() -> Option<Process> {
    if std::env::var_os("LEVERET_TEST_ADDRESS").is_some() {
        println!("the broker at LEVERET_TEST_ADDRESS is not restarted: nothing to show");
        return None;
    }
    Some(Process::start())
}

async fn declare(channel: &Channel, queue: &str) -> lapin::Result<()> {
    let options = QueueDeclareOptions::durable();
    channel.queue_declare(queue.into(), options, FieldTable::default()).await.map(drop)
}

#[tokio::test]
async fn a_client_learns_of_the_stop_and_connects_again() {
    let Some(process) = own_process() else { return };
    in_time(async {
        let address = process.address().to_string();
        let connection = connect(&address).await;
        let channel = connection.create_channel().await.unwrap();
        let name = unique("queue");
        declare(&channel, &name).await.unwrap();
        let mut consumer = consume(&channel, &name, BasicConsumeOptions::default()).await;
        let _process = restarted(process).await;
        // The close 320, or the end of the socket behind it: lapin tells what it saw first.
        let error = consumer.next().await.expect("a word about it").expect_err("no delivery");
        match error.kind() {
            ErrorKind::ProtocolError(error) => assert_eq!(error.get_id(), 320),
            _ => assert!(error.is_io_error(), "{error}"),
        }
        assert!(!channel.status().connected());
        let connection = connect(&address).await;
        let channel = connection.create_channel().await.unwrap();
        declare(&channel, &name).await.unwrap();
        let mut consumer = consume(&channel, &name, BasicConsumeOptions::default()).await;
        publish(&channel, "", &name, b"again").await;
        assert_eq!(next(&mut consumer).await.data, b"again");
    })
    .await;
}

async fn recovering(address: SocketAddr) -> Connection {
    let uri = format!("amqp://guest:guest@{address}/%2f");
    let delay = Duration::from_millis(50);
    let properties = ConnectionProperties::default()
        .enable_auto_recover()
        .configure_backoff(|backoff| backoff.with_min_delay(delay).with_max_times(100));
    Connection::connect(&uri, properties).await.unwrap()
}

#[tokio::test]
async fn automatic_recovery_brings_queue_and_consumer_back() {
    let Some(process) = own_process() else { return };
    in_time(async {
        let connection = recovering(process.address()).await;
        let channel = connection.create_channel().await.unwrap();
        let name = unique("queue");
        declare(&channel, &name).await.unwrap();
        let mut consumer = consume(&channel, &name, BasicConsumeOptions::default()).await;
        publish(&channel, "", &name, b"before").await;
        assert_eq!(next(&mut consumer).await.data, b"before");
        let process = restarted(process).await;
        // Whoever comes first declares the queue; the message waits for the consumer.
        let other = connect(&process.address().to_string()).await;
        let other = other.create_channel().await.unwrap();
        declare(&other, &name).await.unwrap();
        publish(&other, "", &name, b"after").await;
        // It may be told of the error on its way back.
        let delivery = loop {
            match consumer.next().await.expect("the consumer lives") {
                Ok(delivery) => break delivery,
                Err(error) => assert!(error.can_be_recovered(), "{error}"),
            }
        };
        assert_eq!(delivery.data, b"after");
    })
    .await;
}
