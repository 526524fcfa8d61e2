//! Calls and replies with lapin: over queues, and over the direct reply-to address.

use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Consumer};

use super::{Client, consume, in_time, next, publish_with};

const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// Answers one call with its body turned around.
async fn serve_one(channel: &Channel, calls: &mut Consumer) -> ShortString {
    let call = next(calls).await;
    let reply_to = call.properties.reply_to().clone().expect("where to reply");
    let correlation_id = call.properties.correlation_id().clone().expect("what it is about");
    let properties = BasicProperties::default().with_correlation_id(correlation_id);
    let body: Vec<u8> = call.data.iter().rev().copied().collect();
    let options = BasicPublishOptions::default();
    publish_with(channel, "", reply_to.as_str(), options, &body, properties).await;
    call.ack(BasicAckOptions::default()).await.unwrap();
    reply_to
}

async fn call(client: &Client, requests: &str, reply_to: &str, id: &str, body: &[u8]) {
    let properties =
        BasicProperties::default().with_reply_to(reply_to.into()).with_correlation_id(id.into());
    let options = BasicPublishOptions::default();
    publish_with(&client.channel, "", requests, options, body, properties).await;
}

async fn expect_reply(replies: &mut Consumer, id: &str, body: &[u8]) {
    let reply = next(replies).await;
    assert_eq!(reply.properties.correlation_id().as_ref().map(ShortString::as_str), Some(id));
    assert_eq!(reply.data, body);
}

#[tokio::test]
async fn a_call_is_answered_over_a_queue_of_the_caller() {
    in_time(async {
        let client = Client::start().await;
        let (requests, replies) = (client.queue().await, client.queue().await);
        let server = client.channel().await;
        let mut calls = consume(&server, &requests, BasicConsumeOptions::default()).await;
        let mut answers = client.consume(&replies).await;
        for (id, body, reply) in [("1", b"abc", b"cba"), ("2", b"xyz", b"zyx")] {
            call(&client, &requests, &replies, id, body).await;
            serve_one(&server, &mut calls).await;
            expect_reply(&mut answers, id, reply).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_call_is_answered_over_direct_reply_to() {
    in_time(async {
        let client = Client::start().await;
        let other = client.connect().await;
        let server = other.create_channel().await.unwrap();
        // An exclusive queue is of one connection alone: the server's.
        let requests = server
            .queue_declare(
                "".into(),
                lapin::options::QueueDeclareOptions::exclusive(),
                lapin::types::FieldTable::default(),
            )
            .await
            .unwrap();
        let requests = requests.name().as_str();
        let mut calls = consume(&server, requests, BasicConsumeOptions::default()).await;
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let mut answers = consume(&client.channel, REPLY_TO, options).await;
        for (id, body, reply) in [("1", b"abc", b"cba"), ("2", b"xyz", b"zyx")] {
            call(&client, requests, REPLY_TO, id, body).await;
            let reply_to = serve_one(&server, &mut calls).await;
            let begin = format!("{REPLY_TO}.");
            assert!(reply_to.as_str().starts_with(&begin), "{reply_to}");
            expect_reply(&mut answers, id, reply).await;
        }
    })
    .await;
}
