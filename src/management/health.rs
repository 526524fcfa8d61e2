//! `/api/health/checks` and their elders: what deployments ask to know whether the node is well. A
//! check that fails is answered by 503 with a reason. What cannot be wrong on one node is well.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::task::yield_now;

use super::api::{Api, Shared};
use super::caller::Caller;
use super::names::Names;
use super::node_control::Service;
use super::node_facts::{ListenerFacts, ListenerProtocol};
use super::operation::Operation;
use super::refusal::Refusal;
use super::routes::Routes;
use super::{answer, certificates};
use crate::broker::{Alarm, Alarms};
use crate::definitions::Pattern;
use crate::limits::LIST_ROWS_PER_TURN;
use crate::message::QueueKind;
use crate::store::Health;

/// The checks of which only one node of many could fail.
const WELL: [(&str, &str); 4] = [
    ("/health/checks/virtual-hosts", "All virtual hosts run"),
    ("/health/checks/metadata-store/initialized", "Definitions are there"),
    ("/health/checks/below-node-connection-limit", "One more may connect"),
    ("/health/checks/reached-target-cluster-size", "All nodes are there"),
];

pub(super) fn routes() -> Routes {
    let check = Operation::check;
    let well =
        WELL.into_iter().fold(Routes::new(), |all, (path, what)| all.get(path, check(what), well));
    well.get("/health/checks/alarms", check("No alarm is in effect"), alarms)
        .get("/health/checks/local-alarms", check("None is on this node"), local_alarms)
        .get(
            "/health/checks/certificate-expiration/{within}/{unit}",
            check("No certificate runs out so soon"),
            certificates::check,
        )
        .get("/health/checks/port-listener/{port}", check("Something listens there"), port)
        .get(
            "/health/checks/protocol-listener/{protocol}",
            check("Something listens for it"),
            protocol,
        )
        .get(
            "/health/checks/node-is-quorum-critical",
            check("No queue waits for this node"),
            single,
        )
        .get(
            "/health/checks/node-is-mirror-sync-critical",
            check("No mirror waits for this node"),
            single,
        )
        .get(
            "/health/checks/metadata-store/initialized/with-data",
            check("Something is declared"),
            has_data,
        )
        .get("/health/checks/is-in-service", check("The node serves clients"), in_service)
        .get("/health/checks/ready-to-serve-clients", check("Clients may come"), ready)
        .merge(queue_checks())
        .merge(elders())
}

/// What was asked before there were checks, and what is to be put in order where there are more
/// nodes.
fn elders() -> Routes {
    let check = Operation::check;
    let forget = Operation::done("Forgets what rates and charts are made of, of one node");
    Routes::new()
        .get("/aliveness-test/{vhost}", check("The virtual host is there"), aliveness)
        .get("/healthchecks/node", check("No alarm is in effect"), well_node)
        .get("/healthchecks/node/{node}", check("None is on this node"), named_node)
        .post(
            "/rebalance/queues",
            Operation::done("Spreads queues over nodes: there is one"),
            nothing_to_do,
        )
        .delete(
            "/reset",
            Operation::done("Forgets what rates and charts are made of"),
            forget_samples,
        )
        .delete("/reset/{node}", forget, forget_samples_of)
}

/// Whether queues of quorum type are in service.
fn queue_checks() -> Routes {
    const PATH: &str = "/health/checks/quorum-queues-without-elected-leaders";
    let check = Operation::check;
    Routes::new()
        .get(&format!("{PATH}/all-vhosts"), check("All queues are in service"), queues)
        .get(
            &format!("{PATH}/all-vhosts/pattern/{{pattern}}"),
            check("Those are that have such names"),
            queues_like,
        )
        .get(
            &format!("{PATH}/vhost/{{vhost}}"),
            check("Those of a virtual host are"),
            queues_in_host,
        )
        .get(
            &format!("{PATH}/vhost/{{vhost}}/pattern/{{pattern}}"),
            check("Those of a virtual host are that have such names"),
            queues_in_host_like,
        )
}

pub(super) fn ok() -> Response {
    answer::json(&json!({"status": "ok"}))
}

