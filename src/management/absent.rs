//! What plugins of RabbitMQ tell of what is not here: shovels, links of federation, streams, traces
//! in files, tables of Erlang's. Tools that ask hear the truth, which is an empty list, and nothing
//! can be made of what is not there.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::answer;
use super::api::Shared;
use super::caller::Caller;
use super::names::Names;
use super::operation::Operation;
use super::query::Query;
use super::refusal::Refusal;
use super::routes::Routes;

/// How many rows of a table are told where nobody says how many.
const ROWS_UNLESS_SAID: u64 = 20;

/// Lists that are empty, of all virtual hosts.
const LISTS: [(&str, &str); 6] = [
    ("/shovels", "Shovels that run: none"),
    ("/federation-links", "Links to upstreams: none"),
    ("/federation-links/state/down", "Links that are down: none"),
    ("/stream/connections", "Connections of the stream protocol: none"),
    ("/stream/publishers", "Publishers of the stream protocol: none"),
    ("/stream/consumers", "Consumers of the stream protocol: none"),
];

/// The same of one virtual host.
const LISTS_IN_HOST: [(&str, &str); 7] = [
    ("/traces/{vhost}", "Traces into files: none"),
    ("/shovels/{vhost}", "Shovels that run: none"),
    ("/federation-links/{vhost}", "Links to upstreams: none"),
    ("/federation-links/{vhost}/state/down", "Links that are down: none"),
    ("/stream/connections/{vhost}", "Connections of the stream protocol: none"),
    ("/stream/publishers/{vhost}", "Publishers of the stream protocol: none"),
    ("/stream/consumers/{vhost}", "Consumers of the stream protocol: none"),
];

/// Things of which there is none.
const ITEMS: [(&str, &str); 10] = [
    ("/traces/{vhost}/{name}", "A trace into a file: none"),
    ("/traces/node/{node}/{vhost}/{name}", "A trace of a node: none"),
    ("/trace-files/node/{node}/{name}", "A file of a node: none"),
    ("/shovels/vhost/{vhost}/{name}", "A shovel: none"),
    ("/stream/connections/{vhost}/{name}", "A connection of the stream protocol: none"),
    ("/stream/connections/{vhost}/{name}/consumers", "Its consumers"),
    ("/stream/connections/{vhost}/{name}/publishers", "Its publishers"),
    ("/stream/publishers/{vhost}/{name}", "Publishers to a stream: none"),
    ("/stream/{vhost}/{name}/tracking", "What consumers of a stream have read: none"),
    ("/trace-files/{name}", "A file of a trace: none"),
];

/// Things that cannot be restarted, closed or deleted, for there is none.
const DELETIONS: [(&str, &str); 8] = [
    ("/traces/{vhost}/{name}", "Ends a trace"),
    ("/traces/node/{node}/{vhost}/{name}", "Ends a trace of a node"),
    ("/trace-files/node/{node}/{name}", "Deletes a file of a node"),
    ("/shovels/vhost/{vhost}/{name}", "Deletes a shovel"),
    ("/shovels/vhost/{vhost}/{name}/restart", "Restarts a shovel"),
    ("/federation-links/vhost/{vhost}/{id}/{node}/restart", "Restarts a link"),
    ("/stream/connections/{vhost}/{name}", "Closes a connection"),
    ("/trace-files/{name}", "Deletes a file of a trace"),
];

pub(super) fn routes() -> Routes {
    let lists = LISTS
        .into_iter()
        .fold(Routes::new(), |all, (path, what)| all.get(path, Operation::all(what), nothing));
    let lists = LISTS_IN_HOST
        .into_iter()
        .fold(lists, |all, (path, what)| all.get(path, Operation::all(what), nothing_in_host));
    let items = ITEMS
        .into_iter()
        .fold(lists, |all, (path, what)| all.get(path, Operation::item(what), missing));
    DELETIONS
        .into_iter()
        .fold(items, |all, (path, what)| all.delete(path, Operation::done(what), missing))
        .put(
            "/traces/{vhost}/{name}",
            Operation::done("Traces into a file: that is not here"),
            no_files,
        )
        .put(
            "/traces/node/{node}/{vhost}/{name}",
            Operation::done("Traces into a file: that is not here"),
            no_files,
        )
        .put(
            "/stream/super-streams/{vhost}/{name}",
            Operation::done("Declares a super stream: there are no streams"),
            no_streams,
        )
        .merge(of_node())
}

/// What is asked of one node.
fn of_node() -> Routes {
    let list = Operation::all;
    Routes::new()
        .get("/traces", list("Traces into files: none"), nothing)
        .get("/traces/node/{node}", list("Those of a node: none"), nothing_on_node)
        .get(
            "/traces/node/{node}/{vhost}",
            list("Those of a node and a virtual host: none"),
            nothing_on_node_in_host,
        )
        .get("/trace-files", list("Files of traces: none"), nothing)
        .get("/trace-files/node/{node}", list("Those of a node: none"), nothing_on_node)
        .get(
            "/top/{node}",
            Operation::item("Processes of Erlang's: none").asks(&["row_count"]),
            no_processes,
        )
        .get(
            "/top/ets-tables/{node}",
            Operation::item("Tables of Erlang's: none").asks(&["row_count"]),
            no_tables,
        )
}

async fn nothing(_caller: Caller) -> Response {
    answer::json(&json!([]))
}

async fn nothing_in_host(
    State(api): State<Shared>,
    caller: Caller,
    Names(host): Names<String>,
) -> Result<Response, Refusal> {
    api.check_looks_in(&caller, &host)?;
    Ok(answer::json(&json!([])))
}

async fn nothing_on_node(
    State(api): State<Shared>,
    caller: Caller,
    Names(node): Names<String>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    api.check_node(&node)?;
    Ok(answer::json(&json!([])))
}

async fn nothing_on_node_in_host(
    state: State<Shared>,
    caller: Caller,
    Names((node, host)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    state.check_host(&host)?;
    nothing_on_node(state, caller, Names(node)).await
}

async fn missing(_caller: Caller) -> Refusal {
    Refusal::NotFound
}

async fn no_streams(caller: Caller) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    Err(Refusal::bad("there are no streams"))
}

async fn no_files(caller: Caller) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    Err(Refusal::bad("nothing is traced into files"))
}

async fn no_processes(
    State(api): State<Shared>,
    caller: Caller,
    Names(node): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    rows_of(&api, &caller, &node, &query, "processes")
}

async fn no_tables(
    State(api): State<Shared>,
    caller: Caller,
    Names(node): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    rows_of(&api, &caller, &node, &query, "ets_tables")
}

/// The count is that of the rows that were asked for.
fn rows_of(
    api: &Shared,
    caller: &Caller,
    node: &str,
    query: &Query,
    what: &str,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    api.check_node(node)?;
    let count = query.value("row_count").map_or(Ok(ROWS_UNLESS_SAID), str::parse::<u64>);
    let count = count.map_err(|_| Refusal::bad("row_count is not a number"))?;
    let shape = json!({"node": node, "row_count": count, what: []});
    Ok(answer::json(&shape))
}
