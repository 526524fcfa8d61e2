//! The overview as people read it. It looks nothing up.

use std::fmt::{self, Write};

use super::overview::{DamageFound, FileLine, Overview, QueueLine};
use super::text::{columns, counted, printable, size};

/// The overview in lines and columns.
pub(super) fn to_text(overview: &Overview) -> String {
    let mut text = String::new();
    // A string takes all that is written to it.
    let _ = write_all(&mut text, overview);
    text
}

fn write_all(out: &mut String, overview: &Overview) -> fmt::Result {
    let mut fact = |name: &str, value: &str| writeln!(out, "{name:15} {value}");
    fact("Data directory", &printable(&overview.data_directory))?;
    fact("Format", &versions(&overview.format_versions))?;
    fact("State", &state(overview))?;
    for refusal in &overview.refusals {
        fact("Start", &format!("would be refused: {}", printable(refusal)))?;
    }
    if let Some(definitions) = &overview.definitions {
        let counts: Vec<String> =
            definitions.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        fact("Definitions", &counts.join(", "))?;
    }
    fact("Total", &totals(overview))?;
    if let Some(damage) = &overview.damage {
        write_damage(out, damage, overview.in_use_by.is_some())?;
    }
    write!(out, "\n{}", files(overview))?;
    match overview.queues.as_deref() {
        Some([_, ..]) => write!(out, "\n{}", queues(overview.queues.as_deref().unwrap_or(&[]))),
        _ => Ok(()),
    }
}

