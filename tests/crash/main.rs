//! Durability from outside: the real binary, real files, and clients that know what they were
//! promised, over many lives of the broker. What a power failure leaves is the simulation's
//! business. `kill` repeats its moments with LEVERET_CRASH_SEED; LEVERET_CRASH_ROUNDS makes it
//! long.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a panic is a failed test")]
#![expect(clippy::print_stdout, reason = "figures and what could not be shown are told")]

mod books;
mod clients;
mod facts;
mod kill;
mod node;
#[path = "../system/optimized.rs"]
mod optimized;
#[path = "../system/process.rs"]
#[expect(dead_code, reason = "the system tests use all of it")]
mod process;
mod synced;
mod trace;
#[path = "../system/wire.rs"]
#[expect(dead_code, reason = "the system tests use all of it")]
mod wire;
