//! What the memory of the process is in, as far as that is known: RabbitMQ's breakdown, without all
//! that only an Erlang virtual machine has.

use super::family::{Family, Seen};

/// In the order of the answer.
pub(super) static MEMORY: &[Family] = &[
    Family::gauge(
        "rabbitmq_memory_binary_heap_bytes",
        "Bytes of message bodies in memory",
        |seen, values| values.one(bodies(seen)),
    ),
    Family::gauge(
        "rabbitmq_memory_client_connection_other_bytes",
        "Bytes that clients hold: bodies that came in part, transactions, buffers",
        |seen, values| values.one(seen.broker.session_bytes),
    ),
    Family::gauge(
        "rabbitmq_memory_other_system_bytes",
        "Bytes of memory that are in nothing else",
        |seen, values| values.any(others(seen)),
    ),
];

fn bodies(seen: &Seen<'_>) -> u64 {
    seen.broker.logged_body_bytes + seen.broker.unlogged_body_bytes
}

fn others(seen: &Seen<'_>) -> Option<u64> {
    let known = bodies(seen) + seen.broker.session_bytes;
    Some(seen.process.resident_bytes?.saturating_sub(known))
}
