//! `/api/leveret/matching-policies`: all policies that match a queue or an exchange, of which the
//! first applies, as `list_policies_that_match` of RabbitMQ 4 tells them. Of a queue it has to be
//! known what it is; of an exchange the name says all.

use axum::extract::State;
use axum::response::Response;

use super::answer;
use super::api::Shared;
use super::caller::Caller;
use super::names::Names;
use super::operation::Operation;
use super::refusal::Refusal;
use super::routes::Routes;
use crate::definitions::{PolicyKind, export};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            "/leveret/matching-policies/{vhost}/queue/{name}",
            Operation::all("Policies that match a queue, the one that applies first"),
            of_queue,
        )
        .get(
            "/leveret/matching-policies/{vhost}/exchange/{name}",
            Operation::all("Policies that match an exchange, the one that applies first"),
            of_exchange,
        )
}

async fn of_queue(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, name)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    caller.check_policies(&api, PolicyKind::User, &host)?;
    let policies = api.broker.policies_that_match_queue(&host, &name).ok_or(Refusal::NotFound)?;
    Ok(answer::json(&policies.iter().map(|policy| export::policy(policy)).collect()))
}

async fn of_exchange(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, name)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    caller.check_policies(&api, PolicyKind::User, &host)?;
    let policies = api.broker.policies_that_match_exchange(&host, &name);
    let policies = policies.ok_or(Refusal::NotFound)?;
    Ok(answer::json(&policies.iter().map(|policy| export::policy(policy)).collect()))
}
