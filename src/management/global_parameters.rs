//! `/api/global-parameters`: named values of the whole node. What one means knows who looks it up.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;

use super::answer;
use super::api::Shared;
use super::body::Fields;
use super::caller::Caller;
use super::cluster_name;
use super::names::Names;
use super::operation::{Kind, Operation};
use super::query::Query;
use super::refusal::Refusal;
use super::routes::Routes;
use super::shaped;
use crate::definitions::{CLUSTER_NAME, GlobalParameterDefinition, export};

pub(super) fn routes() -> Routes {
    const ONE: &str = "/global-parameters/{name}";
    let value = Operation::set("Sets a parameter of the node").needs(&[("value", Kind::Any)]);
    Routes::new()
        .get("/global-parameters", Operation::list("Parameters of the node"), list)
        .get(ONE, Operation::item("A parameter of the node"), show)
        .put(ONE, value, set)
        .delete(ONE, Operation::done("Takes a parameter of the node away"), clear)
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
    let parameter = api.broker.global_parameter(&name).ok_or(Refusal::NotFound)?;
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
    let was_there = api.broker.global_parameter(&name).is_some();
    let value = fields.0.remove("value").unwrap_or_default();
    let parameter = match name == CLUSTER_NAME {
        true => cluster_name::parameter(value)?,
        false => GlobalParameterDefinition { name: name.into(), value },
    };
    api.stored(Ok(api.by(&caller).set_global_parameter(parameter))).await?;
    Ok(answer::set(was_there))
}

async fn clear(
    State(api): State<Shared>,
    caller: Caller,
    Names(name): Names<String>,
) -> Result<Response, Refusal> {
    check_changes(&caller, &name)?;
    api.broker.global_parameter(&name).ok_or(Refusal::NotFound)?;
    api.stored(Ok(api.by(&caller).clear_global_parameter(&name))).await?;
    Ok(answer::done())
}

/// The name of the cluster has a resource of its own, which is for administrators.
fn check_changes(caller: &Caller, name: &str) -> Result<(), Refusal> {
    match name == CLUSTER_NAME {
        true => caller.check_administrator(),
        false => caller.check_policymaker(),
    }
}
