//! Two workers on one queue, of which one at a time is served: the second goes on where the first
//! left off, in the same order.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use futures_lite::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties, Consumer};

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let first = Connection::connect(&address, ConnectionProperties::default()).await?;
    let second = Connection::connect(&address, ConnectionProperties::default()).await?;
    let mut at_work = worker(&first, "first").await?;
    let mut waiting = worker(&second, "second").await?;

    let channel = second.create_channel().await?;
    for number in 1..=4 {
        let (options, body) = (BasicPublishOptions::default(), format!("step {number}"));
        let (exchange, queue) = ("".into(), "account-7".into());
        let properties = BasicProperties::default();
        channel.basic_publish(exchange, queue, options, body.as_bytes(), properties).await?;
    }
    for _ in 0..2 {
        let Some(step) = at_work.next().await.transpose()? else { return Ok(()) };
        done("first", &step).await?;
    }
    // It has the third step by now and does not get to it.
    first.close(200, "done".into()).await?;
    for _ in 0..2 {
        let Some(step) = waiting.next().await.transpose()? else { return Ok(()) };
        done("second", &step).await?;
    }
    let unused = lapin::options::QueueDeleteOptions::default();
    channel.queue_delete("account-7".into(), unused).await?;
    second.close(200, "done".into()).await
}

/// Consumes one step at a time, as soon as it is its turn to work.
async fn worker(connection: &Connection, tag: &str) -> lapin::Result<Consumer> {
    let channel = connection.create_channel().await?;
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    let options = QueueDeclareOptions::durable();
    channel.queue_declare("account-7".into(), options, arguments).await?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    channel.basic_consume("account-7".into(), tag.into(), options, none).await
}

async fn done(worker: &str, step: &Delivery) -> lapin::Result<()> {
    println!("{worker} does {}", String::from_utf8_lossy(&step.data));
    step.ack(BasicAckOptions::default()).await?;
    Ok(())
}
