//! The figures of one run, of what it counted and cost, and the median of several.

use serde::Serialize;

use super::backlog::Backlog;
use super::histogram::Percentiles;
use super::process::{Usage, Written};
use super::run::{Look, Outcome};
use super::scenario::Scenario;
use super::sequence::Check;

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// One run in figures. Rates and costs are those of the window, and per message consumed in it;
/// those of a backlog are of the fill, of the drain, and per message of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Measurement {
    pub(super) scenario: &'static str,
    pub(super) broker: String,
    /// Counts from 1.
    pub(super) round: u64,
    pub(super) seconds: f64,
    pub(super) published_per_second: f64,
    pub(super) consumed_per_second: f64,
    pub(super) broker_cpu_us_per_message: Option<f64>,
    pub(super) broker_resident_mib_max: Option<f64>,
    /// With the whole backlog waiting.
    pub(super) broker_resident_mib_full: Option<f64>,
    /// Octets that the broker's process wrote to files, for each octet of bodies and properties
    /// that was published; only where those are to be kept. It is what calls wrote without what
    /// came here over sockets: both brokers send by such calls.
    pub(super) file_octets_per_content_octet: Option<f64>,
    /// The same of pages that were to go to disks, as Linux counts them.
    pub(super) disk_octets_per_content_octet: Option<f64>,
    /// The same of octets in calls that write, those to sockets included.
    pub(super) call_octets_per_content_octet: Option<f64>,
    pub(super) generator_cpu_us_per_message: Option<f64>,
    /// From publish to confirm; only where there are confirms.
    pub(super) confirm_latency: Option<Percentiles>,
    /// End to end; only where the scenario has a rate.
    pub(super) latency: Option<Percentiles>,
    /// How late the generator itself was; it is part of the latency.
    pub(super) lateness: Option<Percentiles>,
    /// Of all messages of the run, those of the warm-up included.
    pub(super) check: Check,
}

impl Measurement {
    pub(super) fn of(scenario: &Scenario, broker: &str, round: u64, outcome: &Outcome) -> Self {
        let Outcome { first, last, resident_size_max, published, consumed } = outcome;
        let seconds = seconds_between(first, last);
        let published_count = last.published.saturating_sub(first.published);
        let consumed_count = last.consumed.saturating_sub(first.consumed);
        let span = Span { scenario, first, last, published_count, consumed_count };
        Self {
            seconds,
            published_per_second: published_count as f64 / seconds,
            consumed_per_second: consumed_count as f64 / seconds,
            broker_resident_mib_max: resident_size_max.map(mebibytes),
            confirm_latency: published.confirm_latency.percentiles(),
            latency: consumed.latency.percentiles(),
            lateness: published.lateness.percentiles(),
            ..span.costs(broker, round, consumed.check)
        }
    }

    pub(super) fn of_backlog(
        scenario: &Scenario,
        broker: &str,
        round: u64,
        backlog: &Backlog,
    ) -> Self {
        let Backlog { empty, filled, full, drained, resident_size_max, consumed } = backlog;
        let (published_count, consumed_count) = (filled.published, drained.consumed);
        let span = Span { scenario, first: empty, last: drained, published_count, consumed_count };
        let (filling, draining) = (seconds_between(empty, filled), seconds_between(full, drained));
        Self {
            seconds: filling + draining,
            published_per_second: published_count as f64 / filling,
            consumed_per_second: consumed_count as f64 / draining,
            broker_resident_mib_max: resident_size_max.map(mebibytes),
            broker_resident_mib_full: full.broker.map(|broker| mebibytes(broker.resident_size)),
            ..span.costs(broker, round, consumed.check)
        }
    }

    /// Messages arrived, each once and in order.
    pub(super) fn is_valid(&self) -> bool {
        self.check.is_valid() && self.check.received > 0
    }
}

