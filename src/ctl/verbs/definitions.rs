//! Definitions: all that is declared, as a file.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use serde_json::Value;

use super::super::api::Asked;
use super::super::call::Call;
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::print;
use super::super::url::path;
use super::super::verb::Verb;
use super::missing_host;

/// What stands for the standard output and input.
const STANDARD: &str = "-";

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "export_definitions",
        "<file> [--format <format>]",
        "Write definitions to a file, `-` for standard output; with --vhost of one virtual host",
        "",
        export,
    ),
    Verb::new(
        "import_definitions",
        "[<file>] [--format <format>] [--skip-if-unchanged]",
        "Declare what a file says, `-` for standard input; with --vhost in one virtual host",
        "",
        import,
    ),
];

fn export(call: &Call) -> Result<Output, Failure> {
    check_format(call)?;
    let file = call.word("<file>");
    let asked = Asked { path: definitions(call), ..Asked::default() };
    let answer = call.api.ask(asked).map_err(missing(call))?;
    let json = String::from_utf8_lossy(&answer.body).into_owned();
    for warning in &answer.warnings {
        // Nobody is left to tell if this fails. The file is whole all the same.
        let _ = writeln!(io::stderr(), "Warning: for RabbitMQ 3.10: {warning}");
    }
    if file == STANDARD {
        return Ok(Output::Raw(json));
    }
    let banner = format!("Exporting definitions in JSON to a file at \"{file}\" ...\n");
    write(Path::new(file), json.as_bytes()).map_err(|error| lost(file, &error))?;
    Ok(Output::Raw(if call.common.tells_what_it_does() { banner } else { String::new() }))
}

fn import(call: &Call) -> Result<Output, Failure> {
    check_format(call)?;
    let file = call.maybe("<file>").unwrap_or(STANDARD);
    let json = read(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::Data(format!("File {file} does not exist")),
        _ => unusable(file, &error),
    })?;
    let parsed: Value = serde_json::from_slice(json.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&json))
        .map_err(|error| {
            Failure::Data(format!("Failed to deserialise input (format: JSON) (error: {error})"))
        })?;
    if call.common.tells_what_it_does() && file != STANDARD {
        print::line(&format!("Importing definitions in JSON from a file at \"{file}\" ..."))?;
    }
    call.api.post(definitions(call), &parsed).map_err(missing(call))?;
    Ok(Output::Hint("Successfully imported definitions.".to_owned()))
}

/// A file that was cut off would be imported one day: it does not stay.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    // It may be a device, or a pipe.
    let is_file = file.metadata()?.is_file();
    let written = file.write_all(bytes).and_then(|()| file.flush());
    if written.is_err() && is_file {
        // Why it was not written, is told all the same.
        let _ = fs::remove_file(path);
    }
    written
}

fn lost(file: &str, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => unusable(file, error),
        _ => Failure::Software(format!("{file}: {error}")),
    }
}

/// Of the node, or of the virtual host that was named.
fn definitions(call: &Call) -> String {
    match &call.common.virtual_host {
        Some(host) => path(&["definitions", host]),
        None => path(&["definitions"]),
    }
}

fn missing(call: &Call) -> impl Fn(super::super::api::Trouble) -> Failure {
    missing_host(call.virtual_host())
}

fn check_format(call: &Call) -> Result<(), Failure> {
    match call.maybe("--format") {
        None | Some("json" | "JSON") => Ok(()),
        Some(format) => Err(call.misused(&format!("the format {format} is not JSON"))),
    }
}

fn read(file: &str) -> io::Result<Vec<u8>> {
    if file != STANDARD {
        return fs::read(file);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unusable(file: &str, error: &io::Error) -> Failure {
    Failure::Data(format!("{file}: {error}"))
}
