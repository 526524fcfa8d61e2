//! Queues that do not grow for ever: one keeps the latest readings and lets the oldest go, one
//! takes no more orders than it can hold and says so to whoever publishes.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;

    let mut latest = FieldTable::default();
    latest.insert("x-max-length".into(), AMQPValue::LongInt(3));
    declare(&channel, "readings", latest.clone()).await?;
    for reading in 1..=5 {
        publish(&channel, "readings", &format!("reading {reading}")).await?;
    }
    print_all(&channel, "readings").await?;

    let mut no_more = latest;
    no_more.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    declare(&channel, "orders", no_more).await?;
    for order in 1..=5 {
        let is_taken = publish(&channel, "orders", &format!("order {order}")).await?;
        println!("order {order} {}", if is_taken { "is taken" } else { "is refused" });
    }
    print_all(&channel, "orders").await?;
    connection.close(200, "done".into()).await
}

async fn declare(channel: &Channel, name: &str, arguments: FieldTable) -> lapin::Result<()> {
    channel.queue_declare(name.into(), QueueDeclareOptions::exclusive(), arguments).await?;
    Ok(())
}

/// Publishes to a queue, and tells whether it took the message.
async fn publish(channel: &Channel, queue: &str, text: &str) -> lapin::Result<bool> {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let body = text.as_bytes();
    let sent = channel.basic_publish("".into(), queue.into(), options, body, properties);
    Ok(sent.await?.await?.is_ack())
}

async fn print_all(channel: &Channel, queue: &str) -> lapin::Result<()> {
    while let Some(got) = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await? {
        println!("{queue}: {}", String::from_utf8_lossy(&got.data));
    }
    Ok(())
}
