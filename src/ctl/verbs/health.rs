//! Health checks, as containers and scripts ask them: a check that fails leaves 69.

use std::net::IpAddr;

use serde_json::Value;
use tokio::net::TcpStream;

use super::super::api::{Answer, Asked};
use super::super::call::Call;
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "ping",
        "",
        "Check that the node answers",
        "Will ping {node}. Timeout: {milliseconds} ms.",
        ping,
    ),
    Verb::new(
        "check_running",
        "",
        "Check that the node serves clients",
        "Checking if RabbitMQ is running on node {node} ...",
        running,
    ),
    Verb::new(
        "is_running",
        "",
        "Tell whether the node serves clients",
        "Asking node {node} for its status ...",
        running,
    ),
    Verb::new(
        "is_booting",
        "",
        "Tell whether the node is about to start: one that answers has started",
        "Asking node {node} for its boot status ...",
        booting,
    ),
    Verb::new(
        "check_local_alarms",
        "",
        "Check that no alarm is on",
        "Asking node {node} to report any local resource alarms ...",
        |call| alarms(call, "local-alarms", "no local alarms"),
    ),
    Verb::new(
        "check_alarms",
        "",
        "Check that no alarm is on",
        "Asking node {node} to report any local resource alarms ...",
        |call| alarms(call, "alarms", "no alarms, local or clusterwide"),
    ),
    Verb::new(
        "alarms",
        "",
        "List the alarms that are on",
        "Asking node {node} to report any known resource alarms ...",
        list_alarms,
    ),
    Verb::new(
        "check_port_connectivity",
        "[--address <address>]",
        "Check that every listener can be connected to",
        "Testing TCP connections to all active listeners on node {node} ...",
        ports,
    ),
    Verb::new(
        "check_port_listener",
        "<port>",
        "Check that the node listens on a port",
        "Asking node {node} if there's an active listener on port {port} ...",
        port,
    ),
    Verb::new(
        "check_protocol_listener",
        "<protocol>",
        "Check that the node listens for a protocol",
        "Asking node {node} if there's an active listener for protocol {protocol} ...",
        protocol,
    ),
    Verb::new(
        "check_virtual_hosts",
        "",
        "Check that all virtual hosts run",
        "Checking if all vhosts are running on node {node} ...",
        |call| check(call, &["virtual-hosts"], "Node {node} reported all vhosts as running"),
    ),
    Verb::new(
        "check_certificate_expiration",
        "[--within <number>] [--unit <unit>]",
        "Check that no certificate runs out soon",
        "Checking certificate expiration on node {node} ...",
        certificates,
    ),
    Verb::new(
        "check_for_quorum_queues_without_an_elected_leader",
        "[<pattern>] [--across-all-vhosts]",
        "Check that queues of quorum type are in service",
        "Checking for quorum queues without an elected leader ...",
        leaders,
    ),
    Verb::new(
        "check_if_node_is_quorum_critical",
        "",
        "Check that no queue needs this node: it is the only one",
        "Checking if node {node} is critical for quorum of any quorum queues ...",
        |call| check(call, &["node-is-quorum-critical"], SINGLE),
    ),
    Verb::new(
        "check_if_node_is_mirror_sync_critical",
        "",
        "Check that no mirror needs this node: there are none",
        "Checking if node {node} is critical for data safety of any classic mirrored queues ...",
        |call| check(call, &["node-is-mirror-sync-critical"], SINGLE),
    ),
    Verb::new(
        "check_if_metadata_store_is_initialized",
        "",
        "Check that definitions were read",
        "Checking if the metadata store is initialized on node {node} ...",
        |call| check(call, &["metadata-store", "initialized"], INITIALIZED),
    ),
    Verb::new(
        "check_if_metadata_store_is_initialized_with_data",
        "",
        "Check that definitions were read, and that there are some",
        "Checking if the metadata store is initialized on node {node} ...",
        |call| check(call, &["metadata-store", "initialized", "with-data"], INITIALIZED),
    ),
    Verb::new(
        "node_health_check",
        "",
        "Check that the node is well in every way",
        "Checking health of node {node} ...",
        all,
    ),
];

const SINGLE: &str =
    "Node {node} seems to be the only one in a single node cluster, the check does not apply";
const INITIALIZED: &str = "Metadata store on node {node} has completed its initialization";

