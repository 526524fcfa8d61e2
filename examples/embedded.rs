//! A broker inside a Rust program, for tests: it listens on a port of its own, keeps everything in
//! memory, and is gone when the test is. In a test, `main` would be a `#[tokio::test]`.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use leveret::broker::{Broker, BrokerOptions};
use leveret::server::{AmqpDoor, Clock, Doors, ListenerOptions, bind};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The seed makes all names and tokens the same in every run.
    let broker = Arc::new(Broker::new(BrokerOptions::default(), [1, 2])?);
    let doors = Doors::default();
    let address = open(&broker, &doors)?;

    program_under_test(address).await?;

    // Everybody is told, and the doors are empty when all have gone.
    doors.close();
    broker.shut_down();
    let is_empty = doors.emptied(Duration::from_secs(5)).await;
    println!("the broker is empty: {is_empty}");
    Ok(())
}

/// Lets clients in on a port that the system chooses.
fn open(broker: &Arc<Broker>, doors: &Doors) -> std::io::Result<SocketAddr> {
    let listener = bind(([127, 0, 0, 1], 0).into(), ListenerOptions::default())?;
    let address = listener.local_address()?;
    let door = AmqpDoor::new(Arc::clone(broker), Clock::start(), doors.clone());
    listener.run(&door, doors);
    Ok(address)
}

/// What the test is about: any client will do.
async fn program_under_test(address: SocketAddr) -> lapin::Result<()> {
    let uri = format!("amqp://guest:guest@{address}/%2f");
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let (options, none) = (QueueDeclareOptions::durable(), FieldTable::default());
    channel.queue_declare("tested".into(), options, none).await?;
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish("".into(), "tested".into(), options, b"works", properties).await?;
    let message = channel.basic_get("tested".into(), BasicGetOptions { no_ack: true }).await?;
    let body = message.map(|message| message.delivery.data.clone()).unwrap_or_default();
    println!("the program under test {}", String::from_utf8_lossy(&body));
    connection.close(200, "done".into()).await
}
