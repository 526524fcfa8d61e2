//! Tries again after a while: what fails waits in its queue, longer each time, and others overtake
//! it meanwhile.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::time::Duration;

use futures_lite::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicRejectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use tokio::time::Instant;

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-delayed-retry-type".into(), AMQPValue::LongString("failed".into()));
    arguments.insert("x-delayed-retry-min".into(), AMQPValue::LongInt(200));
    arguments.insert("x-delayed-retry-max".into(), AMQPValue::LongInt(60_000));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(10));
    channel.queue_declare("orders".into(), QueueDeclareOptions::exclusive(), arguments).await?;

    for order in ["order 1", "order 2"] {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let order = order.as_bytes();
        channel.basic_publish("".into(), "orders".into(), options, order, properties).await?;
    }
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut orders = channel.basic_consume("orders".into(), "".into(), options, none).await?;
    let mut last_failure = Instant::now();
    while let Some(order) = orders.next().await.transpose()? {
        let (text, failures) = (String::from_utf8_lossy(&order.data), failures(&order));
        if failures > 0 {
            let wait = Duration::from_millis(200) * failures;
            assert!(last_failure.elapsed() >= wait, "it comes too early");
            println!("{text} is back after {} ms", wait.as_millis());
        }
        if text == "order 1" && failures < 2 {
            println!("{text} failed");
            last_failure = Instant::now();
            order.reject(BasicRejectOptions { requeue: true }).await?;
        } else {
            println!("{text} is done");
            order.ack(BasicAckOptions::default()).await?;
            if failures > 0 {
                break;
            }
        }
    }
    connection.close(200, "done".into()).await
}

/// How often its delivery failed before.
fn failures(order: &Delivery) -> u32 {
    let headers = order.properties.headers().as_ref();
    match headers.and_then(|headers| headers.inner().get("x-delivery-count")) {
        Some(AMQPValue::LongLongInt(count)) => u32::try_from(*count).unwrap_or(0),
        _ => 0,
    }
}
