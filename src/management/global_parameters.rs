//! `/api/global-parameters`: named values of the whole node. What one means knows who looks it up.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use super::answer;
use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::cluster_name;
use super::names::Names;
use super::query::Query;
use super::refusal::Refusal;
use super::shaped;
use crate::definitions::{CLUSTER_NAME, GlobalParameterDefinition, export};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/global-parameters", get(list))
        .route("/global-parameters/{name}", get(show).put(set).delete(clear))
}

async fn list(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_policymaker()?;
    let parameters = api.broker.global_parameters();
    let shapes = parameters.iter().map(|parameter| export::global_parameter(parameter));
    shaped::list(shapes.collect(), &query).await
}

async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
) -> Result<Response, Refusal> {
    caller.check_policymaker()?;
    let parameter = find(&api, &name).ok_or(Refusal::NotFound)?;
    Ok(answer::json(&export::global_parameter(&parameter)))
}

async fn set(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
    body: Body,
) -> Result<Response, Refusal> {
    let check = |caller: &Caller| check_changes(caller, &name);
    let mut fields = Fields::read(body, &api, &caller, check).await?;
    fields.check_has(&["value"])?;
    let was_there = find(&api, &name).is_some();
    let value = fields.0.remove("value").unwrap_or_default();
    let parameter = match name == CLUSTER_NAME {
        true => cluster_name::parameter(value)?,
        false => GlobalParameterDefinition { name: name.into(), value },
    };
    api.stored(Ok(api.broker.set_global_parameter(parameter))).await?;
    Ok(answer::set(was_there))
}

async fn clear(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
) -> Result<Response, Refusal> {
    check_changes(&caller, &name)?;
    find(&api, &name).ok_or(Refusal::NotFound)?;
    api.stored(Ok(api.broker.clear_global_parameter(&name))).await?;
    Ok(answer::done())
}

/// The name of the cluster has a resource of its own, which is for administrators.
fn check_changes(caller: &Caller, name: &str) -> Result<(), Refusal> {
    match name == CLUSTER_NAME {
        true => caller.check_administrator(),
        false => caller.check_policymaker(),
    }
}

fn find(api: &Api, name: &str) -> Option<Arc<GlobalParameterDefinition>> {
    api.broker.global_parameters().into_iter().find(|parameter| *parameter.name == *name)
}
