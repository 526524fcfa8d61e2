//! `/api/parameters`: what components look up in virtual hosts. Limits of a virtual host and
//! operator policies are such, and mean the same whichever resource sets them. Of components that
//! are not here (`shovel`, `federation-upstream`) parameters are kept, though nobody looks them up.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::answer;
use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::names::Names;
use super::operation::{Kind, Operation};
use super::query::Query;
use super::refusal::Refusal;
use super::routes::Routes;
use super::shaped;
use crate::broker::DeclarationResult;
use crate::definitions::{
    HOST_LIMITS, LIMITS, ParameterDefinition, PolicyKind, VIRTUAL_HOST_LIMITS, check_limits,
    export, import, term,
};
use crate::message::Name;

pub(super) fn routes() -> Routes {
    const ONE: &str = "/parameters/{component}/{vhost}/{name}";
    let value = Operation::set("Sets a parameter").needs(&[("value", Kind::Any)]);
    Routes::new()
        .get("/parameters", Operation::list("All parameters"), list)
        .get(
            "/parameters/{component}",
            Operation::list("Parameters of a component"),
            list_of_component,
        )
        .get(
            "/parameters/{component}/{vhost}",
            Operation::list("Parameters of a component in a virtual host"),
            list_in_host,
        )
        .get(ONE, Operation::item("A parameter"), show)
        .put(ONE, value, set)
        .delete(ONE, Operation::done("Takes a parameter away"), clear)
}

/// Components of RabbitMQ's plugins: what is set for them is kept, and exported to a broker that
/// has them.
const KEPT: [&str; 3] = ["shovel", "federation-upstream", UPSTREAM_SET];

/// Of which the value is a list.
const UPSTREAM_SET: &str = "federation-upstream-set";

/// A parameter as it is asked for.
type Place = (String, String, String);

async fn list(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_policymaker()?;
    let mut all = kept(&api);
    all.extend(policies(&api, PolicyKind::Operator));
    shaped::list(seen(all, &caller), &query).await
}

async fn list_of_component(
    State(api): State<Shared>,
    caller: Caller,
    Names(component): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_policymaker()?;
    shaped::list(seen(of_component(&api, &component), &caller), &query).await
}

async fn list_in_host(
    State(api): State<Shared>,
    caller: Caller,
    Names((component, host)): Names<(String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_policies(&api, PolicyKind::User, &host)?;
    api.check_host(&host)?;
    let mut all = of_component(&api, &component);
    all.retain(|parameter| parameter["vhost"] == *host);
    shaped::list(all, &query).await
}

async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Names(place): Names<Place>,
) -> Result<Response, Refusal> {
    caller.check_policies(&api, PolicyKind::User, &place.1)?;
    Ok(answer::json(&find(&api, &place).ok_or(Refusal::NotFound)?))
}

async fn set(
    State(api): State<Shared>,
    caller: Caller,
    Names(place): Names<Place>,
    body: Body,
) -> Result<Response, Refusal> {
    let check = |caller: &Caller| {
        check_changes(caller, &api, &place)?;
        api.check_host(&place.1).map_err(|_| Refusal::Missing("vhost_not_found"))
    };
    let mut fields = Fields::read(body, &api, &caller, check).await?;
    fields.check_has(&["value"])?;
    let was_there = find(&api, &place).is_some();
    let value = fields.0.remove("value").unwrap_or_default();
    api.stored(set_value(&api, &caller, place, value)?).await?;
    Ok(answer::set(was_there))
}

async fn clear(
    State(api): State<Shared>,
    caller: Caller,
    Names(place): Names<Place>,
) -> Result<Response, Refusal> {
    check_changes(&caller, &api, &place)?;
    find(&api, &place).ok_or(Refusal::NotFound)?;
    let (component, host, name) = place;
    let cleared = match PolicyKind::from_component(&component) {
        Some(PolicyKind::User) => {
            return Err(Refusal::bad("policies may not be cleared using this method"));
        }
        Some(kind) => api.by(&caller).clear_policy(kind, &host, &name, api.now()),
        None => api.by(&caller).clear_parameter(&host, &component, &name),
    };
    api.stored(Ok(cleared)).await?;
    Ok(answer::done())
}

