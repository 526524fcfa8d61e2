//! The conformance suite: what a client sends and what must come back, frame by frame. The same
//! scripts run against a broker in this process, with time under their hand, and against any broker
//! behind a socket (`LEVERET_AGAINST=HOST:PORT`). How a script is written is told in `script`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]

mod channel;
mod client;
mod connection;
mod content;
mod differences;
mod expect;
mod frames;
mod handshake;
mod header;
mod in_process;
mod login;
mod methods;
mod plain;
mod received;
mod script;
mod socket;

