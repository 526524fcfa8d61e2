//! The figures of one run, of what it counted and cost.

use serde::Serialize;

use super::histogram::Percentiles;
use super::process::{Usage, Written};
use super::sequence::Check;
use super::share::Shares;
use crate::perf::runs::{AllConsumed, AllPublished, Look, Seen};
use crate::perf::workload::Workload;

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// One run in figures. Rates and costs are those of the window, and per message consumed in it;
/// those of a backlog are of the fill, of the drain, and per message of it. Where something else is
/// done over and over, costs are per time that it is done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::perf) struct Measurement {
    pub(in crate::perf) scenario: String,
    pub(in crate::perf) broker: String,
    /// Counts from 1.
    pub(in crate::perf) round: u64,
    pub(in crate::perf) seconds: f64,
    pub(in crate::perf) published_per_second: f64,
    /// Deliveries; of a fanout, all copies of a message.
    pub(in crate::perf) consumed_per_second: f64,
    /// Round trips, cycles, or connections opened.
    pub(in crate::perf) done_per_second: Option<f64>,
    /// Deliveries consumed for each that was published in the window; less than 1 where queues
    /// grew.
    pub(in crate::perf) consumed_per_published: Option<f64>,
    /// Of the consumers that have a queue in common.
    pub(in crate::perf) shares: Option<Shares>,
    pub(in crate::perf) broker_cpu_us_per_message: Option<f64>,
    pub(in crate::perf) broker_resident_mib_max: Option<f64>,
    /// With nothing waiting yet.
    pub(in crate::perf) broker_resident_mib_empty: Option<f64>,
    /// With the whole backlog waiting.
    pub(in crate::perf) broker_resident_mib_full: Option<f64>,
    pub(in crate::perf) broker_resident_kib_per_connection: Option<f64>,
    /// Octets that the broker's process wrote to files, for each octet of bodies and properties
    /// that was published; only where those are to be kept. It is what calls wrote without what
    /// came here over sockets: both brokers send by such calls.
    pub(in crate::perf) file_octets_per_content_octet: Option<f64>,
    /// The same of pages that were to go to disks, as Linux counts them.
    pub(in crate::perf) disk_octets_per_content_octet: Option<f64>,
    /// The same of octets in calls that write, those to sockets included.
    pub(in crate::perf) call_octets_per_content_octet: Option<f64>,
    pub(in crate::perf) generator_cpu_us_per_message: Option<f64>,
    /// From publish to confirm; only where there are confirms.
    pub(in crate::perf) confirm_latency: Option<Percentiles>,
    /// End to end, or of a round trip or cycle; only where it does not tell the length of a queue.
    pub(in crate::perf) latency: Option<Percentiles>,
    /// How late the generator itself was; it is part of the latency.
    pub(in crate::perf) lateness: Option<Percentiles>,
    /// Of all messages of the run, those of the warm-up included.
    pub(in crate::perf) check: Check,
    /// Whether all that was meant to arrive did.
    pub(in crate::perf) is_complete: bool,
}

/// What a run of publishers and consumers brought.
#[derive(Debug)]
pub(in crate::perf) struct Flow {
    pub(in crate::perf) seen: Seen,
    pub(in crate::perf) published: AllPublished,
    pub(in crate::perf) consumed: AllConsumed,
}

/// What a run brought that fills a queue and drains it.
#[derive(Debug)]
pub(in crate::perf) struct FillAndDrain {
    /// Before the first message is published.
    pub(in crate::perf) empty: Look,
    /// When the queues say that they have them all.
    pub(in crate::perf) filled: Look,
    /// After a rest, before the first message is consumed.
    pub(in crate::perf) full: Look,
    /// When the broker has taken the last acknowledgement.
    pub(in crate::perf) drained: Look,
    pub(in crate::perf) resident_size_max: Option<u64>,
    pub(in crate::perf) check: Check,
}

impl Measurement {
    pub(in crate::perf) fn of_load(workload: &Workload, broker: &str, flow: &Flow) -> Self {
        let Flow { seen: Seen { first, last, resident_size_max }, published, consumed } = flow;
        let seconds = seconds_between(first, last);
        let published_count = last.published.saturating_sub(first.published);
        let consumed_count = last.consumed.saturating_sub(first.consumed);
        let meant_count = published_count.saturating_mul(workload.copies());
        let ratio = consumed_count as f64 / meant_count.max(1) as f64;
        let counted = if workload.consumers == 0 { published_count } else { consumed_count };
        let span = Span { workload, first, last, published_count, counted };
        Self {
            seconds,
            published_per_second: published_count as f64 / seconds,
            consumed_per_second: consumed_count as f64 / seconds,
            consumed_per_published: (workload.consumers > 0 && meant_count > 0).then_some(ratio),
            shares: Shares::of(&consumed.shares),
            broker_resident_mib_max: resident_size_max.map(mebibytes),
            confirm_latency: published.confirm_latency.percentiles(),
            latency: consumed.latency.percentiles(),
            lateness: published.lateness.percentiles(),
            is_complete: last.published > 0
                && (workload.consumers == 0 || consumed.check.received > 0),
            ..span.costs(broker, consumed.check)
        }
    }

