//! Hello: one message into a queue, and out of it again.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use futures_lite::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;

    // Both sides declare the queue, so it does not matter who comes first.
    let none = FieldTable::default();
    channel.queue_declare("hello".into(), QueueDeclareOptions::durable(), none.clone()).await?;

    // The default exchange routes to the queue whose name is the routing key.
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let body = b"Hello, Leveret!";
    channel.basic_publish("".into(), "hello".into(), options, body, properties).await?;

    let options = BasicConsumeOptions::default();
    let mut deliveries = channel.basic_consume("hello".into(), "".into(), options, none).await?;
    if let Some(delivery) = deliveries.next().await {
        let delivery = delivery?;
        println!("received: {}", String::from_utf8_lossy(&delivery.data));
        // Until it is acknowledged, the broker keeps it for somebody else.
        delivery.ack(BasicAckOptions::default()).await?;
    }
    connection.close(200, "done".into()).await
}
