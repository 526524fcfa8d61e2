//! All runs that were asked for, one after the other, and what is told of them: a line while each
//! runs, tables at the end, files where they were asked for.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use super::backlog;
use super::disk::{self, Disk};
use super::measurement::{Measurement, seconds_between};
use super::options::{Options, Target};
use super::report::{Broker, Report, Settings};
use super::run::{self, Look, Stopwatch};
use super::scenario::{Pace, Scenario};
use super::table::{Table, figure};
use super::wire::Wire;

/// A pause after each run, in which a broker may clear away what the run left.
const REST: Duration = Duration::from_millis(500);

/// Does what the options ask for. Fails where a broker could not be used, or a message was lost,
/// duplicated or reordered.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    match report(options).and_then(|report| publish(&report, options).map(|()| report)) {
        Ok(report) if report.is_valid() => ExitCode::SUCCESS,
        Ok(_) => {
            say("INVALID: messages were lost, duplicated or reordered; see the lines above");
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&error);
            ExitCode::FAILURE
        }
    }
}

/// Runs everything: each scenario in rounds, each round against every broker.
fn report(options: &Options) -> Result<Report, String> {
    let targets = options.targets()?;
    let scenarios = options.scenarios();
    let brokers = targets
        .iter()
        .map(|target| broker(target, options))
        .collect::<Result<Vec<Broker>, String>>()?;
    let stopwatch = Stopwatch::default();
    let disk = disk(options, stopwatch)?;
    let mut runs = Vec::new();
    for scenario in &scenarios {
        for round in 1..=options.rounds {
            for target in &targets {
                runs.push(measure(scenario, target, round, options, stopwatch)?);
                thread::sleep(REST);
            }
        }
    }
    let settings = Settings {
        warm_up_seconds: options.warm_up,
        seconds: options.duration,
        rounds: options.rounds,
        messages: options.messages,
    };
    let notes = options.note.iter().cloned().collect();
    Ok(Report::new(notes, settings, disk, brokers, scenarios, runs))
}

/// Tries the disk, where a folder on it was named.
fn disk(options: &Options, stopwatch: Stopwatch) -> Result<Option<Disk>, String> {
    let Some(folder) = &options.disk_folder else { return Ok(None) };
    let disk = Disk::under(folder, disk::TRIAL, stopwatch);
    disk.map(Some).map_err(|error| format!("{}: {error}", folder.display()))
}

/// Asks a broker who it is.
fn broker(target: &Target, options: &Options) -> Result<Broker, String> {
    let failed = |error| format!("{} at {}: {error}", target.name, target.address);
    let wire = Wire::connect(&target.address, options).map_err(failed)?;
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
    scenario: &Scenario,
    target: &Target,
    round: u64,
    options: &Options,
    stopwatch: Stopwatch,
) -> Result<Measurement, String> {
    let name = format!("{} {round}/{} {}", scenario.name, options.rounds, target.name);
    let is_live = io::stderr().is_terminal();
    let tell = |first: &Look, last: &Look| {
        if is_live {
            // Written over until the run is done.
            let _ = write!(io::stderr(), "\r{name}: {}\x1b[K", progress(first, last));
        }
    };
    let measurement = match scenario.pace {
        Pace::Backlog => backlog::run(scenario, target, options, stopwatch, tell)
            .map(|backlog| Measurement::of_backlog(scenario, &target.name, round, &backlog)),
        Pace::FullSpeed | Pace::MessagesPerSecond(_) | Pace::ConfirmWindow(_) => {
            run::run(scenario, target, options, stopwatch, tell)
                .map(|outcome| Measurement::of(scenario, &target.name, round, &outcome))
        }
    };
    if is_live {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    let measurement = measurement.map_err(|error| format!("{name}: {error}"))?;
    say(&format!("{name}: {}", summary(&measurement)));
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

/// One run in a line.
fn summary(run: &Measurement) -> String {
    let mut line = format!(
        "{}/s published, {}/s consumed, CPU µs/message: broker {}, generator {}",
        figure(Some(run.published_per_second)),
        figure(Some(run.consumed_per_second)),
        figure(run.broker_cpu_us_per_message),
        figure(run.generator_cpu_us_per_message),
    );
    for (what, latency) in [("", run.latency), ("confirm ", run.confirm_latency)] {
        let Some(latency) = latency else { continue };
        line += &format!(", {what}p50 {} µs", figure(Some(latency.p50_us)));
        line += &format!(", p99 {} µs", figure(Some(latency.p99_us)));
    }
    if !run.is_valid() {
        line += &format!(", INVALID: {:?}", run.check);
    }
    line
}

/// Prints the tables and writes the files.
fn publish(report: &Report, options: &Options) -> Result<(), String> {
    let tables = report.tables();
    let remark = report.remark().map(|remark| format!("\n{remark}")).unwrap_or_default();
    let text = joined(&tables, Table::to_text) + &remark;
    writeln!(io::stdout(), "\n{text}").map_err(|error| error.to_string())?;
    if let Some(path) = &options.json {
        let json = report.to_json().map_err(|error| error.to_string())?;
        fs::write(path, json).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if let Some(path) = &options.markdown {
        let text = joined(&tables, Table::to_markdown) + &remark;
        fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn joined(tables: &[Table], to_text: fn(&Table) -> String) -> String {
    tables.iter().map(to_text).collect::<Vec<String>>().join("\n")
}

fn say(line: &str) {
    // Nobody can be told where standard error is closed.
    let _ = writeln!(io::stderr(), "{line}");
}
