//! The day this broker was made for: orders come in a burst, each becomes work for payment, the
//! restaurant, e-mail and analytics; payment works at a tenth of the pace and fails some, the
//! broker is killed in the middle, and at the end every order is accounted for.
//!
//! `ORDERS=1000 cargo run --example order_flow` tells how many; without it, they are 100,000.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

mod books;
mod broker;
mod shop;
mod worker;

use std::error::Error;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use books::Books;
use broker::Broker;

/// One payment in so many fails.
const FAILS_EVERY: usize = 50;

/// Payments between two pauses, and how long these are: 10,000 a second at the most.
const PAYMENT_PACE: (usize, Duration) = (100, Duration::from_millis(10));

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1).as_deref() {
        Some(broker::ROLE) => broker::run(),
        _ => day(),
    }
}

#[tokio::main]
async fn day() -> Result<(), Box<dyn Error>> {
    let count = std::env::var("ORDERS").map_or(Ok(100_000), |count| count.parse())?;
    let mut broker = Broker::start()?;
    shop::open(&broker.address).await?;
    let address = broker.address.clone();
    let (books, half_time) = (Books::default(), Notify::new());
    let (closing, closed) = watch::channel(false);
    let work = |queue| worker::run(&address, queue, &books, closed.clone());
    let end = async {
        shop::take_orders(&address, count, &half_time).await;
        println!("{count} orders are taken");
        books.complete(count).await;
        closing.send_replace(true);
    };
    let accident = async {
        half_time.notified().await;
        broker.kill_and_start_again()
    };
    let (.., killed) = tokio::join!(
        end,
        work("payment"),
        work("payment.failed"),
        work("restaurant"),
        work("email"),
        work("analytics"),
        accident,
    );
    killed?;
    books.tell(count);
    Ok(())
}
