//! What came up in runs, so that a test can show that nothing was left out.

use std::collections::BTreeMap;
use std::fmt;

/// What every run over the fixed seeds must show.
const EXPECTED: [&str; 29] = [
    "operations",
    "crash points",
    "powers lost",
    "processes killed",
    "clean stops",
    "powers lost in a recovery",
    "powers lost in a call",
    "torn tails",
    "deliveries",
    "gets",
    "redeliveries",
    "counts told",
    "confirms",
    "commits",
    "rollbacks",
    "returns",
    "requeues",
    "rejects",
    "declarations",
    "deletions",
    "purges",
    "connections lost",
    "fetches",
    "page-outs",
    "transient page-outs",
    "files made",
    "files recycled",
    "files given back",
    "moves",
];

/// Counts by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    pub(super) fn add(&mut self, name: &'static str, count: u64) {
        *self.0.entry(name).or_default() += count;
    }

    pub(super) fn count(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(name, count)| self.add(name, *count));
    }

    /// What never came up.
    pub(super) fn zeros(&self) -> Vec<&'static str> {
        let expected = EXPECTED.into_iter().chain(["checkpoints", "syncs"]);
        expected.filter(|name| self.count(name) == 0).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> =
            self.0.iter().map(|(name, count)| format!("{count} {name}")).collect();
        formatter.write_str(&counts.join(", "))
    }
}
