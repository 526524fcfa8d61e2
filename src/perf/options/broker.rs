//! Which broker to load, as whom, and how long: what all kinds of runs have in common.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::uri::Uri;
use crate::perf::runs::Length;
use crate::perf::wire::Credentials;

const DEFAULT_ADDRESS: &str = "127.0.0.1:5672";

/// One broker to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::perf) struct Target {
    pub(in crate::perf) name: String,
    pub(in crate::perf) address: String,
    pub(in crate::perf) credentials: Credentials,
    pub(in crate::perf) process: Option<u32>,
}

/// As whom to log in.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(in crate::perf) struct Login {
    /// The user to log in as [default: guest]
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,
    /// The user's password [default: guest]
    #[arg(long, value_name = "TEXT")]
    pub(super) password: Option<String>,
    /// The virtual host to use [default: /]
    #[arg(long, value_name = "NAME")]
    pub(super) virtual_host: Option<String>,
}

/// A run against one broker.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(in crate::perf) struct Run {
    /// The broker to load [default: 127.0.0.1:5672]
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "uri")]
    against: Option<String>,
    /// The same with login and virtual host: amqp://user:password@host:port/virtual-host
    #[arg(long, value_name = "URI")]
    uri: Option<String>,
    #[command(flatten)]
    login: Login,
    /// The id of the broker's process on this machine, for its CPU and memory
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Seconds that are measured
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    duration: Duration,
    /// Seconds of load before that
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    warm_up: Duration,
    /// Threads for those who publish, and as many for those who consume
    #[arg(long, value_name = "COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(in crate::perf) threads: u32,
    /// What the names of queues and exchanges begin with [default: of this run only]
    #[arg(long, value_name = "TEXT")]
    pub(in crate::perf) queue_prefix: Option<String>,
    /// Write all figures there
    #[arg(long, value_name = "FILE")]
    pub(in crate::perf) json: Option<PathBuf>,
}

impl Login {
    pub(super) fn credentials(&self) -> Credentials {
        let guest = || "guest".to_owned();
        Credentials {
            user: self.user.clone().unwrap_or_else(guest),
            password: self.password.clone().unwrap_or_else(guest),
            virtual_host: self.virtual_host.clone().unwrap_or_else(|| "/".to_owned()),
        }
    }
}

impl Run {
    /// The broker; what is given by a flag of its own counts more than what the URI says.
    pub(in crate::perf) fn target(&self) -> Result<Target, String> {
        let uri = self.uri.as_deref().map(Uri::parse).transpose()?;
        let uri = uri.unwrap_or_else(|| Uri {
            address: self.against.clone().unwrap_or_else(|| DEFAULT_ADDRESS.to_owned()),
            ..Uri::default()
        });
        let login = Login {
            user: self.login.user.clone().or(uri.user),
            password: self.login.password.clone().or(uri.password),
            virtual_host: self.login.virtual_host.clone().or(uri.virtual_host),
        };
        Ok(Target {
            name: uri.address.clone(),
            address: uri.address,
            credentials: login.credentials(),
            process: self.pid,
        })
    }

    pub(in crate::perf) fn length(&self) -> Length {
        Length { warm_up: self.warm_up, measured: self.duration }
    }
}

/// A length of time.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "this is no number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

pub(super) fn at_least_one() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..)
}

pub(super) fn one_or_more() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        run: Run,
    }

    fn target(line: &str) -> (String, Credentials) {
        let words = std::iter::once("perf").chain(line.split_whitespace());
        let target = CommandLine::try_parse_from(words).unwrap().run.target().unwrap();
        (target.address, target.credentials)
    }

    fn credentials(user: &str, password: &str, virtual_host: &str) -> Credentials {
        let [user, password, virtual_host] = [user, password, virtual_host].map(str::to_owned);
        Credentials { user, password, virtual_host }
    }

    #[test]
    fn without_a_flag_the_broker_is_the_one_at_home() {
        assert_eq!(target(""), ("127.0.0.1:5672".to_owned(), credentials("guest", "guest", "/")));
    }

    #[test]
    fn a_flag_counts_more_than_the_uri() {
        let found = target("--uri amqp://a:b@h:1/v --user c");
        assert_eq!(found, ("h:1".to_owned(), credentials("c", "b", "v")));
    }

    #[test]
    fn lengths_are_seconds_with_fractions() {
        let words = ["perf", "--duration", "0.25", "--warm-up", "0"];
        let length = CommandLine::try_parse_from(words).unwrap().run.length();
        assert_eq!((length.measured, length.warm_up), (Duration::from_millis(250), Duration::ZERO));
        for text in ["-1", "x", ""] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_and_a_uri_exclude_each_other() {
        let words = ["perf", "--uri", "amqp://h", "--against", "h:1"];
        assert!(CommandLine::try_parse_from(words).is_err());
    }
}