/// A check failed, for this reason; what is known beside it stands in `details`.
pub(super) fn failed(reason: &str, details: Value) -> Response {
    let mut body = json!({"status": "failed", "reason": reason});
    if let (Value::Object(body), Value::Object(details)) = (&mut body, details) {
        body.extend(details);
    }
    answer::json_of(StatusCode::SERVICE_UNAVAILABLE, &body)
}

async fn well(_caller: Caller) -> Response {
    ok()
}

async fn single(_caller: Caller) -> Response {
    answer::json(&json!({"status": "ok", "reason": "single node cluster"}))
}

async fn alarms(State(api): State<Shared>, _caller: Caller) -> Response {
    answer_alarms(&api, "There are alarms in effect in the cluster")
}

async fn local_alarms(State(api): State<Shared>, _caller: Caller) -> Response {
    answer_alarms(&api, "There are alarms in effect on the node")
}

fn answer_alarms(api: &Api, reason: &str) -> Response {
    let figures = api.broker.figures();
    let is_poisoned = matches!(figures.health, Health::Poisoned(_));
    // A disk that is full is short of space before the next look at it says so.
    let full = (figures.health == Health::Full).then_some(Alarm::Disk);
    let alarms = figures.alarms.iter().chain(full).collect::<Alarms>();
    let store = is_poisoned.then_some("leveret_store");
    let resources = alarms.iter().map(Alarm::resource).chain(store);
    let node = &api.options.node;
    let on: Vec<Value> =
        resources.map(|resource| json!({"node": node, "resource": resource})).collect();
    if on.is_empty() { ok() } else { failed(reason, json!({"alarms": on})) }
}

async fn port(
    State(api): State<Shared>,
    _caller: Caller,
    Names(port): Names<String>,
) -> Result<Response, Refusal> {
    let port: u16 = port.parse().map_err(|_| Refusal::bad("Invalid port"))?;
    let ports = open_listeners(&api).map(|listener| listener.place.port());
    let mut ports: Vec<u16> = ports.filter(|port| *port > 0).collect();
    ports.dedup();
    if ports.contains(&port) {
        return Ok(answer::json(&json!({"status": "ok", "port": port})));
    }
    Ok(failed("No active listener", json!({"missing": port, "ports": ports})))
}

async fn protocol(
    State(api): State<Shared>,
    _caller: Caller,
    Names(asked): Names<String>,
) -> Response {
    let name = match &*asked {
        "amqp091" | "amqp0.9.1" | "amqp0-9-1" | "amqp09" => ListenerProtocol::Amqp.name(false),
        "amqps" => ListenerProtocol::Amqp.name(true),
        "prometheus" => ListenerProtocol::Prometheus.name(false),
        other => other,
    };
    let mut protocols: Vec<&str> = open_listeners(&api).map(ListenerFacts::protocol_name).collect();
    protocols.dedup();
    if protocols.contains(&name) {
        return answer::json(&json!({"status": "ok", "protocol": name}));
    }
    failed("No active listener", json!({"missing": name, "protocols": protocols}))
}

async fn has_data(State(api): State<Shared>, _caller: Caller) -> Response {
    if api.broker.is_defined() {
        return ok();
    }
    failed("Nothing is declared", json!({}))
}

/// A node that has to stop serves nobody any more.
async fn in_service(State(api): State<Shared>, _caller: Caller) -> Response {
    match why_out_of_service(&api) {
        Some(why) => failed(&why, json!({})),
        None if api.options.facts.control.service().is_drained => {
            let reason = "this rabbit node is not currently available to serve";
            failed(reason, json!({"maintenance": true}))
        }
        None => ok(),
    }
}

/// Those that nobody has suspended.
fn open_listeners(api: &Api) -> impl Iterator<Item = &ListenerFacts> {
    let is_suspended = api.options.facts.control.service().is_suspended;
    let is_open = move |listener: &&ListenerFacts| {
        !is_suspended || listener.protocol != ListenerProtocol::Amqp
    };
    api.options.facts.listeners.iter().filter(is_open)
}

