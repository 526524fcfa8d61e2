//! Floor 6: assembly of the node: what the operator wrote, logging, boot, shutdown. Nothing below
//! knows it.

mod boot;
pub mod command_line;
pub mod config;
mod control;
mod definitions;
mod listening;
mod log_exchange;
mod log_level;
mod log_tail;
pub mod logging;
mod management;
mod memory;
mod metrics;
mod password_thread;
mod pid_file;
mod process;
mod reload;
mod seeds;
mod shutdown;
mod store_threads;
mod tls_facts;

pub use boot::{run, run_over};

#[cfg(test)]
mod panic_tests;
#[cfg(test)]
mod stall_tests;
#[cfg(test)]
mod test_node;
