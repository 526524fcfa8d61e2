//! Floor 6: `leveret inspect DATA_DIR`: what is in a data directory, without starting a broker and
//! without changing one byte. The store is opened as at a start, over a disk that keeps in memory
//! what is written to it, so that what is shown is what a start would find. It talks to a terminal
//! or another program, and to no broker.
//!
//! Reading order: `options`, `overlay` (the disk over the disk), `folder` (the store above it),
//! `catalog` (names for numbers), `messages`; then what is shown: `overview` with `report`, and
//! `export` with `message`, `field` and `text`.

mod catalog;
mod export;
mod failure;
mod field;
mod folder;
mod message;
mod messages;
mod options;
mod overlay;
mod overview;
mod report;
mod text;

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use catalog::{Catalog, QueueState};
use export::Written;
use failure::Failure;
use folder::{Folder, Recovered};
use overview::Overview;

pub use options::Options;

use crate::limits::INSPECT_PRINTED_COUNT;

/// What stands for the standard output.
const STANDARD_OUTPUT: &str = "-";

/// Looks into a data directory as the options say. The shell is told 1 where something could not
/// be read.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    let mut output = BufWriter::new(io::stdout().lock());
    let result = inspect(options, &mut output);
    let flushed = output.flush().map_err(Failure::Output);
    match result.and(flushed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            tell(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Says something beside the output.
fn tell(text: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(io::stderr(), "{text}");
}

fn inspect(options: &Options, output: &mut dyn Write) -> Result<(), Failure> {
    let folder = Folder::open(&options.data_dir)?;
    let wants_messages =
        options.queue.is_some() || options.number.is_some() || options.export.is_some();
    let recovered = match folder.recover() {
        Ok(recovered) => recovered,
        Err(error) => {
            if !wants_messages {
                let overview = Overview::of_files(&folder, Some(&error));
                show(&overview.map_err(Failure::Unreadable)?, options, output)?;
            }
            return Err(Failure::Refused { error, holder: folder.holder });
        }
    };
    let opened = &recovered.opened;
    let catalog = Catalog::of(&opened.definitions, &opened.queues);
    if wants_messages {
        return messages(options, &folder, &recovered, &catalog, output);
    }
    let overview = Overview::of_store(&folder, &recovered, &catalog, options.verify);
    let overview = overview.map_err(Failure::Unreadable)?;
    show(&overview, options, output)?;
    check_damaged(overview.damaged_messages(), &folder)
}

fn show(overview: &Overview, options: &Options, output: &mut dyn Write) -> Result<(), Failure> {
    let text = if options.json {
        let json = serde_json::to_string_pretty(overview);
        json.map_err(|error| Failure::Output(error.into()))? + "\n"
    } else {
        report::to_text(overview)
    };
    output.write_all(text.as_bytes()).map_err(Failure::Output)
}

/// Prints or exports messages.
fn messages(
    options: &Options,
    folder: &Folder,
    recovered: &Recovered,
    catalog: &Catalog,
    output: &mut dyn Write,
) -> Result<(), Failure> {
    let queues = chosen(options, catalog)?;
    if let Some(refusal) = &recovered.refusal {
        tell(&format!("a start would be refused: {refusal}"));
    }
    if let Some(holder) = &folder.holder {
        tell(&format!("in use by {holder}: what it is just writing may be missing"));
    }
    let written = match &options.export {
        Some(file) if file == Path::new(STANDARD_OUTPUT) => {
            export_to(output, options, recovered, &queues)?
        }
        Some(file) => export_to_file(file, options, folder, recovered, &queues)?,
        None => print_to(output, options, recovered, &queues)?,
    };
    check_damaged(written.damaged, folder)
}

fn export_to_file(
    file: &Path,
    options: &Options,
    folder: &Folder,
    recovered: &Recovered,
    queues: &[&QueueState],
) -> Result<Written, Failure> {
    let mut output = export::create(file, &folder.path)?;
    let written = export_to(&mut *output, options, recovered, queues)?;
    output.flush().map_err(Failure::Output)?;
    let what = text::counted(written.messages, "message");
    let place = text::counted(queues.len() as u64, "queue");
    tell(&format!("{what} of {place} exported to {}", file.display()));
    Ok(written)
}

/// The queues that are meant: the one that is named, or all.
fn chosen<'a>(options: &Options, catalog: &'a Catalog) -> Result<Vec<&'a QueueState>, Failure> {
    let host = options.vhost.as_deref().unwrap_or("/");
    match (&options.queue, options.number) {
        (Some(name), _) => Ok(vec![catalog.find(host, name)?]),
        (None, Some(number)) => Ok(vec![catalog.find_number(number)?]),
        (None, None) => Ok(catalog.queues.iter().collect()),
    }
}

fn export_to(
    output: &mut dyn Write,
    options: &Options,
    recovered: &Recovered,
    queues: &[&QueueState],
) -> Result<Written, Failure> {
    let reader = &recovered.opened.reader;
    sum(queues.iter().map(|queue| export::lines(reader, queue, options.count, &mut *output)))
}

fn print_to(
    output: &mut dyn Write,
    options: &Options,
    recovered: &Recovered,
    queues: &[&QueueState],
) -> Result<Written, Failure> {
    let reader = &recovered.opened.reader;
    let count = options.count.unwrap_or(INSPECT_PRINTED_COUNT);
    sum(queues.iter().map(|queue| match options.json {
        true => export::lines(reader, queue, Some(count), &mut *output),
        false => export::print(reader, queue, count, &mut *output),
    }))
}

fn sum(all: impl Iterator<Item = Result<Written, Failure>>) -> Result<Written, Failure> {
    let mut sum = Written::default();
    for written in all {
        let Written { messages, damaged } = written?;
        sum.messages += messages;
        sum.damaged += damaged;
    }
    Ok(sum)
}

/// What could not be read is told to the shell too. A running broker may have given it away.
fn check_damaged(count: u64, folder: &Folder) -> Result<(), Failure> {
    let is_in_use = folder.holder.is_some();
    if count == 0 { Ok(()) } else { Err(Failure::Damaged { count, is_in_use }) }
}
