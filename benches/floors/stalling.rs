//! The broker over a disk that stalls: every two seconds, nothing that is written or synced comes
//! back for half a second. All else is as with `leveret serve`, whose flags it takes. What clients
//! notice of it is measured by `benches/stall`, not here.

#![expect(clippy::expect_used, reason = "what breaks here is a bench")]

use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::Parser;
use leveret::command_line::{Command, CommandLine};
use leveret::node;
use leveret::store::{Faults, FaultyStorage, FileStorage, Operation, Storage};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PERIOD: Duration = Duration::from_secs(2);
const STALL: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    match CommandLine::parse().into_command() {
        Command::Serve(flags) => node::run_over(&flags, stalling),
        Command::Inspect(_)
        | Command::Perf(_)
        | Command::Ctl { .. }
        | Command::Completions { .. }
        | Command::Man { .. } => ExitCode::FAILURE,
    }
}

/// The folder behind a switch that a thread turns as long as the process runs.
fn stalling(folder: FileStorage) -> Arc<dyn Storage> {
    let faults = Faults::new();
    let switch = faults.clone();
    let turner = thread::Builder::new().name("stall".to_owned()).spawn(move || {
        loop {
            thread::sleep(PERIOD - STALL);
            switch.stall(Operation::Write);
            switch.stall(Operation::Sync);
            thread::sleep(STALL);
            switch.heal();
        }
    });
    turner.expect("a thread");
    Arc::new(FaultyStorage::new(Arc::new(folder), faults))
}
