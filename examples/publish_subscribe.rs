//! Publish and subscribe: a fanout exchange gives every subscriber a copy.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use futures_lite::StreamExt;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let options = ExchangeDeclareOptions { auto_delete: true, ..Default::default() };
    let none = FieldTable::default();
    channel.exchange_declare("news".into(), ExchangeKind::Fanout, options, none).await?;

    let mut subscribers = [subscribe(&channel).await?, subscribe(&channel).await?];
    for body in [b"first".as_slice(), b"second"] {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        channel.basic_publish("news".into(), "".into(), options, body, properties).await?;
    }
    for (number, subscriber) in (1..).zip(&mut subscribers) {
        for _ in 0..2 {
            let Some(delivery) = subscriber.next().await.transpose()? else { return Ok(()) };
            println!("subscriber {number}: {}", String::from_utf8_lossy(&delivery.data));
        }
    }
    connection.close(200, "done".into()).await
}

/// A queue of one's own, with a name that the broker makes up, gone with the connection.
async fn subscribe(channel: &Channel) -> lapin::Result<Consumer> {
    let (options, none) = (QueueDeclareOptions::exclusive(), FieldTable::default());
    let queue = channel.queue_declare("".into(), options, none.clone()).await?.name().clone();
    let options = QueueBindOptions::default();
    channel.queue_bind(queue.clone(), "news".into(), "".into(), options, none.clone()).await?;
    // Nobody else may have these copies, so there is nothing to acknowledge.
    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
    channel.basic_consume(queue, "".into(), options, none).await
}
