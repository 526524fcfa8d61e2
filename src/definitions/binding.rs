//! A binding, and the order in which bindings are kept. Its identity is all of it: source,
//! destination, key and arguments.

use std::cmp::Ordering;

use crate::message::Name;
use crate::protocol::field::FieldTable;

/// Where a binding leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BindingEnd {
    /// A queue.
    Queue(Name),
    /// Another exchange.
    Exchange(Name),
}

impl BindingEnd {
    /// The name, whatever it names.
    #[must_use]
    pub fn name(&self) -> &Name {
        match self {
            Self::Queue(name) | Self::Exchange(name) => name,
        }
    }
}

/// One binding of a virtual host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The exchange messages come from.
    pub source: Name,
    /// Where they go.
    pub destination: BindingEnd,
    /// Part of the identity, whatever the exchange's type makes of it.
    pub routing_key: Name,
    /// Part of the identity.
    pub arguments: FieldTable,
}

impl Ord for Binding {
    fn cmp(&self, other: &Self) -> Ordering {
        self.source
            .cmp(&other.source)
            .then_with(|| self.destination.cmp(&other.destination))
            .then_with(|| self.routing_key.cmp(&other.routing_key))
            .then_with(|| self.arguments_as_bytes().cmp(&other.arguments_as_bytes()))
    }
}

impl PartialOrd for Binding {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Binding {
    /// Tables have no order of their own; their bytes have.
    fn arguments_as_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if !self.arguments.is_empty() {
            self.arguments.encode(&mut bytes);
        }
        bytes
    }
}
