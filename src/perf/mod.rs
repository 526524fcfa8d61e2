//! Floor 6: a load generator for any AMQP 0-9-1 broker. It publishes and consumes over sockets as a
//! client would, checks that every message arrives once and in order, and measures rates, latency
//! and what the broker's process costs. It starts no broker and uses no client library: frames are
//! made by hand, written many at a time and taken apart where they lie, so that the generator costs
//! far less than what it measures.
//!
//! One run has three threads: a publisher, a consumer, and the one that started them and looks on.
//!
//! Reading order: `options`, `scenario`, `session` (all runs), `run` and `backlog` (one of them),
//! `queues`, `publisher` with `batch`, `stamp` and `confirms`, `consumer` with `delivery` and
//! `sequence`, `wire` below both, `process`, `disk` and `histogram` for figures, `report` and
//! `table`.

mod backlog;
mod batch;
mod confirms;
mod consumer;
mod delivery;
mod disk;
mod histogram;
mod measurement;
mod options;
mod process;
mod publisher;
mod queues;
mod report;
mod run;
mod scenario;
mod sequence;
mod session;
mod stamp;
mod table;
mod wire;

pub use options::Options;
pub use scenario::Scenario;
pub use session::run;
