//! What an operator asks of a running broker: to list what is declared for the node, to set and
//! clear limits, and to know when that is on disk. How it is asked, a door knows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use serde_json::{Map, Value};

use super::author::Author;
use super::declaration::{DeclarationRefused, DeclarationResult};
use super::lock::read;
use super::options::Product;
use super::shared::Broker;
use crate::auth::User;
use crate::definitions::{
    HOST_LIMITS, HostDefinition, LIMITS, NodeChange, NodeDefinitions, ParameterDefinition,
    PolicyDefinition, PolicyKind, QueueDefinition, USER_LIMITS, UserDefinition,
    VIRTUAL_HOST_LIMITS, check_limits,
};
use crate::message::{Name, QueueKind};
use crate::store::{Health, Position};

impl Broker {
    /// The user of this name, with what it may do now.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<Arc<User>> {
        read(&self.users).user(name).cloned()
    }

    /// All virtual hosts, by name.
    #[must_use]
    pub fn host_definitions(&self) -> Vec<Arc<HostDefinition>> {
        self.node_definitions().hosts().cloned().collect()
    }

    /// The virtual host of this name.
    #[must_use]
    pub fn host_definition(&self, name: &str) -> Option<Arc<HostDefinition>> {
        self.node_definitions().host(name).cloned()
    }

    /// All users, by name.
    #[must_use]
    pub fn user_definitions(&self) -> Vec<Arc<UserDefinition>> {
        self.node_definitions().users().cloned().collect()
    }

    /// The type of queues that name none, where their virtual host names none either.
    #[must_use]
    pub fn default_queue_kind(&self) -> QueueKind {
        self.options.default_queue_kind
    }

    /// Who it says it is.
    #[must_use]
    pub fn product(&self) -> &Product {
        &self.options.product
    }

    /// What happens is told by the exchange of events.
    #[must_use]
    pub fn tells_events(&self) -> bool {
        self.options.event_exchange.is_some()
    }

    /// There are queues that are neither durable nor exclusive.
    #[must_use]
    pub fn has_transient_queues(&self) -> bool {
        let hosts: Vec<_> = read(&self.virtual_hosts).values().cloned().collect();
        let is_transient = |queue: &Arc<QueueDefinition>| !queue.durable && !queue.is_exclusive();
        hosts.iter().any(|host| host.definitions().queues().any(is_transient))
    }

    /// The policies of this kind, of one virtual host or of all.
    #[must_use]
    pub fn policies(&self, kind: PolicyKind, host: Option<&str>) -> Vec<Arc<PolicyDefinition>> {
        let definitions = self.node_definitions();
        let is_meant = |policy: &&Arc<PolicyDefinition>| {
            policy.kind == kind && host.is_none_or(|host| *policy.host.name == *host)
        };
        definitions.policies().filter(is_meant).cloned().collect()
    }

    /// The policy of this name in a virtual host.
    #[must_use]
    pub fn policy(
        &self,
        kind: PolicyKind,
        host: &str,
        name: &str,
    ) -> Option<Arc<PolicyDefinition>> {
        self.node_definitions().policy(kind, host, name).cloned()
    }

    /// The limits of virtual hosts that have any, as they were set.
    #[must_use]
    pub fn host_limits(&self) -> Vec<Arc<ParameterDefinition>> {
        let definitions = self.node_definitions();
        definitions.parameters().filter(|parameter| parameter.is_host_limits()).cloned().collect()
    }
}

