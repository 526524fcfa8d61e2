//! `/api/nodes`: the one node there is, and what its process takes. It is for monitors.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::api::{Api, Shared};
use super::caller::Caller;
use super::columns::Columns;
use super::names::Names;
use super::node_facts::ListenerProtocol;
use super::operation::Operation;
use super::overview::churn;
use super::query::Query;
use super::refusal::Refusal;
use super::routes::Routes;
use super::samples::Subject;
use super::view::View;
use super::{answer, exchange_types};
use crate::broker::Alarm;
use crate::built_in::PLUGINS;
use crate::store::Health;

/// Processes that Erlang lets be, where nothing is set. There are none here, and tools work out
/// which share of these is there.
const PROCESSES_MAX: u64 = 1_048_576;

pub(super) fn routes() -> Routes {
    Routes::new().get("/nodes", Operation::list("All nodes: one"), list).get(
        "/nodes/{node}",
        Operation::columns("A node"),
        show,
    )
}

async fn list(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_monitor()?;
    Ok(answer::json(&json!([Columns::of(&query).pick(shape(&View::of(&api, &query)))])))
}

async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Names(node): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_monitor()?;
    api.check_node(&node)?;
    Ok(answer::json(&Columns::of(&query).pick(shape(&View::of(&api, &query)))))
}

fn shape(view: &View) -> Value {
    let mut shape = facts(&view.api);
    shape.extend(figures(view));
    Value::Object(shape)
}

fn field(name: &str, value: impl Into<Value>) -> (String, Value) {
    (name.to_owned(), value.into())
}

fn facts(api: &Api) -> Map<String, Value> {
    let facts = &api.options.facts;
    let has_metrics =
        facts.listeners.iter().any(|listener| listener.protocol == ListenerProtocol::Prometheus);
    let mut plugins = PLUGINS.to_vec();
    plugins.extend(has_metrics.then_some("rabbitmq_prometheus"));
    plugins.extend(api.broker.tells_events().then_some("rabbitmq_event_exchange"));
    let mechanisms =
        facts.auth_mechanisms.iter().map(|name| json!({"name": name, "enabled": true}));
    let version = env!("CARGO_PKG_VERSION");
    Map::from_iter([
        field("name", api.options.node.as_str()),
        field("type", "disc"),
        field("running", true),
        field("being_drained", facts.control.service().is_drained),
        field("partitions", json!([])),
        field("cluster_links", json!([])),
        field("rates_mode", "basic"),
        field("os_pid", facts.process_id.to_string()),
        field("processors", facts.processors),
        field("mem_calculation_strategy", "rss"),
        field("fd_total", facts.open_files_max),
        field("proc_total", PROCESSES_MAX),
        field("proc_used", 0),
        field("run_queue", 0),
        field("sockets_total", facts.open_files_max),
        field("db_dir", facts.data_dir.as_str()),
        field("config_files", json!(facts.config_files)),
        field("log_files", json!(facts.logs)),
        field("contexts", facts.contexts(&api.options.node, &(api.options.certificates)())),
        field("exchange_types", exchange_types::shape()),
        field("auth_mechanisms", mechanisms.collect::<Value>()),
        field("enabled_plugins", json!(plugins)),
        field(
            "applications",
            json!([{"name": "leveret", "description": "Leveret", "version": version}]),
        ),
    ])
}

/// How it fares now.
fn figures(view: &View) -> Map<String, Value> {
    let api = &view.api;
    let process = (api.options.process)();
    let broker = api.broker.figures();
    let started_at = api.options.facts.started_at;
    let mut figures = Map::from_iter([
        field("uptime", api.now().since(started_at)),
        field("mem_used", process.memory_bytes),
        field("mem_limit", broker.memory_limit),
        field("mem_alarm", broker.alarms.has(Alarm::Memory)),
        field("disk_free_limit", broker.disk_free_limit),
        field("disk_free_alarm", broker.alarms.has(Alarm::Disk)),
        field("fd_used", process.open_files),
        field("leveret_store_is_poisoned", matches!(broker.health, Health::Poisoned(_))),
    ]);
    let store = &broker.store;
    let mut counters = churn(broker.churn).to_vec();
    counters.extend([
        ("io_write_count", store.batches),
        ("io_write_bytes", store.log_bytes + store.index_bytes + store.checkpoint_bytes),
        ("io_sync_count", store.syncs),
    ]);
    let mut gauges =
        vec![("disk_free", broker.store.free_bytes), ("sockets_used", broker.connections)];
    // Not every system tells these.
    gauges.extend(process.memory_bytes.map(|bytes| ("mem_used", bytes)));
    gauges.extend(process.open_files.map(|count| ("fd_used", count)));
    let numbers = counters.iter().chain(&gauges).map(|(_, count)| *count).collect();
    let look = view.look(Subject::Process, numbers, counters.len());
    figures.extend(look.told(&counters, 0, view.spans.node));
    figures.extend(look.told(&gauges, counters.len(), view.spans.node));
    figures
}
