//! Floor 6: a load generator for any AMQP 0-9-1 broker, `leveret perf`. It publishes and consumes
//! over sockets as clients would, checks that every message arrives once and in order, and measures
//! rates, latency and what the broker's process costs. It starts no broker and uses no client
//! library: frames are made by hand, written many at a time and taken apart where they lie, so that
//! the generator costs far less than what it measures.
//!
//! A run has a thread for all publishers, one for all consumers, and the one that started them and
//! looks on.
//!
//! Reading order: `options` (as typed), `workload` (as meant), `session` (one run) and `compare`
//! (many), `runs`, then `clients` (the machines), `wire` (what gives them turns), and `figures`.

mod clients;
mod compare;
mod figures;
mod options;
mod runs;
mod session;
mod summary;
mod wire;
mod workload;

pub use options::Options;
pub use session::run;
