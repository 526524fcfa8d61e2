//! Confirms, returns, transactions and all that a message carries, with lapin.

use lapin::options::{BasicAckOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable};
use lapin::{BasicProperties, Confirmation};

use super::{Client, get, in_time, publish, publish_with, table, unique};

async fn round_trip(client: &Client, body: &[u8], sent: BasicProperties) {
    let queue = client.queue().await;
    let options = BasicPublishOptions::default();
    publish_with(&client.channel, "", &queue, options, body, sent.clone()).await;
    let message = get(&client.channel, &queue, true).await.unwrap();
    assert_eq!(message.delivery.properties, sent);
    assert!(message.delivery.data == body, "{} bytes", message.delivery.data.len());
}

#[tokio::test]
async fn a_publish_is_confirmed() {
    in_time(async {
        let client = Client::start().await;
        let queue = client.queue().await;
        client.channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        for _ in 0..20 {
            let confirmation = publish(&client.channel, "", &queue, b"x").await;
            assert_eq!(confirmation, Confirmation::Ack(None));
        }
        assert_eq!(client.message_count(&queue).await, 20);
    })
    .await;
}

#[tokio::test]
async fn confirms_of_many_publishes_all_come() {
    in_time(async {
        let client = Client::start().await;
        let queue = client.queue().await;
        client.channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        for _ in 0..5000 {
            let (to, key) = ("".into(), queue.as_str().into());
            let sent = client.channel.basic_publish(to, key, options, b"x", properties.clone());
            drop(sent.await.unwrap());
        }
        assert!(client.channel.wait_for_confirms().await.unwrap().is_empty());
        assert_eq!(client.message_count(&queue).await, 5000);
    })
    .await;
}

#[tokio::test]
async fn an_unroutable_mandatory_message_comes_back_before_the_confirm() {
    in_time(async {
        let client = Client::start().await;
        client.channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let (key, channel) = (unique("nowhere"), &client.channel);
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let properties = BasicProperties::default()
            .with_message_id("m1".into())
            .with_headers(table(&[("a", "b")]));
        let confirmation =
            publish_with(channel, "", &key, options, b"back", properties.clone()).await;
        assert!(confirmation.is_ack());
        let returned = confirmation.take_message().expect("a returned message");
        assert_eq!((returned.reply_code, returned.reply_text.as_str()), (312, "NO_ROUTE"));
        assert_eq!(returned.delivery.routing_key.as_str(), key);
        assert_eq!(returned.delivery.data, b"back");
        assert_eq!(returned.delivery.properties, properties);
        // Without the flag it is confirmed and gone.
        assert_eq!(publish(channel, "", &key, b"gone").await, Confirmation::Ack(None));
    })
    .await;
}

#[tokio::test]
async fn a_transaction_publishes_on_commit_and_forgets_on_rollback() {
    in_time(async {
        let client = Client::start().await;
        let (queue, other) = (client.queue().await, client.channel().await);
        client.channel.tx_select().await.unwrap();
        client.publish(&queue, &[b"kept"]).await;
        assert_eq!(get(&other, &queue, true).await, None);
        client.channel.tx_commit().await.unwrap();
        client.publish(&queue, &[b"dropped"]).await;
        client.channel.tx_rollback().await.unwrap();
        assert_eq!(get(&other, &queue, true).await.unwrap().delivery.data, b"kept");
        assert_eq!(get(&other, &queue, true).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_rolled_back_ack_leaves_the_message_with_the_client() {
    in_time(async {
        let client = Client::start().await;
        let (queue, channel) = (client.queue().await, client.channel().await);
        client.publish(&queue, &[b"x"]).await;
        channel.tx_select().await.unwrap();
        let tag = get(&channel, &queue, false).await.unwrap().delivery.delivery_tag;
        channel.basic_ack(tag, BasicAckOptions::default()).await.unwrap();
        channel.tx_rollback().await.unwrap();
        channel.basic_ack(tag, BasicAckOptions::default()).await.unwrap();
        channel.tx_commit().await.unwrap();
        channel.close(200, "done".into()).await.unwrap();
        assert_eq!(client.take(&queue).await, None);
    })
    .await;
}

#[tokio::test]
async fn headers_of_every_type_come_back_as_they_went() {
    in_time(async {
        let client = Client::start().await;
        let mut inner = table(&[("deep", "text")]);
        inner.insert("empty".into(), AMQPValue::FieldTable(FieldTable::default()));
        let array = FieldArray::from(vec![
            AMQPValue::LongInt(1),
            AMQPValue::Void,
            AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::Boolean(true)])),
            AMQPValue::FieldTable(inner.clone()),
        ]);
        let mut headers = FieldTable::default();
        for (name, value) in [
            ("boolean", AMQPValue::Boolean(true)),
            ("i8", AMQPValue::ShortShortInt(i8::MIN)),
            ("u8", AMQPValue::ShortShortUInt(u8::MAX)),
            ("i16", AMQPValue::ShortInt(i16::MIN)),
            ("u16", AMQPValue::ShortUInt(u16::MAX)),
            ("i32", AMQPValue::LongInt(i32::MIN)),
            ("u32", AMQPValue::LongUInt(u32::MAX)),
            ("i64", AMQPValue::LongLongInt(i64::MIN)),
            ("f32", AMQPValue::Float(1.5)),
            ("f64", AMQPValue::Double(-2.25)),
            ("decimal", AMQPValue::DecimalValue(DecimalValue { scale: 3, value: 12_345 })),
            ("text", AMQPValue::LongString("Grüße".into())),
            ("time", AMQPValue::Timestamp(1_893_553_445)),
            ("bytes", AMQPValue::ByteArray(ByteArray::from(vec![0, 255]))),
            ("nothing", AMQPValue::Void),
            ("array", AMQPValue::FieldArray(array)),
            ("table", AMQPValue::FieldTable(inner)),
        ] {
            headers.insert(name.into(), value);
        }
        round_trip(&client, b"", BasicProperties::default().with_headers(headers)).await;
    })
    .await;
}

#[tokio::test]
async fn all_properties_come_back_as_they_went() {
    in_time(async {
        let client = Client::start().await;
        let properties = BasicProperties::default()
            .with_content_type("text/plain".into())
            .with_content_encoding("utf-8".into())
            .with_headers(table(&[("h", "v")]))
            .with_delivery_mode(2)
            .with_priority(7)
            .with_correlation_id("correlation".into())
            .with_reply_to("reply".into())
            .with_expiration("60000".into())
            .with_message_id("message".into())
            .with_timestamp(1_700_000_000)
            .with_type("kind".into())
            .with_user_id("guest".into())
            .with_app_id("app".into())
            .with_cluster_id("cluster".into());
        round_trip(&client, b"body", properties).await;
    })
    .await;
}

#[tokio::test]
async fn a_body_of_any_size_comes_back_whole() {
    in_time(async {
        let client = Client::start().await;
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        for size in [0, 1, 131_064, 131_065, 3_000_000] {
            round_trip(&client, &bytes[..size], BasicProperties::default()).await;
        }
    })
    .await;
}
