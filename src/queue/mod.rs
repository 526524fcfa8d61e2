//! Floor 3: one queue as a pure machine. Messages, consumers and settlements go in, deliveries come
//! out as effects. It knows no broker, no session, no store and no names but its own consumers'
//! ids.
//!
//! A queue has two halves: [`contents`] (what is there, in which order) and [`dispatch`] (who gets
//! what next). What is there, and what is out, are [`stretch`]es: consecutive messages that are
//! alike. Bodies on disk are fetched back as [`paging`] says, and what the log must know leaves as
//! a [`fact`].

pub mod consumer;
pub mod consumer_order;
pub mod contents;
pub mod credit;
pub mod dispatch;
pub mod due;
mod dying;
pub mod fact;
mod far;
pub mod held;
mod leaving;
pub mod length_limit;
mod machine;
mod messages;
pub mod paging;
pub mod patience;
mod present_keys;
pub mod ready;
pub mod retry;
pub mod stretch;
pub mod stretch_map;
pub mod totals;
mod traits;
pub mod unsettled;

pub use consumer::{Consumer, Served};
pub use consumer_order::ConsumerOrder;
pub use contents::Contents;
pub use credit::Credit;
pub use due::{Arrival, Due, Lifetime};
pub use fact::Fact;
pub use held::Held;
pub use length_limit::LengthLimit;
pub use machine::{
    Counts, DeadLetters, DeleteRefused, Effect, Fetched, Leave, Queue, Remains, Report,
    SubscribeRefused,
};
pub use patience::Patience;
pub use ready::{Priorities, Ready};
pub use retry::{Backoff, Retry};
pub use stretch::{Marks, Stretch};
pub use stretch_map::StretchMap;
pub use totals::{Resident, Totals};
pub use traits::{Limits, QueueTraits};
pub use unsettled::Unsettled;
