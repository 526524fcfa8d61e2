//! Those who work: each reads one queue, does what is to be done once for each order, and goes on
//! where it was when the broker comes back.

use futures_lite::StreamExt;
use lapin::Connection;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::sync::watch;

use crate::books::Books;
use crate::{FAILS_EVERY, PAYMENT_PACE, shop};

/// Works until the day is over.
pub(crate) async fn run(
    address: &str,
    queue: &'static str,
    books: &Books,
    mut closed: watch::Receiver<bool>,
) {
    while !*closed.borrow() {
        let connection = tokio::select! {
            connection = shop::connect(address) => connection,
            _ = closed.changed() => break,
        };
        // What breaks off is begun again with a new connection.
        tokio::select! {
            _ = work(&connection, queue, books) => {}
            () = shop::end_of(&connection) => {}
            _ = closed.changed() => {}
        }
    }
}

async fn work(connection: &Connection, queue: &str, books: &Books) -> lapin::Result<()> {
    let channel = connection.create_channel().await?;
    channel.basic_qos(200, BasicQosOptions::default()).await?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut orders = channel.basic_consume(queue.into(), "".into(), options, none).await?;
    let mut done = 0;
    while let Some(order) = orders.next().await.transpose()? {
        settle(queue, books, &order).await?;
        done += 1;
        let (count, pause) = PAYMENT_PACE;
        if queue == "payment" && done % count == 0 {
            tokio::time::sleep(pause).await;
        }
    }
    Ok(())
}

/// Does the work for one order. A payment that fails is rejected, and comes to the queue of those.
async fn settle(queue: &str, books: &Books, delivery: &Delivery) -> lapin::Result<()> {
    let order = String::from_utf8_lossy(&delivery.data).parse().unwrap_or(usize::MAX);
    if queue == "payment" && order % FAILS_EVERY == 0 {
        let aside = BasicNackOptions { requeue: false, multiple: false };
        delivery.nack(aside).await?;
        return Ok(());
    }
    books.note(queue, order);
    delivery.ack(BasicAckOptions::default()).await?;
    Ok(())
}