/// Anything that is an answer is one.
fn ping(call: &Call) -> Result<Output, Failure> {
    call.api.ask_any(asked(path(&["version"])))?;
    Ok(Output::Message("Ping succeeded".to_owned()))
}

fn asked(path: String) -> Asked {
    Asked { path, ..Asked::default() }
}

fn running(call: &Call) -> Result<Output, Failure> {
    let answer = ask(call, &["is-in-service"])?;
    let node = call.node();
    if answer.status != 200 && !is_under_maintenance(&answer) {
        return Err(Failure::Unavailable(format!(
            "RabbitMQ on node {node} is not running or has not fully booted yet (check with \
             is_booting)"
        )));
    }
    Ok(Output::Message(format!("RabbitMQ on node {node} is fully booted and running")))
}

/// A node that runs, and was told to let nobody in: RabbitMQ says that it runs.
pub(super) fn is_under_maintenance(answer: &Answer) -> bool {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    body.get("maintenance") == Some(&Value::Bool(true))
}

fn booting(call: &Call) -> Result<Output, Failure> {
    ask(call, &["is-in-service"])?;
    Ok(Output::Message(format!(
        "RabbitMQ on node {} is fully booted (check with is_running), stopped or has not started \
         booting yet",
        call.node()
    )))
}

/// The answer of a check, be it well or not.
fn ask(call: &Call, check: &[&str]) -> Result<Answer, Failure> {
    let parts: Vec<&str> = ["health", "checks"].iter().chain(check).copied().collect();
    let answer = call.api.ask_any(asked(path(&parts)))?;
    match answer.status {
        200 | 503 => Ok(answer),
        // It says why.
        _ => Err(call.api.ask(asked(path(&parts))).err().map_or_else(
            || Failure::Unavailable("the check was not answered".to_owned()),
            Failure::from,
        )),
    }
}

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// A check that has nothing to tell but whether it is well.
fn check(call: &Call, check: &[&str], well: &str) -> Result<Output, Failure> {
    let answer = ask(call, check)?;
    if answer.status == 200 {
        return Ok(Output::Message(call.filled(well)));
    }
    Err(failed(&answer))
}

fn failed(answer: &Answer) -> Failure {
    let body = body(answer);
    let reason = body.get("reason").and_then(Value::as_str).unwrap_or("the check failed");
    Failure::Unavailable(reason.to_owned())
}

fn alarms(call: &Call, which: &str, none: &str) -> Result<Output, Failure> {
    let answer = ask(call, &[which])?;
    let node = call.node();
    if answer.status == 200 {
        return Ok(Output::Message(format!("Node {node} reported {none}")));
    }
    let on = resources(&body(&answer)).join(", ");
    Err(Failure::Unavailable(format!("Node {node} reported alarms: {on}")))
}

fn list_alarms(call: &Call) -> Result<Output, Failure> {
    let body = body(&ask(call, &["alarms"])?);
    let (on, node) = (resources(&body), call.node());
    let text = match on.as_slice() {
        [] => format!("Node {node} reported no alarms, local or clusterwide"),
        on => on.join("\n"),
    };
    let alarms = body.get("alarms").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
    Ok(Output::Report { text, json: serde_json::json!({"node": node, "alarms": alarms}) })
}

/// The alarms in an answer, each in words.
pub(super) fn resources(body: &Value) -> Vec<String> {
    let alarms = body.get("alarms").and_then(Value::as_array).into_iter().flatten();
    let names = alarms.filter_map(|alarm| alarm.get("resource")?.as_str());
    names
        .map(|name| match name {
            "disk" | "disk space" => "Free disk space alarm".to_owned(),
            "memory" => "Memory alarm".to_owned(),
            other => format!("alarm of {other}"),
        })
        .collect()
}

/// What the node says that it listens on.
pub(super) fn listeners(call: &Call) -> Result<Vec<Value>, Failure> {
    let overview = call.api.get(format!("{}?columns=listeners", path(&["overview"])))?;
    Ok(overview.get("listeners").and_then(Value::as_array).cloned().unwrap_or_default())
}

