//! `/api/policies` and `/api/operator-policies`: what is set for many queues and exchanges at once.
//! What a policy may say, and what it does, the broker knows.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;

use super::answer;
use super::api::Shared;
use super::body::Fields;
use super::caller::Caller;
use super::names::Names;
use super::operation::{Field, Kind, Operation};
use super::query::Query;
use super::refusal::Refusal;
use super::routes::Routes;
use super::shaped;
use crate::definitions::{PolicyKind, export, import};

/// The routes of policies of one kind, below `path`.
pub(super) fn routes(path: &str, kind: PolicyKind) -> Routes {
    let one = &format!("{path}/{{vhost}}/{{name}}");
    let policy = Operation::set("Sets a policy").needs(NEEDED).takes(OPTIONAL);
    Routes::new()
        .get(path, Operation::list("All policies"), list)
        .get(
            &format!("{path}/{{vhost}}"),
            Operation::list("Policies of a virtual host"),
            list_in_host,
        )
        .get(one, Operation::item("A policy"), show)
        .put(one, policy, set)
        .delete(one, Operation::done("Takes a policy away"), clear)
        .with(kind)
}

const NEEDED: &[Field] = &[("pattern", Kind::Text), ("definition", Kind::Object)];

const OPTIONAL: &[Field] = &[("apply-to", Kind::Text), ("priority", Kind::Number)];

async fn list(
    State(api): State<Shared>,
    Extension(kind): Extension<PolicyKind>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    let policies = api.broker.policies(kind, None);
    let seen = policies.iter().filter(|policy| caller.may_see_in(&policy.host.name));
    shaped::list(seen.map(|policy| export::policy(policy)).collect(), &query).await
}

async fn list_in_host(
    State(api): State<Shared>,
    Extension(kind): Extension<PolicyKind>,
    caller: Caller,
    Names(host): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    api.check_host(&host)?;
    caller.check_sees_in(&host)?;
    let policies = api.broker.policies(kind, Some(&host));
    shaped::list(policies.iter().map(|policy| export::policy(policy)).collect(), &query).await
}

async fn show(
    State(api): State<Shared>,
    Extension(kind): Extension<PolicyKind>,
    caller: Caller,
    Names((host, name)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    caller.check_policies(&api, kind, &host)?;
    let policy = api.broker.policy(kind, &host, &name).ok_or(Refusal::NotFound)?;
    Ok(answer::json(&export::policy(&policy)))
}

async fn set(
    State(api): State<Shared>,
    Extension(kind): Extension<PolicyKind>,
    caller: Caller,
    Names((host, name)): Names<(String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    let check = |caller: &Caller| {
        caller.check_policies(&api, kind, &host)?;
        api.check_host(&host).map_err(|_| Refusal::Missing("vhost_not_found"))
    };
    let fields = Fields::read(body, &api, &caller, check).await?;
    fields.check_has(&["pattern", "definition"])?;
    let was_there = api.broker.policy(kind, &host, &name).is_some();
    let policy = import::policy(kind, host.into(), name.into(), fields.0);
    let policy = policy.map_err(|reason| Refusal::invalid(&reason))?;
    api.stored(api.by(&caller).set_policy(&policy, api.now())).await?;
    Ok(answer::set(was_there))
}

async fn clear(
    State(api): State<Shared>,
    Extension(kind): Extension<PolicyKind>,
    caller: Caller,
    Names((host, name)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    caller.check_policies(&api, kind, &host)?;
    api.broker.policy(kind, &host, &name).ok_or(Refusal::NotFound)?;
    api.stored(Ok(api.by(&caller).clear_policy(kind, &host, &name, api.now()))).await?;
    Ok(answer::done())
}
