//! Whether this client may do what it asks for, in RabbitMQ's words. Which permission an operation
//! needs is written where the operation is.

use std::sync::atomic::Ordering;

use super::route_cache::RouteCache;
use super::session::{Place, Session};
use crate::auth::Access;
use crate::message::Resource;
use crate::protocol::reply::{AmqpError, ChannelError, ConnectionError};
use crate::routing::Exchange;

impl Session {
    /// Where the client is. The connection asks for nothing before it is somewhere.
    pub(super) fn place(&self) -> Result<Place, AmqpError> {
        self.place
            .clone()
            .ok_or_else(|| ConnectionError::not_allowed("no virtual host is open").into())
    }

    /// What the user may do in its virtual host is what it is by now, whatever it was when it came
    /// in. Routes were found under what it might do then.
    pub(super) fn heed_permissions(&mut self) {
        let permitted = self.broker.permitted.load(Ordering::Acquire);
        if permitted == self.permitted || self.user.is_none() {
            return;
        }
        self.permitted = permitted;
        let Some(place) = &self.place else { return };
        let permissions = self.permissions_now(&place.host.name).unwrap_or_default();
        let topics = self.topics_now(&place.host.name);
        if let Some(place) = &mut self.place {
            (place.permissions, place.topics) = (permissions, topics);
        }
        self.channels.values_mut().for_each(|channel| channel.routes = RouteCache::default());
    }

    /// The name of the user, for texts.
    pub(super) fn user_name(&self) -> &str {
        self.user.as_ref().map_or("", |user| &user.name)
    }

    /// Refuses what the permissions do not allow.
    pub(super) fn check(
        &self,
        place: &Place,
        access: Access,
        resource: Resource<'_>,
    ) -> Result<(), AmqpError> {
        let named = named(resource);
        if place.permissions.allow(access, named.name) {
            return Ok(());
        }
        Err(ChannelError::access_refused(format!(
            "{} access to {named} refused for user '{}'",
            access.name(),
            self.user_name()
        ))
        .into())
    }

    /// Refuses a routing key that the user may not use with an exchange. Only with topic exchanges
    /// keys are restricted.
    pub(super) fn check_topic(
        &self,
        place: &Place,
        access: Access,
        exchange: &Exchange,
        routing_key: &str,
    ) -> Result<(), ChannelError> {
        let Some(topics) = &place.topics else { return Ok(()) };
        let name = exchange.name();
        if !exchange.is_topic() || topics.allow(access, name, routing_key) {
            return Ok(());
        }
        Err(ChannelError::access_refused(format!(
            "{} access to topic '{routing_key}' in {} refused for user '{}'",
            access.name(),
            Resource::exchange(name, &place.host.name),
            self.user_name()
        )))
    }

    /// Any one of the three permissions is enough to look.
    pub(super) fn check_any(&self, place: &Place, resource: Resource<'_>) -> Result<(), AmqpError> {
        let name = named(resource).name;
        let others = [Access::Write, Access::Read];
        if others.into_iter().any(|access| place.permissions.allow(access, name)) {
            return Ok(());
        }
        self.check(place, Access::Configure, resource)
    }
}

/// The default exchange is checked, and printed, under a name of its own.
fn named(resource: Resource<'_>) -> Resource<'_> {
    match (resource.kind, resource.name) {
        (crate::message::ResourceKind::Exchange, "") => {
            Resource { name: "amq.default", ..resource }
        }
        _ => resource,
    }
}
