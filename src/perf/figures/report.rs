//! What all runs came to: the medians, the tables, and the JSON that keeps everything. It prints
//! and writes nothing itself.

use std::collections::BTreeMap;

use serde::Serialize;

use super::columns::{Column, SECTIONS};
use super::disk::Disk;
use super::measurement::Measurement;
use super::median::Median;
use super::table::{Table, figure};
use crate::perf::workload::Workload;

/// A broker by what it says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::perf) struct Broker {
    pub(in crate::perf) name: String,
    pub(in crate::perf) address: String,
    pub(in crate::perf) product: String,
    pub(in crate::perf) version: String,
    pub(in crate::perf) platform: String,
}

/// How long and how often was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(in crate::perf) struct Settings {
    pub(in crate::perf) warm_up_seconds: f64,
    pub(in crate::perf) seconds: f64,
    pub(in crate::perf) rounds: u64,
    /// Of a backlog.
    pub(in crate::perf) messages: u64,
    /// That are opened and left alone.
    pub(in crate::perf) connections: u32,
}

/// Everything, as it is kept.
#[derive(Debug, Serialize)]
pub(in crate::perf) struct Report {
    notes: BTreeMap<String, String>,
    settings: Settings,
    /// Where it was tried.
    disk: Option<Disk>,
    brokers: Vec<Broker>,
    scenarios: Vec<Workload>,
    medians: Vec<Median>,
    runs: Vec<Measurement>,
}

