//! The command line: which command is meant, and who carries it out. The flags of each command are
//! its own business.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::ctl::{self, Tool};
use crate::inspect;
use crate::manual;
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

/// What most processes are called with: the flags of a broker, without the definition of all that
/// other commands take.
#[derive(Parser)]
#[command(name = "leveret", disable_version_flag = true)]
struct OnlyServe {
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
    /// Ask a node and change it, in the words of rabbitmqctl
    #[command(disable_help_flag = true)]
    Ctl {
        /// A verb with its arguments; `help` lists all of them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "VERB")]
        words: Vec<String>,
    },
    /// Print completions for a shell
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: Shell,
        /// The name that completions are for: leveret, or a link to it such as rabbitmqctl
        #[arg(default_value = "leveret")]
        name: String,
    },
    /// Print a page of the manual, for `man -l`
    Man {
        /// What it is about: a command, with a verb behind ctl, or a link such as rabbitmqctl
        /// [default: all of leveret]
        words: Vec<String>,
    },
}

impl CommandLine {
    /// What is to be done.
    #[must_use]
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

/// Runs what the words of a command line ask for, to its end. The first one is the name by which
/// the binary was called.
#[must_use]
pub fn run(words: impl Iterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = words.collect();
    if let Some(tool) = words.first().and_then(|name| Tool::called(Path::new(name))) {
        let words = words.iter().skip(1).map(|word| word.to_string_lossy().into_owned());
        return ctl::run(tool, &words.collect::<Vec<_>>());
    }
    match read(words) {
        Command::Serve(flags) => node::run(&flags),
        Command::Inspect(options) => inspect::run(&options),
        Command::Perf(options) => perf::run(&options),
        Command::Ctl { words } => ctl::run(Tool::Ctl, &words),
        Command::Completions { shell, name } => print_completions(shell, &name),
        Command::Man { words } => print_manual(&words),
    }
}

fn read(words: Vec<OsString>) -> Command {
    match only_serve(&words) {
        Some(serve) => Command::Serve(serve),
        None => CommandLine::parse_from(words).into_command(),
    }
}

/// The flags, where they are those of a broker and have no mistake; for all else the whole
/// definition has the words.
fn only_serve(words: &[OsString]) -> Option<Serve> {
    let behind_serve = words.get(1).is_some_and(|word| word == "serve");
    let flags = words.iter().skip(1 + usize::from(behind_serve));
    let name = OsString::from("leveret");
    let only = OnlyServe::try_parse_from(std::iter::once(&name).chain(flags)).ok()?;
    Some(only.serve)
}

/// The whole command line, with the verbs of `ctl`.
fn whole() -> clap::Command {
    CommandLine::command().mut_subcommand("ctl", |_| ctl::command(Tool::Ctl))
}

fn print_completions(shell: Shell, name: &str) -> ExitCode {
    let mut command = match Tool::called(Path::new(name)) {
        Some(tool) => ctl::command(tool),
        None if name == "leveret" => whole(),
        None => return unknown(name),
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut text);
    print(&text)
}

/// The page of a command, of a verb behind it, or of a link by the name of one of RabbitMQ's tools.
fn print_manual(words: &[String]) -> ExitCode {
    let tool = words.first().and_then(|name| Tool::called(Path::new(name)));
    let mut page = tool.map_or_else(whole, |tool| ctl::command(tool).name(tool.name()));
    page.build();
    for name in words.iter().skip(usize::from(tool.is_some())) {
        match page.find_subcommand(name) {
            Some(command) => page = command.clone(),
            None => return unknown(name),
        }
    }
    manual::page(&page).map_or(ExitCode::FAILURE, |text| print(&text))
}

fn print(text: &[u8]) -> ExitCode {
    let mut output = io::stdout().lock();
    match output.write_all(text).and_then(|()| output.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn unknown(name: &str) -> ExitCode {
    // Nobody is left to tell if this fails.
    let _ = writeln!(io::stderr(), "there is no command {name}");
    ExitCode::from(64)
}

fn long_help() -> String {
    format!("{AFTER_HELP}\n\n{SERVE_HELP}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(line: &str) -> Serve {
        let words: Vec<OsString> = line.split(' ').map(Into::into).collect();
        let only = only_serve(&words).unwrap();
        match CommandLine::try_parse_from(words).unwrap().into_command() {
            Command::Serve(serve) => assert_eq!(serve, only, "{line}"),
            other => panic!("{line} is {other:?}"),
        }
        only
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
    fn what_is_not_for_a_broker_alone_is_read_by_the_whole_definition() {
        for line in ["leveret perf", "leveret --help", "leveret -V", "leveret serve --port 1"] {
            let words: Vec<OsString> = line.split(' ').map(Into::into).collect();
            assert_eq!(only_serve(&words), None, "{line}");
        }
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

    #[test]
    fn all_behind_ctl_is_for_it() {
        let line = ["leveret", "ctl", "-q", "list_users", "--help"];
        let command = CommandLine::try_parse_from(line).unwrap().into_command();
        let words = ["-q", "list_users", "--help"].map(str::to_owned).to_vec();
        assert_eq!(command, Command::Ctl { words });
    }

    #[test]
    fn completions_and_the_manual_know_the_verbs() {
        let mut command = whole();
        let mut text = Vec::new();
        clap_complete::generate(Shell::Bash, &mut command, "leveret", &mut text);
        assert!(String::from_utf8(text).unwrap().contains("set_permissions"));
        command.build();
        let mut page = Vec::new();
        let command = command.find_subcommand("ctl").unwrap().clone();
        clap_mangen::Man::new(command).render(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        assert!(page.contains("set_permissions") || page.contains("set\\_permissions"), "{page}");
    }
}
