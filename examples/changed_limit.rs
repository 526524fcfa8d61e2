//! The next version of a program wants another limit for a queue that is there. With
//! `declare_equivalence = relaxed` the broker says ok and the queue stays as it is; else it is
//! refused.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Queue};

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    declare(&channel, 2).await?;
    for order in 1..=3 {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let body = format!("order {order}");
        let sent =
            channel.basic_publish("".into(), "orders".into(), options, body.as_bytes(), properties);
        sent.await?.await?;
    }
    match declare(&channel, 1000).await {
        Ok(queue) => {
            let count = queue.message_count();
            println!("the next version starts: ok, {count} orders are there");
            print_all(&channel).await?;
        }
        Err(_) => println!("the next version is refused"),
    }
    connection.close(200, "done".into()).await
}

async fn declare(channel: &Channel, length_max: i32) -> lapin::Result<Queue> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(length_max));
    channel.queue_declare("orders".into(), QueueDeclareOptions::exclusive(), arguments).await
}

async fn print_all(channel: &Channel) -> lapin::Result<()> {
    let options = BasicGetOptions { no_ack: true };
    while let Some(got) = channel.basic_get("orders".into(), options).await? {
        println!("{}", String::from_utf8_lossy(&got.data));
    }
    Ok(())
}
