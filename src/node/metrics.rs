//! The metrics door of this node: what it says of the node, and its start. What it tells of the
//! broker is in `metrics`.

use std::sync::Arc;

use super::config::Config;
use super::listening::Listeners;
use super::process;
use crate::broker::Broker;
use crate::metrics::{Metrics, MetricsOptions, ProcessFigures};
use crate::server::{Clock, Doors};

/// Answers scrapers on these listeners until the doors close. Without any it does nothing.
pub(super) fn serve(
    listeners: Listeners,
    config: &Config,
    broker: &Arc<Broker>,
    clock: Clock,
    doors: &Doors,
) {
    let Some(metrics) = &config.metrics else { return };
    let options = MetricsOptions {
        path: metrics.path.clone(),
        is_of_each: metrics.is_of_each,
        node: node_name(config),
        rabbitmq_version: config.product.version.clone(),
        clock: Box::new(move || clock.now()),
        process: Box::new(move || process_figures(clock)),
    };
    let metrics = Arc::new(Metrics::new(broker.clone(), options));
    for listener in listeners.into_all() {
        let (metrics, tasks) = (metrics.clone(), doors.clone());
        listener.run_with(doors, move |stream, _| metrics.clone().serve(stream, tasks.closing()));
    }
}

fn process_figures(clock: Clock) -> ProcessFigures {
    ProcessFigures {
        uptime_ms: u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX),
        resident_bytes: process::resident_bytes(),
        open_files: process::open_files(),
        open_files_max: process::open_files_max(),
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
