//! All definitions that concern the whole node, and what a deletion takes along. It knows no live
//! virtual host and checks no password.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    GlobalParameterDefinition, HostDefinition, HostKey, NodeChange, ParameterDefinition,
    PermissionDefinition, PolicyDefinition, PolicyKind, TopicPermissionDefinition, UserDefinition,
};
use crate::message::{Name, VirtualHostNumber};

/// Virtual hosts, users, permissions, policies and parameters, each by what makes it one.
#[derive(Debug, Default)]
pub struct NodeDefinitions {
    hosts: BTreeMap<Name, Arc<HostDefinition>>,
    users: BTreeMap<Name, Arc<UserDefinition>>,
    permissions: BTreeMap<(VirtualHostNumber, Name), Arc<PermissionDefinition>>,
    topic_permissions: BTreeMap<(VirtualHostNumber, Name, Name), Arc<TopicPermissionDefinition>>,
    policies: BTreeMap<(VirtualHostNumber, PolicyKind, Name), Arc<PolicyDefinition>>,
    parameters: BTreeMap<(VirtualHostNumber, Name, Name), Arc<ParameterDefinition>>,
    global_parameters: BTreeMap<Name, Arc<GlobalParameterDefinition>>,
}

impl NodeDefinitions {
    /// The virtual host of this name.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&Arc<HostDefinition>> {
        self.hosts.get(name)
    }

    /// All virtual hosts, by name.
    pub fn hosts(&self) -> impl Iterator<Item = &Arc<HostDefinition>> {
        self.hosts.values()
    }

    /// The user of this name.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<&Arc<UserDefinition>> {
        self.users.get(name)
    }

    /// All users, by name.
    pub fn users(&self) -> impl Iterator<Item = &Arc<UserDefinition>> {
        self.users.values()
    }

    /// What a user may do in a virtual host.
    #[must_use]
    pub fn permission(&self, host: &str, user: &str) -> Option<&Arc<PermissionDefinition>> {
        self.permissions.get(&(self.number(host)?, user.into()))
    }

    /// All permissions, by virtual host and user.
    pub fn permissions(&self) -> impl Iterator<Item = &Arc<PermissionDefinition>> {
        self.permissions.values()
    }

    /// All topic permissions, by virtual host, user and exchange.
    pub fn topic_permissions(&self) -> impl Iterator<Item = &Arc<TopicPermissionDefinition>> {
        self.topic_permissions.values()
    }

    /// What restricts the routing keys of a user in a virtual host, by exchange.
    pub fn topic_permissions_of(
        &self,
        host: &str,
        user: &str,
    ) -> impl Iterator<Item = &Arc<TopicPermissionDefinition>> {
        let user = Name::from(user);
        let first = self.number(host).map(|number| (number, user.clone(), Name::from("")));
        let from = first.into_iter().flat_map(|first| self.topic_permissions.range(first..));
        let number = self.number(host);
        from.take_while(move |((at, of, _), _)| Some(*at) == number && *of == user)
            .map(|(_, permission)| permission)
    }

    /// The policy of this name in a virtual host.
    #[must_use]
    pub fn policy(
        &self,
        kind: PolicyKind,
        host: &str,
        name: &str,
    ) -> Option<&Arc<PolicyDefinition>> {
        self.policies.get(&(self.number(host)?, kind, name.into()))
    }

    /// All policies, by virtual host, kind and name.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<PolicyDefinition>> {
        self.policies.values()
    }

    /// A parameter of a component in a virtual host.
    #[must_use]
    pub fn parameter(
        &self,
        host: &str,
        component: &str,
        name: &str,
    ) -> Option<&Arc<ParameterDefinition>> {
        self.parameters.get(&(self.number(host)?, component.into(), name.into()))
    }

    /// All parameters, by virtual host, component and name.
    pub fn parameters(&self) -> impl Iterator<Item = &Arc<ParameterDefinition>> {
        self.parameters.values()
    }

    /// The node's parameter of this name.
    #[must_use]
    pub fn global_parameter(&self, name: &str) -> Option<&Arc<GlobalParameterDefinition>> {
        self.global_parameters.get(name)
    }

    /// The node's parameters, by name.
    pub fn global_parameters(&self) -> impl Iterator<Item = &Arc<GlobalParameterDefinition>> {
        self.global_parameters.values()
    }

    /// Whether the change says what is already so.
    #[must_use]
    pub fn holds(&self, change: &NodeChange) -> bool {
        match change {
            NodeChange::HostDeclared(new) => is_same(self.hosts.get(&new.key.name), new),
            NodeChange::UserDeclared(new) => is_same(self.users.get(&new.name), new),
            NodeChange::PermissionSet(new) => is_same(self.permissions.get(&key(new)), new),
            NodeChange::TopicPermissionSet(new) => {
                is_same(self.topic_permissions.get(&topic_key(new)), new)
            }
            NodeChange::PolicySet(new) => is_same(self.policies.get(&policy_key(new)), new),
            NodeChange::ParameterSet(new) => is_same(self.parameters.get(&parameter_key(new)), new),
            NodeChange::GlobalParameterSet(new) => {
                is_same(self.global_parameters.get(&new.name), new)
            }
            NodeChange::HostDeleted(old) => !self.hosts.contains_key(&old.key.name),
            NodeChange::UserDeleted(old) => !self.users.contains_key(&old.name),
            NodeChange::PermissionCleared(old) => !self.permissions.contains_key(&key(old)),
            NodeChange::TopicPermissionCleared(old) => {
                !self.topic_permissions.contains_key(&topic_key(old))
            }
            NodeChange::PolicyCleared(old) => !self.policies.contains_key(&policy_key(old)),
            NodeChange::ParameterCleared(old) => !self.parameters.contains_key(&parameter_key(old)),
            NodeChange::GlobalParameterCleared(old) => {
                !self.global_parameters.contains_key(&old.name)
            }
        }
    }

    /// Makes one change true.
    pub fn apply(&mut self, change: &NodeChange) {
        match change {
            NodeChange::HostDeclared(host) => {
                self.hosts.insert(host.key.name.clone(), host.clone());
            }
            NodeChange::HostDeleted(host) => {
                self.hosts.remove(&host.key.name);
            }
            NodeChange::UserDeclared(user) => {
                self.users.insert(user.name.clone(), user.clone());
            }
            NodeChange::UserDeleted(user) => {
                self.users.remove(&user.name);
            }
            NodeChange::PermissionSet(permission) => {
                self.permissions.insert(key(permission), permission.clone());
            }
            NodeChange::PermissionCleared(permission) => {
                self.permissions.remove(&key(permission));
            }
            NodeChange::TopicPermissionSet(permission) => {
                self.topic_permissions.insert(topic_key(permission), permission.clone());
            }
            NodeChange::TopicPermissionCleared(permission) => {
                self.topic_permissions.remove(&topic_key(permission));
            }
            NodeChange::PolicySet(policy) => {
                self.policies.insert(policy_key(policy), policy.clone());
            }
            NodeChange::PolicyCleared(policy) => {
                self.policies.remove(&policy_key(policy));
            }
            NodeChange::ParameterSet(parameter) => {
                self.parameters.insert(parameter_key(parameter), parameter.clone());
            }
            NodeChange::ParameterCleared(parameter) => {
                self.parameters.remove(&parameter_key(parameter));
            }
            NodeChange::GlobalParameterSet(parameter) => {
                self.global_parameters.insert(parameter.name.clone(), parameter.clone());
            }
            NodeChange::GlobalParameterCleared(parameter) => {
                self.global_parameters.remove(&parameter.name);
            }
        }
    }

    /// What follows when a user goes: what it was permitted, then the user.
    #[must_use]
    pub fn plan_delete_user(&self, user: &Arc<UserDefinition>) -> Vec<NodeChange> {
        let mut changes = self.clearing_permissions(|name, _| *name == user.name);
        changes.push(NodeChange::UserDeleted(user.clone()));
        changes
    }

    /// What follows when a virtual host goes: what is said of it, then the virtual host. What was
    /// declared in it goes with its number.
    #[must_use]
    pub fn plan_delete_host(&self, host: &Arc<HostDefinition>) -> Vec<NodeChange> {
        let is_of = |key: &HostKey| key.number == host.key.number;
        let mut changes = self.clearing_permissions(|_, key| is_of(key));
        let policies = self.policies().filter(|policy| is_of(&policy.host));
        changes.extend(policies.cloned().map(NodeChange::PolicyCleared));
        let parameters = self.parameters().filter(|parameter| is_of(&parameter.host));
        changes.extend(parameters.cloned().map(NodeChange::ParameterCleared));
        changes.push(NodeChange::HostDeleted(host.clone()));
        changes
    }

    fn number(&self, host: &str) -> Option<VirtualHostNumber> {
        Some(self.hosts.get(host)?.key.number)
    }

    fn clearing_permissions(&self, is_meant: impl Fn(&Name, &HostKey) -> bool) -> Vec<NodeChange> {
        let permissions = self.permissions().filter(|each| is_meant(&each.user, &each.host));
        let topic = self.topic_permissions().filter(|each| is_meant(&each.user, &each.host));
        permissions
            .cloned()
            .map(NodeChange::PermissionCleared)
            .chain(topic.cloned().map(NodeChange::TopicPermissionCleared))
            .collect()
    }
}

