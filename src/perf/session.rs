//! What was asked for, carried out: one run against one broker, with a line a second while it lasts
//! and a summary at its end.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::compare;
use super::figures::{Measurement, figure, seconds_between};
use super::options::{Options, OtherKind, Run};
use super::runs::{self, Conditions, Look, SECOND_NS, Stopwatch};
use super::summary::summary;
use super::workload::{Kind, Workload};

/// Does what the options ask for. Fails where a broker could not be used, or a message was lost,
/// duplicated or reordered.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    let result = match &options.kind {
        None => one(&options.load.run, options.load.workload()),
        Some(OtherKind::Rpc(rpc)) => one(&rpc.run, rpc.workload()),
        Some(OtherKind::Churn(churn)) => one(&churn.run, churn.workload()),
        Some(OtherKind::Idle(idle)) => one(&idle.run, idle.workload()),
        Some(OtherKind::Backlog(backlog)) => one(&backlog.run, backlog.workload()),
        Some(OtherKind::Compare(options)) => compare::run(options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            say("INVALID: messages were lost, duplicated or reordered, or none came");
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&format!("leveret perf: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// One run, as it is kept.
#[derive(Serialize)]
struct Kept<'a> {
    workload: &'a Workload,
    measurement: &'a Measurement,
}

/// One run against one broker; whether it is valid.
fn one(options: &Run, workload: Result<Workload, String>) -> Result<bool, String> {
    let (workload, target) = (workload?, options.target()?);
    let stopwatch = Stopwatch::default();
    let conditions = Conditions {
        length: options.length(),
        threads: options.threads,
        prefix: options.queue_prefix.clone().unwrap_or_else(|| own_prefix(stopwatch)),
        stopwatch,
        target,
    };
    say(&format!("{}: {workload}", conditions.target.address));
    let (mut start_ns, mut told) = (None, None);
    let mut tell = |first: &Look, look: &Look| {
        // What is measured begins with another look than the warm-up.
        let start_ns = *start_ns.get_or_insert(first.moment_ns);
        let last = told.get_or_insert(*first);
        if look.moment_ns.saturating_sub(last.moment_ns) >= SECOND_NS - SECOND_NS / 100 {
            say(&progress_line(&workload, start_ns, last, look));
            *last = *look;
        }
    };
    let measurement = runs::run(&workload, &conditions, &mut tell)
        .map_err(|error| format!("{}: {error}", conditions.target.address))?;
    let text = summary(&workload, &measurement);
    write!(io::stdout(), "{text}").map_err(|error| error.to_string())?;
    if let Some(path) = &options.json {
        let kept = Kept { workload: &workload, measurement: &measurement };
        let json = serde_json::to_string_pretty(&kept).map_err(|error| error.to_string())?;
        write_file(path, &(json + "\n"))?;
    }
    Ok(measurement.is_valid())
}

/// Unlike those of generators that run at the same time.
pub(super) fn own_prefix(stopwatch: Stopwatch) -> String {
    format!("perf-{}-{}", std::process::id(), stopwatch.now_ns() / 1_000_000)
}

/// What happened in the last second.
fn progress_line(workload: &Workload, start_ns: u64, last: &Look, look: &Look) -> String {
    let seconds = seconds_between(last, look);
    let rate = |last: u64, look: u64| figure(Some(look.saturating_sub(last) as f64 / seconds));
    let elapsed = look.moment_ns.saturating_sub(start_ns) as f64 / 1e9;
    let mut line = match workload.kind {
        Kind::Load | Kind::Backlog => {
            let waiting = look.published.saturating_mul(workload.copies());
            format!(
                "{elapsed:5.1} s: {}/s published, {}/s consumed, {} waiting",
                rate(last.published, look.published),
                rate(last.consumed, look.consumed),
                figure(Some(waiting.saturating_sub(look.consumed) as f64)),
            )
        }
        Kind::Rpc => {
            format!("{elapsed:5.1} s: {} round trips/s", rate(last.consumed, look.consumed))
        }
        Kind::Churn { .. } => {
            format!("{elapsed:5.1} s: {} cycles/s", rate(last.consumed, look.consumed))
        }
        Kind::Idle { .. } => format!(
            "{elapsed:5.1} s: {} connections, {}/s opened",
            look.consumed,
            rate(last.consumed, look.consumed)
        ),
    };
    if let (Some(before), Some(now)) = (last.broker, look.broker) {
        let cpu = now.cpu.saturating_sub(before.cpu).as_secs_f64() / seconds;
        let mebibytes = now.resident_size as f64 / (1024.0 * 1024.0);
        line += &format!(", broker {:.0} % CPU, {} MiB", cpu * 100.0, figure(Some(mebibytes)));
    }
    line
}

pub(super) fn write_file(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

pub(super) fn say(line: &str) {
    // Nobody can be told where standard error is closed.
    let _ = writeln!(io::stderr(), "{line}");
}
