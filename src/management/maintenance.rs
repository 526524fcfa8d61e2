//! `/api/leveret/suspend-listeners`, `resume-listeners`, `drain` and `revive`: a node that is about
//! to be stopped lets no clients in and sends away those that are inside, as RabbitMQ's command
//! line tools do it. HTTP goes on, or nobody could revive it.

use axum::extract::State;
use axum::response::Response;
use tracing::{info, warn};

use super::answer;
use super::api::Shared;
use super::caller::Caller;
use super::operation::Operation;
use super::refusal::Refusal;
use super::routes::Routes;

/// What clients are told that have to go: RabbitMQ's words.
const REASON: &str = "Node was put into maintenance mode";

pub(super) fn routes() -> Routes {
    Routes::new()
        .post(
            "/leveret/suspend-listeners",
            Operation::done("Lets no client in any more; who is inside stays"),
            suspend,
        )
        .post("/leveret/resume-listeners", Operation::done("Lets clients in again"), resume)
        .post(
            "/leveret/drain",
            Operation::done("Puts the node under maintenance: clients have to go"),
            drain,
        )
        .post("/leveret/revive", Operation::done("Ends the maintenance of the node"), revive)
}

async fn suspend(State(api): State<Shared>, caller: Caller) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    info!(
        target: "management",
        "Asked to suspend client connection listeners. No new client connections will be accepted \
         until these listeners are resumed!"
    );
    api.options.facts.control.suspend().await.map_err(Refusal::Failed)?;
    Ok(answer::done())
}

async fn resume(State(api): State<Shared>, caller: Caller) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    info!(
        target: "management",
        "Asked to resume client connection listeners. New client connections will be accepted from \
         now on"
    );
    api.options.facts.control.resume().await.map_err(Refusal::Failed)?;
    Ok(answer::done())
}

async fn drain(State(api): State<Shared>, caller: Caller) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let control = &api.options.facts.control;
    warn!(target: "management", "This node is being put into maintenance (drain) mode");
    control.mark_drained(true);
    control.suspend().await.map_err(Refusal::Failed)?;
    warn!(
        target: "management",
        "Suspended all listeners and will no longer accept client connections"
    );
    let count = api.broker.close_connections(REASON);
    warn!(target: "management", "Closed {count} local client connections");
    info!(
        target: "management", "Node is ready to be shut down for maintenance or upgrade"
    );
    Ok(answer::done())
}

async fn revive(State(api): State<Shared>, caller: Caller) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let control = &api.options.facts.control;
    info!(
        target: "management", "This node is being revived from maintenance (drain) mode"
    );
    control.resume().await.map_err(Refusal::Failed)?;
    info!(
        target: "management",
        "Resumed all listeners and will accept client connections again"
    );
    control.mark_drained(false);
    info!(
        target: "management",
        "Marked this node as back from maintenance and ready to serve clients"
    );
    Ok(answer::done())
}
