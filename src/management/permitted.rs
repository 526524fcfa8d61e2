//! Lists of what users are permitted: all of it, or that of one user or one virtual host. It is the
//! same for permissions and for topic permissions.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::api::Shared;
use super::caller::Caller;
use super::names::Names;
use super::query::Query;
use super::refusal::Refusal;
use super::{shaped, users};
use crate::broker::Broker;
use crate::definitions::{PermissionDefinition, TopicPermissionDefinition, export};

/// A user is permitted something in a virtual host.
pub(super) trait Permitted: Sized {
    fn all(broker: &Broker) -> Vec<Arc<Self>>;
    fn user(&self) -> &str;
    fn host(&self) -> &str;
    fn shape(&self) -> Value;
}

impl Permitted for PermissionDefinition {
    fn all(broker: &Broker) -> Vec<Arc<Self>> {
        broker.permissions()
    }

    fn user(&self) -> &str {
        &self.user
    }

    fn host(&self) -> &str {
        &self.host.name
    }

    fn shape(&self) -> Value {
        export::permission(self)
    }
}

impl Permitted for TopicPermissionDefinition {
    fn all(broker: &Broker) -> Vec<Arc<Self>> {
        broker.topic_permissions()
    }

    fn user(&self) -> &str {
        &self.user
    }

    fn host(&self) -> &str {
        &self.host.name
    }

    fn shape(&self) -> Value {
        export::topic_permission(self)
    }
}

pub(super) async fn list<P: Permitted>(
    State(api): State<Shared>,
    caller: Caller,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    shaped::list(shapes::<P>(&api.broker, |_| true), &query).await
}

pub(super) async fn list_of_user<P: Permitted>(
    State(api): State<Shared>,
    caller: Caller,
    Names(user): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    users::find(&api, &user)?;
    shaped::list(shapes::<P>(&api.broker, |each| each.user() == user), &query).await
}

pub(super) async fn list_in_host<P: Permitted>(
    State(api): State<Shared>,
    caller: Caller,
    Names(host): Names<String>,
    query: Query,
) -> Result<Response, Refusal> {
    caller.check_administrator()?;
    api.check_host(&host)?;
    shaped::list(shapes::<P>(&api.broker, |each| each.host() == host), &query).await
}

fn shapes<P: Permitted>(broker: &Broker, is_meant: impl Fn(&P) -> bool) -> Vec<Value> {
    let all = P::all(broker);
    all.iter().filter(|each| is_meant(each)).map(|each| each.shape()).collect()
}
