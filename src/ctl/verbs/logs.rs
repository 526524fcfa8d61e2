//! Logs of the node.

use serde_json::{Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::url::path;
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
    Verb::new(
        "log_tail_stream",
        "[--duration|-d <seconds>]",
        "Show the lines of the log file as they come, until it is interrupted",
        "Streaming logs from node {node}{for_duration} ...",
        follow,
    ),
    Verb::new(
        "set_log_level",
        "<log_level> [<category>]",
        "Set which lines pass to the logs until the node stops, of a category or of all",
        "Setting log level to \"{log_level}\" ...",
        set_level,
    ),
    Verb::new(
        "rotate_logs",
        "",
        "Open the log file anew, when it was moved away",
        "Rotating logs for node {node} ...",
        rotate,
    ),
];

fn location(call: &Call) -> Result<Output, Failure> {
    let files = files(call)?;
    Ok(Output::Report { text: files.join("\n"), json: json!({"paths": files}) })
}

fn follow(call: &Call) -> Result<Output, Failure> {
    call.follow(path(&["leveret", "log-stream"]))
}

fn set_level(call: &Call) -> Result<Output, Failure> {
    let mut body = json!({"level": call.word("<log_level>")});
    if let (Some(body), Some(category)) = (body.as_object_mut(), call.maybe("<category>")) {
        body.insert("category".to_owned(), category.into());
    }
    call.api.put(path(&["leveret", "log-level"]), &body)?;
    Ok(Output::Done)
}

fn rotate(call: &Call) -> Result<Output, Failure> {
    call.api.post(path(&["leveret", "log-rotation"]), &json!({}))?;
    Ok(Output::Done)
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