/// What costs are of: the messages between two looks.
struct Span<'a> {
    scenario: &'a Scenario,
    first: &'a Look,
    last: &'a Look,
    published_count: u64,
    consumed_count: u64,
}

impl Span<'_> {
    /// A run with its costs, and nothing else in it.
    fn costs(&self, broker: &str, round: u64, check: Check) -> Measurement {
        Measurement {
            scenario: self.scenario.name,
            broker: broker.to_owned(),
            round,
            seconds: 0.0,
            published_per_second: 0.0,
            consumed_per_second: 0.0,
            broker_cpu_us_per_message: self.cpu_us_per_message(|look| look.broker),
            broker_resident_mib_max: None,
            broker_resident_mib_full: None,
            file_octets_per_content_octet: self.file_octets_per_content_octet(),
            disk_octets_per_content_octet: self.per_content_octet(|written| written.to_disks),
            call_octets_per_content_octet: self.per_content_octet(|written| written.by_calls),
            generator_cpu_us_per_message: self.cpu_us_per_message(|look| look.generator),
            confirm_latency: None,
            latency: None,
            lateness: None,
            check,
        }
    }

    fn cpu_us_per_message(&self, usage: fn(&Look) -> Option<Usage>) -> Option<f64> {
        let spent = usage(self.last)?.cpu.saturating_sub(usage(self.first)?.cpu);
        let count = self.consumed_count;
        (count > 0).then(|| spent.as_secs_f64() * 1e6 / count as f64)
    }

    /// None where the broker sent more than its calls wrote: then it sends by other calls.
    fn file_octets_per_content_octet(&self) -> Option<f64> {
        let received = self.last.received.saturating_sub(self.first.received);
        let written = self.last.broker?.written?.since(self.first.broker?.written?);
        let to_files = written.by_calls.checked_sub(received)?;
        self.per_content_octet(|_| to_files)
    }

    fn per_content_octet(&self, octets: impl FnOnce(Written) -> u64) -> Option<f64> {
        let written = self.last.broker?.written?.since(self.first.broker?.written?);
        let content = self.published_count.saturating_mul(self.scenario.content_size() as u64);
        let is_told = self.scenario.is_durable() && content > 0;
        is_told.then(|| octets(written) as f64 / content as f64)
    }
}

fn mebibytes(octets: u64) -> f64 {
    octets as f64 / MEBIBYTE
}

/// The time between two looks; never 0, so that rates are numbers.
pub(super) fn seconds_between(first: &Look, last: &Look) -> f64 {
    (last.moment_ns.saturating_sub(first.moment_ns).max(1)) as f64 / 1e9
}

/// The medians of all runs of one scenario against one broker.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Median {
    pub(super) scenario: &'static str,
    pub(super) broker: String,
    pub(super) runs: usize,
    /// Every run was.
    pub(super) is_valid: bool,
    pub(super) published_per_second: f64,
    pub(super) consumed_per_second: f64,
    pub(super) broker_cpu_us_per_message: Option<f64>,
    pub(super) broker_resident_mib_max: Option<f64>,
    pub(super) broker_resident_mib_full: Option<f64>,
    pub(super) file_octets_per_content_octet: Option<f64>,
    pub(super) disk_octets_per_content_octet: Option<f64>,
    pub(super) call_octets_per_content_octet: Option<f64>,
    pub(super) generator_cpu_us_per_message: Option<f64>,
    pub(super) confirm_p50_us: Option<f64>,
    pub(super) confirm_p99_us: Option<f64>,
    pub(super) latency_p50_us: Option<f64>,
    pub(super) latency_p99_us: Option<f64>,
    pub(super) latency_p999_us: Option<f64>,
    pub(super) lateness_p99_us: Option<f64>,
}

