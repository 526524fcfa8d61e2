//! Floor 5: the door for Prometheus. It tells how the node fares when it is asked, and keeps
//! nothing in between. Names and help texts are in `table`, how they are written in `text`, HTTP in
//! `door`.

mod door;
mod table;
mod text;

pub use door::Metrics;

/// What the metrics say of the node that it does not find out by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsOptions {
    /// The path that answers, from the slash on.
    pub path: String,
    /// The name of the node.
    pub node: String,
    /// The version of RabbitMQ whose behavior it follows.
    pub rabbitmq_version: String,
    /// Free bytes of the disk below which publishers are blocked.
    pub disk_free_limit: u64,
}

#[cfg(test)]
mod tests;
