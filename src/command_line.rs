//! The command line: which command is meant, and who carries it out. The flags of each command are
//! its own business.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::inspect;
use crate::node::{
    self,
    command_line::{SERVE_HELP, Serve},
};
use crate::perf;

const AFTER_HELP: &str = "\
Without a command, `serve` is meant: `leveret --listen 5672` starts a broker.";

/// A message broker that speaks AMQP 0-9-1 as RabbitMQ does.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "leveret",
    version,
    args_conflicts_with_subcommands = true,
    after_help = AFTER_HELP,
    after_long_help = long_help(),
)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

/// The sub-commands.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Start a broker (this is the default)
    #[command(after_long_help = SERVE_HELP)]
    Serve(Serve),
    /// Look into a data directory, of a broker that runs or not, without changing anything
    Inspect(inspect::Options),
    /// Load an AMQP 0-9-1 broker, check that every message arrives once and in order, and measure
    Perf(Box<perf::Options>),
}

impl CommandLine {
    /// What is to be done.
    #[must_use]
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

/// Runs what the command line asks for, to its end.
#[must_use]
pub fn run(command_line: CommandLine) -> ExitCode {
    match command_line.into_command() {
        Command::Serve(flags) => node::run(&flags),
        Command::Inspect(options) => inspect::run(&options),
        Command::Perf(options) => perf::run(&options),
    }
}

fn long_help() -> String {
    format!("{AFTER_HELP}\n\n{SERVE_HELP}")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn serve(line: &str) -> Serve {
        match CommandLine::try_parse_from(line.split(' ')).unwrap().into_command() {
            Command::Serve(serve) => serve,
            other => panic!("{line} is {other:?}"),
        }
    }

    #[test]
    fn the_definition_holds_together() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn serve_is_meant_without_a_command() {
        assert_eq!(serve("leveret"), Serve::default());
        let flags = "--listen 127.0.0.1:0 --listen [::1]:0 --data-dir d --config a --config b \
                     --set heartbeat=5 --set x.y=a=b";
        let expected = Serve {
            config: vec!["a".into(), "b".into()],
            listen: vec!["127.0.0.1:0".into(), "[::1]:0".into()],
            data_dir: Some("d".into()),
            set: vec!["heartbeat=5".into(), "x.y=a=b".into()],
        };
        assert_eq!(serve(&format!("leveret {flags}")), expected);
        assert_eq!(serve(&format!("leveret serve {flags}")), expected);
    }

    #[test]
    fn inspect_is_a_command_of_its_own() {
        let line = ["leveret", "inspect", "data", "--json"];
        let command = CommandLine::try_parse_from(line).unwrap().into_command();
        let options =
            inspect::Options { data_dir: "data".into(), json: true, ..inspect::Options::default() };
        assert_eq!(command, Command::Inspect(options));
    }

    #[test]
    fn a_flag_or_command_that_does_not_exist_is_refused() {
        assert!(CommandLine::try_parse_from(["leveret", "--port", "5672"]).is_err());
        assert!(CommandLine::try_parse_from(["leveret", "start"]).is_err());
    }

    #[test]
    fn the_help_names_every_flag_and_shows_examples() {
        let help = CommandLine::command().render_long_help().to_string();
        for part in
            ["--listen", "--data-dir", "--config", "--set", "serve", "inspect", "perf", "Examples:"]
        {
            assert!(help.contains(part), "{part} in\n{help}");
        }
    }
}
