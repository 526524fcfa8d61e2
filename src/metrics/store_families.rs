//! Metrics of the store: what it writes, and what was or is wrong with it.

use super::family::{Family, Seen, Values};
use crate::store::Health;

/// In the order of the answer.
pub(super) static STORE: &[Family] = &[
    Family::counter(
        "leveret_store_quarantined_places_total",
        "Damaged places of the log: found at the start, and messages that reading found since",
        |seen, values| values.one(seen.broker.store.quarantined_places),
    ),
    Family::gauge(
        "leveret_store_quarantined_bytes",
        "Damaged bytes that the last start set aside in quarantine files",
        |seen, values| values.one(seen.broker.store.quarantined_bytes),
    ),
    Family::gauge(
        "leveret_store_torn_bytes",
        "Bytes never known to be on disk that the last start cut off the end of the log",
        |seen, values| values.one(seen.broker.store.torn_bytes),
    ),
    Family::gauge(
        "leveret_store_damaged_checkpoints",
        "Checkpoints that the last start found damaged and set aside",
        |seen, values| values.one(seen.broker.store.damaged_checkpoints),
    ),
    Family::gauge(
        "leveret_store_is_poisoned",
        "is 1 if a write or a sync failed for good: nothing is confirmed before a restart",
        |seen, values| values.one(matches!(seen.broker.health, Health::Poisoned(_)).into()),
    ),
    Family::gauge(
        "leveret_store_is_full",
        "is 1 while the disk is full: confirms wait until it has room",
        |seen, values| values.one((seen.broker.health == Health::Full).into()),
    ),
    Family::counter("leveret_store_written_bytes_total", "Bytes given to the disk", written_bytes),
    Family::counter("leveret_store_batches_total", "Batches written to the log", |seen, values| {
        values.one(seen.broker.store.batches);
    }),
    Family::counter("leveret_store_syncs_total", "Syncs of log files", |seen, values| {
        values.one(seen.broker.store.syncs);
    }),
    Family::histogram(
        "leveret_store_sync_seconds",
        "Time that the disk took to sync a log file for those who waited",
        |seen, values| values.histogram(&[], &seen.broker.measured.sync_us, 1e6),
    ),
    Family::gauge("leveret_store_log_files", "Log files in the data directory", |seen, values| {
        values.one(seen.broker.store.log_files);
    }),
];

fn written_bytes(seen: &Seen<'_>, values: &mut Values<'_>) {
    let store = &seen.broker.store;
    values.of_kind("log", store.log_bytes);
    values.of_kind("index", store.index_bytes);
    values.of_kind("checkpoint", store.checkpoint_bytes);
    values.of_kind("moved", store.moved_bytes);
}
