//! Alarms overtake reports: a queue with priorities gives the most urgent message first.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-priority".into(), AMQPValue::LongInt(10));
    let options = QueueDeclareOptions::exclusive();
    channel.queue_declare("news".into(), options, arguments).await?;

    for (number, what, priority) in
        [(1, "report", 1), (2, "alarm", 9), (3, "report", 1), (4, "report", 1), (5, "alarm", 9)]
    {
        let (options, body) = (BasicPublishOptions::default(), format!("{what} {number}"));
        let properties = BasicProperties::default().with_priority(priority);
        let (exchange, queue) = ("".into(), "news".into());
        channel.basic_publish(exchange, queue, options, body.as_bytes(), properties).await?;
    }
    while let Some(got) = channel.basic_get("news".into(), BasicGetOptions { no_ack: true }).await?
    {
        println!("{}", String::from_utf8_lossy(&got.data));
    }
    connection.close(200, "done".into()).await
}
