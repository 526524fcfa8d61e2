//! A limit on how fast a user may publish: set over HTTP, it is in force at once. The publisher
//! sends as fast as it can, hears of no error and loses nothing; it is read no faster than that.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";
const DEFAULT_MANAGEMENT: &str = "127.0.0.1:15672";
const QUEUE: &str = "publish_rate.orders";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let (mine, none) = (QueueDeclareOptions::exclusive(), FieldTable::default());
    channel.queue_declare(QUEUE.into(), mine, none).await?;

    println!("the limit: {}", ask("PUT", r#"{"value": 100}"#).await?);
    let begin = Instant::now();
    publish(&channel).await?;
    let has_waited = begin.elapsed() > Duration::from_millis(800);
    println!("a second was there at once, the others took theirs: {has_waited}");

    println!("cleared: {}", ask("DELETE", "").await?);
    publish(&channel).await?;
    connection.close(200, "done".into()).await?;
    Ok(())
}

/// Publishes two hundred messages as fast as it can, and waits for their confirms.
async fn publish(channel: &Channel) -> lapin::Result<()> {
    let mut confirms = Vec::new();
    for number in 0..200 {
        let (options, body) = (BasicPublishOptions::default(), format!("order {number}"));
        let (queue, properties) = (QUEUE.into(), BasicProperties::default());
        let sent = channel.basic_publish("".into(), queue, options, body.as_bytes(), properties);
        confirms.push(sent.await?);
    }
    let mut count = 0;
    for confirm in confirms {
        count += usize::from(confirm.await?.is_ack());
    }
    println!("{count} of 200 confirmed");
    Ok(())
}

/// What the HTTP API answers, as `guest`: the status line.
async fn ask(method: &str, body: &str) -> Result<String, Box<dyn Error>> {
    let address = std::env::var("MANAGEMENT_ADDR").unwrap_or_else(|_| DEFAULT_MANAGEMENT.into());
    let mut stream = TcpStream::connect(&address).await?;
    let request = format!(
        "{method} /api/user-limits/guest/max-publish-rate HTTP/1.1\r\nHost: {address}\r\n\
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
