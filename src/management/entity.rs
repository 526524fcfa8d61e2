//! What is declared and deleted by its name in a virtual host: queues and exchanges. Both go the
//! same way, with the permissions of who asks; what is said of one, its own resource knows.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;

use super::answer;
use super::api::{Api, Shared};
use super::body::Fields;
use super::caller::Caller;
use super::names::Names;
use super::query::Query;
use super::refusal::Refusal;
use crate::connection::Command;
use crate::message::{Name, cleaned};

/// A kind of things that have names in a virtual host.
pub(super) trait Entity {
    /// The name as AMQP has it, of one in a path.
    fn name(path: &str) -> &str {
        path
    }

    fn is_there(api: &Api, host: &str, name: &str) -> bool;

    /// The command that declares one as the fields say.
    fn declaration(api: &Api, name: &str, fields: &Fields) -> Result<Command, Refusal>;

    /// The command that deletes one.
    fn deletion(name: Name, query: &Query) -> Command;
}

pub(super) async fn declare<E: Entity>(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, name)): Names<(String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    let check = |caller: &Caller| api.check_may_enter(caller, &host);
    let fields = Fields::read(body, &api, &caller, check).await?;
    let name = E::name(&name);
    let command = E::declaration(&api, name, &fields)?;
    let was_there = E::is_there(&api, &host, &cleaned(name));
    api.carry_out(&caller, &host, command).await?;
    Ok(answer::set(was_there))
}

pub(super) async fn delete<E: Entity>(
    State(api): State<Shared>,
    caller: Caller,
    Names((host, name)): Names<(String, String)>,
    query: Query,
) -> Result<Response, Refusal> {
    api.check_looks_in(&caller, &host)?;
    let name = E::name(&name);
    if !E::is_there(&api, &host, name) {
        return Err(Refusal::NotFound);
    }
    api.carry_out(&caller, &host, E::deletion(name.into(), &query)).await?;
    Ok(answer::done())
}
