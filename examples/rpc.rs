//! A remote call: the request says where its reply goes, and which request the reply is for. Direct
//! reply-to needs no queue for it.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use futures_lite::{StreamExt, future};
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";
const REPLY_TO: &str = "amq.rabbitmq.reply-to";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let (server, client) = (connection.create_channel().await?, connection.create_channel().await?);
    let (options, none) = (QueueDeclareOptions::exclusive(), FieldTable::default());
    server.queue_declare("squares".into(), options, none).await?;
    let requests = consume(&server, "squares").await?;
    let replies = consume(&client, REPLY_TO).await?;
    // The server would go on for ever: the client ends it.
    future::or(serve(&server, requests), call(&client, replies)).await?;
    connection.close(200, "done".into()).await
}

/// Answers every request with the square of its number.
async fn serve(channel: &Channel, mut requests: Consumer) -> lapin::Result<()> {
    while let Some(request) = requests.next().await.transpose()? {
        let number: u64 = String::from_utf8_lossy(&request.data).parse().unwrap_or(0);
        let Some(reply_to) = request.properties.reply_to().clone() else { continue };
        let id = request.properties.correlation_id().clone().unwrap_or_default();
        let properties = BasicProperties::default().with_correlation_id(id);
        let (options, body) = (BasicPublishOptions::default(), (number * number).to_string());
        channel.basic_publish("".into(), reply_to, options, body.as_bytes(), properties).await?;
    }
    Ok(())
}

async fn call(channel: &Channel, mut replies: Consumer) -> lapin::Result<()> {
    for number in ["3", "4", "5"] {
        let properties = BasicProperties::default().with_reply_to(REPLY_TO.into());
        let properties = properties.with_correlation_id(format!("square of {number}").into());
        let (exchange, queue, options) = ("".into(), "squares".into(), Default::default());
        channel.basic_publish(exchange, queue, options, number.as_bytes(), properties).await?;
        let Some(reply) = replies.next().await.transpose()? else { break };
        let what = reply.properties.correlation_id().clone().unwrap_or_default();
        println!("{what} is {}", String::from_utf8_lossy(&reply.data));
    }
    Ok(())
}

async fn consume(channel: &Channel, queue: &str) -> lapin::Result<Consumer> {
    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
    channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await
}
