//! A parking lot: what is rejected, and what a full queue has no room for, comes to a queue where
//! somebody looks at it, and tells why it is there.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use futures_lite::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicPublishOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    declare(&channel, "parked", FieldTable::default()).await?;
    let mut arguments = FieldTable::default();
    // The nameless exchange leads to the queue that the key names.
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString("parked".into()));
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(3));
    declare(&channel, "orders", arguments).await?;
    for order in 1..=4 {
        let (options, body) = (BasicPublishOptions::default(), format!("order {order}"));
        let (exchange, queue) = ("".into(), "orders".into());
        let properties = BasicProperties::default().with_delivery_mode(2);
        channel.basic_publish(exchange, queue, options, body.as_bytes(), properties).await?;
    }

    let mut orders = consume(&channel, "orders").await?;
    for _ in 0..3 {
        let Some(order) = orders.next().await.transpose()? else { return Ok(()) };
        let text = String::from_utf8_lossy(&order.data).into_owned();
        if text == "order 3" {
            println!("{text} cannot be done");
            order.nack(BasicNackOptions { requeue: false, multiple: false }).await?;
        } else {
            println!("{text} is done");
            order.ack(BasicAckOptions::default()).await?;
        }
    }
    let mut parked = consume(&channel, "parked").await?;
    for _ in 0..2 {
        let Some(order) = parked.next().await.transpose()? else { return Ok(()) };
        let (reason, queue) = (told(&order, "reason"), told(&order, "queue"));
        println!("parked: {}, {reason} in {queue}", String::from_utf8_lossy(&order.data));
        order.ack(BasicAckOptions::default()).await?;
    }
    connection.close(200, "done".into()).await
}

/// What the headers tell of the first death of a message.
fn told(delivery: &Delivery, what: &str) -> String {
    let headers = delivery.properties.headers().as_ref().map(FieldTable::inner);
    match headers.and_then(|all| all.get(format!("x-first-death-{what}").as_str())) {
        Some(AMQPValue::LongString(text)) => text.to_string(),
        _ => "unknown".to_owned(),
    }
}

async fn declare(channel: &Channel, name: &str, arguments: FieldTable) -> lapin::Result<()> {
    channel.queue_declare(name.into(), QueueDeclareOptions::exclusive(), arguments).await?;
    Ok(())
}

async fn consume(channel: &Channel, queue: &str) -> lapin::Result<Consumer> {
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    channel.basic_consume(queue.into(), "".into(), options, none).await
}
