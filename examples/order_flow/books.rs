//! Who has seen which order, and how often: what the end of the day is judged by.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What each kind of work saw: orders, and how often.
#[derive(Debug, Default)]
pub(crate) struct Books(Mutex<BTreeMap<String, BTreeMap<usize, usize>>>);

/// Work that every order makes.
const FOR_ALL: [&str; 3] = ["restaurant", "email", "analytics"];

impl Books {
    /// This work was done for an order. False where it had been done before: after a crash an order
    /// may come twice, and its number tells.
    pub(crate) fn note(&self, work: &str, order: usize) -> bool {
        let mut books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = books.entry(work.to_owned()).or_default().entry(order).or_default();
        *count += 1;
        *count == 1
    }

    fn count(&self, work: &str) -> usize {
        let books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        books.get(work).map_or(0, BTreeMap::len)
    }

    fn twice(&self) -> usize {
        let books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        books.values().flat_map(BTreeMap::values).filter(|count| **count > 1).count()
    }

    /// Waits until all work for all orders is done.
    pub(crate) async fn complete(&self, orders: usize) {
        let is_paid = || self.count("payment") + self.count("payment.failed") >= orders;
        while !(is_paid() && FOR_ALL.iter().all(|work| self.count(work) >= orders)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Says what became of the orders.
    pub(crate) fn tell(&self, orders: usize) {
        let (paid, failed) = (self.count("payment"), self.count("payment.failed"));
        println!("payment: {paid} paid, {failed} failed and set aside");
        for work in FOR_ALL {
            println!("{work}: {}", self.count(work));
        }
        println!("lost: {}", orders.saturating_sub(paid + failed));
        println!("came more than once, and were noticed: {}", self.twice());
    }
}
