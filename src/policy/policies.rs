//! The policies of one virtual host, ready to be asked: of each kind the one with the highest
//! priority that matches applies.

use std::cmp::Reverse;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::key;
use super::merge::merge;
use crate::definitions::{Pattern, PatternError, PolicyDefinition, PolicyKind, PolicyTarget};
use crate::message::{Name, QueueKind};

/// The policies of a virtual host.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    user: Vec<Policy>,
    operator: Vec<Policy>,
}

#[derive(Clone, Debug)]
struct Policy {
    definition: Arc<PolicyDefinition>,
    /// None matches everything.
    pattern: Option<Pattern>,
}

/// What applies to a queue or an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The name of the policy.
    pub user: Option<Name>,
    /// The name of the operator's policy.
    pub operator: Option<Name>,
    /// What both say.
    pub settings: Map<String, Value>,
}

impl Policies {
    /// Sets a policy, in the place of one of the same name.
    ///
    /// # Errors
    /// Its pattern is no regular expression.
    pub fn set(&mut self, definition: &Arc<PolicyDefinition>) -> Result<(), PatternError> {
        let text = &definition.pattern;
        let pattern = if text.is_empty() { None } else { Some(Pattern::parse(text)?) };
        self.clear(definition.kind, &definition.name);
        let policies = self.of_kind(definition.kind);
        policies.push(Policy { definition: definition.clone(), pattern });
        // RabbitMQ leaves open which of two with one priority applies: here the name decides.
        policies.sort_by_key(|Policy { definition, .. }| {
            (Reverse(definition.priority), definition.name.clone())
        });
        Ok(())
    }

    /// Takes a policy away.
    pub fn clear(&mut self, kind: PolicyKind, name: &str) {
        self.of_kind(kind).retain(|policy| *policy.definition.name != *name);
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.user.is_empty() && self.operator.is_empty()
    }

    /// What applies to a queue.
    #[must_use]
    pub fn of_queue(&self, name: &str, kind: QueueKind) -> Option<Applied> {
        let is_meant = |policy: &&Policy| policy.is_for_queue(name, kind);
        applied(self.user.iter().find(is_meant), self.operator.iter().find(is_meant))
    }

    /// What applies to an exchange.
    #[must_use]
    pub fn of_exchange(&self, name: &str) -> Option<Applied> {
        applied(self.user.iter().find(|policy| policy.is_for_exchange(name)), None)
    }

    /// Users' policies that match a queue, the one that applies first.
    #[must_use]
    pub fn all_of_queue(&self, name: &str, kind: QueueKind) -> Vec<Arc<PolicyDefinition>> {
        self.all_that(|policy| policy.is_for_queue(name, kind))
    }

    /// Users' policies that match an exchange, the one that applies first.
    #[must_use]
    pub fn all_of_exchange(&self, name: &str) -> Vec<Arc<PolicyDefinition>> {
        self.all_that(|policy| policy.is_for_exchange(name))
    }

    fn all_that(&self, is_meant: impl Fn(&Policy) -> bool) -> Vec<Arc<PolicyDefinition>> {
        let found = self.user.iter().filter(|policy| is_meant(policy));
        found.map(|policy| policy.definition.clone()).collect()
    }

    fn of_kind(&mut self, kind: PolicyKind) -> &mut Vec<Policy> {
        match kind {
            PolicyKind::User => &mut self.user,
            PolicyKind::Operator => &mut self.operator,
        }
    }
}

impl Policy {
    fn is_for_queue(&self, name: &str, kind: QueueKind) -> bool {
        let is_target = match self.definition.applies_to {
            PolicyTarget::All | PolicyTarget::Queues => true,
            PolicyTarget::ClassicQueues => kind == QueueKind::Classic,
            PolicyTarget::QuorumQueues => kind == QueueKind::Quorum,
            PolicyTarget::Exchanges | PolicyTarget::Streams => false,
        };
        is_target && key::suit(&self.definition.settings, kind) && self.matches(name)
    }

    fn is_for_exchange(&self, name: &str) -> bool {
        let targets = [PolicyTarget::All, PolicyTarget::Exchanges];
        targets.contains(&self.definition.applies_to) && self.matches(name)
    }

    fn matches(&self, name: &str) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches(name))
    }
}

