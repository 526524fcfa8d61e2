//! Floor 6: `leveret ctl`: RabbitMQ's command line tools for one node. It asks the HTTP API, over
//! the node's own socket or over TCP, and knows nothing of the broker but that; what it prints and
//! the status it leaves are those that scripts for RabbitMQ expect.
//!
//! Reading order: `verb` (one verb is one row of a table), `verbs` (the table, one noun a file),
//! `line` (what was typed), `call` (the same as a verb finds it), `api`, `place` and `tls` (how
//! the node is asked, and where it is), `listing`, `output`, `format` and `print` (what
//! is shown).

mod api;
mod call;
mod common;
mod failure;
mod format;
mod line;
mod listing;
mod output;
mod place;
mod print;
mod tls;
mod tool;
mod url;
mod verb;
mod verbs;

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
        Ok(Line::Help(text)) => ExitCode::from(status(print::line(&text), ToString::to_string)),
        Ok(Line::Call(call)) => ExitCode::from(carry_out(&call)),
        Err(failure) => ExitCode::from(status(Err(failure), ToString::to_string)),
    }
}

/// The whole command line of a tool, as clap knows it: help, completions and the manual are made
/// from it.
#[must_use]
pub fn command(tool: Tool) -> clap::Command {
    line::offering(tool)
}

/// Carries out a verb, and gives the status that the shell is told.
fn carry_out(call: &Call) -> u8 {
    status(answer(call), |failure| format::failure(failure, &Shown::of(call)))
}

/// What is said before a verb is done, is said once what was typed is known to make sense.
fn answer(call: &Call) -> Result<(), Failure> {
    let action = match call.verb.action {
        Action::Does(action) => action,
        Action::Refuses(reason) => return Err(Failure::refused(call.verb.name, reason)),
    };
    call.check_words()?;
    if call.common.tells_what_it_does() {
        call.banner().iter().try_for_each(|line| print::line(line))?;
    }
    let done = action(call);
    // Who waited in vain need not wait for that, too.
    if !matches!(done, Err(Failure::Usage(_) | Failure::Timeout(_) | Failure::Unreachable(_))) {
        call.warn_of_another_node();
    }
    print::text(&format::shown(&done?, &Shown::of(call)))
}

/// The status of an outcome; why it is none, is told on the standard error.
fn status(outcome: Result<(), Failure>, text: impl Fn(&Failure) -> String) -> u8 {
    match outcome {
        Ok(()) => 0,
        Err(failure) => {
            print::complaint(&text(&failure));
            failure.code()
        }
    }
}

#[cfg(test)]
mod tests;
