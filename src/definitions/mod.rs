//! Floor 2: all that is declared, as values. A [`Change`] is the only way anything is declared or
//! deleted; what a wish comes to (a deleted queue takes its bindings along, and those perhaps an
//! auto-delete exchange) is planned here as a list of changes and applied here. It knows no live
//! queue, no routing table and no permissions.

mod binding;
mod change;
mod exchange;
mod queue;
mod virtual_host;

pub use binding::{Binding, BindingEnd};
pub use change::Change;
pub use exchange::ExchangeDefinition;
pub use queue::QueueDefinition;
pub use virtual_host::VirtualHostDefinitions;
