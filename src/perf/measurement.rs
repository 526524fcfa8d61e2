//! The figures of one run, of what it counted and cost, and the median of several.

use serde::Serialize;

use super::histogram::Percentiles;
use super::run::{Look, Outcome};
use super::scenario::Scenario;
use super::sequence::Check;

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// One run in figures. Rates and costs are those of the window, and per message consumed in it.
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
    pub(super) generator_cpu_us_per_message: Option<f64>,
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
        let messages = last.consumed.saturating_sub(first.consumed);
        let cost = |usage: fn(&Look) -> Option<super::process::Usage>| {
            let spent = usage(last)?.cpu.saturating_sub(usage(first)?.cpu);
            (messages > 0).then(|| spent.as_secs_f64() * 1e6 / messages as f64)
        };
        Self {
            scenario: scenario.name,
            broker: broker.to_owned(),
            round,
            seconds,
            published_per_second: last.published.saturating_sub(first.published) as f64 / seconds,
            consumed_per_second: messages as f64 / seconds,
            broker_cpu_us_per_message: cost(|look| look.broker),
            broker_resident_mib_max: resident_size_max.map(|size| size as f64 / MEBIBYTE),
            generator_cpu_us_per_message: cost(|look| look.generator),
            latency: consumed.latency.percentiles(),
            lateness: published.lateness.percentiles(),
            check: consumed.check,
        }
    }

    /// Messages arrived, each once and in order.
    pub(super) fn is_valid(&self) -> bool {
        self.check.is_valid() && self.check.received > 0
    }
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
    pub(super) generator_cpu_us_per_message: Option<f64>,
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
            generator_cpu_us_per_message: figure(|run| run.generator_cpu_us_per_message),
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
    use crate::perf::process::Usage;
    use crate::perf::publisher::Published;
    use crate::perf::scenario::SCENARIOS;

    fn look(seconds: u64, published: u64, consumed: u64, cpu_ms: u64) -> Look {
        let usage = Usage { cpu: Duration::from_millis(cpu_ms), resident_size: 0 };
        Look {
            moment_ns: seconds * 1_000_000_000,
            published,
            consumed,
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
            latency: scenario.messages_per_second.map(|_| latency),
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
