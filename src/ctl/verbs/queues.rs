//! Queues.

use serde_json::{Value, json};

use super::super::api::Trouble;
use super::super::call::Call;
use super::super::failure::Failure;
use super::super::listing::Listing;
use super::super::output::{Output, Table};
use super::super::url::path;
use super::super::verb::Verb;
use super::missing;

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "list_queues",
        "[<column>...] [--online] [--offline] [--local]",
        "List queues",
        "Timeout: {seconds} seconds ...\nListing queues for vhost {vhost} ...",
        list,
    )
    .lists(&LISTING),
    Verb::new(
        "list_unresponsive_queues",
        "[<column>...] [--local] [--queue-timeout <milliseconds>]",
        "List queues that are out of service",
        "Listing unresponsive queues for vhost {vhost} ...",
        list_unresponsive,
    )
    .lists(&LISTING),
    Verb::new(
        "purge_queue",
        "<queue>",
        "Remove all ready messages of a queue",
        "Purging queue '{queue}' in vhost '{vhost}' ...",
        purge,
    ),
    Verb::new(
        "delete_queue",
        "<queue> [--if-empty|-e] [--if-unused|-u]",
        "Delete a queue",
        "Deleting queue '{queue}' on vhost '{vhost}' ...",
        delete,
    ),
    Verb::new(
        "rebalance",
        "<type> [--vhost-pattern <pattern>] [--queue-pattern <pattern>]",
        "Balance leaders over nodes, of which there is one",
        "Re-balancing leaders of all queues...",
        rebalance,
    ),
    Verb::new(
        "quorum_status",
        "<queue>",
        "Show the members of a queue of quorum type",
        "Status of quorum queue {queue} on node {node} ...",
        quorum_status,
    ),
];

const LISTING: Listing = Listing {
    columns: &[
        ("name", "name"),
        ("pid", "node"),
        ("durable", "durable"),
        ("auto_delete", "auto_delete"),
        ("arguments", "arguments"),
        ("policy", "policy"),
        ("operator_policy", "operator_policy"),
        ("effective_policy_definition", "effective_policy_definition"),
        ("messages_ready", "messages_ready"),
        ("messages_unacknowledged", "messages_unacknowledged"),
        ("messages", "messages"),
        ("messages_ready_ram", "messages_ready_ram"),
        ("messages_unacknowledged_ram", "messages_unacknowledged_ram"),
        ("messages_ram", "messages_ram"),
        ("messages_persistent", "messages_persistent"),
        ("message_bytes", "message_bytes"),
        ("message_bytes_ready", "message_bytes_ready"),
        ("message_bytes_unacknowledged", "message_bytes_unacknowledged"),
        ("message_bytes_ram", "message_bytes_ram"),
        ("message_bytes_persistent", "message_bytes_persistent"),
        ("head_message_timestamp", "head_message_timestamp"),
        ("disk_reads", "message_stats.disk_reads"),
        ("disk_writes", "message_stats.disk_writes"),
        ("consumers", "consumers"),
        ("consumer_utilisation", "consumer_utilisation"),
        ("consumer_capacity", "consumer_capacity"),
        ("memory", "memory"),
        ("slave_pids", "slave_pids"),
        ("synchronised_slave_pids", "synchronised_slave_pids"),
        ("state", "state"),
        ("type", "type"),
        ("leader", "leader"),
        ("members", "members"),
        ("online", "online"),
        ("exclusive", "exclusive"),
        ("owner_pid", "owner_pid_details.name"),
        ("exclusive_consumer_pid", "exclusive_consumer_pid"),
        ("exclusive_consumer_tag", "exclusive_consumer_tag"),
        ("single_active_consumer_pid", "single_active_consumer_pid"),
        ("single_active_consumer_tag", "single_active_consumer_tag"),
        ("messages_dlx", "messages_dlx"),
        ("message_bytes_dlx", "message_bytes_dlx"),
        ("leveret_messages_held", "leveret_messages_held"),
        ("vhost", "vhost"),
    ],
    defaults: &["name", "messages"],
};

/// A queue is offline with its node, which would not answer.
fn list(call: &Call) -> Result<Output, Failure> {
    call.check_host()?;
    if call.has("--offline") && !call.has("--online") {
        return LISTING.of(call, &[]);
    }
    LISTING.show(call, path(&["queues", call.virtual_host()]))
}

fn list_unresponsive(call: &Call) -> Result<Output, Failure> {
    call.check_host()?;
    let mut queues = call.api.list(path(&["queues", call.virtual_host()]))?;
    queues.retain(|queue| queue.get("state").and_then(Value::as_str) != Some("running"));
    LISTING.of(call, &queues)
}

fn purge(call: &Call) -> Result<Output, Failure> {
    call.check_host()?;
    let path = path(&["queues", call.virtual_host(), call.word("<queue>"), "contents"]);
    call.api.delete(path).map_err(missing("not_found"))?;
    Ok(Output::Done)
}

fn delete(call: &Call) -> Result<Output, Failure> {
    call.check_host()?;
    let missing = |trouble| match trouble {
        Trouble::Refused { status: 404, .. } => {
            Failure::Usage("Error:\nQueue not found".to_owned())
        }
        other => other.into(),
    };
    let path = path(&["queues", call.virtual_host(), call.word("<queue>")]);
    let queue = call.api.get(path.clone()).map_err(missing)?;
    let ready = queue.get("messages_ready").and_then(Value::as_u64).unwrap_or(0);
    let (empty, unused) = (call.has("--if-empty"), call.has("--if-unused"));
    let conditions = format!("{path}?if-empty={empty}&if-unused={unused}");
    call.api.delete(conditions).map_err(|trouble| match trouble {
        Trouble::Refused { status: 400, reason } if empty || unused => Failure::Usage(reason),
        other => missing(other),
    })?;
    Ok(Output::Message(format!("Queue was successfully deleted with {ready} ready messages")))
}

fn rebalance(call: &Call) -> Result<Output, Failure> {
    let kind = call.word("<type>");
    if !["all", "classic", "quorum", "stream"].contains(&kind) {
        let text = format!("type {kind} is not supported: all, classic, quorum or stream is");
        return Err(Failure::Unavailable(text));
    }
    call.api.post(path(&["rebalance", "queues"]), &json!({}))?;
    Ok(Output::Message("There is one node, which leads all queues".to_owned()))
}

fn quorum_status(call: &Call) -> Result<Output, Failure> {
    call.check_host()?;
    let path = path(&["queues", call.virtual_host(), call.word("<queue>")]);
    let queue = call.api.get(path).map_err(missing("not_found"))?;
    if queue.get("type").and_then(Value::as_str) != Some("quorum") {
        return Err(Failure::Unavailable("it is not a queue of quorum type".to_owned()));
    }
    let field = |name: &str| queue.get(name).cloned().unwrap_or_default();
    let is_running = field("state") == "running";
    let state = if is_running { "leader" } else { "noproc" };
    Ok(Output::Rows(Table {
        columns: vec!["Node Name", "Raft State", "Membership"],
        rows: vec![vec![field("leader"), state.into(), "voter".into()]],
    }))
}
