//! `/api/nodes/{node}/memory`: what the memory of the process is used for, under RabbitMQ's names.
//! Most of these are parts of Erlang, which has none here.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::answer;
use super::api::{Api, Shared};
use super::caller::Caller;
use super::names::Names;
use super::operation::Operation;
use super::refusal::Refusal;
use super::routes::Routes;

/// What has no memory here.
const NOTHING: [&str; 22] = [
    "allocated_unused",
    "atom",
    "code",
    "connection_channels",
    "connection_readers",
    "connection_writers",
    "metadata_store",
    "metadata_store_ets",
    "metrics",
    "mgmt_db",
    "mnesia",
    "msg_index",
    "other_ets",
    "other_proc",
    "plugins",
    "queue_procs",
    "quorum_ets",
    "quorum_queue_procs",
    "reserved_unallocated",
    "stream_queue_coordinator_procs",
    "stream_queue_procs",
    "stream_queue_replica_reader_procs",
];

pub(super) fn routes() -> Routes {
    const ALL: &str = "/nodes/{node}/memory/ets";
    const SOME: &str = "/nodes/{node}/memory/ets/{filter}";
    let none = || Operation::item("Memory of Erlang's tables: there are none");
    Routes::new()
        .get("/nodes/{node}/memory", Operation::item("What its memory is used for"), show)
        .get("/nodes/{node}/memory/relative", Operation::item("The same in percent"), relative)
        .get(ALL, none(), no_tables)
        .get(&format!("{ALL}/relative"), none(), no_tables)
        .get(SOME, none(), no_such_tables)
        .get(&format!("{SOME}/relative"), none(), no_such_tables)
}

async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Names(node): Names<String>,
) -> Result<Response, Refusal> {
    caller.check_monitor()?;
    api.check_node(&node)?;
    let Some((mut memory, all)) = parts(&api) else { return Ok(unknown()) };
    memory.insert("strategy".to_owned(), "rss".into());
    memory.insert("total".to_owned(), json!({"rss": all, "allocated": all, "erlang": all}));
    Ok(answer::json(&json!({"memory": memory})))
}

/// In whole percents; what is there at all has one.
async fn relative(
    State(api): State<Shared>,
    caller: Caller,
    Names(node): Names<String>,
) -> Result<Response, Refusal> {
    caller.check_monitor()?;
    api.check_node(&node)?;
    let Some((mut memory, all)) = parts(&api) else { return Ok(unknown()) };
    for share in memory.values_mut() {
        let bytes = share.as_u64().unwrap_or_default();
        *share = ((bytes * 100 + all / 2) / all).max(u64::from(bytes > 0)).into();
    }
    memory.insert("total".to_owned(), 100.into());
    Ok(answer::json(&json!({"memory": memory})))
}

/// The system does not tell how much the process has.
fn unknown() -> Response {
    answer::json(&json!({"memory": "not_available"}))
}

/// Bytes by what they are for, and all bytes of the process.
fn parts(api: &Api) -> Option<(Map<String, Value>, u64)> {
    let all = (api.options.process)().memory_bytes.filter(|all| *all > 0)?;
    let figures = api.broker.figures();
    let (bodies, sessions) =
        (figures.logged_body_bytes + figures.unlogged_body_bytes, figures.session_bytes);
    let known = [
        ("binary", bodies),
        ("connection_other", sessions),
        ("other_system", all.saturating_sub(bodies + sessions)),
    ];
    let parts = NOTHING.into_iter().map(|name| (name, 0)).chain(known);
    Some((parts.map(|(name, bytes)| (name.to_owned(), bytes.into())).collect(), all))
}

async fn no_tables(
    State(api): State<Shared>,
    caller: Caller,
    Names(node): Names<String>,
) -> Result<Response, Refusal> {
    caller.check_monitor()?;
    api.check_node(&node)?;
    Ok(answer::json(&json!({"ets_tables_memory": "no_tables"})))
}

async fn no_such_tables(
    state: State<Shared>,
    caller: Caller,
    Names((node, _)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    no_tables(state, caller, Names(node)).await
}
