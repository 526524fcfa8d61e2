//! Maintenance: a node that is about to be stopped lets no clients in, and back.

use serde_json::json;

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::url::path;
use super::super::verb::Verb;

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "suspend_listeners",
        "",
        "Let no client in any more; who is inside stays",
        "Will suspend client connection listeners on node {node}. The node will no longer accept \
         client connections!",
        |call| order(call, "suspend-listeners"),
    ),
    Verb::new(
        "resume_listeners",
        "",
        "Let clients in again",
        "Will resume client connection listeners on node {node}. The node will now accept client \
         connections",
        |call| order(call, "resume-listeners"),
    ),
    Verb::new(
        "drain",
        "",
        "Put the node under maintenance: no client is let in, and all have to go",
        "Will put node {node} into maintenance mode. The node will no longer serve any client \
         traffic!",
        |call| order(call, "drain"),
    ),
    Verb::new(
        "revive",
        "",
        "End the maintenance of the node: clients are let in again",
        "Will put node {node} back into regular operating mode. The node will again serve client \
         traffic and host primary queue replicas.",
        |call| order(call, "revive"),
    ),
];

fn order(call: &Call, order: &str) -> Result<Output, Failure> {
    call.api.post(path(&["leveret", order]), &json!({}))?;
    Ok(Output::Done)
}
