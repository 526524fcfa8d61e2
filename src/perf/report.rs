//! What all runs came to: the medians, the tables, and the JSON that keeps everything. It prints
//! and writes nothing itself.

use std::collections::BTreeMap;

use serde::Serialize;

use super::disk::Disk;
use super::measurement::{Measurement, Median};
use super::scenario::{Pace, Scenario};
use super::table::{Table, figure};

/// A broker by what it says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Broker {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) product: String,
    pub(super) version: String,
    pub(super) platform: String,
}

/// How long and how often was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Settings {
    pub(super) warm_up_seconds: u64,
    pub(super) seconds: u64,
    pub(super) rounds: u64,
    /// Of a backlog.
    pub(super) messages: u64,
}

/// Everything, as it is kept.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    notes: BTreeMap<String, String>,
    settings: Settings,
    /// Where it was tried.
    disk: Option<Disk>,
    brokers: Vec<Broker>,
    scenarios: Vec<Scenario>,
    medians: Vec<Median>,
    runs: Vec<Measurement>,
}

impl Report {
    pub(super) fn new(
        notes: BTreeMap<String, String>,
        settings: Settings,
        disk: Option<Disk>,
        brokers: Vec<Broker>,
        scenarios: Vec<Scenario>,
        runs: Vec<Measurement>,
    ) -> Self {
        let mut medians = Vec::new();
        for scenario in &scenarios {
            for broker in &brokers {
                let belongs =
                    |run: &&Measurement| run.scenario == scenario.name && run.broker == broker.name;
                let own: Vec<&Measurement> = runs.iter().filter(belongs).collect();
                medians.extend(Median::of(&own));
            }
        }
        Self { notes, settings, disk, brokers, scenarios, medians, runs }
    }

    /// No run lost, duplicated or reordered anything.
    pub(super) fn is_valid(&self) -> bool {
        self.runs.iter().all(Measurement::is_valid)
    }

    pub(super) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// The tables that have rows: one for each kind of scenario.
    pub(super) fn tables(&self) -> Vec<Table> {
        let tables = [
            self.table(|pace| pace == Pace::FullSpeed, &FULL_SPEED),
            self.table(|pace| matches!(pace, Pace::MessagesPerSecond(_)), &AT_A_RATE),
            self.table(|pace| matches!(pace, Pace::ConfirmWindow(_)), &CONFIRMED),
            self.table(|pace| pace == Pace::Backlog, &BACKLOG),
        ];
        tables.into_iter().filter(|table| !table.is_empty()).collect()
    }

    /// What is to be read beside the tables.
    pub(super) fn remark(&self) -> Option<String> {
        self.disk.map(|disk| disk.sentence())
    }

    fn table(&self, is_meant: fn(Pace) -> bool, columns: &[Column]) -> Table {
        let mut headings = vec!["scenario".to_owned(), "broker".to_owned()];
        for column in columns {
            headings.push(column.heading.to_owned());
            let reference = self.reference().filter(|_| column.is_compared);
            headings.extend(reference.map(|name| format!("× {name}")));
        }
        let mut table = Table::new(2, headings);
        for scenario in self.scenarios.iter().filter(|scenario| is_meant(scenario.pace)) {
            for median in self.medians.iter().filter(|median| median.scenario == scenario.name) {
                let mut cells = self.words(median);
                for column in columns {
                    cells.push(figure((column.pick)(median)));
                    let ratio = column.is_compared.then(|| self.ratio(median, column.pick));
                    cells.extend(ratio.flatten());
                }
                table.row(cells);
            }
        }
        table
    }

    fn words(&self, median: &Median) -> Vec<String> {
        let invalid = if median.is_valid { "" } else { " (INVALID)" };
        vec![median.scenario.to_owned(), format!("{}{invalid}", median.broker)]
    }

    /// The broker that all are compared with is the last one; a single one is compared with
    /// nothing.
    fn reference(&self) -> Option<&str> {
        match self.brokers.as_slice() {
            [_, .., last] => Some(&last.name),
            _ => None,
        }
    }

