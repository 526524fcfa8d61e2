//! `/api/permissions`: what users may do in virtual hosts, and the same by user and by virtual
//! host. Routing keys are in `topic_permissions`.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;

use super::answer;
use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::names::Names;
use super::operation::{Field, Kind, Operation};
use super::patterns;
use super::permitted::{list, list_in_host, list_of_user};
use super::refusal::Refusal;
use super::routes::Routes;
use super::users;
use crate::definitions::{PermissionDefinition, export};

pub(super) fn routes() -> Routes {
    const ONE: &str = "/permissions/{vhost}/{user}";
    let permission = Operation::set("Says what a user may do in a virtual host");
    Routes::new()
        .get("/permissions", Operation::list("What users may do"), list::<PermissionDefinition>)
        .get(ONE, Operation::item("What a user may do in a virtual host"), show)
        .put(ONE, permission.needs(FIELDS), set)
        .delete(ONE, Operation::done("Lets a user no more enter a virtual host"), clear)
        .get(
            "/users/{user}/permissions",
            Operation::list("What a user may do"),
            list_of_user::<PermissionDefinition>,
        )
        .get(
            "/vhosts/{vhost}/permissions",
            Operation::list("What users may do in a virtual host"),
            list_in_host::<PermissionDefinition>,
        )
}

const FIELDS: &[Field] = &[("configure", Kind::Text), ("write", Kind::Text), ("read", Kind::Text)];

async fn show(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, user)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    let permission = api.broker.permission(&host, &user).ok_or(Refusal::NotFound)?;
    Ok(answer::json(&export::permission(&permission)))
}

async fn set(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, user)): Names<(String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    let fields = Fields::read(body, &api, &caller, Caller::check_administrator).await?;
    check_both(&api, &host, &user)?;
    fields.check_has(&["configure", "write", "read"])?;
    let mut fields = fields.0;
    let was_there = api.broker.permission(&host, &user).is_some();
    let permission = PermissionDefinition {
        user: user.into(),
        host: host.into(),
        configure: patterns::take(&mut fields, "configure")?,
        write: patterns::take(&mut fields, "write")?,
        read: patterns::take(&mut fields, "read")?,
    };
    api.stored(api.by(&caller).set_permission(&permission)).await?;
    Ok(answer::set(was_there))
}

async fn clear(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, user)): Names<(String, String)>,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    api.broker.permission(&host, &user).ok_or(Refusal::NotFound)?;
    api.stored(Ok(api.by(&caller).clear_permission(&host, &user))).await?;
    Ok(answer::done())
}

/// Somebody is permitted something only where both are there.
pub(super) fn check_both(api: &Api, host: &str, user: &str) -> Result<(), Refusal> {
    let are_there = api.check_host(host).is_ok() && users::find(api, user).is_ok();
    if are_there { Ok(()) } else { Err(Refusal::bad("vhost_or_user_not_found")) }
}
