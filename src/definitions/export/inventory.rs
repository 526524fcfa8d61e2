//! All that is declared, gathered for a definitions file, and what of it such a file has: not what
//! belongs to one connection or comes with every virtual host, and, as in RabbitMQ 4, no internal
//! exchange. How the file is written is in `file`.

use std::sync::Arc;

use crate::definitions::{
    Binding, BindingEnd, ExchangeDefinition, GlobalParameterDefinition, HostDefinition,
    ParameterDefinition, PermissionDefinition, PolicyDefinition, QueueDefinition,
    TopicPermissionDefinition, UserDefinition, VirtualHostDefinitions,
};

/// What is declared for the node, and in its virtual hosts.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Users.
    pub users: Vec<Arc<UserDefinition>>,
    /// What they may do.
    pub permissions: Vec<Arc<PermissionDefinition>>,
    /// With which routing keys.
    pub topic_permissions: Vec<Arc<TopicPermissionDefinition>>,
    /// Parameters of components.
    pub parameters: Vec<Arc<ParameterDefinition>>,
    /// Parameters of the node.
    pub global_parameters: Vec<Arc<GlobalParameterDefinition>>,
    /// Policies of both kinds.
    pub policies: Vec<Arc<PolicyDefinition>>,
    /// Virtual hosts.
    pub hosts: Vec<HostInventory>,
}

/// What of a virtual host goes into a file, each in a fixed order.
#[derive(Clone, Debug)]
pub struct HostInventory {
    pub(super) host: Arc<HostDefinition>,
    pub(super) exchanges: Vec<Arc<ExchangeDefinition>>,
    pub(super) queues: Vec<Arc<QueueDefinition>>,
    pub(super) bindings: Vec<Arc<Binding>>,
}

impl HostInventory {
    /// Gathers it.
    #[must_use]
    pub fn of(host: Arc<HostDefinition>, definitions: &VirtualHostDefinitions) -> Self {
        let exchanges = definitions.exchanges().filter(|each| !each.is_system() && !each.internal);
        let mut exchanges: Vec<_> = exchanges.cloned().collect();
        exchanges.sort_by(|one, other| one.name.cmp(&other.name));
        let queues = definitions.queues().filter(|queue| !queue.is_exclusive());
        let mut queues: Vec<_> = queues.cloned().collect();
        queues.sort_by(|one, other| one.name.cmp(&other.name));
        let bindings = definitions.bindings().filter(|binding| is_exported(definitions, binding));
        let bindings = bindings.cloned().collect();
        Self { host, exchanges, queues, bindings }
    }
}

/// Both ends are in the file, or in every virtual host. A queue is bound to the default exchange
/// without a word.
fn is_exported(definitions: &VirtualHostDefinitions, binding: &Binding) -> bool {
    let has_exchange = |name: &str| {
        let exchange = definitions.exchange(name);
        exchange.is_some_and(|exchange| exchange.is_system() || !exchange.internal)
    };
    let has_destination = match &binding.destination {
        BindingEnd::Exchange(name) => has_exchange(name),
        BindingEnd::Queue(name) => {
            definitions.queue(name).is_some_and(|queue| !queue.is_exclusive())
        }
    };
    !binding.source.is_empty() && has_exchange(&binding.source) && has_destination
}
