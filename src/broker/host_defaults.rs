//! What every new virtual host begins with, as the operator wrote it: limits, operator policies and
//! users, each for virtual hosts whose names match. A virtual host that was there before is left
//! alone, whatever is written now.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::definitions::{
    HostDefinition, HostKey, LIMITS, NodeChange, NodeDefinitions, ParameterDefinition,
    PasswordHash, Pattern, PermissionDefinition, PolicyDefinition, PolicyKind, PolicyTarget,
    UserDefinition, VIRTUAL_HOST_LIMITS,
};
use crate::message::Name;

/// What new virtual hosts begin with.
#[derive(Clone, Debug, Default)]
pub struct HostDefaults {
    /// Of these the first one counts that matches.
    pub limits: Vec<DefaultLimits>,
    /// All that match.
    pub policies: Vec<DefaultPolicy>,
    /// All that match.
    pub users: Vec<DefaultUser>,
}

/// Limits of new virtual hosts.
#[derive(Clone, Debug)]
pub struct DefaultLimits {
    /// Names of virtual hosts.
    pub hosts: Pattern,
    /// The limits by their names.
    pub limits: Map<String, Value>,
}

/// An operator policy of new virtual hosts.
#[derive(Clone, Debug)]
pub struct DefaultPolicy {
    /// Names of virtual hosts.
    pub hosts: Pattern,
    /// Its name.
    pub name: Name,
    /// Names of queues.
    pub pattern: String,
    /// Kinds of queues.
    pub applies_to: PolicyTarget,
    /// What it says.
    pub settings: Map<String, Value>,
}

/// A user who may enter new virtual hosts. Where it is not there, it is made.
#[derive(Clone, Debug)]
pub struct DefaultUser {
    /// Names of virtual hosts.
    pub hosts: Pattern,
    /// Its name.
    pub name: Name,
    /// Its password; without one it proves itself in another way, if at all.
    pub password: Option<String>,
    /// Its tags.
    pub tags: Vec<Name>,
    /// What it may configure, write and read.
    pub permissions: [String; 3],
}

impl HostDefaults {
    /// All that makes a virtual host a new one: itself, then what it begins with.
    pub(super) fn plan(
        &self,
        host: HostDefinition,
        definitions: &NodeDefinitions,
        hash: impl Fn(Option<&str>) -> PasswordHash,
    ) -> Vec<NodeChange> {
        let key = host.key.clone();
        let mut plan = vec![NodeChange::HostDeclared(Arc::new(host))];
        let limits = self.limits.iter().find(|limits| limits.hosts.matches(&key.name));
        plan.extend(limits.map(|limits| limits.change(&key)));
        let policies = self.policies.iter().filter(|policy| policy.hosts.matches(&key.name));
        plan.extend(policies.map(|policy| policy.change(&key)));
        for user in self.users.iter().filter(|user| user.hosts.matches(&key.name)) {
            if definitions.user(&user.name).is_none() {
                plan.push(user.declaration(hash(user.password.as_deref())));
            }
            plan.push(user.permission(&key));
        }
        plan
    }
}

impl DefaultLimits {
    fn change(&self, host: &HostKey) -> NodeChange {
        NodeChange::ParameterSet(Arc::new(ParameterDefinition {
            host: host.clone(),
            component: VIRTUAL_HOST_LIMITS.into(),
            name: LIMITS.into(),
            value: Value::Object(self.limits.clone()),
        }))
    }
}

impl DefaultPolicy {
    fn change(&self, host: &HostKey) -> NodeChange {
        NodeChange::PolicySet(Arc::new(PolicyDefinition {
            kind: PolicyKind::Operator,
            host: host.clone(),
            name: self.name.clone(),
            pattern: self.pattern.clone(),
            applies_to: self.applies_to,
            priority: 0,
            settings: self.settings.clone(),
        }))
    }
}

impl DefaultUser {
    fn declaration(&self, password: PasswordHash) -> NodeChange {
        NodeChange::UserDeclared(Arc::new(UserDefinition {
            name: self.name.clone(),
            password,
            tags: self.tags.clone(),
            limits: BTreeMap::new(),
        }))
    }

    fn permission(&self, host: &HostKey) -> NodeChange {
        let [configure, write, read] = self.permissions.clone();
        let (user, host) = (self.name.clone(), host.clone());
        NodeChange::PermissionSet(Arc::new(PermissionDefinition {
            user,
            host,
            configure,
            write,
            read,
        }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Broker, BrokerOptions};
    use super::*;
    use crate::definitions::HostSettings;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    fn limits(hosts: &str, limits: &Value) -> DefaultLimits {
        DefaultLimits { hosts: pattern(hosts), limits: limits.as_object().unwrap().clone() }
    }

    fn broker() -> Broker {
        let defaults = HostDefaults {
            limits: vec![
                limits("^qa", &json!({"max-queues": 2})),
                limits(".*", &json!({"max-queues": 9})),
            ],
            policies: vec![DefaultPolicy {
                hosts: pattern("^qa"),
                name: "ttl".into(),
                pattern: "^q".into(),
                applies_to: PolicyTarget::Queues,
                settings: json!({"expires": 5}).as_object().unwrap().clone(),
            }],
            users: vec![DefaultUser {
                hosts: pattern("^qa"),
                name: "tester".into(),
                password: Some("secret".into()),
                tags: vec!["monitoring".into()],
                permissions: ["^a".into(), "^b".into(), "^c".into()],
            }],
        };
        Broker::new(BrokerOptions { host_defaults: defaults, ..BrokerOptions::default() }, [1, 2])
            .unwrap()
    }

    fn max_queues(broker: &Broker, host: &str) -> Value {
        let limits = broker.parameter(host, VIRTUAL_HOST_LIMITS, LIMITS).unwrap();
        limits.value["max-queues"].clone()
    }

    #[test]
    fn a_new_virtual_host_begins_with_what_its_name_matches() {
        let broker = broker();
        broker.by_node().create_virtual_host("qa1", HostSettings::default()).unwrap();
        broker.by_node().create_virtual_host("live", HostSettings::default()).unwrap();
        assert_eq!((max_queues(&broker, "qa1"), max_queues(&broker, "live")), (2.into(), 9.into()));
        let policy = broker.policy(PolicyKind::Operator, "qa1", "ttl").unwrap();
        assert_eq!((&*policy.pattern, policy.settings.len()), ("^q", 1));
        assert!(broker.policies(PolicyKind::Operator, Some("live")).is_empty());
        let permission = broker.permission("qa1", "tester").unwrap();
        assert_eq!((&*permission.configure, &*permission.read), ("^a", "^c"));
        assert!(broker.permission("live", "tester").is_none());
        let user = broker.user_definition("tester").unwrap();
        assert!(user.password.is_of(b"secret") && user.tags == ["monitoring".into()]);
    }

    #[test]
    fn what_is_there_stays_as_it_is() {
        let broker = broker();
        let password = broker.new_hash("mine");
        broker.by_node().set_user("tester", password.clone(), Vec::new(), BTreeMap::new());
        broker.by_node().create_virtual_host("qa1", HostSettings::default()).unwrap();
        assert_eq!(broker.user_definition("tester").unwrap().password, password);
        broker.by_node().clear_host_limit("qa1", "max-queues").unwrap();
        broker.by_node().clear_permission("qa1", "tester");
        broker.by_node().create_virtual_host("qa1", HostSettings::default()).unwrap();
        assert!(broker.parameter("qa1", VIRTUAL_HOST_LIMITS, LIMITS).is_none());
        assert!(broker.permission("qa1", "tester").is_none());
    }
}