/// Connects to each port as clients do; who listens everywhere is here, too.
fn ports(call: &Call) -> Result<Output, Failure> {
    let (mut open, mut closed) = (Vec::new(), Vec::new());
    for listener in listeners(call)? {
        let port = listener.get("port").and_then(Value::as_u64);
        let Some(port) = port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0)
        else {
            continue;
        };
        let address = listener.get("ip_address").and_then(Value::as_str).unwrap_or_default();
        let address = call.maybe("--address").unwrap_or(address);
        let is_open = is_open(call, address, port);
        if is_open { &mut open } else { &mut closed }.push(port.to_string());
    }
    open.dedup();
    let node = call.node();
    if closed.is_empty() {
        let ports = open.join(", ");
        let text = format!("Successfully connected to ports {ports} on node {node}.");
        return Ok(Output::Message(text));
    }
    let ports = closed.join(", ");
    Err(Failure::Unavailable(format!(
        "Connection to ports of the following listeners on node {node} failed: {ports}"
    )))
}

fn is_open(call: &Call, address: &str, port: u16) -> bool {
    let host = match address.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() && address.is_ipv4() => "127.0.0.1",
        Ok(address) if address.is_unspecified() => "::1",
        _ => address,
    };
    let connected = TcpStream::connect((host, port));
    let patience = call.common.patience();
    let connected =
        call.api.runtime().block_on(async { tokio::time::timeout(patience, connected).await });
    connected.is_ok_and(|connected| connected.is_ok())
}

fn port(call: &Call) -> Result<Output, Failure> {
    let (port, node) = (call.word("<port>"), call.node());
    if port.parse::<u16>().is_err() {
        return Err(Failure::Data(format!("{port} is no port")));
    }
    let answer = ask(call, &["port-listener", port])?;
    if answer.status == 200 {
        let text = format!("A listener for port {port} is running on node {node}.");
        return Ok(Output::Message(text));
    }
    let body = body(&answer);
    let text = format!(
        "No listener for port {port} is active on node {node}. Found listeners that use the \
         following ports: {}",
        joined(&body, "ports")
    );
    Err(unheard(call, text, port, "ports", &body))
}

fn protocol(call: &Call) -> Result<Output, Failure> {
    let (protocol, node) = (call.word("<protocol>"), call.node());
    let answer = ask(call, &["protocol-listener", protocol])?;
    if answer.status == 200 {
        let text = format!("A listener for protocol {protocol} is running on node {node}.");
        return Ok(Output::Message(text));
    }
    let body = body(&answer);
    let text = format!(
        "No listener for protocol {protocol} is active on node {node}. Found listeners for the \
         following protocols: {}",
        joined(&body, "protocols")
    );
    Err(unheard(call, text, protocol, "protocols", &body))
}

/// Nobody listens there: what is missing, and what there is.
fn unheard(call: &Call, text: String, missing: &str, which: &str, body: &Value) -> Failure {
    let json = serde_json::json!({
        "result": "error",
        "missing": missing,
        which: body.get(which),
        "listeners": listeners(call).unwrap_or_default(),
    });
    Failure::Check { text, json }
}

fn joined(body: &Value, field: &str) -> String {
    let items = body.get(field).and_then(Value::as_array).into_iter().flatten();
    let items: Vec<String> = items.map(super::super::format::cell).collect();
    items.join(", ")
}

fn certificates(call: &Call) -> Result<Output, Failure> {
    let unit = call.maybe("--unit").unwrap_or("weeks");
    let within = call.number("--within")?.unwrap_or(4).to_string();
    if !["days", "weeks", "months", "years"].contains(&unit) {
        return Err(call.misused(&format!(
            "unit '{unit}' is not supported. Please use one of: days, weeks, months, years"
        )));
    }
    let well = format!("No certificates are expiring within {within} {unit}.");
    check(call, &["certificate-expiration", &within, unit], &well)
}

fn leaders(call: &Call) -> Result<Output, Failure> {
    let mut parts = vec!["quorum-queues-without-elected-leaders"];
    match call.has("--across-all-vhosts") {
        true => parts.push("all-vhosts"),
        false => {
            call.check_host()?;
            parts.extend(["vhost", call.virtual_host()]);
        }
    }
    if let Some(pattern) = call.maybe("<pattern>") {
        parts.extend(["pattern", pattern]);
    }
    check(
        call,
        &parts,
        "Node {node} reported all quorum queues as having responsive leader replicas",
    )
}

fn all(call: &Call) -> Result<Output, Failure> {
    running(call)?;
    alarms(call, "local-alarms", "")?;
    check(call, &["virtual-hosts"], "Health check passed")
}
