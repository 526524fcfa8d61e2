//! Which figures stand in the tables, for each kind of run.

use super::median::Median;
use crate::perf::workload::{Kind, Workload};

/// A figure of each row.
pub(super) struct Column {
    pub(super) heading: &'static str,
    pub(super) pick: fn(&Median) -> Option<f64>,
    /// Whether a column beside it tells the multiple of the reference's.
    pub(super) is_compared: bool,
}

const fn column(heading: &'static str, pick: fn(&Median) -> Option<f64>) -> Column {
    Column { heading, pick, is_compared: false }
}

const fn compared(heading: &'static str, pick: fn(&Median) -> Option<f64>) -> Column {
    Column { heading, pick, is_compared: true }
}

const CONSUMED: Column = compared("messages/s", |median| Some(median.consumed_per_second));
const BROKER_CPU: Column =
    column("broker CPU µs/message", |median| median.broker_cpu_us_per_message);
const GENERATOR_CPU: Column =
    column("generator CPU µs/message", |median| median.generator_cpu_us_per_message);
const RESIDENT: Column = column("RSS MiB", |median| median.broker_resident_mib_max);
const WRITTEN: Column =
    column("written B/content B", |median| median.file_octets_per_content_octet);
const WRITTEN_PAGES: Column = column("in pages", |median| median.disk_octets_per_content_octet);

const RATIO: Column = column("consumed/published", |median| median.consumed_per_published);
const OPERATION_CPU: Column =
    column("broker CPU µs each", |median| median.broker_cpu_us_per_message);
const OPERATION_GENERATOR: Column =
    column("generator CPU µs each", |median| median.generator_cpu_us_per_message);

const FULL_SPEED: &[Column] = &[CONSUMED, RATIO, BROKER_CPU, GENERATOR_CPU, RESIDENT];

const AT_A_RATE: &[Column] = &[
    compared("p50 µs", |median| median.latency_p50_us),
    compared("p99 µs", |median| median.latency_p99_us),
    column("p99.9 µs", |median| median.latency_p999_us),
    column("sent late, p99 µs", |median| median.lateness_p99_us),
    compared("confirm p50 µs", |median| median.confirm_p50_us),
    column("confirm p99 µs", |median| median.confirm_p99_us),
    BROKER_CPU,
];

const CONFIRMED: &[Column] = &[
    CONSUMED,
    compared("confirm p50 µs", |median| median.confirm_p50_us),
    compared("confirm p99 µs", |median| median.confirm_p99_us),
    BROKER_CPU,
    GENERATOR_CPU,
    WRITTEN,
    WRITTEN_PAGES,
    RESIDENT,
];

const BACKLOG: &[Column] = &[
    compared("fill/s", |median| Some(median.published_per_second)),
    compared("drain/s", |median| Some(median.consumed_per_second)),
    compared("RSS when full MiB", |median| median.broker_resident_mib_full),
    column("before MiB", |median| median.broker_resident_mib_empty),
    column("highest RSS MiB", |median| median.broker_resident_mib_max),
    BROKER_CPU,
    WRITTEN,
    WRITTEN_PAGES,
];

const ROUND_TRIPS: &[Column] = &[
    compared("round trips/s", |median| median.done_per_second),
    compared("p50 µs", |median| median.latency_p50_us),
    compared("p99 µs", |median| median.latency_p99_us),
    OPERATION_CPU,
    OPERATION_GENERATOR,
];

const CYCLES: &[Column] = &[
    compared("cycles/s", |median| median.done_per_second),
    compared("p50 µs", |median| median.latency_p50_us),
    compared("p99 µs", |median| median.latency_p99_us),
    OPERATION_CPU,
    OPERATION_GENERATOR,
];

const IDLE: &[Column] = &[
    compared("opened/s", |median| median.done_per_second),
    compared("KiB each", |median| median.broker_resident_kib_per_connection),
    OPERATION_CPU,
    OPERATION_GENERATOR,
    RESIDENT,
];

/// A table: whose rows it has, and which figures.
pub(super) type Section = (fn(&Workload) -> bool, &'static [Column]);

/// The tables in their order.
pub(super) const SECTIONS: [Section; 7] = [
    (|workload| is_at_full_speed(workload) && workload.confirm_window.is_none(), FULL_SPEED),
    (|workload| is_at_full_speed(workload) && workload.confirm_window.is_some(), CONFIRMED),
    (|workload| workload.kind == Kind::Load && workload.rate.is_some(), AT_A_RATE),
    (|workload| workload.kind == Kind::Backlog, BACKLOG),
    (|workload| workload.kind == Kind::Rpc, ROUND_TRIPS),
    (|workload| matches!(workload.kind, Kind::Churn { .. }), CYCLES),
    (|workload| matches!(workload.kind, Kind::Idle { .. }), IDLE),
];

fn is_at_full_speed(workload: &Workload) -> bool {
    workload.kind == Kind::Load && workload.rate.is_none()
}
