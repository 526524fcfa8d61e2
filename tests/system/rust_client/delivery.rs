//! Getting, consuming and settling messages with lapin.

use futures_lite::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicNackOptions, BasicQosOptions, BasicRecoverOptions,
    BasicRejectOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;

use super::{Client, get, in_time, next, unique};

#[tokio::test]
async fn get_answers_with_the_message_and_how_many_are_left() {
    in_time(async {
        let client = Client::start().await;
        let queue = client.queue().await;
        client.publish(&queue, &[b"one", b"two"]).await;
        let message = client.get(&queue).await.unwrap();
        assert_eq!((message.message_count, message.delivery.redelivered), (1, false));
        assert_eq!(message.delivery.data, b"one");
        assert_eq!(message.delivery.routing_key.as_str(), queue);
        assert!(message.delivery.ack(BasicAckOptions::default()).await.unwrap());
        assert_eq!(client.take(&queue).await.unwrap(), b"two");
        assert_eq!(client.get(&queue).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_consumer_gets_messages_in_order() {
    in_time(async {
        let client = Client::start().await;
        let queue = client.queue().await;
        let mut consumer = client.consume(&queue).await;
        for number in 0..200_u8 {
            client.publish(&queue, &[&[number]]).await;
        }
        for number in 0..200_u8 {
            let delivery = next(&mut consumer).await;
            assert_eq!(delivery.data, [number]);
            assert_eq!(delivery.delivery_tag, u64::from(number) + 1);
            delivery.ack(BasicAckOptions::default()).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn ack_with_multiple_settles_all_before() {
    in_time(async {
        let client = Client::start().await;
        let queue = client.queue().await;
        client.publish(&queue, &[b"1", b"2", b"3"]).await;
        let mut consumer = client.consume(&queue).await;
        let tags =
            [next(&mut consumer).await, next(&mut consumer).await, next(&mut consumer).await]
                .map(|delivery| delivery.delivery_tag);
        client.channel.basic_ack(tags[1], BasicAckOptions { multiple: true }).await.unwrap();
        client.channel.basic_recover(BasicRecoverOptions { requeue: true }).await.unwrap();
        let again = next(&mut consumer).await;
        assert_eq!((again.data.as_slice(), again.redelivered), (b"3".as_slice(), true));
        assert_eq!(client.message_count(&queue).await, 0);
    })
    .await;
}

#[tokio::test]
async fn nack_with_requeue_keeps_the_original_position() {
    in_time(async {
        let client = Client::start().await;
        let queue = client.queue().await;
        client.publish(&queue, &[b"1", b"2", b"3"]).await;
        let (first, second) =
            (client.get(&queue).await.unwrap(), client.get(&queue).await.unwrap());
        let options = BasicNackOptions { requeue: true, multiple: false };
        second.delivery.nack(options).await.unwrap();
        first.delivery.nack(options).await.unwrap();
        for (body, redelivered) in [(b"1", true), (b"2", true), (b"3", false)] {
            let message = get(&client.channel, &queue, true).await.unwrap();
            assert_eq!(message.delivery.data, body);
            assert_eq!(message.delivery.redelivered, redelivered);
        }
    })
    .await;
}

#[tokio::test]
async fn reject_without_requeue_drops_the_message() {
    in_time(async {
        let client = Client::start().await;
        let queue = client.queue().await;
        client.publish(&queue, &[b"1", b"2"]).await;
        let message = client.get(&queue).await.unwrap();
        message.delivery.reject(BasicRejectOptions { requeue: false }).await.unwrap();
        assert_eq!(client.take(&queue).await.unwrap(), b"2");
        assert_eq!(client.take(&queue).await, None);
    })
    .await;
}

#[tokio::test]
async fn messages_of_a_closed_channel_come_back() {
    in_time(async {
        let client = Client::start().await;
        let queue = client.queue().await;
        client.publish(&queue, &[b"1"]).await;
        let other = client.channel().await;
        assert_eq!(get(&other, &queue, false).await.unwrap().delivery.data, b"1");
        other.close(200, "done".into()).await.unwrap();
        let message = get(&client.channel, &queue, true).await.unwrap();
        assert_eq!(
            (message.delivery.data.as_slice(), message.delivery.redelivered),
            (b"1".as_slice(), true)
        );
    })
    .await;
}

#[tokio::test]
async fn prefetch_limits_what_a_consumer_holds() {
    in_time(async {
        let client = Client::start().await;
        let queue = client.queue().await;
        client.publish(&queue, &[b"1", b"2", b"3", b"4", b"5"]).await;
        client.channel.basic_qos(2, BasicQosOptions::default()).await.unwrap();
        let mut consumer = client.consume(&queue).await;
        let first = next(&mut consumer).await;
        next(&mut consumer).await;
        assert_eq!(client.message_count(&queue).await, 3);
        first.ack(BasicAckOptions::default()).await.unwrap();
        assert_eq!(next(&mut consumer).await.data, b"3");
        assert_eq!(client.message_count(&queue).await, 2);
    })
    .await;
}

#[tokio::test]
async fn global_prefetch_is_shared_by_the_channel() {
    in_time(async {
        let client = Client::start().await;
        let queue = client.queue().await;
        client.publish(&queue, &[b"x".as_slice(); 6]).await;
        client.channel.basic_qos(3, BasicQosOptions { global: true }).await.unwrap();
        let mut first = client.consume(&queue).await;
        for _ in 0..3 {
            next(&mut first).await;
        }
        let _second = client.consume(&queue).await;
        assert_eq!(client.message_count(&queue).await, 3);
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_consumer_gets_nothing_more() {
    in_time(async {
        let client = Client::start().await;
        let queue = client.queue().await;
        let mut consumer = client.consume(&queue).await;
        let options = BasicCancelOptions::default();
        client.channel.basic_cancel(consumer.tag(), options).await.unwrap();
        client.publish(&queue, &[b"late"]).await;
        assert!(consumer.next().await.is_none());
        assert_eq!(client.take(&queue).await.unwrap(), b"late");
    })
    .await;
}

#[tokio::test]
async fn deleting_the_queue_cancels_its_consumer() {
    in_time(async {
        let client = Client::start().await;
        let (name, none) = (unique("queue"), FieldTable::default());
        let queue = name.as_str();
        let options = QueueDeclareOptions::durable();
        client.channel.queue_declare(queue.into(), options, none).await.unwrap();
        let mut consumer = client.consume(queue).await;
        let other = client.connect().await.create_channel().await.unwrap();
        other.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
        assert!(consumer.next().await.is_none());
        assert!(client.channel.status().connected());
    })
    .await;
}

#[tokio::test]
async fn consumers_of_one_queue_take_turns() {
    in_time(async {
        let client = Client::start().await;
        let queue = client.queue().await;
        let (mut first, mut second) = (client.consume(&queue).await, client.consume(&queue).await);
        client.publish(&queue, &[b"x".as_slice(); 10]).await;
        for _ in 0..5 {
            next(&mut first).await;
            next(&mut second).await;
        }
    })
    .await;
}
