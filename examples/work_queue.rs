//! A work queue: two workers share the tasks of one queue, each with one task at a time. What a
//! worker gives up, another one does.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use futures_lite::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicPublishOptions, BasicQosOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties, Consumer};

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let (options, none) = (QueueDeclareOptions::exclusive(), FieldTable::default());
    channel.queue_declare("tasks".into(), options, none).await?;
    for task in 1..=6 {
        let (options, body) = (BasicPublishOptions::default(), format!("task {task}"));
        // Delivery mode 2 is persistent: tasks are to outlive the broker.
        let properties = BasicProperties::default().with_delivery_mode(2);
        let (exchange, queue) = ("".into(), "tasks".into());
        channel.basic_publish(exchange, queue, options, body.as_bytes(), properties).await?;
    }

    let mut hasty = worker(&connection, "hasty").await?;
    let mut steady = worker(&connection, "steady").await?;
    // The hasty one takes a task and gives it up: it goes back to where it was in the queue.
    if let Some(delivery) = hasty.next().await.transpose()? {
        println!("hasty gives up {}", String::from_utf8_lossy(&delivery.data));
        delivery.nack(BasicNackOptions { requeue: true, multiple: false }).await?;
    }
    for _ in 0..3 {
        for (name, consumer) in [("hasty", &mut hasty), ("steady", &mut steady)] {
            let Some(delivery) = consumer.next().await.transpose()? else { return Ok(()) };
            println!("{name} does {}", String::from_utf8_lossy(&delivery.data));
            delivery.ack(BasicAckOptions::default()).await?;
        }
    }
    connection.close(200, "done".into()).await
}

/// A consumer that is sent one task, and the next one when it has acknowledged that.
async fn worker(connection: &Connection, tag: &str) -> lapin::Result<Consumer> {
    let channel = connection.create_channel().await?;
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    channel.basic_consume("tasks".into(), tag.into(), options, none).await
}
