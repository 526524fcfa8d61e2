//! From words to a call: the command line of a tool as clap knows it, made from the table of verbs,
//! and mistakes in the words and with the status of RabbitMQ's tools.

use std::cell::OnceCell;

use clap::builder::PossibleValuesParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command};

use super::api::Api;
use super::call::Call;
use super::common::{self, Common};
use super::failure::Failure;
use super::format::Formatter;
use super::place::Place;
use super::tool::Tool;
use super::verb::{Section, Verb};
use super::verbs;

const AFTER_HELP: &str = "\
The node is asked over its own socket, DATA_DIR/management.sock, where root and the user that it
runs as need no password; --url asks over TCP, by TLS where it begins with https.

Environment:
  LEVERET_CTL_URL, LEVERET_CTL_SOCKET, LEVERET_CTL_USERNAME, LEVERET_CTL_PASSWORD
      What --url, --socket, --username and --password say, which come first.
  LEVERET_DATA_DIR, LEVERET_MANAGEMENT_UNIX_PATH
      The same as for the node.

Exit status: 0 where it was done; 64 for a wrong command line, 65 for something that is not there,
67 for a user who is not there, 69 where it cannot be done or a check failed, 70 where it is there
already or the output was lost, 75 where it took too long.";

/// What was typed.
#[derive(Debug)]
pub(super) enum Line {
    /// A question about the tool itself, answered by this.
    Help(String),
    Call(Box<Call>),
}

/// Reads the words behind the name of a tool.
pub(super) fn read(tool: Tool, words: &[String]) -> Result<Line, Failure> {
    let environment = |name: &str| std::env::var(name).ok();
    let name = tool.name().to_owned();
    if words.first().is_some_and(|word| word == "--version" || word == "-V") {
        return Ok(Line::Help(env!("CARGO_PKG_VERSION").to_owned()));
    }
    let matches = match command(tool).try_get_matches_from(std::iter::once(&name).chain(words)) {
        Ok(matches) => matches,
        Err(error) => return mistake(tool, words, &error).map(Line::Help),
    };
    let Some((name, verb_matches)) = matches.subcommand() else {
        return Err(Failure::Usage(help(tool)));
    };
    if let Some(answer) = about_itself(tool, name, verb_matches) {
        return answer.map(Line::Help);
    }
    let verb = find(tool, name).ok_or_else(|| not_found(tool, name))?;
    let common = Common::of(verb_matches, environment)?;
    let api = Api::new(&common, Place::of(&common, environment)?)?;
    let (matches, node) = (verb_matches.clone(), OnceCell::new());
    Ok(Line::Call(Box::new(Call { tool, verb, common, api, matches, node })))
}

/// The whole command line of a tool.
pub(super) fn command(tool: Tool) -> Command {
    let verbs = sections(tool).iter().flat_map(|section| section.verbs);
    let (name, about) = match tool {
        Tool::Ctl => ("ctl", "Ask a node and change it, in the words of rabbitmqctl"),
        other => (other.name(), "Ask a Leveret node and change it"),
    };
    Command::new(name)
        .bin_name(tool.name())
        .about(about)
        .after_help(AFTER_HELP)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .args(common::arguments())
        .subcommands(verbs.map(Verb::command))
        .subcommand(word("help", "[<verb>]", "Show what may be typed"))
        .subcommand(word("autocomplete", "[<prefix>]", "List the verbs that begin with a prefix"))
        .subcommand(word("version", "", "Show the version of this tool"))
}

/// The same with the values that can be offered to who types: they are refused elsewhere, in the
/// words of RabbitMQ's tools.
pub(super) fn offering(tool: Tool) -> Command {
    let verbs = sections(tool).iter().flat_map(|section| section.verbs);
    let verbs: Vec<&str> = verbs.filter(|verb| !verb.is_refused()).map(|verb| verb.name).collect();
    command(tool)
        .mut_arg("formatter", |argument| argument.value_parser(Formatter::NAMES))
        .mut_subcommand("help", |help| {
            help.mut_arg("<verb>", |verb| verb.value_parser(PossibleValuesParser::new(verbs)))
        })
}