fn versions(versions: &[u16]) -> String {
    if versions.is_empty() {
        return "unknown: no head of a file is whole".to_owned();
    }
    versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn state(overview: &Overview) -> String {
    match (&overview.in_use_by, overview.stopped_in_order) {
        (Some(holder), _) if overview.queues.is_none() => {
            format!("in use by {holder}, which changed files while they were read")
        }
        (Some(holder), _) => format!(
            "in use by {holder}: this is how far its files are, without what it is just writing"
        ),
        (None, Some(true)) => "stopped in order".to_owned(),
        (None, Some(false)) => {
            "not stopped in order: a start reads the end of the log again".to_owned()
        }
        (None, None) => "the store does not open".to_owned(),
    }
}

fn totals(overview: &Overview) -> String {
    let totals = &overview.totals;
    let files = format!("{} of {}", counted(totals.files, "file"), size(totals.file_bytes));
    if overview.queues.is_none() {
        return files;
    }
    format!(
        "{} of {} in {}; {files}",
        counted(totals.messages, "message"),
        size(totals.message_bytes),
        counted(totals.queues, "queue")
    )
}

fn write_damage(out: &mut String, damage: &DamageFound, is_in_use: bool) -> fmt::Result {
    let mut lines = Vec::new();
    for place in &damage.places {
        let what = match place.bytes {
            0 => "something is missing".to_owned(),
            bytes => format!("{} cannot be read", counted(bytes, "byte")),
        };
        lines.push(format!("{} at byte {}: {what}", place.file, place.offset));
    }
    let checkpoints = damage.checkpoints.iter();
    lines.extend(checkpoints.map(|name| format!("{name} is not whole; the one before it counts")));
    lines.extend(damage.set_aside.iter().map(|name| format!("{name} was set aside earlier")));
    if let Some(count @ 1..) = damage.messages {
        lines.push(format!("{} cannot be read", counted(count, "message")));
    }
    if damage.torn_bytes > 0 && !is_in_use {
        let torn = counted(damage.torn_bytes, "byte");
        lines.push(format!(
            "torn at the end: {torn} that were promised to nobody; a start cuts them"
        ));
    }
    if lines.is_empty() {
        let depth = if damage.messages.is_some() { "" } else { " (--verify reads every message)" };
        lines.push(format!("none found{depth}"));
    }
    if is_in_use && damage.is_some() {
        lines.push(
            "(what the running broker is just writing or giving back may look so)".to_owned(),
        );
    }
    for (at, line) in lines.iter().enumerate() {
        writeln!(out, "{:15} {}", if at == 0 { "Damage" } else { "" }, printable(line))?;
    }
    Ok(())
}

fn files(overview: &Overview) -> String {
    // Which log files are in use, only an open store knows; of a running broker not even that.
    let unused = match (&overview.queues, &overview.in_use_by) {
        (None, _) => "",
        (Some(_), None) => "not in use",
        (Some(_), Some(_)) => "begun or given back just now",
    };
    let row = |file: &FileLine| {
        let log = file.log;
        let figure = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        [
            printable(&file.name),
            size(file.bytes),
            figure(log.map(|log| log.messages_written.to_string())),
            figure(log.map(|log| log.messages_alive.to_string())),
            figure(log.map(|log| size(log.bytes_alive))),
            remark(file, unused),
        ]
    };
    let rows: Vec<_> = overview.files.iter().map(row).collect();
    let headings = ["File", "size", "messages written", "alive", "bodies alive", "remark"];
    columns(headings, [false, true, true, true, true, false], &rows)
}

fn remark(file: &FileLine, unused: &str) -> String {
    match (file.kind, file.log, file.checkpoint) {
        (_, Some(log), _) if log.is_sealed => "sealed".to_owned(),
        (_, Some(_), _) => "open: not sealed yet".to_owned(),
        (_, _, Some(checkpoint)) => match (checkpoint.next_log, checkpoint.start) {
            (Some(log), Some(start)) => {
                let stop =
                    if checkpoint.at_clean_stop == Some(true) { ", at a clean stop" } else { "" };
                format!("whole; the log before log-{log:012}; of start {start}{stop}")
            }
            _ => "not whole".to_owned(),
        },
        ("log", None, None) => unused.to_owned(),
        ("spare", ..) => "to be written again".to_owned(),
        ("reserve", ..) => "room for a full disk".to_owned(),
        ("quarantine", ..) => "damaged bytes, set aside".to_owned(),
        _ => "not of the store".to_owned(),
    }
}

fn queues(queues: &[QueueLine]) -> String {
    let row = |queue: &QueueLine| {
        let name =
            |name: &Option<String>| name.as_deref().map_or_else(|| "-".to_owned(), printable);
        [
            name(&queue.vhost),
            name(&queue.name),
            queue.kind.unwrap_or("-").to_owned(),
            queue.messages.to_string(),
            size(queue.bytes),
            queue_remark(queue),
        ]
    };
    let rows: Vec<_> = queues.iter().map(row).collect();
    let headings = ["Virtual host", "queue", "type", "messages", "bodies", "remark"];
    let with_remarks = columns(headings, [false, false, false, true, true, false], &rows);
    if rows.iter().any(|[.., remark]| !remark.is_empty()) {
        return with_remarks;
    }
    // An empty column leaves its heading only.
    with_remarks.replacen("  remark", "", 1)
}

fn queue_remark(queue: &QueueLine) -> String {
    let mut remarks = Vec::new();
    if let Some(count @ 1..) = queue.damaged {
        remarks.push(format!("{count} damaged"));
    }
    if !queue.is_declared {
        let number = queue.number;
        remarks.push(format!("not declared: a start drops it; --number {number} shows it"));
    }
    remarks.join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::overview::{CheckpointLine, DamagedPlace, LogLine, Totals};
    use super::*;

    fn file(name: &str, kind: &'static str, bytes: u64) -> FileLine {
        FileLine { name: name.to_owned(), kind, bytes, log: None, checkpoint: None }
    }

    fn queue(host: Option<&str>, name: Option<&str>, number: u64) -> QueueLine {
        QueueLine {
            vhost: host.map(str::to_owned),
            name: name.map(str::to_owned),
            number,
            kind: name.map(|_| "classic"),
            is_declared: host.is_some(),
            messages: 2,
            bytes: 2048,
            damaged: None,
        }
    }

    fn overview() -> Overview {
        let log = LogLine {
            is_sealed: false,
            messages_written: 10,
            messages_alive: 2,
            bytes_alive: 2048,
        };
        let checkpoint = CheckpointLine {
            is_whole: true,
            next_log: Some(2),
            start: Some(3),
            at_clean_stop: Some(true),
        };
        let checkpoint = FileLine {
            checkpoint: Some(checkpoint),
            ..file("checkpoint-000000000001", "checkpoint", 64)
        };
        let files = vec![
            checkpoint,
            FileLine { log: Some(log), ..file("log-000000000002", "log", 4096) },
            file("log-000000000001", "log", 100),
            file("notes", "other", 0),
        ];
        Overview {
            data_directory: "/data".to_owned(),
            in_use_by: None,
            format_versions: vec![1],
            stopped_in_order: Some(false),
            refusals: Vec::new(),
            damage: Some(DamageFound::default()),
            definitions: Some([("queues", 1), ("users", 1)].into_iter().collect()),
            files,
            queues: Some(vec![queue(Some("/"), Some("orders"), 5)]),
            totals: Totals {
                files: 4,
                file_bytes: 4260,
                queues: 1,
                messages: 2,
                message_bytes: 2048,
            },
        }
    }

    #[test]
    fn everything_stands_in_lines_and_columns() {
        let expected = "\
Data directory  /data
Format          1
State           not stopped in order: a start reads the end of the log again
Definitions     queues 1, users 1
Total           2 messages of 2.0 KiB in 1 queue; 4 files of 4.1 KiB
Damage          none found (--verify reads every message)

File                        size  messages written  alive  bodies alive  remark
checkpoint-000000000001     64 B                 -      -             -  \
whole; the log before log-000000000002; of start 3, at a clean stop
log-000000000002         4.0 KiB                10      2       2.0 KiB  open: not sealed yet
log-000000000001           100 B                 -      -             -  not in use
notes                        0 B                 -      -             -  not of the store

Virtual host  queue   type     messages   bodies
/             orders  classic         2  2.0 KiB
";
        assert_eq!(to_text(&overview()), expected);
    }

    #[test]
    fn damage_and_refusals_are_told_before_the_files() {
        let place =
            |offset, bytes| DamagedPlace { file: "log-000000000002".to_owned(), offset, bytes };
        let damage = DamageFound {
            torn_bytes: 9,
            places: vec![place(64, 100), place(400, 0)],
            checkpoints: vec!["checkpoint-000000000003".to_owned()],
            set_aside: vec!["quarantine-log-000000000001-64".to_owned()],
            messages: Some(1),
        };
        let refusals = vec!["a definition is damaged".to_owned()];
        let text = to_text(&Overview { damage: Some(damage), refusals, ..overview() });
        let expected = "\
Damage          log-000000000002 at byte 64: 100 bytes cannot be read
                log-000000000002 at byte 400: something is missing
                checkpoint-000000000003 is not whole; the one before it counts
                quarantine-log-000000000001-64 was set aside earlier
                1 message cannot be read
                torn at the end: 9 bytes that were promised to nobody; a start cuts them

";
        assert!(text.contains(expected), "{text}");
        let refused = "\nStart           would be refused: a definition is damaged\n";
        assert!(text.contains(refused), "{text}");
    }

    #[test]
    fn a_running_broker_is_named_and_what_it_is_writing_is_not_called_torn() {
        let damage = Some(DamageFound { torn_bytes: 9, ..DamageFound::default() });
        let in_use_by = Some("process 7".to_owned());
        let text = to_text(&Overview { damage, in_use_by, stopped_in_order: None, ..overview() });
        assert!(text.contains("\nState           in use by process 7: "), "{text}");
        assert!(text.contains("\nDamage          none found"), "{text}");
        assert!(!text.contains("may look so"), "{text}");
    }

    #[test]
    fn a_queue_that_is_not_declared_or_damaged_says_so() {
        let damaged = QueueLine { damaged: Some(1), ..queue(Some("/"), Some("q\u{1b}"), 5) };
        let lines = queues(&[damaged, queue(None, None, 11)]);
        let expected = "\
Virtual host  queue    type     messages   bodies  remark
/             q\\u{1b}  classic         2  2.0 KiB  1 damaged
-             -        -               2  2.0 KiB  \
not declared: a start drops it; --number 11 shows it
";
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_store_that_does_not_open_shows_its_files() {
        let overview = Overview {
            stopped_in_order: None,
            damage: None,
            definitions: None,
            queues: None,
            format_versions: Vec::new(),
            ..overview()
        };
        let text = to_text(&overview);
        let expected = "\
Data directory  /data
Format          unknown: no head of a file is whole
State           the store does not open
Total           4 files of 4.1 KiB

File ";
        assert!(text.starts_with(expected), "{text}");
        assert!(!text.contains("Virtual host"), "{text}");
    }
}
