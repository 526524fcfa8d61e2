//! Progress that a page shows: the latest is enough, and none of it is worth a byte on disk. The
//! queue survives a restart of the broker, its messages do not.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let (name, durable) = ("progress", QueueDeclareOptions::durable());
    let mut arguments = FieldTable::default();
    arguments.insert("x-storage".into(), AMQPValue::LongString("memory".into()));

    let hasty = connection.create_channel().await?;
    let declared = hasty.queue_declare(name.into(), durable, arguments.clone()).await;
    println!("without a limit: {}", if declared.is_ok() { "taken" } else { "refused" });

    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(2));
    channel.queue_declare(name.into(), durable, arguments).await?;
    let mut confirmed = 0;
    for percent in ["30 %", "60 %", "90 %"] {
        // They say that they are persistent, which means nothing in this queue.
        let properties = BasicProperties::default().with_delivery_mode(2);
        let (options, body) = (BasicPublishOptions::default(), percent.as_bytes());
        let sent = channel.basic_publish("".into(), name.into(), options, body, properties).await?;
        confirmed += i32::from(sent.await?.is_ack());
    }
    println!("{confirmed} of 3 confirmed");
    while let Some(got) = channel.basic_get(name.into(), BasicGetOptions { no_ack: true }).await? {
        println!("{name}: {}", String::from_utf8_lossy(&got.data));
    }
    channel.queue_delete(name.into(), QueueDeleteOptions::default()).await?;
    connection.close(200, "done".into()).await
}