impl Median {
    /// Of runs that belong together; none where there are no runs.
    pub(super) fn of(runs: &[&Measurement]) -> Option<Self> {
        let first = runs.first()?;
        let figure = |pick: fn(&Measurement) -> Option<f64>| {
            median(runs.iter().filter_map(|run| pick(run)).collect())
        };
        Some(Self {
            scenario: first.scenario,
            broker: first.broker.clone(),
            runs: runs.len(),
            is_valid: runs.iter().all(|run| run.is_valid()),
            published_per_second: figure(|run| Some(run.published_per_second))?,
            consumed_per_second: figure(|run| Some(run.consumed_per_second))?,
            broker_cpu_us_per_message: figure(|run| run.broker_cpu_us_per_message),
            broker_resident_mib_max: figure(|run| run.broker_resident_mib_max),
            broker_resident_mib_full: figure(|run| run.broker_resident_mib_full),
            file_octets_per_content_octet: figure(|run| run.file_octets_per_content_octet),
            disk_octets_per_content_octet: figure(|run| run.disk_octets_per_content_octet),
            call_octets_per_content_octet: figure(|run| run.call_octets_per_content_octet),
            generator_cpu_us_per_message: figure(|run| run.generator_cpu_us_per_message),
            confirm_p50_us: figure(|run| run.confirm_latency.map(|latency| latency.p50_us)),
            confirm_p99_us: figure(|run| run.confirm_latency.map(|latency| latency.p99_us)),
            latency_p50_us: figure(|run| run.latency.map(|latency| latency.p50_us)),
            latency_p99_us: figure(|run| run.latency.map(|latency| latency.p99_us)),
            latency_p999_us: figure(|run| run.latency.map(|latency| latency.p999_us)),
            lateness_p99_us: figure(|run| run.lateness.map(|lateness| lateness.p99_us)),
        })
    }
}

