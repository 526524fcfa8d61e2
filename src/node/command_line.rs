//! The command line: what may be typed after `leveret`. What it means is decided elsewhere, the
//! flags of `serve` in `config`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

const AFTER_HELP: &str = "\
Without a command, `serve` is meant: `leveret --listen 5672` starts a broker.";

const SERVE_HELP: &str = "\
Settings:
  Every key of rabbitmq.conf is understood. Files come first, then environment variables named
  as the key in capitals with underscores (LEVERET_LISTENERS_TCP_DEFAULT=5672), then flags; what
  comes later wins. A key that is not used yet is answered with a warning, an unknown key or a
  bad value stops the start. config/leveret.conf in the source lists every key.

Examples:
  leveret
      Listen on 127.0.0.1:5672 and [::1]:5672, data in ./data.
  leveret --listen 5672 --data-dir /var/lib/leveret
      Listen on every interface.
  leveret --config leveret.conf --set log.console.level=debug
      Read a file, then override one key.
  LEVERET_HEARTBEAT=30 leveret --listen 127.0.0.1:0
      Let the system choose a port; the start-up line says which.";

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
}

/// The flags of `serve`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Serve {
    /// A configuration file in the syntax of rabbitmq.conf; of several, the later ones win
    #[arg(long, short, value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// Where to listen for AMQP, in place of all listeners that are configured: PORT for every
    /// interface, or ADDRESS:PORT. May be given several times. Port 0 lets the system choose
    #[arg(long, short, value_name = "ADDRESS")]
    pub listen: Vec<String>,
    /// The folder that holds all of the node's data [default: ./data]
    #[arg(long, short, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Set any key, as a line of a configuration file would. May be given several times
    #[arg(long, short, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl CommandLine {
    /// What is to be done.
    #[must_use]
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
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
        let Command::Serve(serve) =
            CommandLine::try_parse_from(line.split(' ')).unwrap().into_command();
        serve
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
    fn a_flag_or_command_that_does_not_exist_is_refused() {
        assert!(CommandLine::try_parse_from(["leveret", "--port", "5672"]).is_err());
        assert!(CommandLine::try_parse_from(["leveret", "start"]).is_err());
    }

    #[test]
    fn the_help_names_every_flag_and_shows_examples() {
        let help = CommandLine::command().render_long_help().to_string();
        for part in ["--listen", "--data-dir", "--config", "--set", "serve", "Examples:"] {
            assert!(help.contains(part), "{part} in\n{help}");
        }
    }
}
