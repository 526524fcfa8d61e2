//! Tries again after a while: what fails is dead-lettered into a queue without consumers, and when
//! its time there is over, dead-lettered back.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use futures_lite::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicPublishOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    declare(&channel, "work", dead_letters_to("later")).await?;
    let mut waiting = dead_letters_to("work");
    waiting.insert("x-message-ttl".into(), AMQPValue::LongInt(200));
    declare(&channel, "later", waiting).await?;

    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish("".into(), "work".into(), options, b"order 1", properties).await?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut work = channel.basic_consume("work".into(), "".into(), options, none).await?;
    while let Some(order) = work.next().await.transpose()? {
        let (text, attempt) = (String::from_utf8_lossy(&order.data), rejections(&order) + 1);
        if attempt < 3 {
            println!("{text} failed, attempt {attempt}");
            order.nack(BasicNackOptions { requeue: false, multiple: false }).await?;
        } else {
            println!("{text} is done, attempt {attempt}");
            order.ack(BasicAckOptions::default()).await?;
            break;
        }
    }
    connection.close(200, "done".into()).await
}

/// Arguments of a queue whose dead letters go to this one.
fn dead_letters_to(queue: &str) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(queue.into()));
    arguments
}

/// How often a message was rejected, as its headers tell.
fn rejections(delivery: &Delivery) -> i64 {
    let headers = delivery.properties.headers().as_ref().map(FieldTable::inner);
    let Some(AMQPValue::FieldArray(deaths)) = headers.and_then(|all| all.get("x-death")) else {
        return 0;
    };
    let count = |death: &AMQPValue| match death {
        AMQPValue::FieldTable(death) => {
            let death = death.inner();
            let is_rejected =
                death.get("reason") == Some(&AMQPValue::LongString("rejected".into()));
            match death.get("count") {
                Some(AMQPValue::LongLongInt(count)) if is_rejected => Some(*count),
                _ => None,
            }
        }
        _ => None,
    };
    deaths.as_slice().iter().find_map(count).unwrap_or(0)
}

async fn declare(channel: &Channel, name: &str, arguments: FieldTable) -> lapin::Result<()> {
    channel.queue_declare(name.into(), QueueDeclareOptions::exclusive(), arguments).await?;
    Ok(())
}
