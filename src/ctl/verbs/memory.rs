//! What the memory of the node is taken by.

use serde_json::{Map, Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;

pub(super) const VERBS: &[Verb] = &[Verb::new(
    "memory_breakdown",
    "[--unit <unit>]",
    "Show what the memory of the node is taken by",
    "Reporting memory breakdown on node {node}...",
    breakdown,
)];

/// Parts with their bytes, the largest first, and all of it.
#[derive(Debug, Default)]
pub(super) struct Memory {
    parts: Vec<(String, u64)>,
    pub(super) total: u64,
}

impl Memory {
    pub(super) fn of(call: &Call, node: &str) -> Result<Self, Failure> {
        let answer = call.api.get(path(&["nodes", node, "memory"]))?;
        let memory = answer.get("memory").cloned().unwrap_or_default();
        let total = memory.pointer("/total/rss").and_then(Value::as_u64).unwrap_or(0);
        let fields = memory.as_object().cloned().unwrap_or_default();
        let parts = fields.into_iter().filter_map(|(name, bytes)| Some((name, bytes.as_u64()?)));
        let mut parts: Vec<_> = parts.collect();
        parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        Ok(Self { parts, total })
    }

    /// A line for each part.
    pub(super) fn lines(&self, unit: Unit) -> Vec<String> {
        let line = |(name, bytes): &(String, u64)| {
            format!("{name}: {} ({}%)", unit.of(*bytes), self.percent(*bytes))
        };
        self.parts.iter().map(line).collect()
    }

    fn json(&self) -> Value {
        let part = |(name, bytes): &(String, u64)| {
            (name.clone(), json!({"bytes": bytes, "percentage": self.percent(*bytes)}))
        };
        Value::Object(self.parts.iter().map(part).collect::<Map<_, _>>())
    }

    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    fn percent(&self, bytes: u64) -> f64 {
        let share = bytes as f64 / self.total.max(1) as f64;
        (share * 10_000.0).round() / 100.0
    }
}

/// How bytes are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit(&'static str, f64);

impl Unit {
    pub(super) const GIGABYTES: Self = Self("gb", 1e9);

    pub(super) fn named(call: &Call) -> Result<Self, Failure> {
        match call.maybe("--unit").unwrap_or("gb").to_ascii_lowercase().as_str() {
            "bytes" => Ok(Self("bytes", 1.0)),
            "kb" | "kib" => Ok(Self("kb", 1e3)),
            "mb" | "mib" => Ok(Self("mb", 1e6)),
            "gb" | "gib" => Ok(Self::GIGABYTES),
            "tb" | "tib" => Ok(Self("tb", 1e12)),
            unit => {
                let units = "Please use one of: bytes, kb, mb, gb, tb";
                Err(call.misused(&format!("unit '{unit}' is not supported. {units}")))
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
    pub(super) fn of(self, bytes: u64) -> String {
        let Self(name, size) = self;
        format!("{} {name}", (bytes as f64 / size * 10_000.0).round() / 10_000.0)
    }
}

fn breakdown(call: &Call) -> Result<Output, Failure> {
    let unit = Unit::named(call)?;
    let memory = Memory::of(call, &call.own_node().unwrap_or_default())?;
    Ok(Output::Report { text: memory.lines(unit).join("\n"), json: memory.json() })
}
