//! Metrics of the node as a whole: what it is, what its process takes, and what it is short of.

use super::family::{Family, Seen, Values};
use crate::broker::Alarm;

/// In the order of the answer.
pub(super) static NODE: &[Family] = &[
    Family::gauge(
        "rabbitmq_build_info",
        "Versions of the broker, and of what it stands in for",
        build_info,
    ),
    Family::gauge("rabbitmq_identity_info", "Names of the node and its cluster", identity_info),
    Family::gauge(
        "rabbitmq_process_resident_memory_bytes",
        "Bytes of memory that the process has",
        |seen, values| values.any(seen.process.resident_bytes),
    ),
    Family::gauge(
        "rabbitmq_resident_memory_limit_bytes",
        "Bytes of memory above which publishers are blocked",
        |seen, values| values.one(seen.broker.memory_limit),
    ),
    Family::gauge(
        "rabbitmq_process_open_fds",
        "Files and sockets that the process has open",
        |seen, values| values.any(seen.process.open_files),
    ),
    Family::gauge(
        "rabbitmq_process_max_fds",
        "Files and sockets that the process may have open",
        |seen, values| values.any(seen.process.open_files_max),
    ),
    Family::gauge(
        "rabbitmq_process_open_tcp_sockets",
        "Sockets of clients that are open",
        |seen, values| values.one(seen.broker.connections),
    ),
    Family::gauge(
        "rabbitmq_process_max_tcp_sockets",
        "Sockets that may be open, with everything else that is",
        |seen, values| values.any(seen.process.open_files_max),
    ),
    Family::gauge(
        "rabbitmq_erlang_uptime_seconds",
        "Seconds since the node started",
        |seen, values| values.one(seen.process.uptime_ms / 1000),
    ),
    Family::gauge(
        "rabbitmq_disk_space_available_bytes",
        "Free bytes of the disk with the data directory",
        |seen, values| values.one(seen.broker.store.free_bytes),
    ),
    Family::gauge(
        "rabbitmq_disk_space_available_limit_bytes",
        "Free bytes of the disk below which publishers are blocked",
        |seen, values| values.one(seen.broker.disk_free_limit),
    ),
    Family::gauge(
        "rabbitmq_alarms_free_disk_space_watermark",
        "is 1 while publishers are blocked because the disk is nearly full",
        |seen, values| values.one(seen.broker.alarms.has(Alarm::Disk).into()),
    ),
    Family::gauge(
        "rabbitmq_alarms_memory_used_watermark",
        "is 1 while publishers are blocked because the process has too much memory",
        |seen, values| values.one(seen.broker.alarms.has(Alarm::Memory).into()),
    ),
    Family::gauge(
        "rabbitmq_alarms_file_descriptor_limit",
        "is 1 while no further file or socket can be opened",
        file_descriptor_limit,
    ),
    Family::gauge(
        "leveret_memory_unlogged_limit_bytes",
        "Bytes of message bodies in memory only, above which they are written to disk",
        |seen, values| values.any(seen.broker.unlogged_limit),
    ),
    Family::gauge(
        "leveret_memory_is_unlogged_over",
        "is 1 while more bodies are in memory only, and their publishers wait for the disk",
        |seen, values| values.one(seen.broker.is_unlogged_over.into()),
    ),
    Family::gauge(
        "leveret_memory_body_bytes",
        "Bytes of message bodies in memory: on disk too, nowhere else, and on their way in",
        body_bytes,
    ),
];

fn build_info(seen: &Seen<'_>, values: &mut Values<'_>) {
    let version = env!("CARGO_PKG_VERSION");
    let labels = [
        ("rabbitmq_version", seen.options.rabbitmq_version.as_str()),
        ("prometheus_plugin_version", version),
        ("prometheus_client_version", version),
        ("erlang_version", "none"),
        ("product_name", "Leveret"),
        ("product_version", version),
    ];
    values.labeled(&labels, 1);
}

/// A single node has no cluster's permanent number; to Prometheus an empty label is none.
fn identity_info(seen: &Seen<'_>, values: &mut Values<'_>) {
    let labels = [
        ("rabbitmq_node", seen.options.node.as_str()),
        ("rabbitmq_cluster", &*seen.cluster),
        ("rabbitmq_cluster_permanent_id", ""),
        ("rabbitmq_endpoint", seen.endpoint),
    ];
    values.labeled(&labels, 1);
}

fn file_descriptor_limit(seen: &Seen<'_>, values: &mut Values<'_>) {
    let open = seen.process.open_files.zip(seen.process.open_files_max);
    values.one(open.is_some_and(|(open, max)| open >= max).into());
}

fn body_bytes(seen: &Seen<'_>, values: &mut Values<'_>) {
    values.of_kind("logged", seen.broker.logged_body_bytes);
    values.of_kind("unlogged", seen.broker.unlogged_body_bytes);
    values.of_kind("sessions", seen.broker.session_bytes);
}
