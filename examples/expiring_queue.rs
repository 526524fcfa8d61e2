//! A queue that goes when nobody used it for two seconds. Who asks for it uses it.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ConnectionProperties};

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-expires".into(), AMQPValue::LongInt(2000));
    let (options, name) = (QueueDeclareOptions::default(), "replies of client 7");
    channel.queue_declare(name.into(), options, arguments).await?;

    for text in ["the queue is there", "and is still there, since somebody asked for it"] {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        is_there(&connection, name).await?;
        println!("{text}");
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(is_there(&connection, name).await.is_err(), "it should be gone");
    println!("the queue is gone");
    connection.close(200, "done".into()).await
}

/// A passive declare fails where there is no queue, and closes its channel.
async fn is_there(connection: &Connection, name: &str) -> lapin::Result<()> {
    let channel = connection.create_channel().await?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.into(), passive, FieldTable::default()).await?;
    channel.close(200, "looked".into()).await
}