    /// A figure as a multiple of the reference's, where there is a column for it.
    fn ratio(&self, median: &Median, pick: fn(&Median) -> Option<f64>) -> Option<String> {
        let name = self.reference()?;
        let is_reference =
            |other: &&Median| other.scenario == median.scenario && other.broker == name;
        let reference = self.medians.iter().find(is_reference).and_then(pick);
        let ratio = pick(median).zip(reference).filter(|(_, reference)| *reference > 0.0);
        Some(figure(ratio.map(|(own, reference)| own / reference)))
    }
}

/// A figure of each row.
struct Column {
    heading: &'static str,
    pick: fn(&Median) -> Option<f64>,
    /// Whether a column beside it tells the multiple of the reference's.
    is_compared: bool,
}

const fn column(heading: &'static str, pick: fn(&Median) -> Option<f64>) -> Column {
    Column { heading, pick, is_compared: false }
}

const fn compared(heading: &'static str, pick: fn(&Median) -> Option<f64>) -> Column {
    Column { heading, pick, is_compared: true }
}

const CONSUMED: Column = compared("messages/s", |median| Some(median.consumed_per_second));
const BROKER_CPU: Column =
    column("broker CPU µs/message", |median| median.broker_cpu_us_per_message);
const GENERATOR_CPU: Column =
    column("generator CPU µs/message", |median| median.generator_cpu_us_per_message);
const RESIDENT: Column = column("RSS MiB", |median| median.broker_resident_mib_max);
const WRITTEN: Column =
    column("written B/content B", |median| median.file_octets_per_content_octet);
const WRITTEN_PAGES: Column = column("in pages", |median| median.disk_octets_per_content_octet);

const FULL_SPEED: [Column; 4] = [CONSUMED, BROKER_CPU, GENERATOR_CPU, RESIDENT];

const AT_A_RATE: [Column; 5] = [
    compared("p50 µs", |median| median.latency_p50_us),
    compared("p99 µs", |median| median.latency_p99_us),
    column("p99.9 µs", |median| median.latency_p999_us),
    column("sent late, p99 µs", |median| median.lateness_p99_us),
    BROKER_CPU,
];

const CONFIRMED: [Column; 8] = [
    CONSUMED,
    compared("confirm p50 µs", |median| median.confirm_p50_us),
    compared("confirm p99 µs", |median| median.confirm_p99_us),
    BROKER_CPU,
    GENERATOR_CPU,
    WRITTEN,
    WRITTEN_PAGES,
    RESIDENT,
];

