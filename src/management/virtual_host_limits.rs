//! `/api/vhost-limits`: how many connections and queues virtual hosts may have, and how fast all in
//! them publish.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::answer;
use super::api::Shared;
use super::body::Fields;
use super::caller::Caller;
use super::names::Names;
use super::operation::{Kind, Operation};
use super::query::Query;
use super::refusal::Refusal;
use super::routes::Routes;
use super::shaped;
use crate::definitions::{LIMITS, ParameterDefinition, VIRTUAL_HOST_LIMITS};

pub(super) fn routes() -> Routes {
    const ONE: &str = "/vhost-limits/{vhost}/{limit}";
    let value = Operation::done("Sets a limit of a virtual host");
    Routes::new()
        .get("/vhost-limits", Operation::list("Limits of virtual hosts"), list)
        .get("/vhost-limits/{vhost}", Operation::list("Limits of a virtual host"), show)
        .put(ONE, value.needs(&[("value", Kind::Number)]), set)
        .delete(ONE, Operation::done("Takes a limit of a virtual host away"), clear)
}

async fn list(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    let limits = api.broker.host_limits();
    let seen = limits.iter().filter(|limits| caller.may_see(&limits.host.name));
    shaped::list(seen.map(shape).collect(), &query).await
}

async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Names(host): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    api.check_host(&host)?;
    caller.check_sees(&host)?;
    let limits = api.broker.parameter(&host, VIRTUAL_HOST_LIMITS, LIMITS);
    shaped::list(limits.iter().map(shape).collect(), &query).await
}

async fn set(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, name)): Names<(String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    let mut fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    fields.check_has(&["value"])?;
    let value = fields.0.remove("value").unwrap_or_default();
    api.stored(api.by(&caller).set_host_limit(&host, &name, value)).await?;
    Ok(answer::done())
}

async fn clear(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, name)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    api.check_host(&host)?;
    api.stored(api.by(&caller).clear_host_limit(&host, &name)).await?;
    Ok(answer::done())
}

fn shape(limits: &Arc<ParameterDefinition>) -> Value {
    json!({"vhost": &*limits.host.name, "value": limits.value})
}
