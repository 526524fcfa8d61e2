//! Floor 3: one queue as a pure machine. Messages, consumers and settlements go in, deliveries come
//! out as effects. It knows no broker, no session, no store and no names but its own consumers'
//! ids.
//!
//! A queue has two halves: [`contents`] (what is there, in which order) and [`dispatch`] (who gets
//! what next).

pub mod consumer;
pub mod contents;
pub mod credit;
pub mod dispatch;
mod machine;

pub use consumer::{Consumer, ConsumerOrder};
pub use contents::{Contents, Entry};
pub use credit::Credit;
pub use machine::{Counts, DeleteRefused, Effect, Queue, QueueTraits, Remains, SubscribeRefused};
