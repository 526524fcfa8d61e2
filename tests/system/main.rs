//! The real binary from outside: how it starts, what it refuses, what it logs, how it stops, and
//! what it does when its system has nothing left. What it does with messages is shown elsewhere,
//! but for `rust_client`, which does the list of all clients with lapin.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]
#![expect(clippy::print_stdout, reason = "what could not be shown is told")]

mod alarms;
mod certificates;
mod configuration;
mod consumer_timeout;
mod ctl;
mod ctl_operations;
mod ctl_refusals;
mod definitions;
mod descriptors;
mod disk;
mod durability;
mod inspect;
mod local_socket;
mod log;
mod login;
mod management;
mod metrics;
mod perf;
mod process;
mod proxy;
mod rust_client;
mod start;
mod stop;
mod tls;
mod websocket;
mod wire;
