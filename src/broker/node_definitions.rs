//! What is declared for the whole node: virtual hosts, users, permissions, policies, parameters.
//! All of it changes by [`Broker::apply_to_node`], under one lock; the log, and what sessions look
//! at (the live virtual hosts, the users), follow there.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use tracing::error;

use super::author::Author;
use super::declaration::{DeclarationRefused, DeclarationResult, Declared};
use super::events::Announcement;
use super::lock::{lock_or_fail, write};
use super::shared::Broker;
use super::virtual_host::VirtualHost;
use crate::auth::{Permissions, TopicPatterns};
use crate::definitions::{
    GlobalParameterDefinition, HostDefinition, HostKey, HostLimits, HostSettings, NodeChange,
    NodeDefinitions, ParameterDefinition, PasswordHash, PermissionDefinition, PublishLimits,
    TopicPermissionDefinition, UserDefinition, UserLimits,
    record::{self, Record},
};
use crate::message::{Moment, Name, VirtualHostNumber};

/// The definitions of the node, locked. What is noted of changes meanwhile is announced when the
/// lock is free: the fields are dropped in this order.
#[derive(Debug)]
pub(super) struct LockedDefinitions<'a> {
    definitions: MutexGuard<'a, NodeDefinitions>,
    /// In whose name they are changed; none is nobody but the node.
    user: Option<&'a str>,
    _announcement: Announcement<'a>,
}

impl<'a> LockedDefinitions<'a> {
    /// They are changed in this name.
    pub(super) fn by(self, user: Option<&'a str>) -> Self {
        Self { user, ..self }
    }
}

impl Deref for LockedDefinitions<'_> {
    type Target = NodeDefinitions;

    fn deref(&self) -> &NodeDefinitions {
        &self.definitions
    }
}

impl DerefMut for LockedDefinitions<'_> {
    fn deref_mut(&mut self) -> &mut NodeDefinitions {
        &mut self.definitions
    }
}

