//! One run in words, for whoever started it.

use super::figures::{Check, Measurement, Percentiles, figure};
use super::workload::{Kind, Workload};

/// All figures of a run, a line for each kind.
pub(super) fn summary(workload: &Workload, run: &Measurement) -> String {
    let mut lines = Vec::new();
    rates(workload, run, &mut lines);
    for (what, latency) in
        [("latency", run.latency), ("confirms", run.confirm_latency), ("sent late", run.lateness)]
    {
        lines.extend(latency.map(|latency| (what, percentiles(&latency))));
    }
    if let Some(shares) = run.shares {
        let text = format!(
            "consumers of one queue got {:.2} to {:.2} times their mean",
            shares.smallest, shares.largest
        );
        lines.push(("shares", text));
    }
    processes(workload, run, &mut lines);
    lines.push(("check", check(workload, run)));
    lines.iter().map(|(what, text)| format!("{what:<10} {text}\n")).collect()
}

/// One run in a line, among many.
pub(super) fn line(workload: &Workload, run: &Measurement) -> String {
    let mut lines = Vec::new();
    rates(workload, run, &mut lines);
    let mut parts: Vec<String> =
        lines.into_iter().map(|(what, text)| format!("{what} {text}")).collect();
    parts.push(format!(
        "CPU µs each: broker {}, generator {}",
        figure(run.broker_cpu_us_per_message),
        figure(run.generator_cpu_us_per_message)
    ));
    for (what, latency) in [("", run.latency), ("confirm ", run.confirm_latency)] {
        let Some(latency) = latency else { continue };
        parts.push(format!("{what}p50 {} µs", figure(Some(latency.p50_us))));
        parts.push(format!("p99 {} µs", figure(Some(latency.p99_us))));
    }
    if !run.is_valid() {
        parts.push(format!("INVALID: {}", check(workload, run)));
    }
    parts.join(", ")
}

fn rates(workload: &Workload, run: &Measurement, lines: &mut Vec<(&'static str, String)>) {
    let each = |rate: f64| format!("{}/s", figure(Some(rate)));
    match (workload.kind, run.done_per_second) {
        (Kind::Rpc, Some(rate)) => lines.push(("round trips", each(rate))),
        (Kind::Churn { .. }, Some(rate)) => lines.push(("cycles", each(rate))),
        (Kind::Idle { .. }, Some(rate)) => lines.push(("opened", each(rate))),
        (Kind::Backlog, _) => {
            lines.push(("filled", each(run.published_per_second)));
            lines.push(("drained", each(run.consumed_per_second)));
        }
        _ => {
            lines.push(("published", each(run.published_per_second)));
            let ratio = run.consumed_per_published.map(|ratio| ratio * 100.0);
            let ratio = ratio.map(|ratio| format!(" ({ratio:.1} % of what was published)"));
            let text = each(run.consumed_per_second) + &ratio.unwrap_or_default();
            lines.push(("consumed", text));
        }
    }
}

fn percentiles(latency: &Percentiles) -> String {
    format!(
        "p50 {} µs, p99 {} µs, p99.9 {} µs, max {} µs",
        figure(Some(latency.p50_us)),
        figure(Some(latency.p99_us)),
        figure(Some(latency.p999_us)),
        figure(Some(latency.max_us)),
    )
}

fn processes(workload: &Workload, run: &Measurement, lines: &mut Vec<(&'static str, String)>) {
    let of = match workload.kind {
        Kind::Load | Kind::Backlog => "message",
        Kind::Rpc => "round trip",
        Kind::Churn { .. } => "cycle",
        Kind::Idle { .. } => "connection",
    };
    if let Some(cpu) = run.broker_cpu_us_per_message {
        let mut text = format!("{} µs of CPU per {of}", figure(Some(cpu)));
        for (what, size) in [
            ("MiB resident at most", run.broker_resident_mib_max),
            ("MiB when full", run.broker_resident_mib_full),
            ("MiB before", run.broker_resident_mib_empty),
            ("KiB per connection", run.broker_resident_kib_per_connection),
        ] {
            if size.is_some() {
                text += &format!(", {} {what}", figure(size));
            }
        }
        lines.push(("broker", text));
    }
    if let Some(cpu) = run.generator_cpu_us_per_message {
        lines.push(("generator", format!("{} µs of CPU per {of}", figure(Some(cpu)))));
    }
}

fn check(workload: &Workload, run: &Measurement) -> String {
    let Check { received, lost, duplicated, reordered, foreign } = run.check;
    match workload.kind {
        Kind::Load | Kind::Backlog | Kind::Rpc if run.check.is_valid() && received > 0 => {
            format!("all {received} messages came, once and in order")
        }
        _ if !run.check.is_valid() => format!(
            "of {received} messages {lost} were lost, {duplicated} duplicated, {reordered} \
             reordered, {foreign} sent by nobody"
        ),
        _ if !run.is_complete => "nothing came".to_owned(),
        _ => "nothing failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::figures::measurement;
    use crate::perf::workload::named;

    #[test]
    fn a_summary_has_rates_costs_and_the_check() {
        let workload = named("s4").unwrap();
        let text = summary(&workload, &measurement(&workload, "A", 20.0));
        for part in [
            "published  10,000/s\n",
            "consumed   20.0/s (100.0 % of what was published)\n",
            "latency    p50 2.00 µs",
            "confirms   p50 2.00 µs",
            "broker     1.00 µs of CPU per message, 3.00 MiB resident at most",
            "check      all 1 messages came, once and in order\n",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn what_makes_a_run_invalid_is_told() {
        let workload = named("s1").unwrap();
        let mut run = measurement(&workload, "A", 20.0);
        run.check.lost = 3;
        assert!(line(&workload, &run).contains("INVALID: of 1 messages 3 were lost, 0 duplicated"));
    }
}
