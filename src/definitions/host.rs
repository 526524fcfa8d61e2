//! What is known of a virtual host that is declared. Not what is declared in it.

use serde_json::{Map, Value};

use crate::message::{Name, QueueKind, VirtualHostNumber};

/// A virtual host as other definitions refer to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostKey {
    /// Its number: a name that is declared again has another one.
    pub number: VirtualHostNumber,
    /// Its name.
    pub name: Name,
}

/// A declared virtual host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostDefinition {
    /// Its number and name.
    pub key: HostKey,
    /// What it is and is for.
    pub settings: HostSettings,
}

/// What a virtual host is for, as its operator says; may be set anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSettings {
    /// For people.
    pub description: String,
    /// For people and tools.
    pub tags: Vec<Name>,
    /// The type of queues that name none; none is the node's.
    pub default_queue_kind: Option<QueueKind>,
    /// What else tools keep there.
    pub metadata: Map<String, Value>,
}