fn word(name: &'static str, usage: &'static str, about: &'static str) -> Command {
    Verb::new(name, usage, about, "", |_| Ok(super::output::Output::Done)).command()
}

fn sections(tool: Tool) -> &'static [Section] {
    match tool {
        Tool::Plugins => verbs::PLUGINS,
        _ => verbs::ALL,
    }
}

fn find(tool: Tool, name: &str) -> Option<&'static Verb> {
    sections(tool).iter().flat_map(|section| section.verbs).find(|verb| verb.name == name)
}

/// What the tool answers without a node.
fn about_itself(tool: Tool, verb: &str, matches: &ArgMatches) -> Option<Result<String, Failure>> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    match verb {
        "help" => Some(text("<verb>").map_or_else(|| Ok(help(tool)), |verb| help_of(tool, &verb))),
        "version" => Some(Ok(env!("CARGO_PKG_VERSION").to_owned())),
        "autocomplete" => {
            let prefix = text("<prefix>").unwrap_or_default();
            let all = sections(tool).iter().flat_map(|section| section.verbs);
            let fitting = all.map(|verb| verb.name).filter(|name| name.starts_with(&prefix));
            Some(Ok(fitting.collect::<Vec<_>>().join("\n")))
        }
        _ => None,
    }
}

/// All verbs, by what they are about.
fn help(tool: Tool) -> String {
    let mut text = format!("\nUsage\n\n{} [<options>] <verb> [<arguments>]\n", tool.name());
    text.push_str("\nAvailable verbs:\n");
    for section in sections(tool) {
        text.push_str(&format!("\n{}:\n\n", section.title));
        for verb in section.verbs.iter().filter(|verb| !verb.is_refused()) {
            text.push_str(&format!("   {:<30} {}\n", verb.name, verb.about));
        }
    }
    let name = tool.name();
    text.push_str(&format!("\nUse '{name} help <verb>' to learn more about one of them.\n"));
    text
}

fn help_of(tool: Tool, verb: &str) -> Result<String, Failure> {
    let mut command = command(tool);
    command.build();
    let verb = command.find_subcommand_mut(verb).ok_or_else(|| not_found(tool, verb))?;
    Ok(verb.render_long_help().to_string())
}

fn not_found(tool: Tool, verb: &str) -> Failure {
    let known = sections(tool).iter().flat_map(|section| section.verbs).map(|verb| verb.name);
    let near = known.map(|name| (strsim::jaro(verb, name), name));
    let nearest = near
        .filter(|(near, _)| *near > 0.8)
        .max_by(|(one, _), (other, _)| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
    let hint = match nearest {
        Some((_, name)) => format!("Did you mean '{name}'?"),
        None => format!("'{} help' lists all of them.", tool.name()),
    };
    Failure::Usage(format!("\nCommand '{verb}' not found. \n{hint}\n"))
}

/// What clap did not like, in the words of RabbitMQ's tools. A question for help is none.
fn mistake(tool: Tool, words: &[String], error: &clap::Error) -> Result<String, Failure> {
    let invalid = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let argument = invalid(ContextKind::InvalidArg);
    let why = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return Ok(error.to_string()),
        ErrorKind::InvalidSubcommand => {
            return Err(not_found(tool, &invalid(ContextKind::InvalidSubcommand)));
        }
        ErrorKind::MissingRequiredArgument => "not enough arguments.".to_owned(),
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            format!("Invalid options for this command:\n{argument}")
        }
        ErrorKind::UnknownArgument => "too many arguments.".to_owned(),
        _ => error.render().to_string().trim_start_matches("error: ").to_owned(),
    };
    let (given, tool_name) = (words.join(" "), tool.name());
    let typed = words.iter().find_map(|word| find(tool, word));
    let usage = typed.map(|verb| format!("\n\nUsage\n\n{tool_name} {} {}", verb.name, verb.usage));
    let usage = usage.unwrap_or_default();
    Err(Failure::Usage(format!(
        "Error (argument validation): {why}\nArguments given:\n\t{given}{usage}"
    )))
}