impl Broker {
    /// The definitions of the node, locked. What changes, the node changes.
    pub(super) fn node_definitions(&self) -> LockedDefinitions<'_> {
        let what = "the definitions of the node";
        LockedDefinitions {
            definitions: lock_or_fail(&self.node_definitions, what, &self.failure),
            user: None,
            _announcement: Announcement(&self.events),
        }
    }

    /// Makes a change true: in the definitions, among the live virtual hosts, for logins. Nothing
    /// else makes one true.
    pub(super) fn apply_to_node(
        &self,
        definitions: &mut LockedDefinitions<'_>,
        change: &NodeChange,
    ) {
        self.apply_plan_to_node(definitions, std::slice::from_ref(change));
    }

    /// Makes a plan true, in its order. The log has all of it or nothing: no batch ends inside.
    pub(super) fn apply_plan_to_node(
        &self,
        definitions: &mut LockedDefinitions<'_>,
        plan: &[NodeChange],
    ) {
        if let Some(durability) = &self.durability {
            let records: Vec<Record> = plan.iter().map(record::encode_node).collect();
            let mut appender = durability.log.append();
            for Record { key, value } in records {
                appender.changed(crate::store::Change { key, value });
            }
            self.note_change(appender.position());
        }
        for change in plan {
            self.events.note_node_change(change, definitions, definitions.user);
            self.restore_to_node(definitions, change);
        }
    }

    /// Makes a change true that the log has already.
    pub(super) fn restore_to_node(&self, definitions: &mut NodeDefinitions, change: &NodeChange) {
        definitions.apply(change);
        match change {
            NodeChange::HostDeclared(host) => self.show_host(host),
            NodeChange::HostDeleted(host) => {
                write(&self.virtual_hosts).remove(&host.key.name);
            }
            NodeChange::UserDeclared(user) => {
                let is_loopback_only =
                    self.options.loopback_users.iter().any(|name| **name == *user.name);
                write(&self.users).declare(user, is_loopback_only);
                self.show_user_rate(&user.name, UserLimits::of(&user.limits).publish);
            }
            NodeChange::UserDeleted(user) => {
                write(&self.users).remove(&user.name);
                self.permitted.fetch_add(1, Ordering::AcqRel);
                self.show_user_rate(&user.name, PublishLimits::default());
            }
            NodeChange::PermissionSet(permission) => self.show_permission(definitions, permission),
            NodeChange::PermissionCleared(permission) => {
                write(&self.users).permit(&permission.user, &permission.host.name, None);
                self.permitted.fetch_add(1, Ordering::AcqRel);
            }
            NodeChange::PolicySet(_) | NodeChange::PolicyCleared(_) => self.show_policy(change),
            NodeChange::ParameterSet(parameter) => {
                self.show_limits(parameter, HostLimits::of(&parameter.value));
            }
            NodeChange::ParameterCleared(parameter) => {
                self.show_limits(parameter, HostLimits::default());
            }
            NodeChange::GlobalParameterSet(parameter) => self.show_cluster_name(parameter, true),
            NodeChange::GlobalParameterCleared(parameter) => {
                self.show_cluster_name(parameter, false);
            }
            NodeChange::TopicPermissionSet(permission) => self.show_topic_permission(permission),
            NodeChange::TopicPermissionCleared(permission) => {
                let TopicPermissionDefinition { user, host, exchange, .. } = &**permission;
                write(&self.users).restrict(user, &host.name, exchange, None);
                self.permitted.fetch_add(1, Ordering::AcqRel);
            }
        }
    }

    fn show_host(&self, definition: &HostDefinition) {
        let HostKey { number, name } = &definition.key;
        let mut hosts = write(&self.virtual_hosts);
        let live = hosts.get(name).filter(|live| live.number == *number).cloned();
        let live = live.unwrap_or_else(|| {
            let (durability, failure) = (self.durability.clone(), self.failure.clone());
            let timers = self.timers.clone();
            let counts = (self.counts.clone(), self.churn.clone(), self.events.clone());
            Arc::new(VirtualHost::new(*number, name.clone(), durability, failure, timers, counts))
        });
        live.set_up(&definition.settings);
        hosts.insert(name.clone(), live);
    }

    /// Where the parameter is the limits of a virtual host, these hold from now on.
    fn show_limits(&self, parameter: &ParameterDefinition, limits: HostLimits) {
        let host = self.virtual_host(&parameter.host.name).filter(|_| parameter.is_host_limits());
        let host = host.filter(|host| host.number == parameter.host.number);
        if host.is_some_and(|host| host.set_limits(limits)) {
            self.has_new_rates.store(true, Ordering::Release);
        }
    }

    /// The patterns were checked when they were set, and the user is declared before.
    fn show_permission(&self, definitions: &NodeDefinitions, permission: &PermissionDefinition) {
        let PermissionDefinition { user, host, .. } = permission;
        if definitions.user(user).is_none() {
            return;
        }
        match patterns(permission) {
            Ok(patterns) => write(&self.users).permit(user, &host.name, Some(patterns)),
            Err(refused) => {
                let name = &host.name;
                error!(target: "node", "user '{user}' may not enter vhost '{name}': {refused}");
                write(&self.users).permit(user, &host.name, None);
            }
        }
        self.permitted.fetch_add(1, Ordering::AcqRel);
    }

    /// As above. Keys that nobody can tell any more are refused all.
    fn show_topic_permission(&self, permission: &TopicPermissionDefinition) {
        let TopicPermissionDefinition { user, host, exchange, .. } = permission;
        let patterns = topic_patterns(permission).unwrap_or_else(|refused| {
            let name = &host.name;
            error!(
                target: "node",
                "user '{user}' may use no key with exchange '{exchange}' in vhost '{name}': \
                 {refused}"
            );
            TopicPatterns::default()
        });
        write(&self.users).restrict(user, &host.name, exchange, Some(patterns));
        self.permitted.fetch_add(1, Ordering::AcqRel);
    }

    /// Makes a change true unless it is so already.
    pub(super) fn declare_node(
        &self,
        definitions: &mut LockedDefinitions<'_>,
        change: &NodeChange,
    ) -> Declared {
        if definitions.holds(change) {
            return Declared::Unchanged;
        }
        self.apply_to_node(definitions, change);
        Declared::Changed
    }

    /// Declares a virtual host with its system exchanges; one that is there has the settings then.
    /// Whoever has the broker in hand may do so whatever the limit on them is.
    pub fn declare_virtual_host(&self, name: &str, settings: HostSettings) -> Declared {
        let author = self.by_node();
        author.add_host(author.node_definitions(), name, settings)
    }

    /// Declares a user. Who is logged in keeps what it had.
    pub fn declare_user(&self, user: UserDefinition) -> Declared {
        let change = NodeChange::UserDeclared(Arc::new(user));
        let declared = self.declare_node(&mut self.node_definitions(), &change);
        self.wake_publishers();
        declared
    }

    /// What a node without any definitions begins with: the default virtual host and user.
    ///
    /// # Errors
    /// A default permission is no regular expression.
    pub fn declare_defaults(&self) -> Result<(), DeclarationRefused> {
        let options = &self.options;
        self.declare_virtual_host(&options.default_virtual_host, HostSettings::default());
        let name: Name = options.default_user.as_str().into();
        self.declare_user(UserDefinition {
            name: name.clone(),
            password: self.hash_password(&name, &options.default_password),
            tags: options.default_user_tags.iter().map(|tag| tag.as_str().into()).collect(),
            limits: std::collections::BTreeMap::new(),
        });
        let [configure, write, read] = options.default_permissions.clone();
        let host = options.default_virtual_host.as_str().into();
        let permission = PermissionDefinition { user: name, host, configure, write, read };
        self.by_node().set_permission(&permission)?;
        Ok(())
    }
}