async fn ready(State(api): State<Shared>, _caller: Caller) -> Response {
    if let Some(why) = why_out_of_service(&api) {
        return failed(&why, json!({}));
    }
    let Service { is_suspended, is_drained } = api.options.facts.control.service();
    let mut listeners = open_listeners(&api);
    if !is_drained && listeners.any(|listener| listener.protocol == ListenerProtocol::Amqp) {
        return ok();
    }
    let mut details = json!({"missing": ListenerProtocol::Amqp.name(false)});
    if let (Some(details), true) = (details.as_object_mut(), is_suspended || is_drained) {
        details.insert("maintenance".to_owned(), true.into());
    }
    failed("No active listener", details)
}

fn why_out_of_service(api: &Api) -> Option<String> {
    let broken = api.broker.failure().map(str::to_owned);
    broken.or_else(|| match api.broker.figures().health {
        Health::Poisoned(why) => Some(why.as_ref().to_owned()),
        Health::Good | Health::Full => None,
    })
}

async fn queues(State(api): State<Shared>, _caller: Caller) -> Result<Response, Refusal> {
    check_queues(&api, None, "").await
}

async fn queues_like(
    State(api): State<Shared>,
    _caller: Caller,
    Names(pattern): Names<String>,
) -> Result<Response, Refusal> {
    check_queues(&api, None, &pattern).await
}

async fn queues_in_host(
    State(api): State<Shared>,
    _caller: Caller,
    Names(host): Names<String>,
) -> Result<Response, Refusal> {
    check_queues(&api, Some(&host), "").await
}

async fn queues_in_host_like(
    State(api): State<Shared>,
    _caller: Caller,
    Names((host, pattern)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    check_queues(&api, Some(&host), &pattern).await
}

/// A queue that leaves service for a moment is what comes closest to one without a leader.
async fn check_queues(api: &Api, host: Option<&str>, pattern: &str) -> Result<Response, Refusal> {
    let bad = |error| Refusal::bad(format!("Invalid pattern: {error}"));
    let pattern = Pattern::parse(pattern).map_err(bad)?;
    let hosts = match host {
        Some(host) => {
            api.check_host(host)?;
            vec![host.into()]
        }
        None => api.broker.host_names(),
    };
    let mut without = Vec::new();
    for host in hosts {
        for (at, queue) in api.broker.queues(&host).iter().enumerate() {
            if at % LIST_ROWS_PER_TURN == 0 {
                yield_now().await;
            }
            let name = &queue.definition().name;
            let is_quorum = queue.definition().options.kind == QueueKind::Quorum;
            if is_quorum && queue.is_out_of_service() && pattern.matches(name) {
                without.push(json!({"name": &**name, "vhost": &*host, "type": "quorum"}));
            }
        }
    }
    Ok(if without.is_empty() {
        ok()
    } else {
        failed("Detected quorum queues without an elected leader", json!({"queues": without}))
    })
}

async fn aliveness(
    State(api): State<Shared>,
    caller: Caller,
    Names(host): Names<String>,
) -> Result<Response, Refusal> {
    api.check_looks_in(&caller, &host)?;
    Ok(ok())
}

async fn well_node(State(api): State<Shared>, _caller: Caller) -> Response {
    answer_alarms(&api, "There are alarms in effect on the node")
}

async fn named_node(
    State(api): State<Shared>,
    _caller: Caller,
    Names(node): Names<String>,
) -> Result<Response, Refusal> {
    api.check_node(&node)?;
    Ok(answer_alarms(&api, "There are alarms in effect on the node"))
}

/// All queues are on the one node.
async fn nothing_to_do(caller: Caller) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    Ok(answer::done())
}

/// Counters go on; rates and charts begin anew.
async fn forget_samples(State(api): State<Shared>, caller: Caller) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    api.samples.forget();
    Ok(answer::done())
}

async fn forget_samples_of(
    State(api): State<Shared>,
    caller: Caller,
    Names(node): Names<String>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    api.check_node(&node)?;
    api.samples.forget();
    Ok(answer::done())
}
