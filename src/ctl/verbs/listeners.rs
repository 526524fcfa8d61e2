//! Listeners of the node, and whether they let clients in.

use serde_json::{Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;
use super::health;

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "listeners",
        "",
        "List where the node listens, and for whom",
        "Asking node {node} to report its protocol listeners ...",
        list,
    ),
    Verb::new(
        "suspend_listeners",
        "",
        "Let no more clients of AMQP in",
        "Will suspend client connection listeners on node {node}. The node will no longer accept \
         client connections!",
        |call| suspend(call, true),
    ),
    Verb::new(
        "resume_listeners",
        "",
        "Let clients of AMQP in again",
        "Will resume client connection listeners on node {node}. The node will now accept client \
         connections",
        |call| suspend(call, false),
    ),
    Verb::new(
        "drain",
        "",
        "Let no more clients of AMQP in, and close the connections of those that are there",
        "Will put node {node} into maintenance mode. The node will no longer serve any client \
         traffic!",
        drain,
    ),
    Verb::new(
        "revive",
        "",
        "Let clients of AMQP in again",
        "Will put node {node} back into regular operating mode. The node will again serve client \
         traffic and host primary queue replicas.",
        |call| suspend(call, false),
    ),
];

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
    let purpose = match protocol {
        "amqp" => "AMQP 0-9-1",
        "amqp/ssl" => "AMQP 0-9-1 over TLS",
        "http" => "HTTP API",
        "https" => "HTTP API over TLS",
        "http/prometheus" => "Prometheus exporter API over HTTP",
        other => other,
    };
    format!("Interface: {address}, port: {port}, protocol: {protocol}, purpose: {purpose}")
}

fn suspend(call: &Call, is_suspended: bool) -> Result<Output, Failure> {
    call.api.put(path(&["leveret", "listeners"]), &json!({"suspended": is_suspended}))?;
    Ok(Output::Done)
}

fn drain(call: &Call) -> Result<Output, Failure> {
    suspend(call, true)?;
    let connections = call.api.list(format!("{}?columns=name", path(&["connections"])))?;
    for name in connections.iter().filter_map(|connection| connection.get("name")?.as_str()) {
        super::or_absent(call.api.delete(path(&["connections", name])))?;
    }
    Ok(Output::Done)
}
