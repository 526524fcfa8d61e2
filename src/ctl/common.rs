//! The options that every verb takes, as RabbitMQ's tools do, and where the node is.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches};

use super::failure::Failure;
use super::format::Formatter;
use super::tls::TlsWish;
use crate::limits::CTL_PATIENCE_MS;

/// What was said beside the verb.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Common {
    pub(super) node: Option<String>,
    pub(super) virtual_host: Option<String>,
    pub(super) formatter: Formatter,
    pub(super) is_quiet: bool,
    pub(super) has_no_headers: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) url: Option<String>,
    pub(super) socket: Option<String>,
    pub(super) data_dir: Option<String>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) tls: TlsWish,
}

/// Options with a value: name, short name, name of the value, help. What has no help is taken and
/// means nothing here.
const VALUES: [(&str, Option<char>, &str, &str); 13] = [
    ("node", Some('n'), "NODE", "The name that messages give the node; it is not looked up"),
    ("vhost", Some('p'), "VHOST", "The virtual host of what is named [default: /]"),
    ("timeout", Some('t'), "SECONDS", "How long the node may take"),
    ("formatter", None, "FORMATTER", "table, json, csv, pretty_table or erlang"),
    ("url", None, "URL", "Ask over TCP: http://HOST:PORT, or https://HOST:PORT"),
    ("ca-file", None, "FILE", "Authorities to believe over https [default: those of the system]"),
    ("certificate", None, "FILE", "The certificate to show over https"),
    ("key", None, "FILE", "Its private key"),
    ("socket", None, "PATH", "Ask at this socket of a node on this machine"),
    ("data-dir", None, "DIR", "Ask the node whose data directory this is [default: ./data]"),
    ("username", None, "NAME", "Log in, instead of being the user of this process"),
    ("password", None, "PASSWORD", "The password of that user"),
    ("erlang-cookie", None, "COOKIE", ""),
];

/// Options without one.
const FLAGS: [(&str, Option<char>, &str); 6] = [
    ("quiet", Some('q'), "Print nothing but what was asked for"),
    ("silent", Some('s'), "The same, and no headers of tables"),
    ("insecure", Some('k'), "Believe whoever answers over https"),
    ("no-table-headers", None, "Print no headers of tables"),
    ("longnames", Some('l'), ""),
    ("table-headers", None, ""),
];

/// The options as clap knows them.
pub(super) fn arguments() -> impl Iterator<Item = Arg> {
    let values = VALUES.into_iter().map(|(name, short, value, help)| {
        argument(name, short, help).action(ArgAction::Set).value_name(value)
    });
    let flags = FLAGS.into_iter();
    values.chain(
        flags.map(|(name, short, help)| argument(name, short, help).action(ArgAction::SetTrue)),
    )
}

fn argument(name: &'static str, short: Option<char>, help: &'static str) -> Arg {
    let argument = Arg::new(name).long(name).help(help).global(true);
    let argument = argument.hide(help.is_empty()).overrides_with(name);
    let argument = match name {
        // As the rabbitmqadmin of RabbitMQ 4 has them.
        "ca-file" => argument.alias("tls-ca-cert-file"),
        "certificate" => argument.alias("tls-cert-file"),
        "key" => argument.alias("tls-key-file"),
        _ => argument,
    };
    match short {
        Some(short) => argument.short(short),
        None => argument,
    }
}

impl Common {
    /// What was typed, and what the environment says of who asks.
    pub(super) fn of(
        matches: &ArgMatches,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let text = |name: &str| matches.get_one::<String>(name).cloned();
        let has = |name: &str| matches.get_flag(name);
        Ok(Self {
            node: text("node").or_else(|| environment("RABBITMQ_NODENAME")),
            virtual_host: text("vhost"),
            formatter: text("formatter").map_or(Ok(Formatter::Table), |name| formatter(&name))?,
            is_quiet: has("quiet") || has("silent"),
            has_no_headers: has("silent") || has("no-table-headers"),
            timeout: text("timeout").map(|text| seconds(&text)).transpose()?.flatten(),
            url: text("url"),
            socket: text("socket"),
            data_dir: text("data-dir"),
            username: text("username").or_else(|| environment("LEVERET_CTL_USERNAME")),
            password: text("password").or_else(|| environment("LEVERET_CTL_PASSWORD")),
            tls: TlsWish {
                authorities: text("ca-file"),
                certificate: text("certificate"),
                key: text("key"),
                is_insecure: has("insecure"),
            },
        })
    }

    /// How long an answer may take.
    pub(super) fn patience(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_millis(CTL_PATIENCE_MS))
    }

    /// It says what it is about to do: where programs read, it does not.
    pub(super) fn tells_what_it_does(&self) -> bool {
        !self.is_quiet && !self.formatter.is_for_programs()
    }
}

fn formatter(name: &str) -> Result<Formatter, Failure> {
    Formatter::of(name).ok_or_else(|| {
        let names = Formatter::NAMES.join(", ");
        Failure::Usage(format!("there is no formatter {name}: expected one of {names}"))
    })
}

/// None is as long as usual.
fn seconds(text: &str) -> Result<Option<Duration>, Failure> {
    if text == "infinity" {
        return Ok(Some(Duration::MAX));
    }
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let refused = || Failure::Usage(format!("the timeout {text} is no number of seconds"));
    Ok(Some(seconds.ok_or_else(refused)?).filter(|timeout| !timeout.is_zero()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_seconds() {
        assert_eq!(seconds("1.5"), Ok(Some(Duration::from_millis(1500))));
        assert_eq!(seconds("0"), Ok(None));
        assert_eq!(seconds("infinity"), Ok(Some(Duration::MAX)));
        for text in ["", "x", "-1", "NaN", "1e300"] {
            assert_eq!(seconds(text).unwrap_err().code(), 64, "{text}");
        }
    }
}