/// What its own resource leaves to administrators this one does not give to others.
fn check_changes(caller: &Caller, api: &Api, (component, host, _): &Place) -> Result<(), Refusal> {
    caller.check_policies(api, PolicyKind::User, host)?;
    let is_limits = *component == *VIRTUAL_HOST_LIMITS;
    if is_limits || PolicyKind::from_component(component) == Some(PolicyKind::Operator) {
        return caller.check_administrator();
    }
    Ok(())
}

fn set_value(
    api: &Api,
    caller: &Caller,
    (component, host, name): Place,
    value: Value,
) -> Result<DeclarationResult, Refusal> {
    match PolicyKind::from_component(&component) {
        Some(PolicyKind::User) => Err(Refusal::bad("policies may not be set using this method")),
        Some(kind) => {
            let fields = Fields(object(value, "policy")?);
            fields.check_has(&["pattern", "definition"])?;
            let policy = import::policy(kind, host.into(), name.into(), fields.0);
            let policy = policy.map_err(|reason| Refusal::invalid(&reason))?;
            Ok(api.by(caller).set_policy(&policy, api.now()))
        }
        None if component == VIRTUAL_HOST_LIMITS => {
            let limits = limits(host.into(), &name, value)?;
            Ok(api.by(caller).set_parameter(&limits))
        }
        None if KEPT.contains(&component.as_str()) => {
            let value = match (component.as_str(), value) {
                (UPSTREAM_SET, upstreams @ Value::Array(_)) => upstreams,
                (_, value) => Value::Object(object(value, &component)?),
            };
            let (host, component, name) = (host.into(), component.into(), name.into());
            let parameter = ParameterDefinition { host, component, name, value };
            Ok(api.by(caller).set_parameter(&parameter))
        }
        None => Err(Refusal::invalid(&format!("component {component} not found"))),
    }
}

/// A virtual host has one parameter with all its limits.
pub(super) fn limits(
    host: Name,
    name: &str,
    value: Value,
) -> Result<ParameterDefinition<Name>, Refusal> {
    if name != LIMITS {
        return Err(Refusal::invalid(&format!("{name} should be {LIMITS}")));
    }
    let value = object(value, LIMITS)?;
    check_limits(&value, &HOST_LIMITS, LIMITS).map_err(|reason| Refusal::invalid(&reason))?;
    Ok(ParameterDefinition {
        host,
        component: VIRTUAL_HOST_LIMITS.into(),
        name: LIMITS.into(),
        value: Value::Object(value),
    })
}

/// To RabbitMQ an object is a list.
fn object(value: Value, what: &str) -> Result<serde_json::Map<String, Value>, Refusal> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(Refusal::invalid(&format!("{what} not a list {}", term(&other)))),
    }
}

fn find(api: &Api, (component, host, name): &Place) -> Option<Value> {
    if let Some(kind) = PolicyKind::from_component(component) {
        return Some(export::policy_parameter(&*api.broker.policy(kind, host, name)?));
    }
    Some(export::parameter(&*api.broker.parameter(host, component, name)?))
}

fn of_component(api: &Api, component: &str) -> Vec<Value> {
    if let Some(kind) = PolicyKind::from_component(component) {
        return policies(api, kind);
    }
    let mut all = kept(api);
    all.retain(|parameter| parameter["component"] == *component);
    all
}

fn kept(api: &Api) -> Vec<Value> {
    let parameters = api.broker.parameters();
    parameters.iter().map(|parameter| export::parameter(parameter)).collect()
}

fn policies(api: &Api, kind: PolicyKind) -> Vec<Value> {
    let policies = api.broker.policies(kind, None);
    policies.iter().map(|policy| export::policy_parameter(policy)).collect()
}

fn seen(mut parameters: Vec<Value>, caller: &Caller) -> Vec<Value> {
    parameters.retain(|each| each["vhost"].as_str().is_some_and(|host| caller.may_see_in(host)));
    parameters
}
