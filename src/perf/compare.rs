//! All runs of a comparison, one after the other, and what is told of them: a line while each runs,
//! tables at the end, files where they were asked for.

use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::Duration;

use super::figures::{Broker, Disk, Measurement, Report, Settings, TRIAL, Table};
use super::figures::{figure, seconds_between};
use super::options::{Compare, Target};
use super::runs::{self, Conditions, Look, Stopwatch};
use super::session::{own_prefix, say, write_file};
use super::summary::line;
use super::wire::Wire;
use super::workload::{Kind, Workload};

/// A pause after each run, in which a broker may clear away what the run left.
const REST: Duration = Duration::from_millis(500);

/// Does what the options ask for; whether every run was valid.
pub(super) fn run(options: &Compare) -> Result<bool, String> {
    let report = report(options)?;
    publish(&report, options)?;
    Ok(report.is_valid())
}

/// Runs everything: each scenario in rounds, each round against every broker.
fn report(options: &Compare) -> Result<Report, String> {
    let targets = options.targets()?;
    let workloads = options.workloads();
    let brokers = targets.iter().map(broker).collect::<Result<Vec<Broker>, String>>()?;
    let stopwatch = Stopwatch::default();
    let disk = disk(options, stopwatch)?;
    let mut runs = Vec::new();
    for workload in in_running_order(&workloads) {
        for round in 1..=options.rounds {
            for target in &targets {
                runs.push(measure(workload, target, round, options, stopwatch)?);
                thread::sleep(REST);
            }
        }
    }
    let length = options.length();
    let settings = Settings {
        warm_up_seconds: length.warm_up.as_secs_f64(),
        seconds: length.measured.as_secs_f64(),
        rounds: options.rounds,
        messages: options.messages,
        connections: options.connections,
    };
    let notes = options.note.iter().cloned().collect();
    Ok(Report::new(notes, settings, disk, brokers, workloads, runs))
}

/// Idle connections first: what they cost shows only in a broker that has no memory to spare from
/// what it did before.
fn in_running_order(workloads: &[Workload]) -> Vec<&Workload> {
    let is_idle = |workload: &&Workload| matches!(workload.kind, Kind::Idle { .. });
    let (first, then): (Vec<_>, Vec<_>) = workloads.iter().partition(is_idle);
    first.into_iter().chain(then).collect()
}

/// Tries the disk, where a folder on it was named.
fn disk(options: &Compare, stopwatch: Stopwatch) -> Result<Option<Disk>, String> {
    let Some(folder) = &options.disk_folder else { return Ok(None) };
    let disk = Disk::under(folder, TRIAL, stopwatch);
    disk.map(Some).map_err(|error| format!("{}: {error}", folder.display()))
}

/// Asks a broker who it is.
fn broker(target: &Target) -> Result<Broker, String> {
    let failed = |error| format!("{} at {}: {error}", target.name, target.address);
    let wire = Wire::connect(target).map_err(failed)?;
    let property = |name| wire.server_property(name);
    let broker = Broker {
        name: target.name.clone(),
        address: target.address.clone(),
        product: property("product"),
        version: property("version"),
        platform: property("platform"),
    };
    wire.close().map_err(failed)?;
    Ok(broker)
}

fn measure(
    workload: &Workload,
    target: &Target,
    round: u64,
    options: &Compare,
    stopwatch: Stopwatch,
) -> Result<Measurement, String> {
    let name = format!("{} {round}/{} {}", workload.name, options.rounds, target.name);
    let conditions = Conditions {
        target: target.clone(),
        length: options.length(),
        threads: options.threads,
        prefix: own_prefix(stopwatch),
        stopwatch,
    };
    let is_live = io::stderr().is_terminal();
    let mut tell = |first: &Look, last: &Look| {
        if is_live {
            // Written over until the run is done.
            let _ = write!(io::stderr(), "\r{name}: {}\x1b[K", progress(first, last));
        }
    };
    let measurement = runs::run(workload, &conditions, &mut tell);
    if is_live {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    let measurement = measurement.map_err(|error| format!("{name}: {error}"))?.in_round(round);
    say(&format!("{name}: {}", line(workload, &measurement)));
    Ok(measurement)
}

fn progress(first: &Look, last: &Look) -> String {
    let seconds = seconds_between(first, last);
    let rate = |first: u64, last: u64| figure(Some(last.saturating_sub(first) as f64 / seconds));
    format!(
        "{seconds:.1} s, {}/s published, {}/s consumed",
        rate(first.published, last.published),
        rate(first.consumed, last.consumed),
    )
}

/// Prints the tables and writes the files.
fn publish(report: &Report, options: &Compare) -> Result<(), String> {
    let tables = report.tables();
    let remark = report.remark().map(|remark| format!("\n{remark}")).unwrap_or_default();
    let text = joined(&tables, Table::to_text) + &remark;
    writeln!(io::stdout(), "\n{text}").map_err(|error| error.to_string())?;
    if let Some(path) = &options.json {
        write_file(path, &report.to_json().map_err(|error| error.to_string())?)?;
    }
    if let Some(path) = &options.markdown {
        write_file(path, &(joined(&tables, Table::to_markdown) + &remark))?;
    }
    if let Some(path) = &options.short_markdown {
        write_file(path, &report.short_table().to_markdown())?;
    }
    Ok(())
}

fn joined(tables: &[Table], to_text: fn(&Table) -> String) -> String {
    tables.iter().map(to_text).collect::<Vec<String>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::workload::named;

    #[test]
    fn idle_connections_are_measured_before_anything_else() {
        let workloads = ["s1", "s10", "s2"].map(|name| named(name).unwrap());
        let order = in_running_order(&workloads);
        assert_eq!(order.iter().map(|w| w.name.as_str()).collect::<Vec<_>>(), ["s10", "s1", "s2"]);
    }
}
