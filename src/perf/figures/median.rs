//! The medians of several runs.

use serde::Serialize;

use super::measurement::Measurement;

/// The medians of all runs of one scenario against one broker.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::perf) struct Median {
    pub(in crate::perf) scenario: String,
    pub(in crate::perf) broker: String,
    pub(in crate::perf) runs: usize,
    /// Every run was.
    pub(in crate::perf) is_valid: bool,
    pub(in crate::perf) published_per_second: f64,
    pub(in crate::perf) consumed_per_second: f64,
    pub(in crate::perf) done_per_second: Option<f64>,
    pub(in crate::perf) consumed_per_published: Option<f64>,
    pub(in crate::perf) smallest_share: Option<f64>,
    pub(in crate::perf) largest_share: Option<f64>,
    pub(in crate::perf) broker_cpu_us_per_message: Option<f64>,
    pub(in crate::perf) broker_resident_mib_max: Option<f64>,
    pub(in crate::perf) broker_resident_mib_empty: Option<f64>,
    pub(in crate::perf) broker_resident_mib_full: Option<f64>,
    pub(in crate::perf) broker_resident_kib_per_connection: Option<f64>,
    pub(in crate::perf) file_octets_per_content_octet: Option<f64>,
    pub(in crate::perf) disk_octets_per_content_octet: Option<f64>,
    pub(in crate::perf) call_octets_per_content_octet: Option<f64>,
    pub(in crate::perf) generator_cpu_us_per_message: Option<f64>,
    pub(in crate::perf) confirm_p50_us: Option<f64>,
    pub(in crate::perf) confirm_p99_us: Option<f64>,
    pub(in crate::perf) latency_p50_us: Option<f64>,
    pub(in crate::perf) latency_p99_us: Option<f64>,
    pub(in crate::perf) latency_p999_us: Option<f64>,
    pub(in crate::perf) lateness_p99_us: Option<f64>,
}

impl Median {
    /// Of runs that belong together; none where there are no runs.
    pub(in crate::perf) fn of(runs: &[&Measurement]) -> Option<Self> {
        let first = runs.first()?;
        let figure = |pick: fn(&Measurement) -> Option<f64>| {
            median(runs.iter().filter_map(|run| pick(run)).collect())
        };
        Some(Self {
            scenario: first.scenario.clone(),
            broker: first.broker.clone(),
            runs: runs.len(),
            is_valid: runs.iter().all(|run| run.is_valid()),
            published_per_second: figure(|run| Some(run.published_per_second))?,
            consumed_per_second: figure(|run| Some(run.consumed_per_second))?,
            done_per_second: figure(|run| run.done_per_second),
            consumed_per_published: figure(|run| run.consumed_per_published),
            smallest_share: figure(|run| run.shares.map(|shares| shares.smallest)),
            largest_share: figure(|run| run.shares.map(|shares| shares.largest)),
            broker_cpu_us_per_message: figure(|run| run.broker_cpu_us_per_message),
            broker_resident_mib_max: figure(|run| run.broker_resident_mib_max),
            broker_resident_mib_empty: figure(|run| run.broker_resident_mib_empty),
            broker_resident_kib_per_connection: figure(|run| {
                run.broker_resident_kib_per_connection
            }),
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
mod tests {
    use super::*;
    use crate::perf::figures::measurement::tests::measurement;
    use crate::perf::workload::named;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), Some(3.0));
        assert_eq!(median(vec![7.0]), Some(7.0));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn one_invalid_run_makes_a_median_invalid() {
        let good = measurement(&named("s1").unwrap(), "A", 100.0);
        let mut bad = good.clone();
        bad.check.duplicated = 1;
        assert!(Median::of(&[&good, &good]).unwrap().is_valid);
        assert!(!Median::of(&[&good, &bad]).unwrap().is_valid);
        assert_eq!(Median::of(&[]), None);
    }
}