fn applied(user: Option<&Policy>, operator: Option<&Policy>) -> Option<Applied> {
    if user.is_none() && operator.is_none() {
        return None;
    }
    let none = Map::new();
    let settings = |policy: Option<&Policy>| match policy {
        Some(policy) => policy.definition.settings.clone(),
        None => none.clone(),
    };
    let name = |policy: &Policy| policy.definition.name.clone();
    Some(Applied {
        user: user.map(name),
        operator: operator.map(name),
        settings: merge(&settings(user), &settings(operator)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::definitions::HostKey;
    use crate::message::VirtualHostNumber;

    const CLASSIC: QueueKind = QueueKind::Classic;

    fn policy(kind: PolicyKind, name: &str, pattern: &str, priority: i64) -> PolicyDefinition {
        PolicyDefinition {
            kind,
            host: HostKey { number: VirtualHostNumber(1), name: "/".into() },
            name: name.into(),
            pattern: pattern.into(),
            applies_to: PolicyTarget::All,
            priority,
            settings: json!({"max-length": priority}).as_object().unwrap().clone(),
        }
    }

    fn policies(all: impl IntoIterator<Item = PolicyDefinition>) -> Policies {
        let mut policies = Policies::default();
        all.into_iter().for_each(|policy| policies.set(&Arc::new(policy)).unwrap());
        policies
    }

    fn user(name: &str, pattern: &str, priority: i64) -> PolicyDefinition {
        policy(PolicyKind::User, name, pattern, priority)
    }

    fn of_queue(policies: &Policies, name: &str) -> Option<String> {
        policies.of_queue(name, CLASSIC)?.user.map(|name| name.to_string())
    }

    #[test]
    fn the_highest_priority_that_matches_applies_alone() {
        let policies = policies([
            user("all", ".*", 0),
            user("orders", "^orders", 5),
            user("dead", r"\.dead$", 3),
            user("also", "^orders", 5),
        ]);
        assert_eq!(of_queue(&policies, "x").unwrap(), "all");
        assert_eq!(of_queue(&policies, "x.dead").unwrap(), "dead");
        assert_eq!(of_queue(&policies, "orders.dead").unwrap(), "also", "of equals, by name");
        let applied = policies.of_queue("x.dead", CLASSIC).unwrap();
        assert_eq!(Value::from(applied.settings), json!({"max-length": 3}));
    }

    #[test]
    fn patterns_are_unanchored_and_know_look_around_and_an_empty_one_matches_all() {
        let policies = policies([user("a", r"^(?!amq\.).*", 2), user("b", "", 1)]);
        assert_eq!(of_queue(&policies, "orders").unwrap(), "a");
        assert_eq!(of_queue(&policies, "amq.gen-1").unwrap(), "b");
        assert!(Policies::default().set(&Arc::new(user("c", "(", 0))).is_err());
    }

    #[test]
    fn a_policy_applies_to_what_it_says() {
        for (applies_to, expected) in [
            (PolicyTarget::All, [true, true, true]),
            (PolicyTarget::Queues, [true, true, false]),
            (PolicyTarget::ClassicQueues, [true, false, false]),
            (PolicyTarget::QuorumQueues, [false, true, false]),
            (PolicyTarget::Exchanges, [false, false, true]),
            (PolicyTarget::Streams, [false, false, false]),
        ] {
            let policies = policies([PolicyDefinition { applies_to, ..user("p", "", 0) }]);
            let found = [
                policies.of_queue("x", CLASSIC),
                policies.of_queue("x", QueueKind::Quorum),
                policies.of_exchange("x"),
            ];
            assert_eq!(found.map(|applied| applied.is_some()), expected, "{applies_to:?}");
        }
    }

    #[test]
    fn one_of_each_kind_applies_and_they_are_cleared_alone() {
        let operator = policy(PolicyKind::Operator, "cap", "", 3);
        let mut policies = policies([user("p", "^x", 7), operator]);
        let applied = policies.of_queue("x", CLASSIC).unwrap();
        assert_eq!((applied.user, applied.operator), (Some("p".into()), Some("cap".into())));
        assert_eq!(Value::from(applied.settings), json!({"max-length": 3}));
        assert_eq!(policies.of_queue("y", CLASSIC).unwrap().user, None);
        policies.clear(PolicyKind::User, "cap");
        policies.clear(PolicyKind::Operator, "cap");
        assert_eq!(policies.of_queue("y", CLASSIC), None);
        policies.clear(PolicyKind::User, "p");
        assert!(policies.is_empty());
    }

    #[test]
    fn a_policy_that_is_set_again_takes_the_place_of_the_first() {
        let policies = policies([user("p", "^x", 7), user("p", "^y", 1)]);
        assert_eq!(of_queue(&policies, "x"), None);
        assert_eq!(of_queue(&policies, "y").unwrap(), "p");
    }
}
