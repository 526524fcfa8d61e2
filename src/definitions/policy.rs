//! A policy as it was set: what it is to apply to, and settings. Which one applies to a queue, and
//! what comes of it, is not decided here.

use serde_json::{Map, Value};

use super::HostKey;
use crate::message::Name;

/// A policy of a virtual host, which is a name as long as the policy is only wished for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDefinition<H = HostKey> {
    /// Whose it is.
    pub kind: PolicyKind,
    /// Where.
    pub host: H,
    /// Its name, unique among those of its kind in the virtual host.
    pub name: Name,
    /// Names it applies to.
    pub pattern: String,
    /// Things it applies to.
    pub applies_to: PolicyTarget,
    /// Of several that match, the highest counts.
    pub priority: i64,
    /// The settings.
    pub settings: Map<String, Value>,
}

impl PolicyDefinition<Name> {
    /// The same, in the virtual host that has the name.
    #[must_use]
    pub fn at(&self, host: HostKey) -> PolicyDefinition {
        let Self { kind, name, pattern, applies_to, priority, settings, .. } = self.clone();
        PolicyDefinition { kind, host, name, pattern, applies_to, priority, settings }
    }
}

/// Whose a policy is: one of each kind may apply to a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyKind {
    /// Set by those who own queues.
    User,
    /// Set by the operator, and stronger.
    Operator,
}

impl PolicyKind {
    const ALL: [(Self, &'static str); 2] =
        [(Self::User, "policy"), (Self::Operator, "operator_policy")];

    /// The kind of the policies that are parameters of this component.
    #[must_use]
    pub fn from_component(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(kind, _)| kind)
    }

    /// The component whose parameters its policies are.
    #[must_use]
    pub fn component(self) -> &'static str {
        Self::ALL.into_iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }
}

/// Things a policy applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyTarget {
    /// Queues and exchanges.
    All,
    /// Exchanges.
    Exchanges,
    /// Queues of every type.
    Queues,
    /// Queues of type classic.
    ClassicQueues,
    /// Queues of type quorum.
    QuorumQueues,
    /// Queues of type stream.
    Streams,
}

impl PolicyTarget {
    const ALL: [(Self, &'static str); 6] = [
        (Self::All, "all"),
        (Self::Exchanges, "exchanges"),
        (Self::Queues, "queues"),
        (Self::ClassicQueues, "classic_queues"),
        (Self::QuorumQueues, "quorum_queues"),
        (Self::Streams, "streams"),
    ];

    /// The target of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(target, _)| target)
    }

    /// Its name in `apply-to`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_back_by_their_names() {
        for (target, name) in PolicyTarget::ALL {
            assert_eq!((PolicyTarget::from_name(name), target.name()), (Some(target), name));
        }
        assert_eq!(PolicyTarget::from_name("everything"), None);
    }
}
