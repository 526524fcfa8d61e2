//! Runtime parameters: named JSON values that parts of the broker and plugins look up. What a value
//! means, its component knows.

use serde_json::Value;

use super::HostKey;
use crate::limits::CLUSTER_NAME_SIZE_MAX;
use crate::message::Name;

/// The component of a virtual host's limits.
pub const VIRTUAL_HOST_LIMITS: &str = "vhost-limits";

/// The one name that limits of a virtual host have.
pub const LIMITS: &str = "limits";

/// The parameter of the node that has the name of its cluster.
pub const CLUSTER_NAME: &str = "cluster_name";

/// A parameter of a component in a virtual host, which is a name as long as the parameter is only
/// wished for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterDefinition<H = HostKey> {
    /// Where.
    pub host: H,
    /// Whose it is: `shovel`, `federation-upstream`, `vhost-limits`.
    pub component: Name,
    /// Its name.
    pub name: Name,
    /// What it says.
    pub value: Value,
}

/// A parameter of the whole node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalParameterDefinition {
    /// Its name.
    pub name: Name,
    /// What it says.
    pub value: Value,
}

impl GlobalParameterDefinition {
    /// The name of the cluster, where it is that.
    #[must_use]
    pub fn cluster_name(&self) -> Option<&str> {
        let name = self.value.as_str().filter(|name| name.len() <= CLUSTER_NAME_SIZE_MAX)?;
        (*self.name == *CLUSTER_NAME).then_some(name)
    }
}

impl<H> ParameterDefinition<H> {
    /// It is what limits its virtual host.
    #[must_use]
    pub fn is_host_limits(&self) -> bool {
        *self.component == *VIRTUAL_HOST_LIMITS && *self.name == *LIMITS
    }
}

impl ParameterDefinition<Name> {
    /// The same, in the virtual host that has the name.
    #[must_use]
    pub fn at(&self, host: HostKey) -> ParameterDefinition {
        let Self { component, name, value, .. } = self.clone();
        ParameterDefinition { host, component, name, value }
    }
}
