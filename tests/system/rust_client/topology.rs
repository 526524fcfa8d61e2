//! Declaring, binding and deleting with lapin.

use lapin::ExchangeKind;
use lapin::options::{
    ExchangeBindOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, ExchangeUnbindOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::FieldTable;

use super::{Client, in_time, publish, table, unique};

/// An exchange that goes when its last binding goes.
async fn exchange(client: &Client, kind: ExchangeKind) -> String {
    let name = unique("exchange");
    let options = ExchangeDeclareOptions { auto_delete: true, ..Default::default() };
    let none = FieldTable::default();
    client.channel.exchange_declare(name.as_str().into(), kind, options, none).await.unwrap();
    name
}

async fn bind(client: &Client, queue: &str, exchange: &str, key: &str, arguments: FieldTable) {
    let options = QueueBindOptions::default();
    let bound =
        client.channel.queue_bind(queue.into(), exchange.into(), key.into(), options, arguments);
    bound.await.unwrap();
}

#[tokio::test]
async fn each_exchange_type_routes_as_it_should() {
    in_time(async {
        let client = Client::start().await;
        let none = FieldTable::default;
        for (kind, binding_key, routing_key, other_key) in [
            (ExchangeKind::Direct, "key", "key", Some("other")),
            (ExchangeKind::Fanout, "key", "whatever", None),
            (ExchangeKind::Topic, "a.*.#", "a.b.c.d", Some("a")),
        ] {
            let (exchange, queue) = (exchange(&client, kind).await, client.queue().await);
            bind(&client, &queue, &exchange, binding_key, none()).await;
            publish(&client.channel, &exchange, routing_key, b"routed").await;
            if let Some(key) = other_key {
                publish(&client.channel, &exchange, key, b"not routed").await;
            }
            assert_eq!(client.take(&queue).await.unwrap(), b"routed");
            assert_eq!(client.take(&queue).await, None);
        }
    })
    .await;
}

#[tokio::test]
async fn a_headers_exchange_looks_at_headers() {
    in_time(async {
        let client = Client::start().await;
        let exchange = exchange(&client, ExchangeKind::Headers).await;
        let queue = client.queue().await;
        let wanted = table(&[("x-match", "all"), ("color", "red"), ("size", "large")]);
        bind(&client, &queue, &exchange, "", wanted).await;
        for (size, body) in [("large", b"routed".as_slice()), ("small", b"not routed")] {
            let headers = table(&[("color", "red"), ("size", size)]);
            let properties = lapin::BasicProperties::default().with_headers(headers);
            let options = Default::default();
            super::publish_with(&client.channel, &exchange, "", options, body, properties).await;
        }
        assert_eq!(client.take(&queue).await.unwrap(), b"routed");
        assert_eq!(client.take(&queue).await, None);
    })
    .await;
}

#[tokio::test]
async fn exchanges_can_be_bound_to_each_other_and_unbound() {
    in_time(async {
        let client = Client::start().await;
        let source = exchange(&client, ExchangeKind::Topic).await;
        let middle = exchange(&client, ExchangeKind::Fanout).await;
        let (queue, none) = (client.queue().await, FieldTable::default());
        bind(&client, &queue, &middle, "", none.clone()).await;
        let (to, from) = (middle.as_str(), source.as_str());
        let options = ExchangeBindOptions::default();
        let bound = client.channel.exchange_bind(
            to.into(),
            from.into(),
            "a.#".into(),
            options,
            none.clone(),
        );
        bound.await.unwrap();
        // A second one keeps the source alive when the first goes.
        bind(&client, &client.queue().await, &source, "x", none.clone()).await;
        publish(&client.channel, &source, "a.b", b"through").await;
        assert_eq!(client.take(&queue).await.unwrap(), b"through");
        let options = ExchangeUnbindOptions::default();
        let unbound =
            client.channel.exchange_unbind(to.into(), from.into(), "a.#".into(), options, none);
        unbound.await.unwrap();
        publish(&client.channel, &source, "a.b", b"lost").await;
        assert_eq!(client.take(&queue).await, None);
    })
    .await;
}

#[tokio::test]
async fn what_an_exchange_cannot_route_goes_to_its_alternate() {
    in_time(async {
        let client = Client::start().await;
        let alternate = exchange(&client, ExchangeKind::Fanout).await;
        let (queue, name) = (client.queue().await, unique("exchange"));
        bind(&client, &queue, &alternate, "", FieldTable::default()).await;
        let arguments = table(&[("alternate-exchange", &alternate)]);
        let (options, kind) = (ExchangeDeclareOptions::default(), ExchangeKind::Direct);
        let exchange = name.as_str();
        client.channel.exchange_declare(exchange.into(), kind, options, arguments).await.unwrap();
        publish(&client.channel, exchange, "nobody", b"caught").await;
        assert_eq!(client.take(&queue).await.unwrap(), b"caught");
        let options = ExchangeDeleteOptions::default();
        client.channel.exchange_delete(exchange.into(), options).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_unbound_queue_gets_nothing_more() {
    in_time(async {
        let client = Client::start().await;
        let (exchange, queue) =
            (exchange(&client, ExchangeKind::Direct).await, client.queue().await);
        let none = FieldTable::default;
        bind(&client, &queue, &exchange, "a", none()).await;
        bind(&client, &queue, &exchange, "b", none()).await;
        let (to, from) = (queue.as_str(), exchange.as_str());
        client.channel.queue_unbind(to.into(), from.into(), "a".into(), none()).await.unwrap();
        publish(&client.channel, &exchange, "a", b"lost").await;
        publish(&client.channel, &exchange, "b", b"kept").await;
        assert_eq!(client.take(&queue).await.unwrap(), b"kept");
    })
    .await;
}

#[tokio::test]
async fn declaring_purging_and_deleting_tell_how_many_messages_there_are() {
    in_time(async {
        let client = Client::start().await;
        let name = unique("queue");
        let queue = name.as_str();
        let (options, none) = (QueueDeclareOptions::durable(), FieldTable::default);
        let made = client.channel.queue_declare(queue.into(), options, none()).await.unwrap();
        assert_eq!(
            (made.name().as_str(), made.message_count(), made.consumer_count()),
            (queue, 0, 0)
        );
        client.publish(queue, &[b"1", b"2", b"3"]).await;
        let again = client.channel.queue_declare(queue.into(), options, none()).await.unwrap();
        assert_eq!(again.message_count(), 3);
        let purged = client.channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await;
        assert_eq!(purged.unwrap(), 3);
        client.publish(queue, &[b"4"]).await;
        let deleted = client.channel.queue_delete(queue.into(), QueueDeleteOptions::default());
        assert_eq!(deleted.await.unwrap(), 1);
        // What is gone may be deleted again.
        let deleted = client.channel.queue_delete(queue.into(), QueueDeleteOptions::default());
        assert_eq!(deleted.await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn the_last_declared_queue_needs_no_name() {
    in_time(async {
        let client = Client::start().await;
        let queue = client.queue().await;
        assert!(queue.starts_with("amq.gen-"), "{queue}");
        client.publish(&queue, &[b"found"]).await;
        assert_eq!(client.take("").await.unwrap(), b"found");
    })
    .await;
}
