//! Virtual hosts.

use serde_json::{Map, Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::listing::Listing;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;
use super::missing_host;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("list_vhosts", "[<column>...]", "List virtual hosts", "Listing vhosts ...", list)
        .lists(&LISTING),
    Verb::new(
        "add_vhost",
        "<vhost> [--description <description>] [--tags <tags>] [--default-queue-type <type>]",
        "Create a virtual host",
        "Adding vhost \"{vhost}\" ...",
        add,
    ),
    Verb::new(
        "update_vhost_metadata",
        "<vhost> [--description <description>] [--tags <tags>] [--default-queue-type <type>]",
        "Change what a virtual host is for",
        "Updating metadata of vhost \"{vhost}\" ...",
        update,
    ),
    Verb::new(
        "set_vhost_tags",
        "<vhost> [<tag>...]",
        "Give a virtual host these tags and no others",
        "Setting tags for virtual host \"{vhost}\" to [{tag}] ...",
        set_tags,
    ),
    Verb::new(
        "delete_vhost",
        "<vhost>",
        "Delete a virtual host with all that is in it",
        "Deleting vhost \"{vhost}\" ...",
        delete,
    ),
    Verb::new(
        "enable_vhost_deletion_protection",
        "<vhost>",
        "Let nobody delete a virtual host",
        "Will protect virtual host {vhost} from deletion",
        protect,
    ),
    Verb::new(
        "disable_vhost_deletion_protection",
        "<vhost>",
        "Let a virtual host be deleted again",
        "Will unprotect virtual host {vhost} from deletion",
        unprotect,
    ),
    Verb::new(
        "restart_vhost",
        "",
        "See that a virtual host runs, as it does once it is declared",
        "Trying to restart vhost '{vhost}' on node '{node}' ...",
        restart,
    ),
    Verb::new(
        "trace_on",
        "",
        "Copy every message of a virtual host to amq.rabbitmq.trace",
        "Starting tracing for vhost \"{vhost}\" ...",
        |call| trace(call, true),
    ),
    Verb::new(
        "trace_off",
        "",
        "Copy them no more",
        "Stopping tracing for vhost \"{vhost}\" ...",
        |call| trace(call, false),
    ),
];

const LISTING: Listing = Listing {
    columns: &[
        ("name", "name"),
        ("description", "description"),
        ("tags", "tags"),
        ("default_queue_type", "default_queue_type"),
        ("protected_from_deletion", "protected_from_deletion"),
        ("tracing", "tracing"),
        ("cluster_state", "cluster_state"),
        ("metadata", "metadata"),
    ],
    defaults: &["name"],
};

fn list(call: &Call) -> Result<Output, Failure> {
    LISTING.show(call, path(&["vhosts"]))
}

/// One that is there stays as it is.
fn add(call: &Call) -> Result<Output, Failure> {
    let path = path(&["vhosts", call.word("<vhost>")]);
    if call.api.get(path.clone()).is_err() {
        call.api.put(path, &typed(call))?;
    }
    Ok(Output::Done)
}

fn update(call: &Call) -> Result<Output, Failure> {
    let changes = typed(call);
    if changes.as_object().is_none_or(Map::is_empty) {
        return Err(call.misused("not enough arguments."));
    }
    change(call, call.word("<vhost>"), changes)
}

fn set_tags(call: &Call) -> Result<Output, Failure> {
    let tags = json!({"tags": call.words("<tag>").join(",")});
    change(call, call.word("<vhost>"), tags)
}

fn delete(call: &Call) -> Result<Output, Failure> {
    let host = call.word("<vhost>");
    call.api.delete(path(&["vhosts", host])).map_err(missing_host(host))?;
    Ok(Output::Done)
}

fn protect(call: &Call) -> Result<Output, Failure> {
    let host = call.word("<vhost>");
    find(call, host)?;
    call.api.post(protection(host), &json!({}))?;
    Ok(Output::Done)
}

fn unprotect(call: &Call) -> Result<Output, Failure> {
    let host = call.word("<vhost>");
    find(call, host)?;
    call.api.delete(protection(host))?;
    Ok(Output::Done)
}

fn protection(host: &str) -> String {
    path(&["vhosts", host, "deletion", "protection"])
}

fn restart(call: &Call) -> Result<Output, Failure> {
    call.check_host()?;
    let (host, node) = (call.virtual_host(), call.node());
    Ok(Output::Message(format!("Vhost '{host}' is already running on node '{node}'")))
}

/// It is done where the node says so afterwards.
fn trace(call: &Call, is_on: bool) -> Result<Output, Failure> {
    let host = call.virtual_host();
    change(call, host, json!({"tracing": is_on}))?;
    if find(call, host)?.get("tracing") != Some(&Value::Bool(is_on)) {
        return Err(Failure::Unavailable("this node does not trace messages".to_owned()));
    }
    let state = if is_on { "enabled" } else { "disabled" };
    Ok(Output::Message(format!("Trace {state} for vhost {host}")))
}

/// What was typed of a virtual host.
fn typed(call: &Call) -> Value {
    let named = [
        ("description", "--description"),
        ("tags", "--tags"),
        ("default_queue_type", "--default-queue-type"),
    ];
    let typed = named.into_iter().filter_map(|(name, option)| {
        call.maybe(option).map(|value| (name.to_owned(), Value::from(value)))
    });
    Value::Object(typed.collect())
}

fn find(call: &Call, host: &str) -> Result<Value, Failure> {
    call.api.get(path(&["vhosts", host])).map_err(missing_host(host))
}

/// Changes some of what is said of a virtual host, and leaves the rest.
fn change(call: &Call, host: &str, changes: Value) -> Result<Output, Failure> {
    let known = find(call, host)?;
    let kept = ["description", "tags", "default_queue_type"];
    let kept =
        kept.into_iter().filter_map(|name| Some((name.to_owned(), known.get(name)?.clone())));
    let mut body: Map<String, Value> = kept.collect();
    if let Value::Object(changes) = changes {
        body.extend(changes);
    }
    call.api.put(path(&["vhosts", host]), &Value::Object(body)).map_err(missing_host(host))?;
    Ok(Output::Done)
}
