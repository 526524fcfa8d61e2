//! Floor 6: `leveret ctl`: RabbitMQ's command line tools for one node. It asks the HTTP API, over
//! the node's own socket or over TCP, and knows nothing of the broker but that; what it prints and
//! the status it leaves are those that scripts for RabbitMQ expect.
//!
//! Reading order: `verb` (one verb is one row of a table), `verbs` (the table, one noun a file),
//! `line` (what was typed), `call` (the same as a verb finds it), `api`, `place` and `tls` (how
//! the node is asked, and where it is), `listing`, `output` and `format` (what is shown).

mod api;
mod call;
mod common;
mod failure;
mod format;
mod line;
mod listing;
mod output;
mod place;
mod tls;
mod tool;
mod url;
mod verb;
mod verbs;

use std::io::{self, Write};
use std::process::ExitCode;

use call::Call;
use failure::Failure;
use format::Shown;
use line::Line;
use verb::Action;

pub use tool::Tool;

/// Does what the words behind the name of a tool say.
#[must_use]
pub fn run(tool: Tool, words: &[String]) -> ExitCode {
    match line::read(tool, words) {
        Ok(Line::Help(text)) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Ok(Line::Call(call)) => ExitCode::from(carry_out(&call)),
        Err(failure) => {
            complain(&failure.to_string());
            ExitCode::from(failure.code())
        }
    }
}

/// The whole command line of a tool, as clap knows it: help, completions and the manual are made
/// from it.
#[must_use]
pub fn command(tool: Tool) -> clap::Command {
    line::command(tool)
}

/// Carries out a verb, and gives the status that the shell is told.
fn carry_out(call: &Call) -> u8 {
    let done = match call.verb.action {
        Action::Does(action) => {
            if call.common.tells_what_it_does() {
                call.banner().iter().for_each(|line| say(line));
            }
            action(call)
        }
        Action::Refuses(reason) => Err(Failure::refused(call.verb.name, reason)),
    };
    match done {
        Ok(output) => {
            say_raw(&format::shown(&output, &Shown::of(call)));
            0
        }
        Err(failure) => {
            complain(&format::failure(&failure, &Shown::of(call)));
            failure.code()
        }
    }
}

fn say(text: &str) {
    say_raw(&format!("{text}\n"));
}

fn say_raw(text: &str) {
    // Nobody is left to tell if this fails: a closed pipe, mostly.
    let _ = io::stdout().write_all(text.as_bytes());
}

fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests;