impl Report {
    pub(in crate::perf) fn new(
        notes: BTreeMap<String, String>,
        settings: Settings,
        disk: Option<Disk>,
        brokers: Vec<Broker>,
        scenarios: Vec<Workload>,
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
    pub(in crate::perf) fn is_valid(&self) -> bool {
        self.runs.iter().all(Measurement::is_valid)
    }

    pub(in crate::perf) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// The tables that have rows: one for each kind of scenario.
    pub(in crate::perf) fn tables(&self) -> Vec<Table> {
        let tables = SECTIONS.iter().map(|(is_meant, columns)| self.table(*is_meant, columns));
        tables.filter(|table| !table.is_empty()).collect()
    }

    /// One table of all scenarios: the one figure that each is about, for every broker.
    pub(in crate::perf) fn short_table(&self) -> Table {
        let mut headings = vec!["scenario".to_owned(), "what".to_owned(), "figure".to_owned()];
        headings.extend(self.brokers.iter().map(|broker| broker.name.clone()));
        let first = self.brokers.first().map(|broker| broker.name.as_str());
        headings
            .extend(self.reference().zip(first).map(|(last, first)| format!("{first} × {last}")));
        let mut table = Table::new(3, headings);
        for scenario in &self.scenarios {
            let columns = SECTIONS.iter().find(|(is_meant, _)| is_meant(scenario));
            let compared = columns.and_then(|(_, columns)| columns.iter().find(|c| c.is_compared));
            let Some(column) = compared else { continue };
            let medians = self.brokers.iter().map(|broker| self.median(scenario, &broker.name));
            let medians: Vec<Option<&Median>> = medians.collect();
            let mut cells =
                vec![scenario.name.clone(), scenario.to_string(), column.heading.to_owned()];
            cells.extend(medians.iter().map(|median| figure(median.and_then(column.pick))));
            if let Some(Some(first)) = medians.first() {
                cells.extend(self.ratio(first, column.pick));
            }
            table.row(cells);
        }
        table
    }

    fn median(&self, scenario: &Workload, broker: &str) -> Option<&Median> {
        let is_meant =
            |median: &&Median| median.scenario == scenario.name && median.broker == broker;
        self.medians.iter().find(is_meant)
    }

    /// What is to be read beside the tables.
    pub(in crate::perf) fn remark(&self) -> Option<String> {
        self.disk.map(|disk| disk.sentence())
    }

    fn table(&self, is_meant: fn(&Workload) -> bool, columns: &[Column]) -> Table {
        let mut headings = vec!["scenario".to_owned(), "broker".to_owned()];
        for column in columns {
            headings.push(column.heading.to_owned());
            let reference = self.reference().filter(|_| column.is_compared);
            headings.extend(reference.map(|name| format!("× {name}")));
        }
        let mut table = Table::new(2, headings);
        for scenario in self.scenarios.iter().filter(|scenario| is_meant(scenario)) {
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
        vec![median.scenario.clone(), format!("{}{invalid}", median.broker)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::figures::histogram::Percentiles;
    use crate::perf::figures::measurement::tests::measurement;
    use crate::perf::workload::named;

    fn broker(name: &str) -> Broker {
        let text = || "x".to_owned();
        let name = name.to_owned();
        Broker { name, address: text(), product: text(), version: text(), platform: text() }
    }

    fn report(brokers: &[&str], runs: &[(&'static str, &str, f64)]) -> Report {
        let mut scenarios: Vec<Workload> =
            runs.iter().map(|(name, ..)| named(name).unwrap()).collect();
        scenarios.dedup();
        let runs = runs
            .iter()
            .map(|(scenario, broker, rate)| measurement(&named(scenario).unwrap(), broker, *rate));
        let settings = Settings {
            warm_up_seconds: 2.0,
            seconds: 10.0,
            rounds: 3,
            messages: 1000,
            connections: 10,
        };
        let brokers = brokers.iter().map(|name| broker(name)).collect();
        Report::new(BTreeMap::new(), settings, None, brokers, scenarios, runs.collect())
    }

    const RUNS: [(&str, &str, f64); 8] = [
        ("s2", "A", 900.0),
        ("s2", "B", 10.0),
        ("s2", "A", 100.0),
        ("s2", "B", 30.0),
        ("s2", "A", 300.0),
        ("s2", "B", 20.0),
        ("s4", "A", 100.0),
        ("s4", "B", 200.0),
    ];

    #[test]
    fn tables_hold_medians_and_multiples_of_the_last_broker() {
        let tables = report(&["A", "B"], &RUNS).tables();
        let texts: Vec<String> = tables.iter().map(Table::to_markdown).collect();
        assert_eq!(texts.len(), 2);
        assert!(texts[0].contains("| messages/s | × B |"), "{}", texts[0]);
        assert!(
            texts[0].contains("| s2 | A | 300 | 15.0 | 1.00 | 1.00 | - | 3.00 |"),
            "{}",
            texts[0]
        );
        assert!(texts[0].contains("| s2 | B | 20.0 | 1.00 |"), "{}", texts[0]);
        assert!(texts[1].contains("| s4 | A | 10.0 | 0.50 | 100 | 0.50 |"), "{}", texts[1]);
    }

    #[test]
    fn confirmed_and_backlogged_scenarios_have_tables_with_what_counts_for_them() {
        let runs =
            [("s3-1", "A", 100.0), ("s3-1", "B", 50.0), ("s9", "A", 300.0), ("s9", "B", 600.0)];
        let tables = report(&["A", "B"], &runs).tables();
        let texts: Vec<String> = tables.iter().map(Table::to_markdown).collect();
        assert_eq!(texts.len(), 2);
        let row = "| s3-1 | A | 100 | 2.00 | 10.0 | 2.00 | 100 | 2.00 | 1.00 | - | \
                   1.25 | 1.50 | 3.00 |";
        assert!(texts[0].contains(row), "{}", texts[0]);
        let row = "| s9 | A | 10,000 | 1.00 | 300 | 0.50 | 8.00 | 1.00 | - | 3.00 | 1.00 | \
                   1.25 | 1.50 |";
        assert!(texts[1].contains(row), "{}", texts[1]);
    }

    #[test]
    fn the_short_table_has_one_figure_of_each_scenario() {
        let text = report(&["A", "B"], &RUNS).short_table().to_markdown();
        assert!(text.contains("| scenario | what | figure | A | B | A × B |"), "{text}");
        assert!(text.contains("| messages/s | 300 | 20.0 | 15.0 |"), "{text}");
        assert!(text.contains("| p50 µs | 10.0 | 20.0 | 0.50 |"), "{text}");
    }

    #[test]
    fn the_disk_is_told_where_it_was_tried() {
        let mut report = report(&["A"], &[("s1", "A", 50.0)]);
        assert_eq!(report.remark(), None);
        let latency = Percentiles { count: 9, p50_us: 1.0, p99_us: 2.0, p999_us: 3.0, max_us: 4.0 };
        report.disk = Some(Disk { syncs_per_second: 1234.0, latency });
        assert!(report.remark().unwrap().contains("1,234"));
        let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
        assert_eq!(json["disk"]["syncs_per_second"], 1234.0);
    }

    #[test]
    fn a_single_broker_is_compared_with_nothing() {
        let tables = report(&["A"], &[("s1", "A", 50.0)]).tables();
        assert_eq!(tables.len(), 1);
        let text = tables[0].to_markdown();
        assert!(text.contains("| s1 | A | 50.0 | 1.00 | 1.00 |") && !text.contains("×"), "{text}");
    }

    #[test]
    fn an_invalid_run_is_told_in_the_table_and_of_the_whole() {
        let mut report = report(&["A"], &[("s1", "A", 50.0)]);
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
