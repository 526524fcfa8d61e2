//! Logs of the node.

use serde_json::{Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::verb::Verb;
use super::node;

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "log_location",
        "[--all|-a]",
        "Show where the node logs to",
        "Log file location(s) on node {node} ...",
        location,
    ),
    Verb::new(
        "log_tail",
        "[--number|-N <number>]",
        "Show the last lines of the log file, which is read from here",
        "Last log lines on node {node} ...",
        tail,
    ),
];

fn location(call: &Call) -> Result<Output, Failure> {
    let files = files(call)?;
    Ok(Output::Report { text: files.join("\n"), json: json!({"paths": files}) })
}

fn files(call: &Call) -> Result<Vec<String>, Failure> {
    let node = node::figures(call)?;
    let files = node.get("log_files").and_then(Value::as_array).into_iter().flatten();
    Ok(files.filter_map(Value::as_str).map(str::to_owned).collect())
}

/// Reads the file where it lies, which is on this machine where the node is.
fn tail(call: &Call) -> Result<Output, Failure> {
    let count = usize::try_from(call.number("--number")?.unwrap_or(50)).unwrap_or(usize::MAX);
    let files = files(call)?;
    let file = files.iter().find(|file| !file.starts_with('<')).ok_or_else(|| {
        Failure::Unavailable("the node logs to no file: its console has the lines".to_owned())
    })?;
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Unavailable(format!("{file} cannot be read here: {error}")))?;
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(count);
    Ok(Output::Message(lines.get(from..).unwrap_or_default().join("\n")))
}
