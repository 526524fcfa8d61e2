//! The load generator as a benchmark: `cargo bench --bench load -- --against HOST:PORT`. It starts
//! no broker; `benches/compare` starts two and runs it against both.

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use leveret::perf::{self, Options};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Load AMQP 0-9-1 brokers and measure them.
#[derive(Debug, Parser)]
#[command(name = "load", version, args_override_self = true)]
struct CommandLine {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    // Cargo adds this flag to what was typed.
    let words: Vec<String> = std::env::args().filter(|word| word != "--bench").collect();
    if words.len() > 1 {
        return perf::run(&CommandLine::parse_from(words).options);
    }
    // Run along with all other benchmarks, it has no broker to load.
    match CommandLine::command().print_help() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
