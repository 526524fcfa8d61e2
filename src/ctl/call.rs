//! A verb as it was typed, and the node that it is about.

use std::cell::OnceCell;
use std::io::{self, Write};
use std::time::Duration;

use clap::ArgMatches;
use serde_json::Value;

use super::api::{Api, Trouble};
use super::common::Common;
use super::failure::Failure;
use super::output::Output;
use super::print;
use super::tool::Tool;
use super::url::path;
use super::verb::Verb;
use super::verbs;

/// What goes by a name that is never empty, and how it is called where it is. Others may be: a
/// pattern, a tag, the default exchange.
const NAMES: [(&str, &str); 13] = [
    ("<username>", "user"),
    ("--user", "user"),
    ("<vhost>", "vhost"),
    ("<name>", "name"),
    ("<component>", "component"),
    ("<limit>", "limit"),
    ("<queue>", "queue"),
    ("<connection>", "connection"),
    ("<port>", "port"),
    ("<protocol>", "protocol"),
    ("<plugin>", "plugin"),
    ("<flag>", "feature flag"),
    ("<file>", "file"),
];

/// A verb with its arguments.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) tool: Tool,
    pub(super) verb: &'static Verb,
    pub(super) common: Common,
    pub(super) api: Api,
    pub(super) matches: ArgMatches,
    pub(super) node: OnceCell<String>,
}

impl Call {
    /// What stands for a name of the usage line, such as `<username>` or `--limit`.
    pub(super) fn maybe(&self, name: &str) -> Option<&str> {
        let values = self.matches.try_get_one::<String>(name);
        values.ok().flatten().map(String::as_str)
    }

    /// The same for what has to be there.
    pub(super) fn word(&self, name: &str) -> &str {
        self.maybe(name).unwrap_or_default()
    }

    /// All that stands for it.
    pub(super) fn words(&self, name: &str) -> Vec<&str> {
        let values = self.matches.try_get_many::<String>(name).ok().flatten();
        values.into_iter().flatten().map(String::as_str).collect()
    }

