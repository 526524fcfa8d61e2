//! Listeners of the node.

use serde_json::{Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::verb::Verb;
use super::health;

pub(super) const VERBS: &[Verb] = &[Verb::new(
    "listeners",
    "",
    "List where the node listens, and for whom",
    "Asking node {node} to report its protocol listeners ...",
    list,
)];

fn list(call: &Call) -> Result<Output, Failure> {
    let listeners = health::listeners(call)?;
    let lines: Vec<String> = listeners.iter().map(line).collect();
    let json = json!({"result": "ok", "node": call.node(), "listeners": listeners});
    Ok(Output::Report { text: lines.join("\n"), json })
}

/// One listener, for people.
pub(super) fn line(listener: &Value) -> String {
    let text = |name: &str| listener.get(name).and_then(Value::as_str).unwrap_or_default();
    let (address, protocol) = (text("ip_address"), text("protocol"));
    let port = listener.get("port").and_then(Value::as_u64).unwrap_or_default();
    let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    let purpose = purpose(protocol);
    format!("Interface: {address}, port: {port}, protocol: {protocol}, purpose: {purpose}")
}

/// What a protocol is for, for people.
pub(super) fn purpose(protocol: &str) -> &str {
    match protocol {
        "amqp" => "AMQP 0-9-1",
        "amqp/ssl" => "AMQP 0-9-1 over TLS",
        "http" => "HTTP API",
        "https" => "HTTP API over TLS",
        "http/prometheus" => "Prometheus exporter API over HTTP",
        other => other,
    }
}
