//! Publishing again without fear: who does not know whether an order arrived sends it once more,
//! and an exchange lets only the first one pass.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use futures_lite::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";
const EXCHANGE: &str = "orders-once";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut orders = declare(&channel).await?;
    for (number, what) in [(1, "a hat"), (1, "a hat"), (2, "a coat"), (1, "a hat"), (3, "gloves")] {
        order(&channel, number, what).await?;
    }
    for _ in 0..3 {
        let Some(order) = orders.next().await.transpose()? else { break };
        println!("{}", String::from_utf8_lossy(&order.data));
        order.ack(BasicAckOptions::default()).await?;
    }
    channel.exchange_delete(EXCHANGE.into(), ExchangeDeleteOptions::default()).await?;
    connection.close(200, "done".into()).await
}

/// The exchange, which remembers 100,000 orders for a day, and a queue behind it that is read.
async fn declare(channel: &Channel) -> lapin::Result<Consumer> {
    let kind = ExchangeKind::Custom("x-message-deduplication".to_owned());
    let mut cache = FieldTable::default();
    cache.insert("x-cache-size".into(), AMQPValue::LongInt(100_000));
    cache.insert("x-cache-ttl".into(), AMQPValue::LongInt(24 * 60 * 60 * 1000));
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(EXCHANGE.into(), kind, durable, cache).await?;
    let (mine, none) = (QueueDeclareOptions::exclusive(), FieldTable::default());
    let queue = channel.queue_declare("".into(), mine, none.clone()).await?;
    let (name, bind) = (queue.name().clone(), QueueBindOptions::default());
    channel.queue_bind(name.clone(), EXCHANGE.into(), "".into(), bind, none.clone()).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    channel.basic_consume(name, "".into(), BasicConsumeOptions::default(), none).await
}

/// Once the confirm is there, the order is on disk: this one, or its equal from before.
async fn order(channel: &Channel, number: i32, what: &str) -> lapin::Result<()> {
    let mut headers = FieldTable::default();
    headers.insert("x-deduplication-header".into(), AMQPValue::LongInt(number));
    let properties = BasicProperties::default().with_headers(headers).with_delivery_mode(2);
    let text = format!("order {number}: {what}");
    let options = BasicPublishOptions::default();
    let confirm = channel
        .basic_publish(EXCHANGE.into(), "".into(), options, text.as_bytes(), properties)
        .await?;
    confirm.await?;
    Ok(())
}
