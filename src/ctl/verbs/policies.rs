//! Policies, and those of operators, which override them.

use serde_json::{Value, json};

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::listing::Listing;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;
use super::missing;

const USER: &str = "policies";
const OPERATOR: &str = "operator-policies";

const SET_USAGE: &str =
    "<name> <pattern> <definition> [--priority <priority>] [--apply-to <apply-to>]";

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "list_policies",
        "",
        "List policies",
        "Listing policies for vhost \"{vhost}\" ...",
        |call| list(call, USER),
    ),
    Verb::new(
        "list_policies_that_match",
        "<name> [--object-type <object-type>]",
        "List all policies that match a queue or an exchange; the first one applies",
        "Listing policies that match {object_type} '{name}' in vhost '{vhost}' ...",
        list_matching,
    ),
    Verb::new(
        "set_policy",
        SET_USAGE,
        "Set a policy: what holds for queues and exchanges whose names match",
        "Setting policy \"{name}\" for pattern \"{pattern}\" to \"{definition}\" with \
         priority \"{priority}\" for vhost \"{vhost}\" ...",
        |call| set(call, USER),
    ),
    Verb::new(
        "clear_policy",
        "<name>",
        "Take a policy away",
        "Clearing policy \"{name}\" on vhost \"{vhost}\" ...",
        |call| clear(call, USER),
    ),
    Verb::new(
        "list_operator_policies",
        "",
        "List policies of operators",
        "Listing operator policy overrides for vhost \"{vhost}\" ...",
        |call| list(call, OPERATOR),
    ),
    Verb::new(
        "set_operator_policy",
        SET_USAGE,
        "Set a policy of operators, which bounds what users set",
        "Setting operator policy override \"{name}\" for pattern \"{pattern}\" to \"{definition}\" \
         with priority \"{priority}\" for vhost \"{vhost}\" ...",
        |call| set(call, OPERATOR),
    ),
    Verb::new(
        "clear_operator_policy",
        "<name>",
        "Take a policy of operators away",
        "Clearing operator policy \"{name}\" on vhost \"{vhost}\" ...",
        |call| clear(call, OPERATOR),
    ),
];

const LISTING: Listing = Listing {
    columns: &[
        ("vhost", "vhost"),
        ("name", "name"),
        ("pattern", "pattern"),
        ("apply-to", "apply-to"),
        ("definition", "definition"),
        ("priority", "priority"),
    ],
    defaults: &["vhost", "name", "pattern", "apply-to", "definition", "priority"],
};

fn list(call: &Call, kind: &str) -> Result<Output, Failure> {
    call.check_host()?;
    LISTING.show_with(call, path(&[kind, call.virtual_host()]), show_definition)
}

/// What a policy says is JSON, as it was typed.
fn show_definition(policy: &mut Value) {
    if let Some(definition) = policy.get_mut("definition") {
        *definition = Value::from(definition.to_string());
    }
}

/// The name is that of a queue, or of an exchange.
fn list_matching(call: &Call) -> Result<Output, Failure> {
    let kind = match call.maybe("--object-type").unwrap_or("queue") {
        "queue" | "queues" => "queue",
        "exchange" | "exchanges" => "exchange",
        other => {
            let text = format!("the object type {other} is not supported: queue or exchange is");
            return Err(Failure::Data(text));
        }
    };
    call.check_host()?;
    let (host, name) = (call.virtual_host(), call.word("<name>"));
    let mut policies = call.api.list(path(&["leveret", "matching-policies", host, kind, name]))?;
    policies.iter_mut().for_each(show_definition);
    LISTING.framed(call, &policies)
}

fn set(call: &Call, kind: &str) -> Result<Output, Failure> {
    let priority = call.maybe("--priority").unwrap_or("0");
    let priority: i64 = priority
        .parse()
        .map_err(|_| call.misused(&format!("the priority {priority} is no number")))?;
    call.check_host()?;
    let body = json!({
        "pattern": call.word("<pattern>"),
        "definition": call.json("<definition>")?,
        "priority": priority,
        "apply-to": call.maybe("--apply-to").unwrap_or("all"),
    });
    call.api.put(one(call, kind), &body)?;
    Ok(Output::Done)
}

fn clear(call: &Call, kind: &str) -> Result<Output, Failure> {
    call.check_host()?;
    call.api.delete(one(call, kind)).map_err(missing("Parameter does not exist"))?;
    Ok(Output::Done)
}

fn one(call: &Call, kind: &str) -> String {
    path(&[kind, call.virtual_host(), call.word("<name>")])
}
