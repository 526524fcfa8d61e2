//! Floor 2: all that is declared, as values. A [`Change`] (in a virtual host) or a [`NodeChange`]
//! is the only way anything is declared or deleted; what a wish comes to (a deleted queue takes
//! its bindings along, and those perhaps an auto-delete exchange) is planned here as a list of
//! changes and applied here. It knows no live queue, no routing table, and decides no permission.
//!
//! `record` is how changes stand on disk; `import` reads RabbitMQ's definitions files, `export`
//! writes them.

mod binding;
mod change;
mod exchange;
pub mod export;
mod host;
pub mod import;
mod limits;
mod node;
mod node_change;
mod parameter;
mod password_hash;
mod pattern;
mod policy;
mod queue;
pub mod record;
mod term;
mod user;
mod virtual_host;

pub use binding::{Binding, BindingEnd};
pub use change::Change;
pub use exchange::ExchangeDefinition;
pub use host::{HostDefinition, HostKey, HostSettings, PROTECTED};
pub use limits::{
    HOST_LIMITS, HostLimits, PublishLimits, USER_LIMITS, UserLimits, check_limits, is_no_rate,
};
pub use node::NodeDefinitions;
pub use node_change::NodeChange;
pub use parameter::{
    CLUSTER_NAME, GlobalParameterDefinition, LIMITS, ParameterDefinition, VIRTUAL_HOST_LIMITS,
};
pub use password_hash::{HashingAlgorithm, PasswordHash};
pub use pattern::{Pattern, PatternError};
pub use policy::{PolicyDefinition, PolicyKind, PolicyTarget};
pub use queue::QueueDefinition;
pub use term::term;
pub use user::{
    INTERNAL_USER, PermissionDefinition, TopicPermissionDefinition, UNKNOWN_USER, UserDefinition,
};
pub use virtual_host::VirtualHostDefinitions;
