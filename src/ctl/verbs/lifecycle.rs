//! From the start of a node to its end: waiting for it, and stopping it.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::api::Trouble;
use super::super::call::Call;
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;
use super::health;
use crate::limits::{CTL_RETRY_MS, CTL_START_PATIENCE_MS};

pub(super) const VERBS: &[Verb] = &[
    Verb::new("await_startup", "", "Wait until the node serves clients", "", await_startup),
    Verb::new(
        "wait",
        "[<pidfile>] [--pid|-P <pid>]",
        "Wait until the process of a pid file serves clients, or has ended",
        "",
        wait,
    ),
    Verb::new(
        "await_online_nodes",
        "<count>",
        "Wait until as many nodes are there, of which there is one",
        "Will wait for at least {count} nodes to join the cluster of {node}.",
        await_nodes,
    ),
    Verb::new(
        "await_online_quorum_plus_one",
        "",
        "Wait until queues of quorum type can do without this node: it is the only one",
        "",
        single,
    ),
    Verb::new(
        "await_online_synchronized_mirror",
        "",
        "Wait until classic queues have mirrors elsewhere, which they never have",
        "Will wait for a synchronised mirror be online for all classic mirrored queues for \
         {seconds} seconds...",
        single,
    ),
    Verb::new(
        "stop",
        "[<pidfile>] [--idempotent]",
        "Stop the node, and wait until it has",
        "Stopping and halting node {node} ...",
        stop,
    ),
    Verb::new(
        "shutdown",
        "[--wait] [--no-wait]",
        "Stop the node, and wait until it has",
        "Shutting down RabbitMQ node {node} ...",
        shutdown,
    ),
    Verb::new(
        "post_upgrade",
        "",
        "Do what is left to do after an upgrade, which is nothing",
        "Executing post upgrade tasks...",
        post_upgrade,
    ),
];

fn startup_patience(call: &Call) -> Duration {
    call.common.timeout.unwrap_or(Duration::from_millis(CTL_START_PATIENCE_MS))
}

fn await_startup(call: &Call) -> Result<Output, Failure> {
    let patience = startup_patience(call);
    await_service(call, patience).ok_or_else(|| timed_out(call, patience))?;
    Ok(Output::Done)
}

/// It serves clients, or says why it will not answer who asks so: that is a start, too.
fn await_service(call: &Call, patience: Duration) -> Option<()> {
    let path = path(&["health", "checks", "ready-to-serve-clients"]);
    call.api.wait_until(&path, patience, |answer| match answer {
        Ok(answer) => matches!(answer.status, 200 | 401) || health::is_under_maintenance(answer),
        Err(_) => false,
    })
}

fn timed_out(call: &Call, patience: Duration) -> Failure {
    Failure::Timeout(format!(
        "operation {} on node {} timed out. Timeout value used: {}",
        call.verb.name,
        call.node(),
        patience.as_millis()
    ))
}

/// A node that ends while somebody waits for it will not come.
fn wait(call: &Call) -> Result<Output, Failure> {
    let patience = startup_patience(call);
    let mut left = patience;
    let pause = Duration::from_millis(CTL_RETRY_MS);
    let pid = loop {
        let found = match call.number("--pid")? {
            Some(pid) => Some(pid),
            None => call.maybe("<pidfile>").and_then(read_pid),
        };
        match found {
            Some(pid) => break pid,
            None if call.maybe("<pidfile>").is_none() => {
                return Err(call.misused("a pid file or --pid has to be named"));
            }
            None if left.is_zero() => return Err(timed_out(call, patience)),
            None => std::thread::sleep(pause),
        }
        left = left.saturating_sub(pause);
    };
    loop {
        // A node that answers may be another one than that which was to be waited for.
        if !is_alive(pid) {
            let text = format!("process_not_running: there is no process {pid}");
            return Err(Failure::Unavailable(text));
        }
        if await_service(call, pause).is_some() {
            return Ok(Output::Hint(waited(call, pid)));
        }
        left = left.saturating_sub(pause);
        if left.is_zero() {
            return Err(timed_out(call, patience));
        }
    }
}

/// RabbitMQ's words.
fn waited(call: &Call, pid: u64) -> String {
    let (node, plugins) = (call.node(), "'rabbit_and_plugins'");
    let file = call.maybe("<pidfile>").filter(|_| call.maybe("--pid").is_none());
    let waited = file.map(|file| format!("Waiting for pid file '{file}' to appear\n"));
    format!(
        "{}pid is {pid}\nWaiting for applications {plugins} to start on node '{node}'\n\
         Applications {plugins} are running on node '{node}'",
        waited.unwrap_or_default(),
    )
}

fn read_pid(file: &str) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn is_alive(pid: u64) -> bool {
    // One that has ended and whose parent has not heard of it is a number only.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    if stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('Z')) {
        return false;
    }
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    // One of somebody else's is alive, too.
    pid.is_some_and(|pid| {
        !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
    })
}

fn await_nodes(call: &Call) -> Result<Output, Failure> {
    let patience = startup_patience(call);
    match call.number("<count>")? {
        Some(0 | 1) => await_startup(call),
        _ => Err(Failure::Software(format!(
            "Error: timed out while waiting. Not enough nodes joined {}'s cluster: a node is alone \
             ({} ms were not waited for)",
            call.node(),
            patience.as_millis()
        ))),
    }
}

fn single(call: &Call) -> Result<Output, Failure> {
    call.api.get(path(&["health", "checks", "node-is-quorum-critical"]))?;
    Ok(Output::Message(
        "Target node seems to be the only one in a single node cluster, the command does not apply"
            .to_owned(),
    ))
}

fn stop(call: &Call) -> Result<Output, Failure> {
    match ask_to_stop(call) {
        Err(Trouble::Unreachable(_)) if call.has("--idempotent") => Ok(Output::Done),
        Err(trouble) => Err(trouble.into()),
        Ok(pid) => await_end(call, pid),
    }
}

fn shutdown(call: &Call) -> Result<Output, Failure> {
    let pid = ask_to_stop(call)?;
    if call.has("--no-wait") { Ok(Output::Done) } else { await_end(call, pid) }
}

/// Asks the node to stop, as SIGTERM does, and gives the number of its process.
fn ask_to_stop(call: &Call) -> Result<Option<u64>, Trouble> {
    let answer = call.api.post(path(&["leveret", "shutdown"]), &json!({}))?;
    let answer: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    Ok(answer.get("process").and_then(Value::as_u64))
}

/// It has ended when its process has, where that can be seen from here, or nobody answers.
fn await_end(call: &Call, pid: Option<u64>) -> Result<Output, Failure> {
    let patience = startup_patience(call);
    let is_here = matches!(call.api.place(), super::super::place::Place::Socket(_));
    let pid = pid.filter(|_| is_here);
    let ended = call.api.wait_until(&path(&["version"]), patience, |answer| {
        matches!(answer, Err(Trouble::Unreachable(_))) && pid.is_none_or(|pid| !is_alive(pid))
    });
    ended.ok_or_else(|| timed_out(call, patience))?;
    Ok(Output::Done)
}

fn post_upgrade(call: &Call) -> Result<Output, Failure> {
    call.api.get(path(&["whoami"]))?;
    Ok(Output::Done)
}
