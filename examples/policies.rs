//! A limit that an operator sets on queues which are there already: by a policy, over HTTP.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";
const DEFAULT_MANAGEMENT: &str = "127.0.0.1:15672";
const QUEUE: &str = "policies.readings";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    declare(&channel).await?;
    publish(&channel, 5).await?;
    println!("without a policy: {}", declare(&channel).await?);

    let policy = r#"{"pattern": "^policies\\.", "definition": {"max-length": 2}}"#;
    println!("the policy: {}", ask("PUT", policy).await?);
    println!("with it: {}", declare(&channel).await?);
    publish(&channel, 5).await?;
    println!("and later: {}", declare(&channel).await?);
    println!("cleared: {}", ask("DELETE", "").await?);
    publish(&channel, 5).await?;
    println!("without it again: {}", declare(&channel).await?);
    connection.close(200, "done".into()).await?;
    Ok(())
}

/// How many messages are in the queue.
async fn declare(channel: &Channel) -> lapin::Result<u32> {
    let (mine, none) = (QueueDeclareOptions::exclusive(), FieldTable::default());
    Ok(channel.queue_declare(QUEUE.into(), mine, none).await?.message_count())
}

async fn publish(channel: &Channel, count: usize) -> lapin::Result<()> {
    for _ in 0..count {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let confirm =
            channel.basic_publish("".into(), QUEUE.into(), options, b"x", properties).await?;
        confirm.await?;
    }
    Ok(())
}

/// What the HTTP API answers, as `guest`: the status line.
async fn ask(method: &str, body: &str) -> Result<String, Box<dyn Error>> {
    let address = std::env::var("MANAGEMENT_ADDR").unwrap_or_else(|_| DEFAULT_MANAGEMENT.into());
    let mut stream = TcpStream::connect(&address).await?;
    let request = format!(
        "{method} /api/policies/%2F/readings HTTP/1.1\r\nHost: {address}\r\n\
         Authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.lines().next().unwrap_or_default();
    Ok(status.trim_start_matches("HTTP/1.1 ").to_owned())
}
