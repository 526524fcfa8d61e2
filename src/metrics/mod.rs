//! Floor 5: the door for Prometheus. It tells how the node fares when it is asked, and keeps
//! nothing of that but what a walk over all queues came to, for a second. Names and help texts are
//! in `table`, how they are written in `text`, HTTP in `door`.

use std::fmt;

use crate::message::Moment;

mod answer;
mod channel_families;
mod channel_sum_families;
mod client_families;
mod connection_families;
mod detail;
mod door;
mod exchange_families;
mod family;
mod memory_families;
mod message_families;
mod node_families;
mod object_family;
mod queue_families;
mod store_families;
mod table;
mod text;

pub use door::Metrics;

/// What the metrics say of the node that they do not find out by themselves.
pub struct MetricsOptions {
    /// The path that answers, from the slash on.
    pub path: String,
    /// The name of the node.
    pub node: String,
    /// The common path tells of each queue and client, too.
    pub is_of_each: bool,
    /// The version of RabbitMQ whose behavior it follows.
    pub rabbitmq_version: String,
    /// Tells the time, which this floor does not read.
    pub clock: Box<dyn Fn() -> Moment + Send + Sync>,
    /// Tells what the process takes.
    pub process: Box<dyn Fn() -> ProcessFigures + Send + Sync>,
}

/// What the process takes of its machine; nothing where the system does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessFigures {
    /// Milliseconds since it started.
    pub uptime_ms: u64,
    /// Bytes of memory that it has.
    pub resident_bytes: Option<u64>,
    /// Files and sockets that it has open.
    pub open_files: Option<u64>,
    /// So many it may have open.
    pub open_files_max: Option<u64>,
}

impl fmt::Debug for MetricsOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, node, is_of_each, rabbitmq_version, clock: _, process: _ } = self;
        formatter
            .debug_struct("MetricsOptions")
            .field("path", path)
            .field("node", node)
            .field("is_of_each", is_of_each)
            .field("rabbitmq_version", rabbitmq_version)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod door_tests;
#[cfg(test)]
mod object_tests;
#[cfg(test)]
mod queue_tests;
#[cfg(test)]
mod tests;
