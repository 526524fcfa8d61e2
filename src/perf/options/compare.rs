//! Scenarios against several brokers, as typed and as meant.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Target;
use super::broker::{Login, at_least_one, one_or_more, seconds};
use crate::perf::runs::Length;
use crate::perf::workload::{Kind, Workload, all, named};

/// Every scenario runs against each broker in turn, round after round; medians count, beside those
/// of the broker that is named last.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(args_override_self = true)]
pub(in crate::perf) struct Compare {
    /// The brokers to load
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', required = true)]
    against: Vec<String>,
    /// What to call them, in the same order [default: their addresses]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    names: Vec<String>,
    /// The ids of their processes on this machine, for CPU and memory
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pids: Vec<u32>,
    #[command(flatten)]
    login: Login,
    /// What to run [default: all]: s1, s2, s3, s3t, s3-1, s4, s5, s6, s6-10, s7, s8, s9, s10,
    /// s11-1, s11-32, s12, s13, s14
    #[arg(long, value_name = "SCENARIO", value_delimiter = ',', value_parser = named)]
    scenarios: Vec<Workload>,
    /// Seconds that are measured in each run
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    duration: Duration,
    /// Seconds of load before that
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    warm_up: Duration,
    /// Runs of each scenario against each broker, of which the median counts
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = at_least_one())]
    pub(in crate::perf) rounds: u64,
    /// Messages of the backlog that is filled and drained (s9)
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000, value_parser = at_least_one())]
    pub(in crate::perf) messages: u64,
    /// Connections that are opened and left alone (s10)
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = one_or_more())]
    pub(in crate::perf) connections: u32,
    /// Threads for those who publish, and as many for those who consume
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = one_or_more())]
    pub(in crate::perf) threads: u32,
    /// Try the disk that this folder is on first: how often it can append 1 KiB and sync it
    #[arg(long, value_name = "DIR")]
    pub(in crate::perf) disk_folder: Option<PathBuf>,
    /// Write all runs and their medians there
    #[arg(long, value_name = "FILE")]
    pub(in crate::perf) json: Option<PathBuf>,
    /// Write the tables there
    #[arg(long, value_name = "FILE")]
    pub(in crate::perf) markdown: Option<PathBuf>,
    /// Write a table there with one figure for each scenario
    #[arg(long, value_name = "FILE")]
    pub(in crate::perf) short_markdown: Option<PathBuf>,
    /// A word about the runs to keep in the JSON file. May be given several times
    #[arg(long, value_name = "NAME=TEXT", value_parser = note)]
    pub(in crate::perf) note: Vec<(String, String)>,
}

impl Compare {
    /// The brokers, each with its name and process.
    pub(in crate::perf) fn targets(&self) -> Result<Vec<Target>, String> {
        let count = self.against.len();
        for (given, flag) in [(self.names.len(), "--names"), (self.pids.len(), "--pids")] {
            if given != 0 && given != count {
                return Err(format!("{flag} has {given} entries, --against has {count}"));
            }
        }
        let target = |(index, address): (usize, &String)| Target {
            name: self.names.get(index).unwrap_or(address).clone(),
            address: address.clone(),
            credentials: self.login.credentials(),
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
    pub(in crate::perf) fn workloads(&self) -> Vec<Workload> {
        let scenarios = if self.scenarios.is_empty() { all() } else { self.scenarios.clone() };
        let sized = |workload: Workload| match workload.kind {
            Kind::Backlog => Workload { count: Some(self.messages), ..workload },
            Kind::Idle { channels, .. } => {
                let kind = Kind::Idle { connections: self.connections, channels };
                Workload { kind, ..workload }
            }
            Kind::Load | Kind::Rpc | Kind::Churn { .. } => workload,
        };
        scenarios.into_iter().map(sized).collect()
    }

    pub(in crate::perf) fn length(&self) -> Length {
        Length { warm_up: self.warm_up, measured: self.duration }
    }
}

fn note(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a note is NAME=TEXT")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::perf::wire::Credentials;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: Compare,
    }

    fn credentials() -> Credentials {
        let text = str::to_owned;
        Credentials { user: text("guest"), password: text("guest"), virtual_host: text("/") }
    }

    fn options(line: &str) -> Compare {
        let words = std::iter::once("perf").chain(line.split(' '));
        CommandLine::try_parse_from(words).unwrap().options
    }

    #[test]
    fn brokers_names_and_processes_belong_together_by_their_order() {
        let targets = options("--against a:1,b:2 --names A,B --pids 7,8").targets().unwrap();
        let expected = [("A", "a:1", 7), ("B", "b:2", 8)].map(|(name, address, process)| Target {
            name: name.to_owned(),
            address: address.to_owned(),
            credentials: credentials(),
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
    fn what_is_said_last_counts() {
        let length = options("--against a:1 --duration 10 --duration 2").length();
        assert_eq!(length.measured, Duration::from_secs(2));
    }

    #[test]
    fn all_scenarios_are_meant_where_none_is_named() {
        assert_eq!(options("--against a:1").workloads(), all());
        let two = options("--against a:1 --scenarios s2,s1").workloads();
        assert_eq!(two.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["s2", "s1"]);
    }

    #[test]
    fn the_backlog_and_idle_connections_are_as_many_as_asked() {
        let line = "--against a:1 --scenarios s9,s10 --messages 5 --connections 6";
        let workloads = options(line).workloads();
        assert_eq!(workloads[0].count, Some(5));
        assert_eq!(workloads[1].kind, Kind::Idle { connections: 6, channels: 0 });
    }

    #[test]
    fn the_help_names_every_scenario() {
        use clap::CommandFactory;
        let help = CommandLine::command().render_long_help().to_string();
        for scenario in all() {
            assert!(help.contains(&scenario.name), "{}", scenario.name);
        }
    }

    #[test]
    fn runs_of_no_length_and_notes_without_a_name_are_refused() {
        for flag in
            ["--duration x", "--messages 0", "--rounds 0", "--note machine", "--scenarios x"]
        {
            let words = ["perf", "--against", "a:1"].into_iter().chain(flag.split(' '));
            assert!(CommandLine::try_parse_from(words).is_err(), "{flag}");
        }
    }
}
