//! All that the tool can show, for who is to help.

use serde_json::{Map, Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::format;
use super::super::output::Output;
use super::super::verb::{Action, Verb};
use super::ALL;

pub(super) const VERBS: &[Verb] = &[Verb::new(
    "report",
    "",
    "Show all that there is, for who is to help",
    "Reporting server status of node {node} ...",
    report,
)];

/// What is in a report, in this order.
const PARTS: [&str; 13] = [
    "status",
    "cluster_status",
    "environment",
    "list_connections",
    "list_channels",
    "list_vhosts",
    "list_users",
    "list_permissions",
    "list_queues",
    "list_exchanges",
    "list_bindings",
    "list_policies",
    "list_feature_flags",
];

/// A part that cannot be shown says why.
fn report(call: &Call) -> Result<Output, Failure> {
    let mut text = String::new();
    let mut json = Map::new();
    let shown = format::Shown::of(call);
    for name in PARTS {
        let mut verbs = ALL.iter().flat_map(|section| section.verbs);
        let Some(verb) = verbs.find(|verb| verb.name == name) else { continue };
        let Action::Does(action) = verb.action else { continue };
        let (part, value) = match action(call) {
            Ok(output) => (format::shown(&output, &shown), format::json(&output)),
            Err(failure) => (format!("{failure}\n"), json!({"error": failure.text()})),
        };
        text.push_str(&format!("\n{name}\n\n{part}"));
        json.insert(name.to_owned(), value);
    }
    Ok(Output::Report { text, json: Value::Object(json) })
}
