//! The `leveret` binary: reads the command line and hands over to the command it names. Nothing is
//! decided here.

use std::process::ExitCode;

use leveret::command_line;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    command_line::run(std::env::args_os())
}
