//! All that is declared, gathered for a definitions file, and what of it such a file has: not what
//! belongs to one connection or comes with every virtual host, and, as in RabbitMQ 4, no internal
//! exchange. How the file is written is in `file`.

use std::collections::HashSet;
use std::sync::Arc;

use crate::definitions::{
    Binding, BindingEnd, ExchangeDefinition, GlobalParameterDefinition, HostDefinition,
    ParameterDefinition, PermissionDefinition, PolicyDefinition, QueueDefinition,
    TopicPermissionDefinition, UserDefinition, VirtualHostDefinitions,
};
use crate::message::Name;

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

/// All that is declared in a virtual host, in no order.
#[derive(Clone, Debug, Default)]
pub struct HostContents {
    exchanges: Vec<Arc<ExchangeDefinition>>,
    queues: Vec<Arc<QueueDefinition>>,
    bindings: Vec<Arc<Binding>>,
}

impl HostContents {
    /// Gathers it, while somebody holds the definitions.
    #[must_use]
    pub fn of(definitions: &VirtualHostDefinitions) -> Self {
        Self {
            exchanges: definitions.exchanges().cloned().collect(),
            queues: definitions.queues().cloned().collect(),
            bindings: definitions.bindings().cloned().collect(),
        }
    }
}

impl HostInventory {
    /// Takes what goes into a file, and puts it in order. Of a binding both ends are in the file,
    /// or in every virtual host; a queue is bound to the default exchange without a word.
    #[must_use]
    pub fn of(host: Arc<HostDefinition>, contents: HostContents) -> Self {
        let HostContents { mut exchanges, mut queues, mut bindings } = contents;
        exchanges.retain(|exchange| exchange.is_system() || !exchange.internal);
        queues.retain(|queue| !queue.is_exclusive());
        let known_exchanges: HashSet<Name> =
            exchanges.iter().map(|exchange| exchange.name.clone()).collect();
        let known_queues: HashSet<Name> = queues.iter().map(|queue| queue.name.clone()).collect();
        bindings.retain(|binding| {
            let has_destination = match &binding.destination {
                BindingEnd::Exchange(name) => known_exchanges.contains(name),
                BindingEnd::Queue(name) => known_queues.contains(name),
            };
            let source = &binding.source;
            !source.is_empty() && known_exchanges.contains(source) && has_destination
        });
        exchanges.retain(|exchange| !exchange.is_system() && !exchange.internal);
        exchanges.sort_by(|one, other| one.name.cmp(&other.name));
        queues.sort_by(|one, other| one.name.cmp(&other.name));
        Self { host, exchanges, queues, bindings }
    }
}