const BACKLOG: [Column; 7] = [
    compared("fill/s", |median| Some(median.published_per_second)),
    compared("drain/s", |median| Some(median.consumed_per_second)),
    compared("RSS when full MiB", |median| median.broker_resident_mib_full),
    column("highest RSS MiB", |median| median.broker_resident_mib_max),
    BROKER_CPU,
    WRITTEN,
    WRITTEN_PAGES,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::histogram::Percentiles;
    use crate::perf::measurement::tests::measurement;
    use crate::perf::scenario::named;

    fn broker(name: &str) -> Broker {
        let text = || "x".to_owned();
        let name = name.to_owned();
        Broker { name, address: text(), product: text(), version: text(), platform: text() }
    }

    fn report(brokers: &[&str], runs: &[(&'static str, &str, f64)]) -> Report {
        let mut scenarios: Vec<Scenario> =
            runs.iter().map(|(name, ..)| named(name).unwrap()).collect();
        scenarios.dedup();
        let runs = runs
            .iter()
            .map(|(scenario, broker, rate)| measurement(&named(scenario).unwrap(), broker, *rate));
        let settings = Settings { warm_up_seconds: 2, seconds: 10, rounds: 3, messages: 1000 };
        let brokers = brokers.iter().map(|name| broker(name)).collect();
        Report::new(BTreeMap::new(), settings, None, brokers, scenarios, runs.collect())
    }

    const RUNS: [(&str, &str, f64); 8] = [
        ("ack-1k", "A", 900.0),
        ("ack-1k", "B", 10.0),
        ("ack-1k", "A", 100.0),
        ("ack-1k", "B", 30.0),
        ("ack-1k", "A", 300.0),
        ("ack-1k", "B", 20.0),
        ("latency-16", "A", 100.0),
        ("latency-16", "B", 200.0),
    ];

    #[test]
    fn tables_hold_medians_and_multiples_of_the_last_broker() {
        let tables = report(&["A", "B"], &RUNS).tables();
        let texts: Vec<String> = tables.iter().map(Table::to_markdown).collect();
        assert_eq!(texts.len(), 2);
        assert!(texts[0].contains("| messages/s | × B |"), "{}", texts[0]);
        assert!(texts[0].contains("| ack-1k | A | 300 | 15.0 | 1.00 | - | 3.00 |"), "{}", texts[0]);
        assert!(texts[0].contains("| ack-1k | B | 20.0 | 1.00 |"), "{}", texts[0]);
        assert!(texts[1].contains("| latency-16 | A | 10.0 | 0.50 | 100 | 0.50 |"), "{}", texts[1]);
    }

    #[test]
    fn confirmed_and_backlogged_scenarios_have_tables_with_what_counts_for_them() {
        let runs = [
            ("durable-confirm-1", "A", 100.0),
            ("durable-confirm-1", "B", 50.0),
            ("backlog", "A", 300.0),
            ("backlog", "B", 600.0),
        ];
        let tables = report(&["A", "B"], &runs).tables();
        let texts: Vec<String> = tables.iter().map(Table::to_markdown).collect();
        assert_eq!(texts.len(), 2);
        let row = "| durable-confirm-1 | A | 100 | 2.00 | 10.0 | 2.00 | 100 | 2.00 | 1.00 | - | \
                   1.25 | 1.50 | 3.00 |";
        assert!(texts[0].contains(row), "{}", texts[0]);
        let row = "| backlog | A | 10,000 | 1.00 | 300 | 0.50 | 8.00 | 1.00 | 3.00 | 1.00 | 1.25 | \
                   1.50 |";
        assert!(texts[1].contains(row), "{}", texts[1]);
    }

    #[test]
    fn the_disk_is_told_where_it_was_tried() {
        let mut report = report(&["A"], &[("ack-16", "A", 50.0)]);
        assert_eq!(report.remark(), None);
        let latency = Percentiles { count: 9, p50_us: 1.0, p99_us: 2.0, p999_us: 3.0, max_us: 4.0 };
        report.disk = Some(Disk { syncs_per_second: 1234.0, latency });
        assert!(report.remark().unwrap().contains("1,234"));
        let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
        assert_eq!(json["disk"]["syncs_per_second"], 1234.0);
    }

    #[test]
    fn a_single_broker_is_compared_with_nothing() {
        let tables = report(&["A"], &[("ack-16", "A", 50.0)]).tables();
        assert_eq!(tables.len(), 1);
        let text = tables[0].to_markdown();
        assert!(text.contains("| ack-16 | A | 50.0 | 1.00 |") && !text.contains("×"), "{text}");
    }

    #[test]
    fn an_invalid_run_is_told_in_the_table_and_of_the_whole() {
        let mut report = report(&["A"], &[("ack-16", "A", 50.0)]);
        assert!(report.is_valid());
        report.runs[0].check.lost = 1;
        let Report { notes, settings, disk, brokers, scenarios, runs, .. } = report;
        let report = Report::new(notes, settings, disk, brokers, scenarios, runs);
        assert!(!report.is_valid());
        assert!(report.tables()[0].to_text().contains("A (INVALID)"));
    }

    #[test]
    fn json_keeps_every_run_beside_the_medians() {
        let json = report(&["A", "B"], &RUNS).to_json().unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["runs"].as_array().unwrap().len(), 8);
        assert_eq!(json["medians"].as_array().unwrap().len(), 4);
        assert_eq!(json["medians"][0]["consumed_per_second"], 300.0);
        assert_eq!(json["scenarios"][0]["acknowledgements"]["prefetch_count"], 1000);
        assert_eq!(json["runs"][0]["check"]["lost"], 0);
    }
}
