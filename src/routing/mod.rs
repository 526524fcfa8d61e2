//! Floor 3: where messages go. A table per type of exchange, and the graph of a virtual host's
//! exchanges. It knows queues and exchanges by number; what they are, the broker knows.
//!
//! Reading order: [`Table`] (one exchange's bindings), its types, [`Router`] (all exchanges).

mod deduplication;
mod destination;
mod direct;
mod exchange;
mod hash;
mod headers;
mod kind;
mod random;
mod router;
mod seen_keys;
mod table;
mod topic;

pub use deduplication::{Claim, ClaimId, Deduplicated};
pub use destination::{BindingKey, Destination, DestinationSet};
pub use exchange::{Exchange, ExchangeFigures};
pub use kind::ExchangeKind;
pub use router::{QueueNames, Route, Router};
pub use table::{RouteInput, Table};
