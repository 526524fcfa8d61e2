//! Messages for later: an exchange that lets each wait as long as its publisher asks, and routes it
//! then.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use futures_lite::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";
const EXCHANGE: &str = "reminders";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut mail = declare(&channel).await?;
    for (text, delay_ms) in [("in a moment", 300), ("soon", 100), ("now", 0)] {
        remind(&channel, text, delay_ms).await?;
    }
    for _ in 0..3 {
        let Some(reminder) = mail.next().await.transpose()? else { break };
        println!("{}", String::from_utf8_lossy(&reminder.data));
        reminder.ack(BasicAckOptions::default()).await?;
    }
    channel.exchange_delete(EXCHANGE.into(), ExchangeDeleteOptions::default()).await?;
    connection.close(200, "done".into()).await
}

/// The exchange, and a queue behind it that is read.
async fn declare(channel: &Channel) -> lapin::Result<Consumer> {
    let kind = ExchangeKind::Custom("x-delayed-message".to_owned());
    let mut routed_as = FieldTable::default();
    routed_as.insert("x-delayed-type".into(), AMQPValue::LongString("direct".into()));
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(EXCHANGE.into(), kind, durable, routed_as).await?;
    let (mine, none) = (QueueDeclareOptions::exclusive(), FieldTable::default());
    let queue = channel.queue_declare("".into(), mine, none.clone()).await?;
    let (name, bind) = (queue.name().clone(), QueueBindOptions::default());
    channel.queue_bind(name.clone(), EXCHANGE.into(), "mail".into(), bind, none.clone()).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    channel.basic_consume(name, "".into(), BasicConsumeOptions::default(), none).await
}

/// Once the confirm is there, the reminder is on disk.
async fn remind(channel: &Channel, text: &str, delay_ms: i32) -> lapin::Result<()> {
    let mut headers = FieldTable::default();
    headers.insert("x-delay".into(), AMQPValue::LongInt(delay_ms));
    let properties = BasicProperties::default().with_headers(headers).with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    let confirm = channel
        .basic_publish(EXCHANGE.into(), "mail".into(), options, text.as_bytes(), properties)
        .await?;
    confirm.await?;
    Ok(())
}