/// The middle one, or halfway between the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2)?;
    let lower = values.get(values.len().checked_sub(1)? / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::perf::consumer::Consumed;
    use crate::perf::histogram::Histogram;
    use crate::perf::publisher::Published;
    use crate::perf::scenario::{Pace, SCENARIOS, named};

    fn look(seconds: u64, published: u64, consumed: u64, cpu_ms: u64) -> Look {
        let usage = Usage {
            cpu: Duration::from_millis(cpu_ms),
            resident_size: cpu_ms << 20,
            written: Some(Written { by_calls: cpu_ms * 2054, to_disks: cpu_ms * 4108 }),
        };
        Look {
            moment_ns: seconds * 1_000_000_000,
            published,
            consumed,
            received: cpu_ms * 1027,
            broker: Some(usage),
            generator: None,
        }
    }

    fn outcome(check: Check) -> Outcome {
        Outcome {
            first: look(2, 1000, 500, 100),
            last: look(12, 101_000, 100_500, 1100),
            resident_size_max: Some(3 << 20),
            published: Published::default(),
            consumed: Consumed { check, latency: Histogram::default() },
        }
    }

    /// A valid run with this rate and the cost of one microsecond for each message.
    pub(in crate::perf) fn measurement(
        scenario: &Scenario,
        broker: &str,
        consumed_per_second: f64,
    ) -> Measurement {
        let check = Check { received: 1, ..Check::default() };
        let latency = Percentiles {
            count: 1,
            p50_us: consumed_per_second / 10.0,
            p99_us: consumed_per_second,
            p999_us: 3.0,
            max_us: 4.0,
        };
        Measurement {
            consumed_per_second,
            broker_cpu_us_per_message: Some(1.0),
            broker_resident_mib_full: Some(8.0),
            file_octets_per_content_octet: Some(1.25),
            disk_octets_per_content_octet: Some(1.5),
            confirm_latency: matches!(scenario.pace, Pace::ConfirmWindow(_)).then_some(latency),
            latency: matches!(scenario.pace, Pace::MessagesPerSecond(_)).then_some(latency),
            ..Measurement::of(scenario, broker, 1, &outcome(check))
        }
    }

    #[test]
    fn figures_are_those_of_the_window_per_message_consumed() {
        let check = Check { received: 100_500, ..Check::default() };
        let figures = Measurement::of(&SCENARIOS[0], "A", 3, &outcome(check));
        assert_eq!((figures.scenario, figures.round), ("auto-ack-16", 3));
        assert_eq!((figures.seconds, figures.published_per_second), (10.0, 10_000.0));
        assert_eq!(figures.consumed_per_second, 10_000.0);
        assert_eq!(figures.broker_cpu_us_per_message, Some(10.0));
        assert_eq!(figures.generator_cpu_us_per_message, None);
        assert_eq!(figures.broker_resident_mib_max, Some(3.0));
        assert!(figures.is_valid() && figures.latency.is_none());
        assert_eq!(figures.disk_octets_per_content_octet, None, "nothing is to be kept");
    }

    #[test]
    fn what_is_written_counts_by_octet_of_bodies_and_properties_published() {
        let check = Check { received: 1, ..Check::default() };
        let mut outcome = outcome(check);
        // 1,000 messages of 1,027 octets each, whatever the number consumed.
        (outcome.first.published, outcome.last.published) = (500, 1500);
        let scenario = named("durable-confirm-1").unwrap();
        let figures = Measurement::of(&scenario, "A", 1, &outcome);
        assert_eq!(figures.call_octets_per_content_octet, Some(2.0));
        assert_eq!(figures.disk_octets_per_content_octet, Some(4.0));
        assert_eq!(figures.file_octets_per_content_octet, Some(1.0));
        outcome.last.received = u64::MAX;
        let figures = Measurement::of(&scenario, "A", 1, &outcome);
        assert_eq!(figures.file_octets_per_content_octet, None, "it sends by other calls");
        outcome.last.broker.as_mut().unwrap().written = None;
        let figures = Measurement::of(&scenario, "A", 1, &outcome);
        assert_eq!(figures.disk_octets_per_content_octet, None);
    }

    #[test]
    fn a_backlog_has_rates_of_its_own_for_fill_and_drain_and_costs_of_both() {
        let check = Check { received: 1000, ..Check::default() };
        let backlog = Backlog {
            empty: look(2, 0, 0, 100),
            filled: look(4, 1000, 0, 300),
            full: look(6, 1000, 0, 400),
            drained: look(10, 1000, 1000, 1100),
            resident_size_max: Some(9 << 20),
            consumed: Consumed { check, latency: Histogram::default() },
        };
        let figures = Measurement::of_backlog(&named("backlog").unwrap(), "A", 2, &backlog);
        assert_eq!((figures.published_per_second, figures.consumed_per_second), (500.0, 250.0));
        assert_eq!((figures.seconds, figures.round), (6.0, 2));
        assert_eq!(figures.broker_cpu_us_per_message, Some(1000.0));
        assert_eq!(figures.broker_resident_mib_full, Some(400.0));
        assert_eq!(figures.broker_resident_mib_max, Some(9.0));
        assert_eq!(figures.disk_octets_per_content_octet, Some(4.0));
        assert!(figures.is_valid());
    }

    #[test]
    fn a_run_that_lost_a_message_or_received_none_is_invalid() {
        for check in [Check { received: 9, lost: 1, ..Check::default() }, Check::default()] {
            assert!(!Measurement::of(&SCENARIOS[0], "A", 1, &outcome(check)).is_valid());
        }
    }

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), Some(3.0));
        assert_eq!(median(vec![7.0]), Some(7.0));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn one_invalid_run_makes_a_median_invalid() {
        let good = measurement(&SCENARIOS[0], "A", 100.0);
        let mut bad = good.clone();
        bad.check.duplicated = 1;
        assert!(Median::of(&[&good, &good]).unwrap().is_valid);
        assert!(!Median::of(&[&good, &bad]).unwrap().is_valid);
        assert_eq!(Median::of(&[]), None);
    }
}
