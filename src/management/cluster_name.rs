//! `/api/cluster-name`: the name that clients and dashboards are told. It is a parameter of the
//! node, as in RabbitMQ.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::answer;
use super::api::Shared;
use super::body::Fields;
use super::caller::Caller;
use super::operation::{Kind, Operation};
use super::refusal::Refusal;
use super::routes::Routes;
use crate::definitions::{CLUSTER_NAME, GlobalParameterDefinition, term};
use crate::limits::CLUSTER_NAME_SIZE_MAX;

pub(super) fn routes() -> Routes {
    let set_name = Operation::done("Names the cluster").needs(&[("name", Kind::Text)]);
    Routes::new().get("/cluster-name", Operation::item("The name of the cluster"), show).put(
        "/cluster-name",
        set_name,
        set,
    )
}

async fn show(State(api): State<Shared>, _caller: Caller) -> Response {
    answer::json(&json!({"name": &*api.broker.cluster_name()}))
}

async fn set(State(api): State<Shared>, caller: Caller, body: Body) -> Result<Response, Refusal> {
    let mut fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    fields.check_has(&["name"])?;
    let parameter = parameter(fields.0.remove("name").unwrap_or_default())?;
    api.stored(Ok(api.by(&caller).set_global_parameter(parameter))).await?;
    Ok(answer::done())
}

/// The parameter that gives the cluster this name.
pub(super) fn parameter(value: Value) -> Result<GlobalParameterDefinition, Refusal> {
    let parameter = GlobalParameterDefinition { name: CLUSTER_NAME.into(), value };
    if parameter.cluster_name().is_some() {
        return Ok(parameter);
    }
    Err(Refusal::bad(match parameter.value {
        Value::String(_) => format!("name is longer than {CLUSTER_NAME_SIZE_MAX} bytes"),
        value => format!("name should be a binary but was {}", term(&value)),
    }))
}
