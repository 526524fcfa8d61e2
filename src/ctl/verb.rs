//! One verb: a row of the table from which the help, the completions, the manual and the parsing
//! of the command line come. What a verb does stands beside its row.

use clap::{Arg, ArgAction};

use super::call::Call;
use super::failure::Failure;
use super::listing::Listing;
use super::output::Output;

/// Verbs about one thing.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) verbs: &'static [Verb],
}

/// A verb.
#[derive(Debug)]
pub(super) struct Verb {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// What stands behind it, in the words of a usage line: `<user> [<password>] [--force|-f]
    /// [--limit <limit>] [<column>...]`.
    pub(super) usage: &'static str,
    /// What is said before it is done, with `{user}`, `{vhost}` and `{node}` in it.
    pub(super) banner: &'static str,
    pub(super) action: Action,
    /// What it lists, where columns can be named.
    pub(super) listing: Option<&'static Listing>,
}

/// What a verb comes to.
#[derive(Debug)]
pub(super) enum Action {
    Does(fn(&Call) -> Result<Output, Failure>),
    /// It makes no sense here, for this reason.
    Refuses(&'static str),
}

impl Verb {
    pub(super) const fn new(
        name: &'static str,
        usage: &'static str,
        about: &'static str,
        banner: &'static str,
        does: fn(&Call) -> Result<Output, Failure>,
    ) -> Self {
        Self { name, about, usage, banner, action: Action::Does(does), listing: None }
    }

    /// The same for one that lists this.
    pub(super) const fn lists(mut self, listing: &'static Listing) -> Self {
        self.listing = Some(listing);
        self
    }

    /// One that is known, and refused for a reason, whatever stands behind it.
    pub(super) const fn refused(name: &'static str, reason: &'static str) -> Self {
        Self {
            name,
            about: reason,
            usage: "",
            banner: "",
            action: Action::Refuses(reason),
            listing: None,
        }
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(self.action, Action::Refuses(_))
    }

    /// The verb as clap knows it.
    pub(super) fn command(&self) -> clap::Command {
        let command = clap::Command::new(self.name).about(self.about).disable_help_subcommand(true);
        let command = match self.listing {
            Some(listing) => command.after_help(listing.help()),
            None => command,
        };
        match self.action {
            Action::Does(_) => command.args(arguments(self.usage)),
            Action::Refuses(_) => command.hide(true).arg(anything()),
        }
    }
}

/// What stands behind a refused verb is of no interest.
fn anything() -> Arg {
    Arg::new("<anything>").num_args(0..).allow_hyphen_values(true).trailing_var_arg(true).hide(true)
}

/// The arguments that a usage line names. What a name is found by is the name as it stands there.
fn arguments(usage: &'static str) -> Vec<Arg> {
    let mut words = usage.split_whitespace();
    let mut arguments = Vec::new();
    while let Some(word) = words.next() {
        arguments.push(match word.strip_prefix("[-") {
            Some(_) if word.ends_with(']') => option(word).action(ArgAction::SetTrue),
            Some(_) => {
                let value = words.next().unwrap_or_default();
                option(word).action(ArgAction::Set).value_name(bare(value))
            }
            None => positional(word),
        });
    }
    arguments
}

fn option(word: &'static str) -> Arg {
    let names = word.trim_matches(['[', ']']);
    let (long, short) = names.split_once('|').map_or((names, None), |(l, s)| (l, Some(s)));
    let argument = Arg::new(long).long(long.trim_start_matches('-')).help(meaning(long));
    match short.and_then(|short| short.chars().nth(1)) {
        Some(short) => argument.short(short),
        None => argument,
    }
}

/// What an option means whose name does not say it.
fn meaning(option: &str) -> &'static str {
    match option {
        "--online" => "What is in service on a node that answers: all of it",
        "--offline" => "What is out of service with its node: nothing where one answers",
        "--local" => "What is on the node that is asked: all of it, as there is one node",
        _ => "",
    }
}

fn positional(word: &'static str) -> Arg {
    let is_optional = word.starts_with('[');
    let inner = word.trim_matches(['[', ']']);
    let is_many = inner.ends_with("...");
    let id = inner.trim_end_matches('.');
    let argument = Arg::new(id).value_name(bare(id)).required(!is_optional);
    // A number below zero is a bad one, not an option.
    let argument = argument.allow_negative_numbers(true);
    match is_many {
        true => argument.num_args(1..).action(ArgAction::Append),
        false => argument.action(ArgAction::Set),
    }
}

/// A name without what marks it as one.
fn bare(word: &'static str) -> &'static str {
    word.trim_matches(['<', '>', '[', ']', '.'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_line_says_what_may_be_typed() {
        let usage = "<a> [<b>] [--flag|-f] [--limit <n>] [--long]";
        let command = clap::Command::new("verb").args(arguments(usage));
        command.clone().debug_assert();
        let parse = |line: &str| command.clone().try_get_matches_from(line.split(' '));
        let matches = parse("verb x -f --limit 3 y").unwrap();
        assert_eq!(matches.get_one::<String>("<a>").unwrap(), "x");
        assert_eq!(matches.get_one::<String>("<b>").unwrap(), "y");
        assert_eq!(matches.get_one::<String>("--limit").unwrap(), "3");
        assert!(matches.get_flag("--flag") && !matches.get_flag("--long"));
        assert!(parse("verb").is_err() && parse("verb x y z").is_err());
        let many = clap::Command::new("verb").args(arguments("<a> [<column>...]"));
        let matches = many.try_get_matches_from(["verb", "x", "y", "z"]).unwrap();
        assert_eq!(matches.get_many::<String>("<column>").unwrap().count(), 2);
    }
}
