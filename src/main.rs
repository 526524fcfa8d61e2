//! The `leveret` binary: reads the command line and hands over to the node. Nothing is decided
//! here.

use std::process::ExitCode;

use leveret::node::{self, command_line::CommandLine};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    node::run(<CommandLine as clap::Parser>::parse())
}
