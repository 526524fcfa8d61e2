//! Messages out of the store, one at a time: printed, or as lines of JSON. Which queues they are of
//! is decided by the caller.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::catalog::QueueState;
use super::failure::Failure;
use super::message::{Line, to_text};
use super::messages::Messages;
use super::text::{counted, printable, size};
use crate::store::Reader;

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) messages: u64,
    /// Those that could not be read.
    pub(super) damaged: u64,
}

/// The file that messages go to: a new one, outside the folder that is looked at. Pipes and
/// devices may be there already.
pub(super) fn create(file: &Path, data_dir: &Path) -> Result<Box<dyn Write>, Failure> {
    let fail = |error| Failure::Export { file: file.to_owned(), error };
    if is_inside(file, data_dir).map_err(fail)? {
        return Err(Failure::ExportInside(file.to_owned()));
    }
    let is_device = file.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir());
    let mut options = OpenOptions::new();
    options.write(true).create_new(!is_device).mode(0o600);
    let file = options.open(file).map_err(fail)?;
    Ok(Box::new(BufWriter::new(file)))
}

fn is_inside(file: &Path, data_dir: &Path) -> io::Result<bool> {
    let folder: PathBuf = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    Ok(folder.canonicalize()?.starts_with(data_dir.canonicalize()?))
}

/// Writes messages of a queue as lines of JSON.
pub(super) fn lines(
    reader: &Reader,
    queue: &QueueState,
    count_max: Option<u64>,
    output: &mut dyn Write,
) -> Result<Written, Failure> {
    let mut written = Written::default();
    for place in Messages::of(reader, queue).take(count(count_max)) {
        let Some(stored) = &place.stored else {
            written.damaged += 1;
            continue;
        };
        serde_json::to_writer(&mut *output, &Line::of(queue, &place, stored))
            .map_err(|error| Failure::Output(error.into()))?;
        output.write_all(b"\n").map_err(Failure::Output)?;
        written.messages += 1;
    }
    Ok(written)
}

/// Prints messages of a queue for people.
pub(super) fn print(
    reader: &Reader,
    queue: &QueueState,
    count_max: u64,
    output: &mut dyn Write,
) -> Result<Written, Failure> {
    let mut written = Written::default();
    writeln!(output, "{}", heading(queue)).map_err(Failure::Output)?;
    for place in Messages::of(reader, queue).take(count(Some(count_max))) {
        match place.stored {
            Some(_) => written.messages += 1,
            None => written.damaged += 1,
        }
        write!(output, "\n{}", to_text(&place)).map_err(Failure::Output)?;
    }
    let rest = queue.messages().saturating_sub(written.messages + written.damaged);
    if rest > 0 {
        let more = counted(rest, "more message");
        writeln!(output, "\n{more}: --count N prints more, --export FILE writes all")
            .map_err(Failure::Output)?;
    }
    Ok(written)
}

fn count(count_max: Option<u64>) -> usize {
    count_max.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX)
}

fn heading(queue: &QueueState) -> String {
    let what = match (&queue.virtual_host, &queue.name) {
        (Some(host), Some(name)) => {
            format!("Queue '{}' in virtual host '{}'", printable(name), printable(host))
        }
        (None, Some(name)) => {
            format!("Queue '{}' of a virtual host that is gone", printable(name))
        }
        (_, None) => format!("Queue of number {}, not declared", queue.number.0),
    };
    format!("{what}: {}, {}", counted(queue.messages(), "message"), size(queue.bytes()))
}

#[cfg(test)]
mod tests {
    use super::super::catalog::tests::catalog;
    use super::*;

    #[test]
    fn the_heading_names_queues_that_are_declared_and_those_that_are_not() {
        let catalog = catalog();
        let headings: Vec<String> = catalog.queues.iter().skip(1).map(heading).collect();
        let expected = [
            "Queue 'orders' in virtual host '/': 2 messages, 20 B",
            "Queue 'orders' in virtual host 'shop': 0 messages, 0 B",
            "Queue of number 11, not declared: 4 messages, 40 B",
            "Queue 'of a host that is gone' of a virtual host that is gone: 1 message, 10 B",
        ];
        assert_eq!(headings, expected);
    }

    #[test]
    fn an_export_makes_a_new_file_and_none_in_the_data_directory() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir_all(data.join("deeper")).unwrap();
        let file = folder.path().join("out.jsonl");
        create(&file, &data).unwrap().write_all(b"x").unwrap();
        let Err(Failure::Export { error, .. }) = create(&file, &data) else {
            panic!("it is there")
        };
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        for inside in [data.join("out.jsonl"), data.join("deeper/../deeper/out.jsonl")] {
            assert!(matches!(create(&inside, &data), Err(Failure::ExportInside(_))));
        }
        assert!(create(Path::new("/dev/null"), &data).is_ok());
    }
}
