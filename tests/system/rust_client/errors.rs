//! What the broker refuses, as lapin's errors.

use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    ExchangeDeclareOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ErrorKind, ExchangeKind};

use super::{Client, consume, in_time, unique};

/// Code and text of a refusal.
fn refusal<T>(result: lapin::Result<T>) -> (u16, String) {
    let Err(error) = result else { panic!("it was not refused") };
    match error.kind() {
        ErrorKind::ProtocolError(error) => {
            (error.get_id(), error.get_message().as_str().to_owned())
        }
        other => panic!("{other:?}"),
    }
}

async fn declare(
    channel: &Channel,
    queue: &str,
    options: QueueDeclareOptions,
) -> lapin::Result<()> {
    channel.queue_declare(queue.into(), options, FieldTable::default()).await.map(drop)
}

fn passive() -> QueueDeclareOptions {
    QueueDeclareOptions::default().passive()
}

#[tokio::test]
async fn a_missing_queue_is_404_and_harms_no_other_channel() {
    in_time(async {
        let client = Client::start().await;
        let (queue, name, broken) =
            (client.queue().await, unique("missing"), client.channel().await);
        let text = format!("NOT_FOUND - no queue '{name}' in vhost '/'");
        assert_eq!(refusal(declare(&broken, &name, passive()).await), (404, text));
        assert!(!broken.status().connected());
        client.publish(&queue, &[b"still here"]).await;
        assert_eq!(client.take(&queue).await.unwrap(), b"still here");
    })
    .await;
}

#[tokio::test]
async fn a_missing_exchange_is_404() {
    in_time(async {
        let client = Client::start().await;
        let name = unique("missing");
        let options = ExchangeDeclareOptions { passive: true, ..Default::default() };
        let none = FieldTable::default();
        let declared = client.channel.exchange_declare(
            name.as_str().into(),
            ExchangeKind::Direct,
            options,
            none,
        );
        let text = format!("NOT_FOUND - no exchange '{name}' in vhost '/'");
        assert_eq!(refusal(declared.await), (404, text));
    })
    .await;
}

#[tokio::test]
async fn a_publish_to_a_missing_exchange_is_404() {
    in_time(async {
        let client = Client::start().await;
        let (name, channel) = (unique("missing"), client.channel().await);
        // The confirm it waits for learns of it: a request that comes while the channel closes
        // would get lapin's own error instead.
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let exchange = name.as_str().into();
        let sent = channel.basic_publish(exchange, "key".into(), options, b"lost", properties);
        let text = format!("NOT_FOUND - no exchange '{name}' in vhost '/'");
        assert_eq!(refusal(sent.await.unwrap().await), (404, text));
    })
    .await;
}

#[tokio::test]
async fn anothers_exclusive_queue_is_405() {
    in_time(async {
        let client = Client::start().await;
        let (queue, other) = (client.queue().await, client.connect().await);
        let channel = other.create_channel().await.unwrap();
        let (code, text) = refusal(declare(&channel, &queue, passive()).await);
        let expected = format!(
            "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{queue}' in \
             vhost '/'"
        );
        assert!(code == 405 && text.starts_with(&expected), "{code} {text}");
    })
    .await;
}

#[tokio::test]
async fn another_argument_is_406() {
    in_time(async {
        let client = Client::start().await;
        let (name, other) = (unique("queue"), client.channel().await);
        declare(&client.channel, &name, QueueDeclareOptions::exclusive()).await.unwrap();
        let options = QueueDeclareOptions::exclusive().auto_delete();
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue '{name}' in vhost '/': \
             received 'true' but current is 'false'"
        );
        assert_eq!(refusal(declare(&other, &name, options).await), (406, text));
    })
    .await;
}

#[tokio::test]
async fn a_name_that_the_broker_made_is_not_for_clients_to_declare() {
    in_time(async {
        let client = Client::start().await;
        let queue = client.queue().await;
        let (code, text) =
            refusal(declare(&client.channel, &queue, QueueDeclareOptions::exclusive()).await);
        let expected =
            format!("ACCESS_REFUSED - queue name '{queue}' contains reserved prefix 'amq.*'");
        assert_eq!((code, text), (403, expected));
    })
    .await;
}

#[tokio::test]
async fn an_unknown_delivery_tag_is_406() {
    in_time(async {
        let client = Client::start().await;
        let queue = client.queue().await;
        client.channel.basic_ack(99, BasicAckOptions::default()).await.unwrap();
        let text = "PRECONDITION_FAILED - unknown delivery tag 99".to_owned();
        let next = declare(&client.channel, &queue, passive()).await;
        assert_eq!(refusal(next), (406, text));
    })
    .await;
}

#[tokio::test]
async fn a_queue_in_use_is_not_deleted_if_unused() {
    in_time(async {
        let client = Client::start().await;
        let queue = client.queue().await;
        let _consumer = client.consume(&queue).await;
        let options = QueueDeleteOptions { if_unused: true, ..Default::default() };
        let deleted = client.channel.queue_delete(queue.as_str().into(), options).await;
        let text = format!("PRECONDITION_FAILED - queue '{queue}' in vhost '/' in use");
        assert_eq!(refusal(deleted), (406, text));
    })
    .await;
}

#[tokio::test]
async fn an_exclusive_consumer_is_alone() {
    in_time(async {
        let client = Client::start().await;
        let (queue, other) = (client.queue().await, client.channel().await);
        let options = BasicConsumeOptions { exclusive: true, ..Default::default() };
        let _consumer = consume(&client.channel, &queue, options).await;
        let (name, none) = (queue.as_str().into(), FieldTable::default());
        let second = other.basic_consume(name, "".into(), BasicConsumeOptions::default(), none);
        let text = format!("ACCESS_REFUSED - queue '{queue}' in vhost '/' in exclusive use");
        assert_eq!(refusal(second.await.map(drop)), (403, text));
    })
    .await;
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_virtual_host_are_refused() {
    in_time(async {
        let client = Client::start().await;
        for (login, place, code, part) in [
            ("guest:wrong", "%2f", 403, "ACCESS_REFUSED - Login was refused"),
            ("guest:guest", "leveret-nowhere", 530, "vhost leveret-nowhere not found"),
        ] {
            let uri = format!("amqp://{login}@{}/{place}", client.address);
            let connected = Connection::connect(&uri, ConnectionProperties::default()).await;
            let (found, text) = refusal(connected.map(drop));
            assert!(found == code && text.contains(part), "{found} {text}");
        }
    })
    .await;
}