impl Author<'_> {
    /// Declares a virtual host as [`Broker::declare_virtual_host`] does, as far as the limit on
    /// virtual hosts lets it.
    ///
    /// # Errors
    /// There are as many as there may be.
    pub fn create_virtual_host(&self, name: &str, settings: HostSettings) -> DeclarationResult {
        let definitions = self.node_definitions();
        self.check_host_room(&definitions, name)?;
        Ok(self.add_host(definitions, name, settings))
    }

    /// Protects a virtual host from being deleted by operators, or no longer.
    ///
    /// # Errors
    /// There is no such virtual host.
    pub fn protect_virtual_host(&self, name: &str, is_protected: bool) -> DeclarationResult {
        let mut definitions = self.node_definitions();
        let known = definitions.host(name);
        let known = known.ok_or_else(|| DeclarationRefused::NoVirtualHost(name.into()))?;
        let mut host = HostDefinition::clone(known);
        host.settings.protect(is_protected);
        let change = NodeChange::HostDeclared(Arc::new(host));
        Ok(self.declare_node(&mut definitions, &change))
    }

    fn add_host(
        &self,
        mut definitions: LockedDefinitions<'_>,
        name: &str,
        mut settings: HostSettings,
    ) -> Declared {
        let known = definitions.host(name);
        settings.is_traced = settings.is_traced.or_else(|| known?.settings.is_traced);
        let known = known.map(|host| (host.key.clone(), host.declared_by.clone()));
        let (declared, declared_by) = match known {
            Some((key, declared_by)) => {
                let host = HostDefinition { key, settings, declared_by: declared_by.clone() };
                let change = NodeChange::HostDeclared(Arc::new(host));
                (self.declare_node(&mut definitions, &change), declared_by)
            }
            None => {
                let number = VirtualHostNumber(self.next_id());
                let declared_by = Name::from(self.name());
                let key = HostKey { number, name: name.into() };
                let host = HostDefinition { key, settings, declared_by: declared_by.clone() };
                let hash = |password: Option<&str>| match password {
                    Some(password) => self.new_hash(password),
                    None => PasswordHash::none(),
                };
                let plan = self.options.host_defaults.plan(host, &definitions, hash);
                self.apply_plan_to_node(&mut definitions, &plan);
                (Declared::Changed, declared_by)
            }
        };
        if let Some(host) = self.virtual_host(name) {
            let mut work = self.work(Moment::default());
            for change in host.declare_system_exchanges(&declared_by, || self.next_exchange_id()) {
                self.events.note_change(&change, &host, &mut work);
            }
            drop(definitions);
            work.wake();
        }
        declared
    }

    /// Lets a user enter a virtual host.
    ///
    /// # Errors
    /// One of them is not there, or a pattern is no regular expression.
    pub fn set_permission(&self, permission: &PermissionDefinition<Name>) -> DeclarationResult {
        let mut definitions = self.node_definitions();
        let permission = permission.at(host_key(&definitions, &permission.host)?);
        check_user(&definitions, &permission.user)?;
        patterns(&permission)?;
        let change = NodeChange::PermissionSet(Arc::new(permission));
        Ok(self.declare_node(&mut definitions, &change))
    }

    /// Restricts a user's routing keys.
    ///
    /// # Errors
    /// As for [`set_permission`](Self::set_permission).
    pub fn set_topic_permission(
        &self,
        permission: &TopicPermissionDefinition<Name>,
    ) -> DeclarationResult {
        let mut definitions = self.node_definitions();
        let permission = permission.at(host_key(&definitions, &permission.host)?);
        check_user(&definitions, &permission.user)?;
        topic_patterns(&permission)?;
        let change = NodeChange::TopicPermissionSet(Arc::new(permission));
        Ok(self.declare_node(&mut definitions, &change))
    }

    /// Sets a parameter of a component.
    ///
    /// # Errors
    /// There is no such virtual host.
    pub fn set_parameter(&self, parameter: &ParameterDefinition<Name>) -> DeclarationResult {
        let mut definitions = self.node_definitions();
        let parameter = parameter.at(host_key(&definitions, &parameter.host)?);
        let change = NodeChange::ParameterSet(Arc::new(parameter));
        let declared = self.declare_node(&mut definitions, &change);
        drop(definitions);
        self.wake_publishers();
        Ok(declared)
    }

    /// Sets a parameter of the node.
    pub fn set_global_parameter(&self, parameter: GlobalParameterDefinition) -> Declared {
        let change = NodeChange::GlobalParameterSet(Arc::new(parameter));
        self.declare_node(&mut self.node_definitions(), &change)
    }
}