impl Author<'_> {
    /// Sets a limit of a virtual host, which holds for what comes from now on.
    ///
    /// # Errors
    /// There is no such virtual host or limit, or the value is none.
    pub fn set_host_limit(&self, host: &str, limit: &str, value: Value) -> DeclarationResult {
        let mut definitions = self.node_definitions();
        let mut limits = known_limits(&definitions, host)?;
        let wished = Map::from_iter([(limit.to_owned(), value)]);
        check_limits(&wished, &HOST_LIMITS, "limits").map_err(DeclarationRefused::Invalid)?;
        limits.extend(wished);
        let change = limits_change(&definitions, host, limits)?;
        let declared = self.declare_node(&mut definitions, &change);
        drop(definitions);
        self.wake_publishers();
        Ok(declared)
    }

    /// Takes a limit of a virtual host away.
    ///
    /// # Errors
    /// There is no such virtual host.
    pub fn clear_host_limit(&self, host: &str, limit: &str) -> DeclarationResult {
        let mut definitions = self.node_definitions();
        let mut limits = known_limits(&definitions, host)?;
        limits.remove(limit);
        let change = limits_change(&definitions, host, limits)?;
        let declared = self.declare_node(&mut definitions, &change);
        drop(definitions);
        self.wake_publishers();
        Ok(declared)
    }

    /// Sets a limit of a user, which holds for what comes from now on.
    ///
    /// # Errors
    /// There is no such user or limit, or the value is none.
    pub fn set_user_limit(&self, user: &str, limit: &str, value: Value) -> DeclarationResult {
        let wished = Map::from_iter([(limit.to_owned(), value)]);
        let wished = check_limits(&wished, &USER_LIMITS, "user-limits");
        self.change_user_limits(user, |limits| {
            limits.extend(wished.map_err(DeclarationRefused::Invalid)?);
            Ok(())
        })
    }

    /// Takes a limit of a user away.
    ///
    /// # Errors
    /// There is no such user.
    pub fn clear_user_limit(&self, user: &str, limit: &str) -> DeclarationResult {
        self.change_user_limits(user, |limits| {
            limits.remove(limit);
            Ok(())
        })
    }

    fn change_user_limits(
        &self,
        name: &str,
        change: impl FnOnce(&mut BTreeMap<Name, i64>) -> Result<(), DeclarationRefused>,
    ) -> DeclarationResult {
        let mut definitions = self.node_definitions();
        let known = definitions.user(name);
        let known = known.ok_or_else(|| DeclarationRefused::NoUser(name.into()))?;
        let mut user = UserDefinition::clone(known);
        change(&mut user.limits)?;
        let change = NodeChange::UserDeclared(Arc::new(user));
        let declared = self.declare_node(&mut definitions, &change);
        drop(definitions);
        self.wake_publishers();
        Ok(declared)
    }
}

impl Broker {
    /// What was declared for the node until now is on disk when the log is there up to this.
    #[must_use]
    pub fn changed_at(&self) -> Position {
        self.changed_at.load(Ordering::Acquire)
    }

    /// A change at this position stands in the log.
    pub(super) fn note_change(&self, position: Position) {
        self.changed_at.fetch_max(position, Ordering::AcqRel);
    }

    /// Whether the log is on disk up to there; if not yet, the waker is told.
    ///
    /// # Errors
    /// It never will be: why.
    pub fn is_stored(&self, position: Position, waker: &Waker) -> Result<bool, Arc<str>> {
        let Some(durability) = &self.durability else { return Ok(true) };
        if !durability.log.wait(position, waker) {
            return Ok(false);
        }
        match durability.log.health() {
            Health::Poisoned(why) if !durability.is_durable(position) => Err(why),
            _ => Ok(true),
        }
    }
}

/// The limits that a virtual host has.
fn known_limits(
    definitions: &NodeDefinitions,
    host: &str,
) -> Result<Map<String, Value>, DeclarationRefused> {
    definitions.host(host).ok_or_else(|| DeclarationRefused::NoVirtualHost(host.into()))?;
    let limits = definitions.parameter(host, VIRTUAL_HOST_LIMITS, LIMITS);
    Ok(limits.and_then(|limits| limits.value.as_object()).cloned().unwrap_or_default())
}

/// What makes these the limits of a virtual host: none are not kept.
fn limits_change(
    definitions: &NodeDefinitions,
    host: &str,
    limits: Map<String, Value>,
) -> Result<NodeChange, DeclarationRefused> {
    let known = definitions.host(host);
    let key = known.ok_or_else(|| DeclarationRefused::NoVirtualHost(host.into()))?.key.clone();
    let has_none = limits.is_empty();
    let parameter = Arc::new(ParameterDefinition {
        host: key,
        component: VIRTUAL_HOST_LIMITS.into(),
        name: LIMITS.into(),
        value: Value::Object(limits),
    });
    Ok(match has_none {
        true => NodeChange::ParameterCleared(parameter),
        false => NodeChange::ParameterSet(parameter),
    })
}
