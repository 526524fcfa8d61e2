//! What may be asked of the load generator, as typed and as meant. It opens nothing.

use std::path::PathBuf;

use clap::Args;

use super::scenario::{self, SCENARIOS, Scenario};

/// Load one or more AMQP 0-9-1 brokers and measure them.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The brokers to load; with several, every round runs against each of them in turn
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', required = true)]
    pub against: Vec<String>,
    /// What to call them, in the same order [default: their addresses]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub names: Vec<String>,
    /// The ids of their processes on this machine, for CPU and memory
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub pids: Vec<u32>,
    /// What to run [default: all]: auto-ack-16, auto-ack-1k, ack-16, ack-1k, latency-16,
    /// latency-1k, durable-confirm-1, durable-confirm-100, durable-confirm-1000,
    /// durable-queues-100, quorum-confirm-1000, backlog
    #[arg(long, value_name = "SCENARIO", value_delimiter = ',', value_parser = scenario::named)]
    pub scenarios: Vec<Scenario>,
    /// Seconds that are measured in each run
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = at_least_one())]
    pub duration: u64,
    /// Seconds of load before that
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    pub warm_up: u64,
    /// Runs of each scenario against each broker, of which the median counts
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = at_least_one())]
    pub rounds: u64,
    /// Messages of the backlog that is filled and drained
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000, value_parser = at_least_one())]
    pub messages: u64,
    /// Try the disk that this folder is on first: how often it can append 1 KiB and sync it
    #[arg(long, value_name = "DIR")]
    pub disk_folder: Option<PathBuf>,
    /// The user to log in as
    #[arg(long, default_value = "guest")]
    pub user: String,
    /// The user's password
    #[arg(long, default_value = "guest")]
    pub password: String,
    /// The virtual host to use
    #[arg(long, default_value = "/")]
    pub virtual_host: String,
    /// Write all runs and their medians there
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the tables there
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// A word about the runs to keep in the JSON file. May be given several times
    #[arg(long, value_name = "NAME=TEXT", value_parser = note)]
    pub note: Vec<(String, String)>,
}

/// One broker to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) process: Option<u32>,
}

impl Options {
    /// The brokers, each with its name and process.
    pub(super) fn targets(&self) -> Result<Vec<Target>, String> {
        let count = self.against.len();
        for (given, flag) in [(self.names.len(), "--names"), (self.pids.len(), "--pids")] {
            if given != 0 && given != count {
                return Err(format!("{flag} has {given} entries, --against has {count}"));
            }
        }
        let target = |(index, address): (usize, &String)| Target {
            name: self.names.get(index).unwrap_or(address).clone(),
            address: address.clone(),
            process: self.pids.get(index).copied(),
        };
        let targets: Vec<Target> = self.against.iter().enumerate().map(target).collect();
        let is_repeated = |(index, target): (usize, &Target)| {
            targets.iter().take(index).any(|earlier| earlier.name == target.name)
        };
        if targets.iter().enumerate().any(is_repeated) {
            return Err("two brokers have the same name".to_owned());
        }
        Ok(targets)
    }

    /// The scenarios to run.
    pub(super) fn scenarios(&self) -> Vec<Scenario> {
        if self.scenarios.is_empty() { SCENARIOS.to_vec() } else { self.scenarios.clone() }
    }
}

fn at_least_one() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..)
}

fn note(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a note is NAME=TEXT")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: Options,
    }

    fn options(line: &str) -> Options {
        let words = std::iter::once("perf").chain(line.split(' '));
        CommandLine::try_parse_from(words).unwrap().options
    }

    #[test]
    fn brokers_names_and_processes_belong_together_by_their_order() {
        let targets = options("--against a:1,b:2 --names A,B --pids 7,8").targets().unwrap();
        let expected = [("A", "a:1", 7), ("B", "b:2", 8)].map(|(name, address, process)| Target {
            name: name.to_owned(),
            address: address.to_owned(),
            process: Some(process),
        });
        assert_eq!(targets, expected);
        let unnamed = options("--against a:1").targets().unwrap();
        assert_eq!((unnamed[0].name.as_str(), unnamed[0].process), ("a:1", None));
    }

    #[test]
    fn a_missing_name_or_process_and_a_repeated_name_are_refused() {
        for line in ["--against a:1,b:2 --names A", "--against a:1 --pids 1,2", "--against a:1,a:1"]
        {
            assert!(options(line).targets().is_err(), "{line}");
        }
    }

    #[test]
    fn all_scenarios_are_meant_where_none_is_named() {
        assert_eq!(options("--against a:1").scenarios(), SCENARIOS);
        let two = options("--against a:1 --scenarios ack-1k,ack-16").scenarios();
        assert_eq!(two.iter().map(|s| s.name).collect::<Vec<_>>(), ["ack-1k", "ack-16"]);
    }

    #[test]
    fn the_help_names_every_scenario() {
        use clap::CommandFactory;
        let help = CommandLine::command().render_long_help().to_string();
        for scenario in SCENARIOS {
            assert!(help.contains(scenario.name), "{}", scenario.name);
        }
    }

    #[test]
    fn runs_of_no_length_and_notes_without_a_name_are_refused() {
        for flag in
            ["--duration 0", "--messages 0", "--rounds 0", "--note machine", "--scenarios x"]
        {
            let words = ["perf", "--against", "a:1"].into_iter().chain(flag.split(' '));
            assert!(CommandLine::try_parse_from(words).is_err(), "{flag}");
        }
    }
}
