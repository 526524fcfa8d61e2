//! A worker that holds a task for longer than a second loses it, and another one does it.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use futures_lite::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-consumer-timeout".into(), AMQPValue::LongInt(1000));
    channel.queue_declare("tasks".into(), QueueDeclareOptions::exclusive(), arguments).await?;
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish("".into(), "tasks".into(), options, b"task 1", properties).await?;

    let mut stuck = consume(&channel, "stuck").await?;
    let Some(task) = stuck.next().await.transpose()? else { return Ok(()) };
    println!("stuck takes {}", text(&task.data));
    assert!(stuck.next().await.transpose()?.is_none(), "there is no other task");
    println!("stuck is cancelled");

    let mut prompt = consume(&channel, "prompt").await?;
    let Some(again) = prompt.next().await.transpose()? else { return Ok(()) };
    // What is not its own any more, the first one settles in vain.
    task.ack(BasicAckOptions::default()).await?;
    println!("prompt does {}, redelivered: {}", text(&again.data), again.redelivered);
    again.ack(BasicAckOptions::default()).await?;
    connection.close(200, "done".into()).await
}

async fn consume(channel: &Channel, tag: &str) -> lapin::Result<Consumer> {
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    channel.basic_consume("tasks".into(), tag.into(), options, none).await
}

fn text(data: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(data)
}
