//! Where orders come from: an exchange that makes work of each, and a publisher that has an order
//! confirmed before it forgets it.

use std::collections::VecDeque;
use std::time::Duration;

use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};

use lapin::types::{AMQPValue, FieldTable};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind, PublisherConfirm,
};
use tokio::sync::Notify;

const EXCHANGE: &str = "orders";

/// Orders on their way at once.
const WINDOW: usize = 1000;

/// Connects, as soon as there is somebody to connect to.
pub(crate) async fn connect(address: &str) -> Connection {
    loop {
        let connection = Connection::connect(address, ConnectionProperties::default());
        // Whoever is killed meanwhile does not say so.
        match tokio::time::timeout(Duration::from_secs(2), connection).await {
            Ok(Ok(connection)) => return connection,
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Ends when the connection does: what is asked on a channel of it may wait for ever then.
pub(crate) async fn end_of(connection: &Connection) {
    while connection.status().connected() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Declares who gets work of an order.
pub(crate) async fn open(address: &str) -> lapin::Result<()> {
    let connection = connect(address).await;
    let channel = connection.create_channel().await?;
    let (durable, none) =
        (ExchangeDeclareOptions { durable: true, ..Default::default() }, FieldTable::default());
    channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Fanout, durable, none).await?;
    // A payment that fails is set aside, and surely: it waits where no queue has it.
    let mut payment = FieldTable::default();
    for (name, value) in [
        ("x-dead-letter-exchange", ""),
        ("x-dead-letter-routing-key", "payment.failed"),
        ("x-dead-letter-strategy", "at-least-once"),
    ] {
        payment.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    declare(&channel, "payment.failed", FieldTable::default()).await?;
    declare(&channel, "payment", payment).await?;
    for queue in ["restaurant", "email", "analytics"] {
        declare(&channel, queue, FieldTable::default()).await?;
    }
    for queue in ["payment", "restaurant", "email", "analytics"] {
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        channel.queue_bind(queue.into(), EXCHANGE.into(), "".into(), options, none).await?;
    }
    connection.close(200, "open".into()).await
}

async fn declare(channel: &Channel, queue: &str, arguments: FieldTable) -> lapin::Result<()> {
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(queue.into(), durable, arguments).await?;
    Ok(())
}

/// Publishes orders until all are confirmed, whatever becomes of the broker meanwhile.
pub(crate) async fn take_orders(address: &str, count: usize, half_time: &Notify) {
    let mut open: VecDeque<usize> = (0..count).collect();
    while !open.is_empty() {
        let connection = connect(address).await;
        // What broke off is published again.
        tokio::select! {
            _ = publish(&connection, count, &mut open, half_time) => {}
            () = end_of(&connection) => {}
        }
    }
}

/// Publishes what is open, and takes out what is confirmed.
async fn publish(
    connection: &Connection,
    count: usize,
    open: &mut VecDeque<usize>,
    half_time: &Notify,
) -> lapin::Result<()> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut confirms: VecDeque<PublisherConfirm> = VecDeque::new();
    let mut next = 0;
    while !open.is_empty() {
        while let Some(order) = open.get(next).filter(|_| confirms.len() < WINDOW) {
            let persistent = BasicProperties::default().with_delivery_mode(2);
            let (options, body) = (BasicPublishOptions::default(), order.to_string());
            let exchange = EXCHANGE.into();
            confirms.push_back(
                channel
                    .basic_publish(exchange, "".into(), options, body.as_bytes(), persistent)
                    .await?,
            );
            next += 1;
        }
        let Some(confirm) = confirms.pop_front() else { break };
        if confirm.await?.is_ack() {
            open.pop_front();
            next -= 1;
        } else {
            return Ok(());
        }
        if open.len() == count / 2 {
            half_time.notify_one();
        }
    }
    Ok(())
}