fn is_same<T: PartialEq>(known: Option<&Arc<T>>, new: &Arc<T>) -> bool {
    known == Some(new)
}

fn key(permission: &PermissionDefinition) -> (VirtualHostNumber, Name) {
    (permission.host.number, permission.user.clone())
}

fn topic_key(permission: &TopicPermissionDefinition) -> (VirtualHostNumber, Name, Name) {
    (permission.host.number, permission.user.clone(), permission.exchange.clone())
}

fn policy_key(policy: &PolicyDefinition) -> (VirtualHostNumber, PolicyKind, Name) {
    (policy.host.number, policy.kind, policy.name.clone())
}

fn parameter_key(parameter: &ParameterDefinition) -> (VirtualHostNumber, Name, Name) {
    (parameter.host.number, parameter.component.clone(), parameter.name.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::super::{HashingAlgorithm, HostSettings, PasswordHash, PolicyTarget};
    use super::*;

    fn host(number: u64, name: &str) -> Arc<HostDefinition> {
        let key = HostKey { number: VirtualHostNumber(number), name: name.into() };
        let (settings, declared_by) = (HostSettings::default(), "ann".into());
        Arc::new(HostDefinition { key, settings, declared_by })
    }

    fn user(name: &str) -> Arc<UserDefinition> {
        let password = PasswordHash { algorithm: HashingAlgorithm::Sha256, bytes: vec![] };
        Arc::new(UserDefinition {
            name: name.into(),
            password,
            tags: vec![],
            limits: BTreeMap::new(),
        })
    }

    fn permission(user: &str, host: &HostDefinition, read: &str) -> NodeChange {
        NodeChange::PermissionSet(Arc::new(PermissionDefinition {
            user: user.into(),
            host: host.key.clone(),
            configure: String::new(),
            write: String::new(),
            read: read.into(),
        }))
    }

    fn topic_permission(user: &str, host: &HostDefinition) -> NodeChange {
        NodeChange::TopicPermissionSet(Arc::new(TopicPermissionDefinition {
            user: user.into(),
            host: host.key.clone(),
            exchange: "amq.topic".into(),
            write: String::new(),
            read: String::new(),
        }))
    }

    fn policy(host: &HostDefinition, kind: PolicyKind) -> NodeChange {
        NodeChange::PolicySet(Arc::new(PolicyDefinition {
            kind,
            host: host.key.clone(),
            name: "p".into(),
            pattern: ".*".into(),
            applies_to: PolicyTarget::All,
            priority: 0,
            settings: Map::new(),
        }))
    }

    fn parameter(host: &HostDefinition) -> NodeChange {
        NodeChange::ParameterSet(Arc::new(ParameterDefinition {
            host: host.key.clone(),
            component: "shovel".into(),
            name: "s".into(),
            value: serde_json::json!({"src-uri": "amqp://"}),
        }))
    }

    fn two_hosts() -> (NodeDefinitions, Arc<HostDefinition>, Arc<HostDefinition>) {
        let (one, two) = (host(1, "one"), host(2, "two"));
        let mut definitions = NodeDefinitions::default();
        for host in [&one, &two] {
            definitions.apply(&NodeChange::HostDeclared(host.clone()));
            definitions.apply(&permission("ann", host, ".*"));
            definitions.apply(&permission("bob", host, ".*"));
            definitions.apply(&topic_permission("ann", host));
            definitions.apply(&policy(host, PolicyKind::User));
            definitions.apply(&policy(host, PolicyKind::Operator));
            definitions.apply(&parameter(host));
        }
        definitions.apply(&NodeChange::UserDeclared(user("ann")));
        definitions.apply(&NodeChange::UserDeclared(user("bob")));
        (definitions, one, two)
    }

    #[test]
    fn a_deleted_virtual_host_takes_all_that_is_said_of_it_and_nothing_else() {
        let (mut definitions, one, two) = two_hosts();
        let plan = definitions.plan_delete_host(&one);
        assert_eq!(plan.last(), Some(&NodeChange::HostDeleted(one)));
        assert_eq!(plan.len(), 7);
        plan.iter().for_each(|change| definitions.apply(change));
        assert!(definitions.host("one").is_none());
        assert!(definitions.permissions().all(|permission| permission.host == two.key));
        assert_eq!(definitions.permissions().count(), 2);
        assert_eq!(definitions.topic_permissions().count(), 1);
        assert_eq!(definitions.policies().count(), 2);
        assert_eq!(definitions.parameters().count(), 1);
    }

    #[test]
    fn a_deleted_user_takes_what_it_was_permitted() {
        let (mut definitions, ..) = two_hosts();
        let plan = definitions.plan_delete_user(&user("ann"));
        assert_eq!(plan.last(), Some(&NodeChange::UserDeleted(user("ann"))));
        plan.iter().for_each(|change| definitions.apply(change));
        assert!(definitions.user("ann").is_none() && definitions.user("bob").is_some());
        assert!(definitions.permissions().all(|permission| &*permission.user == "bob"));
        assert_eq!(definitions.topic_permissions().count(), 0);
    }

    #[test]
    fn each_is_found_by_what_makes_it_one() {
        let (mut definitions, one, _) = two_hosts();
        assert_eq!(definitions.permission("one", "ann").unwrap().host, one.key);
        assert!(definitions.permission("one", "eve").is_none());
        assert_eq!(definitions.topic_permissions_of("one", "ann").count(), 1);
        assert_eq!(definitions.topic_permissions_of("one", "bob").count(), 0);
        assert_eq!(definitions.topic_permissions_of("three", "ann").count(), 0);
        let policy = definitions.policy(PolicyKind::Operator, "one", "p").unwrap();
        assert_eq!((policy.kind, &policy.host), (PolicyKind::Operator, &one.key));
        assert!(definitions.policy(PolicyKind::User, "one", "q").is_none());
        assert!(definitions.parameter("one", "shovel", "s").is_some());
        assert!(definitions.parameter("one", "s", "shovel").is_none());
        // A name that is declared again is another virtual host.
        definitions.apply(&NodeChange::HostDeclared(host(3, "one")));
        assert!(definitions.permission("one", "ann").is_none());
    }

    #[test]
    fn what_is_set_again_with_the_same_words_holds_already() {
        let (mut definitions, one, _) = two_hosts();
        assert!(definitions.holds(&permission("ann", &one, ".*")));
        assert!(!definitions.holds(&permission("ann", &one, "^a")));
        assert!(!definitions.holds(&permission("ann", &host(3, "one"), ".*")));
        assert!(definitions.holds(&NodeChange::HostDeclared(one.clone())));
        assert!(!definitions.holds(&NodeChange::HostDeleted(one.clone())));
        definitions.apply(&NodeChange::HostDeleted(one.clone()));
        assert!(definitions.holds(&NodeChange::HostDeleted(one)));
    }
}
