//! What the real binary takes of memory: for what is idle or waiting, as differences of its
//! resident size, and with clients of ill will, as the highest it ever was. Each test prints its
//! figures. One runs at a time, so that none disturbs another.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a panic is a failed test")]
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

mod figures;
mod hostile;
mod neighbor;
#[path = "../system/optimized.rs"]
mod optimized;
#[path = "../system/process.rs"]
#[expect(dead_code, reason = "the system tests use all of it")]
mod process;
mod resident;
mod unsettled;
#[path = "../system/wire.rs"]
#[expect(dead_code, reason = "the system tests use all of it")]
mod wire;

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use process::Process;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The bytes of a KiB and of a MiB.
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

fn start() -> Process {
    Process::start_by(command())
}

/// Starts a broker on a port of its own.
fn command() -> Command {
    let mut command = Command::new(optimized::binary());
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    command
}

/// The binary is the release one: a debug one takes more.
fn is_optimized() -> bool {
    optimized::binary().components().any(|part| part.as_os_str() == "release")
}

/// Waits until no other test runs, and lets this process have as many sockets as it may.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("a higher limit");
    guard
}

/// How many connections this test may hold at once, at most so many.
fn connections_max(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let count = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(100).min(wanted);
    if count < wanted {
        println!("open files are limited to {limit}: {count} connections instead of {wanted}");
    }
    count
}
