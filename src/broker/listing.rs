//! What is declared in a virtual host, for who looks at it: exchanges and bindings as they are at
//! the moment. Definitions are locked as long as it takes to gather pointers, and no longer. Queues
//! are in `listed_queue`. It decides nothing about who may look.

use std::sync::Arc;

use super::lock::read;
use super::shared::Broker;
use super::virtual_host::VirtualHost;
use crate::definitions::{Binding, BindingEnd, ExchangeDefinition};
use crate::message::Name;
use crate::protocol::field::FieldTable;
use crate::routing::ExchangeFigures;

/// An exchange where it is.
#[derive(Clone, Debug)]
pub struct ListedExchange {
    host: Arc<VirtualHost>,
    /// As it was declared.
    pub definition: Arc<ExchangeDefinition>,
}

impl ListedExchange {
    /// The virtual host it is in.
    #[must_use]
    pub fn virtual_host(&self) -> &str {
        &self.host.name
    }

    /// What came to it and left it so far.
    #[must_use]
    pub fn figures(&self) -> ExchangeFigures {
        let exchange = self.host.router.exchange(&self.definition.name);
        exchange.map(|exchange| exchange.figures()).unwrap_or_default()
    }

    /// The policy that applies to it now.
    #[must_use]
    pub fn policy(&self) -> Option<Name> {
        let policies = self.host.policies();
        policies.of_exchange(&self.definition.name).and_then(|applied| applied.user)
    }
}

/// A binding where it is.
#[derive(Clone, Debug)]
pub struct ListedBinding {
    host: Arc<VirtualHost>,
    kind: BindingKind,
}

#[derive(Clone, Debug)]
enum BindingKind {
    Declared(Arc<Binding>),
    /// Every queue is bound to the default exchange by its name.
    Default(Name),
}

/// What the bindings that nobody declared have.
static NO_ARGUMENTS: FieldTable = FieldTable::new();

impl ListedBinding {
    /// The virtual host it is in.
    #[must_use]
    pub fn virtual_host(&self) -> &str {
        &self.host.name
    }

    /// The exchange messages come from.
    #[must_use]
    pub fn source(&self) -> &str {
        match &self.kind {
            BindingKind::Declared(binding) => &binding.source,
            BindingKind::Default(_) => "",
        }
    }

    /// The name of what they go to.
    #[must_use]
    pub fn destination(&self) -> &str {
        match &self.kind {
            BindingKind::Declared(binding) => binding.destination.name(),
            BindingKind::Default(queue) => queue,
        }
    }

    /// They go to another exchange, not to a queue.
    #[must_use]
    pub fn is_to_exchange(&self) -> bool {
        match &self.kind {
            BindingKind::Declared(binding) => {
                matches!(binding.destination, BindingEnd::Exchange(_))
            }
            BindingKind::Default(_) => false,
        }
    }

    /// Its routing key.
    #[must_use]
    pub fn routing_key(&self) -> &str {
        match &self.kind {
            BindingKind::Declared(binding) => &binding.routing_key,
            BindingKind::Default(queue) => queue,
        }
    }

    /// Its arguments.
    #[must_use]
    pub fn arguments(&self) -> &FieldTable {
        match &self.kind {
            BindingKind::Declared(binding) => &binding.arguments,
            BindingKind::Default(_) => &NO_ARGUMENTS,
        }
    }
}

impl Broker {
    /// The names of all virtual hosts, in their order.
    #[must_use]
    pub fn host_names(&self) -> Vec<Name> {
        read(&self.virtual_hosts).keys().cloned().collect()
    }

    /// The exchanges of a virtual host, in no order; none where it is not there.
    #[must_use]
    pub fn exchanges(&self, host: &str) -> Vec<ListedExchange> {
        let Some(host) = self.virtual_host(host) else { return Vec::new() };
        let definitions = host.definitions();
        let listed = |definition: &Arc<ExchangeDefinition>| ListedExchange {
            host: host.clone(),
            definition: definition.clone(),
        };
        definitions.exchanges().map(listed).collect()
    }

    /// The exchange of this name.
    #[must_use]
    pub fn exchange(&self, host: &str, name: &str) -> Option<ListedExchange> {
        let host = self.virtual_host(host)?;
        let definition = host.definitions().exchange(name)?.clone();
        Some(ListedExchange { host, definition })
    }

    /// All bindings of a virtual host, in no order; none where it is not there.
    #[must_use]
    pub fn bindings(&self, host: &str) -> Vec<ListedBinding> {
        let Some(host) = self.virtual_host(host) else { return Vec::new() };
        let definitions = host.definitions();
        let mut bindings: Vec<_> =
            definitions.bindings().map(|binding| host.listed(binding)).collect();
        drop(definitions);
        let queues = host.all_queues();
        bindings.extend(queues.iter().map(|queue| host.by_default(&queue.definition.name)));
        bindings
    }

    /// The exchange that each declared binding of a virtual host leaves, in no order.
    #[must_use]
    pub fn binding_sources(&self, host: &str) -> Vec<Name> {
        let Some(host) = self.virtual_host(host) else { return Vec::new() };
        host.definitions().bindings().map(|binding| binding.source.clone()).collect()
    }

    /// The bindings that leave this exchange.
    #[must_use]
    pub fn bindings_from(&self, host: &str, exchange: &str) -> Vec<ListedBinding> {
        let Some(host) = self.virtual_host(host) else { return Vec::new() };
        if exchange.is_empty() {
            let queues = host.all_queues();
            return queues.iter().map(|queue| host.by_default(&queue.definition.name)).collect();
        }
        let definitions = host.definitions();
        definitions.bindings_from(exchange).map(|binding| host.listed(binding)).collect()
    }

    /// The bindings from one exchange to this queue or exchange.
    #[must_use]
    pub fn bindings_between(
        &self,
        host: &str,
        source: &str,
        end: &BindingEnd,
    ) -> Vec<ListedBinding> {
        let mut bindings = self.bindings_to(host, end);
        bindings.retain(|binding| binding.source() == source);
        bindings
    }

    /// The bindings that lead to this queue or exchange.
    #[must_use]
    pub fn bindings_to(&self, host: &str, end: &BindingEnd) -> Vec<ListedBinding> {
        let Some(host) = self.virtual_host(host) else { return Vec::new() };
        let mut bindings = Vec::new();
        if let BindingEnd::Queue(name) = end
            && host.queue(name).is_some()
        {
            bindings.push(host.by_default(name));
        }
        let definitions = host.definitions();
        bindings.extend(definitions.bindings_to(end).map(|binding| host.listed(binding)));
        bindings
    }
}

impl VirtualHost {
    fn listed(self: &Arc<Self>, binding: &Arc<Binding>) -> ListedBinding {
        ListedBinding { host: self.clone(), kind: BindingKind::Declared(binding.clone()) }
    }

    fn by_default(self: &Arc<Self>, queue: &Name) -> ListedBinding {
        ListedBinding { host: self.clone(), kind: BindingKind::Default(queue.clone()) }
    }
}