    pub(in crate::perf) fn of_backlog(
        workload: &Workload,
        broker: &str,
        backlog: &FillAndDrain,
    ) -> Self {
        let FillAndDrain { empty, filled, full, drained, resident_size_max, check } = backlog;
        let (published_count, counted) = (filled.published, drained.consumed);
        let span = Span { workload, first: empty, last: drained, published_count, counted };
        let (filling, draining) = (seconds_between(empty, filled), seconds_between(full, drained));
        Self {
            seconds: filling + draining,
            published_per_second: published_count as f64 / filling,
            consumed_per_second: counted as f64 / draining,
            broker_resident_mib_max: resident_size_max.map(mebibytes),
            broker_resident_mib_empty: resident_mib(empty),
            broker_resident_mib_full: resident_mib(full),
            is_complete: counted > 0,
            ..span.costs(broker, *check)
        }
    }

    /// Of something that is done over and over: so many times, between two looks.
    pub(in crate::perf) fn of_repetition(
        workload: &Workload,
        broker: &str,
        seen: &Seen,
        check: Check,
        latency: Option<Percentiles>,
    ) -> Self {
        let Seen { first, last, resident_size_max } = seen;
        let seconds = seconds_between(first, last);
        let counted = last.consumed.saturating_sub(first.consumed);
        let span = Span { workload, first, last, published_count: counted, counted };
        Self {
            seconds,
            done_per_second: Some(counted as f64 / seconds),
            broker_resident_mib_max: resident_size_max.map(mebibytes),
            latency,
            is_complete: counted > 0,
            ..span.costs(broker, check)
        }
    }

    /// In this round.
    pub(in crate::perf) fn in_round(self, round: u64) -> Self {
        Self { round, ..self }
    }

    /// Messages arrived, each once and in order.
    pub(in crate::perf) fn is_valid(&self) -> bool {
        self.check.is_valid() && self.is_complete
    }
}

/// What costs are of: the messages between two looks.
struct Span<'a> {
    workload: &'a Workload,
    first: &'a Look,
    last: &'a Look,
    published_count: u64,
    /// What costs are told by.
    counted: u64,
}

impl Span<'_> {
    /// A run with its costs, and nothing else in it.
    fn costs(&self, broker: &str, check: Check) -> Measurement {
        Measurement {
            scenario: self.workload.name.clone(),
            broker: broker.to_owned(),
            round: 1,
            seconds: 0.0,
            published_per_second: 0.0,
            consumed_per_second: 0.0,
            done_per_second: None,
            consumed_per_published: None,
            shares: None,
            broker_cpu_us_per_message: self.cpu_us_per_message(|look| look.broker),
            broker_resident_mib_max: None,
            broker_resident_mib_empty: None,
            broker_resident_mib_full: None,
            broker_resident_kib_per_connection: None,
            file_octets_per_content_octet: self.file_octets_per_content_octet(),
            disk_octets_per_content_octet: self.per_content_octet(|written| written.to_disks),
            call_octets_per_content_octet: self.per_content_octet(|written| written.by_calls),
            generator_cpu_us_per_message: self.cpu_us_per_message(|look| look.generator),
            confirm_latency: None,
            latency: None,
            lateness: None,
            check,
            is_complete: false,
        }
    }

    fn cpu_us_per_message(&self, usage: fn(&Look) -> Option<Usage>) -> Option<f64> {
        let spent = usage(self.last)?.cpu.saturating_sub(usage(self.first)?.cpu);
        let count = self.counted;
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
        let content = self.published_count.saturating_mul(self.workload.content_size());
        let is_told = self.workload.is_durable() && content > 0;
        is_told.then(|| octets(written) as f64 / content as f64)
    }
}

fn mebibytes(octets: u64) -> f64 {
    octets as f64 / MEBIBYTE
}

fn resident_mib(look: &Look) -> Option<f64> {
    look.broker.map(|broker| mebibytes(broker.resident_size))
}

/// The time between two looks; never 0, so that rates are numbers.
pub(in crate::perf) fn seconds_between(first: &Look, last: &Look) -> f64 {
    (last.moment_ns.saturating_sub(first.moment_ns).max(1)) as f64 / 1e9
}