    /// Whether an option without a value is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.matches.try_get_one::<bool>(name).ok().flatten() == Some(&true)
    }

    /// A number, where there is one.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        let parsed = self.maybe(name).map(|text| {
            text.parse().map_err(|_| self.misused(&format!("{name}: {text} is no number")))
        });
        parsed.transpose()
    }

    /// JSON that was typed.
    pub(super) fn json(&self, name: &str) -> Result<Value, Failure> {
        serde_json::from_str(self.word(name))
            .map_err(|error| Failure::Unavailable(format!("JSON decoding error. Reason: {error}")))
    }

    /// Prints what comes, as it comes, for as long as `--duration` says or until it is interrupted.
    pub(super) fn follow(&self, path: String) -> Result<Output, Failure> {
        let duration = self.number("--duration")?.map_or(Duration::MAX, Duration::from_secs);
        let mut written = Ok(());
        self.api.follow(path, duration, |bytes| {
            let mut output = io::stdout().lock();
            let done = output.write_all(bytes).and_then(|()| output.flush());
            done.map_err(|error| {
                let kind = error.kind();
                written = Err(error);
                kind.into()
            })
        })?;
        print::arrived(written)?;
        Ok(Output::Raw(String::new()))
    }

    pub(super) fn virtual_host(&self) -> &str {
        self.common.virtual_host.as_deref().unwrap_or("/")
    }

    /// The name of the node: what was typed, or what it says itself.
    pub(super) fn node(&self) -> &str {
        self.node.get_or_init(|| {
            let typed = self.common.node.clone();
            typed.or_else(|| self.own_node()).unwrap_or_else(|| self.api.place().to_string())
        })
    }

    /// What the node says that it is called, which its paths need.
    pub(super) fn own_node(&self) -> Option<String> {
        let overview = self.api.get(format!("{}?columns=node", path(&["overview"]))).ok()?;
        Some(overview.get("node")?.as_str()?.to_owned())
    }

    /// It was not typed as it has to be.
    pub(super) fn misused(&self, why: &str) -> Failure {
        let (tool, verb) = (self.tool.name(), self.verb);
        Failure::Usage(format!(
            "Error (argument validation): {why}\n\nUsage\n\n{tool} {} {}",
            verb.name, verb.usage
        ))
    }

    /// Refuses a virtual host that is not there, of which lists would say that it is empty.
    pub(super) fn check_host(&self) -> Result<(), Failure> {
        let host = self.virtual_host();
        match self.api.get(path(&["vhosts", host])) {
            // Who may not look at it, may look for what is in it.
            Ok(_) | Err(Trouble::Refused { status: 401, .. }) => Ok(()),
            Err(trouble) => Err(verbs::missing_host(host)(trouble)),
        }
    }

    /// The name is not looked up: there is one node. Who means another one has to hear of it.
    pub(super) fn warn_of_another_node(&self) {
        let Some(typed) = &self.common.node else { return };
        let Some(own) = self.own_node() else { return };
        let is_it = own == *typed || own.split('@').next() == Some(typed.as_str());
        if !is_it {
            print::complaint(&format!("Warning: the node that was asked is {own}, not {typed}"));
        }
    }

    /// Refuses, before anybody is asked, a name that is empty: it is a variable of the shell that
    /// is not set, and without it a path is that of all the names that there are.
    pub(super) fn check_words(&self) -> Result<(), Failure> {
        let typed = NAMES
            .iter()
            .flat_map(|(name, what)| self.words(name).into_iter().map(move |word| (word, *what)));
        let host = self.common.virtual_host.as_deref().map(|host| (host, "vhost"));
        match typed.chain(host).find(|(word, _)| word.is_empty()) {
            Some((_, what)) => Err(Failure::Data(format!("{what} cannot be an empty string"))),
            None => self.verb.listing.map_or(Ok(()), |listing| listing.chosen(self).map(drop)),
        }
    }

    /// What is said before the verb is carried out.
    pub(super) fn banner(&self) -> Vec<String> {
        self.verb.banner.lines().map(|line| self.filled(line)).collect()
    }

    /// A text with what was typed in place of the names in braces.
    pub(super) fn filled(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, after) = behind.split_once('}').unwrap_or((behind, ""));
            filled.push_str(before);
            filled.push_str(&self.value_of(name));
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    fn whose_limits(&self) -> String {
        let is_of_users = self.verb.name == "list_user_limits";
        match (is_of_users, self.has("--global")) {
            (true, true) => "all users".to_owned(),
            (true, false) => format!("user \"{}\"", self.maybe("--user").unwrap_or("guest")),
            (false, true) => "all vhosts".to_owned(),
            (false, false) => format!("vhost \"{}\"", self.virtual_host()),
        }
    }

    fn value_of(&self, name: &str) -> String {
        match name {
            "vhost" if self.maybe("<vhost>").is_none() => self.virtual_host().to_owned(),
            "node" => self.node().to_owned(),
            "seconds" => format!("{:?}", self.common.patience().as_secs_f64()),
            "whose_limits" => self.whose_limits(),
            "priority" => self.maybe("--priority").unwrap_or("0").to_owned(),
            "object_type" => self.maybe("--object-type").unwrap_or("queue").to_owned(),
            "asking_of_plugins" => verbs::asking_of_plugins(self),
            "suites_format" => verbs::suites_format(self).to_owned(),
            "for_duration" => match self.maybe("--duration") {
                Some(seconds) => format!(" for {seconds} seconds"),
                None => String::new(),
            },
            "milliseconds" => self.common.patience().as_millis().to_string(),
            _ => {
                let words = self.words(&format!("<{name}>"));
                match words.is_empty() {
                    true => self.word(&format!("--{name}")).to_owned(),
                    false => words.join(", "),
                }
            }
        }
    }
}
