//! What is known of a virtual host that is declared. Not what is declared in it.

use serde_json::{Map, Value};

use crate::message::{DeclareEquivalence, Name, QueueKind, VirtualHostNumber};

/// A key in the metadata.
const DECLARE_EQUIVALENCE: &str = "declare_equivalence";

/// The key in the metadata of a virtual host that is not to be deleted, as RabbitMQ has it.
pub const PROTECTED: &str = "protected_from_deletion";

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
    /// Who declared it first, and with it the exchanges that are always there.
    pub declared_by: Name,
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
    /// Copies of what is published and delivered in it go to its trace exchange. None where nobody
    /// says so: it stays as it is, which is off in the beginning.
    pub is_traced: Option<bool>,
    /// What else tools keep there.
    pub metadata: Map<String, Value>,
}

impl HostSettings {
    /// Operators are not to delete it.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.metadata.get(PROTECTED) == Some(&Value::Bool(true))
    }

    /// Lets operators delete it, or not.
    pub fn protect(&mut self, is_protected: bool) {
        match is_protected {
            true => self.metadata.insert(PROTECTED.to_owned(), Value::Bool(true)),
            false => self.metadata.remove(PROTECTED),
        };
    }

    /// What becomes of repeated declarations that say something else, as the metadata have it; none
    /// is as the node has it.
    ///
    /// # Errors
    /// The metadata say something that is not known.
    pub fn declare_equivalence(&self) -> Result<Option<DeclareEquivalence>, String> {
        let Some(value) = self.metadata.get(DECLARE_EQUIVALENCE) else { return Ok(None) };
        let known = value.as_str().and_then(DeclareEquivalence::from_name);
        known.map(Some).ok_or_else(|| {
            format!("{DECLARE_EQUIVALENCE} {value} is not known: expected strict or relaxed")
        })
    }
}