#[cfg(test)]
pub(in crate::perf) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::perf::workload::named;

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

    fn flow(check: Check) -> Flow {
        let seen = Seen {
            first: look(2, 1000, 500, 100),
            last: look(12, 101_000, 100_500, 1100),
            resident_size_max: Some(3 << 20),
        };
        let consumed = AllConsumed { check, ..AllConsumed::default() };
        Flow { seen, published: AllPublished::default(), consumed }
    }

    fn received(received: u64) -> Check {
        Check { received, ..Check::default() }
    }

    /// A valid run with this rate and the cost of one microsecond for each message.
    pub(in crate::perf) fn measurement(
        workload: &Workload,
        broker: &str,
        consumed_per_second: f64,
    ) -> Measurement {
        let latency = Percentiles {
            count: 1,
            p50_us: consumed_per_second / 10.0,
            p99_us: consumed_per_second,
            p999_us: 3.0,
            max_us: 4.0,
        };
        Measurement {
            consumed_per_second,
            done_per_second: Some(consumed_per_second),
            broker_cpu_us_per_message: Some(1.0),
            broker_resident_mib_full: Some(8.0),
            broker_resident_kib_per_connection: Some(5.0),
            file_octets_per_content_octet: Some(1.25),
            disk_octets_per_content_octet: Some(1.5),
            confirm_latency: workload.confirm_window.map(|_| latency),
            latency: workload.is_latency_measured().then_some(latency),
            ..Measurement::of_load(workload, broker, &flow(received(1)))
        }
    }

    #[test]
    fn figures_are_those_of_the_window_per_message_consumed() {
        let workload = named("s1").unwrap();
        let figures = Measurement::of_load(&workload, "A", &flow(received(100_500))).in_round(3);
        assert_eq!((figures.scenario.as_str(), figures.round), ("s1", 3));
        assert_eq!((figures.seconds, figures.published_per_second), (10.0, 10_000.0));
        assert_eq!(figures.consumed_per_second, 10_000.0);
        assert_eq!(figures.consumed_per_published, Some(1.0));
        assert_eq!(figures.broker_cpu_us_per_message, Some(10.0));
        assert_eq!(figures.generator_cpu_us_per_message, None);
        assert_eq!(figures.broker_resident_mib_max, Some(3.0));
        assert!(figures.is_valid() && figures.latency.is_none());
        assert_eq!(figures.disk_octets_per_content_octet, None, "nothing is to be kept");
    }

    #[test]
    fn of_a_fanout_every_copy_is_meant_to_be_consumed() {
        let figures = Measurement::of_load(&named("s5").unwrap(), "A", &flow(received(1)));
        assert_eq!(figures.consumed_per_published, Some(0.1));
    }

    #[test]
    fn what_is_written_counts_by_octet_of_bodies_and_properties_published() {
        let mut flow = flow(received(1));
        // 1,000 messages of 1,027 octets each, whatever the number consumed.
        (flow.seen.first.published, flow.seen.last.published) = (500, 1500);
        let workload = named("s3-1").unwrap();
        let figures = Measurement::of_load(&workload, "A", &flow);
        assert_eq!(figures.call_octets_per_content_octet, Some(2.0));
        assert_eq!(figures.disk_octets_per_content_octet, Some(4.0));
        assert_eq!(figures.file_octets_per_content_octet, Some(1.0));
        flow.seen.last.received = u64::MAX;
        let figures = Measurement::of_load(&workload, "A", &flow);
        assert_eq!(figures.file_octets_per_content_octet, None, "it sends by other calls");
        flow.seen.last.broker.as_mut().unwrap().written = None;
        let figures = Measurement::of_load(&workload, "A", &flow);
        assert_eq!(figures.disk_octets_per_content_octet, None);
    }

    #[test]
    fn a_backlog_has_rates_of_its_own_for_fill_and_drain_and_costs_of_both() {
        let backlog = FillAndDrain {
            empty: look(2, 0, 0, 100),
            filled: look(4, 1000, 0, 300),
            full: look(6, 1000, 0, 400),
            drained: look(10, 1000, 1000, 1100),
            resident_size_max: Some(9 << 20),
            check: received(1000),
        };
        let figures = Measurement::of_backlog(&named("s9").unwrap(), "A", &backlog);
        assert_eq!((figures.published_per_second, figures.consumed_per_second), (500.0, 250.0));
        assert_eq!(figures.seconds, 6.0);
        assert_eq!(figures.broker_cpu_us_per_message, Some(1000.0));
        assert_eq!(figures.broker_resident_mib_empty, Some(100.0));
        assert_eq!(figures.broker_resident_mib_full, Some(400.0));
        assert_eq!(figures.broker_resident_mib_max, Some(9.0));
        assert_eq!(figures.disk_octets_per_content_octet, Some(4.0));
        assert!(figures.is_valid());
    }

    #[test]
    fn what_is_done_over_and_over_has_a_rate_of_its_own_and_costs_by_time() {
        let seen = flow(Check::default()).seen;
        let workload = named("s14").unwrap();
        let figures = Measurement::of_repetition(&workload, "A", &seen, Check::default(), None);
        assert_eq!(figures.done_per_second, Some(10_000.0));
        assert_eq!(figures.broker_cpu_us_per_message, Some(10.0));
        assert!(figures.is_valid());
    }

    #[test]
    fn a_run_that_lost_a_message_or_received_none_is_invalid() {
        for check in [Check { lost: 1, ..received(9) }, Check::default()] {
            let workload = named("s1").unwrap();
            assert!(!Measurement::of_load(&workload, "A", &flow(check)).is_valid());
        }
    }
}