pub(super) fn host_key(
    definitions: &NodeDefinitions,
    name: &Name,
) -> Result<HostKey, DeclarationRefused> {
    let host = definitions.host(name).map(|host| host.key.clone());
    host.ok_or_else(|| DeclarationRefused::NoVirtualHost(name.clone()))
}

pub(super) fn check_user(
    definitions: &NodeDefinitions,
    name: &Name,
) -> Result<(), DeclarationRefused> {
    let user = definitions.user(name);
    user.map(|_| ()).ok_or_else(|| DeclarationRefused::NoUser(name.clone()))
}

fn patterns(permission: &PermissionDefinition) -> Result<Permissions, DeclarationRefused> {
    Permissions::new(&permission.configure, &permission.write, &permission.read)
        .map_err(|error| DeclarationRefused::BadPattern(error.to_string()))
}

fn topic_patterns(
    permission: &TopicPermissionDefinition,
) -> Result<TopicPatterns, DeclarationRefused> {
    TopicPatterns::new(permission)
        .map_err(|error| DeclarationRefused::BadPattern(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::lock::read;
    use super::super::options::BrokerOptions;
    use super::*;

    fn permitted(broker: &Broker) -> bool {
        let users = read(&broker.users);
        users.user("guest").is_some_and(|user| user.permissions.contains_key("/"))
    }

    fn apply(broker: &Broker, plan: &[NodeChange]) {
        let mut definitions = broker.node_definitions();
        plan.iter().for_each(|change| broker.apply_to_node(&mut definitions, change));
    }

    #[test]
    fn the_defaults_are_a_virtual_host_and_a_user_who_may_do_everything() {
        let broker = Broker::new(BrokerOptions::default(), [1, 2]).unwrap();
        assert!(permitted(&broker));
        assert!(broker.virtual_host("/").unwrap().definitions().exchange("amq.direct").is_some());
        let bad = BrokerOptions {
            default_permissions: ["(".into(), String::new(), String::new()],
            ..BrokerOptions::default()
        };
        let refused = Broker::new(bad, [1, 2]).unwrap_err();
        assert!(matches!(refused, DeclarationRefused::BadPattern(_)), "{refused}");
    }

    #[test]
    fn a_deleted_virtual_host_is_gone_for_sessions_and_its_name_is_another_then() {
        let broker = Broker::new(BrokerOptions::default(), [1, 2]).unwrap();
        let before = broker.virtual_host("/").unwrap();
        let host = broker.node_definitions().host("/").unwrap().clone();
        let plan = broker.node_definitions().plan_delete_host(&host);
        apply(&broker, &plan);
        assert!(broker.virtual_host("/").is_none() && !permitted(&broker));
        assert_eq!(broker.declare_virtual_host("/", HostSettings::default()), Declared::Changed);
        let after = broker.virtual_host("/").unwrap();
        assert_ne!(before.number, after.number);
        assert!(!permitted(&broker));
    }

    #[test]
    fn a_deleted_user_is_gone_for_logins() {
        let broker = Broker::new(BrokerOptions::default(), [1, 2]).unwrap();
        let user = broker.node_definitions().user("guest").unwrap().clone();
        let plan = broker.node_definitions().plan_delete_user(&user);
        apply(&broker, &plan);
        assert!(read(&broker.users).user("guest").is_none());
        assert_eq!(broker.declare_user((*user).clone()), Declared::Changed);
        assert!(!permitted(&broker));
    }
}
