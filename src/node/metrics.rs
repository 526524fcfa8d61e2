//! The metrics door of this node: what it says of the node, and its start. What it tells of the
//! broker is in `metrics`.

use std::sync::Arc;

use super::config::Config;
use crate::broker::Broker;
use crate::metrics::{Metrics, MetricsOptions};
use crate::server::{Doors, Listener};

/// Answers scrapers on these listeners until the doors close. Without any it does nothing.
pub(super) fn serve(
    listeners: Vec<Listener>,
    config: &Config,
    disk_free_limit: u64,
    broker: &Arc<Broker>,
    doors: &Doors,
) {
    let Some(metrics) = &config.metrics else { return };
    let options = MetricsOptions {
        path: metrics.path.clone(),
        node: node_name(config),
        rabbitmq_version: config.product.version.clone(),
        disk_free_limit,
    };
    let metrics = Arc::new(Metrics::new(broker.clone(), options));
    for listener in listeners {
        let (metrics, tasks) = (metrics.clone(), doors.clone());
        listener.run_with(doors, move |stream| metrics.clone().serve(stream, tasks.closing()));
    }
}

/// The name by which dashboards and tools know the node. As in RabbitMQ, one without a host is of
/// this host.
pub(super) fn node_name(config: &Config) -> String {
    match config.node_name.as_deref().unwrap_or("leveret") {
        whole if whole.contains('@') => whole.to_owned(),
        name => format!("{name}@{}", rustix::system::uname().nodename().to_string_lossy()),
    }
}
