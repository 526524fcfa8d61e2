//! The changes definitions know: facts, in the order in which they hold.

use std::sync::Arc;

use super::{Binding, ExchangeDefinition, QueueDefinition};
use crate::message::Name;

/// Something that was declared or deleted in a virtual host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An exchange is there.
    ExchangeDeclared(Arc<ExchangeDefinition>),
    /// An exchange is gone.
    ExchangeDeleted(Arc<ExchangeDefinition>),
    /// A queue is there.
    QueueDeclared(Arc<QueueDefinition>),
    /// A queue that is there is told anew what must be known of it in its next life.
    QueueConfigured(Arc<QueueDefinition>),
    /// A queue is gone.
    QueueDeleted(Arc<QueueDefinition>),
    /// A binding is there.
    Bound(Arc<Binding>),
    /// A binding is gone.
    Unbound(Arc<Binding>),
}

impl Change {
    /// The name of what changed, for logs.
    #[must_use]
    pub fn name(&self) -> &Name {
        match self {
            Self::ExchangeDeclared(exchange) | Self::ExchangeDeleted(exchange) => &exchange.name,
            Self::QueueDeclared(queue)
            | Self::QueueConfigured(queue)
            | Self::QueueDeleted(queue) => &queue.name,
            Self::Bound(binding) | Self::Unbound(binding) => binding.destination.name(),
        }
    }
}
