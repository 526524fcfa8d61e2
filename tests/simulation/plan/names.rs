//! What there is to play with: queues and exchanges by name, each with traits that follow from the
//! name, so that declaring one again finds it as it was.

use crate::operation::{DeclareExchange, DeclareQueue};

/// Queues that all clients share.
pub(crate) const SHARED_QUEUES: [&str; 8] = ["q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7"];

/// Exchanges to declare: name, type.
pub(crate) const EXCHANGES: [(&str, &str); 12] = [
    ("e-direct", "direct"),
    ("e-fanout", "fanout"),
    ("e-topic", "topic"),
    ("e-headers", "headers"),
    ("e-hash", "x-consistent-hash"),
    ("e-random", "x-random"),
    ("e-local", "x-local-random"),
    ("e-modulus", "x-modulus-hash"),
    ("e-history", "x-recent-history"),
    ("e-internal", "fanout"),
    ("e-passing", "topic"),
    ("e-alternate", "direct"),
];

/// Exchanges that may stand behind another one.
pub(crate) const INNER_EXCHANGES: [&str; 6] =
    ["e-direct", "e-fanout", "e-topic", "e-internal", "e-passing", "amq.topic"];

/// The exclusive queues of a client.
pub(crate) fn exclusive_queue(client: usize, number: usize) -> String {
    format!("x{client}-{number}")
}

/// How a queue is declared.
pub(crate) fn declare_queue(name: &str) -> DeclareQueue {
    let exclusive = name.starts_with('x');
    DeclareQueue {
        queue: name.to_owned(),
        durable: ["q0", "q3", "q4"].contains(&name),
        exclusive,
        auto_delete: ["q2", "q5"].contains(&name),
        single_active: ["q3", "q5"].contains(&name),
        ..DeclareQueue::default()
    }
}

/// How an exchange is declared.
pub(crate) fn declare_exchange(name: &str, kind: &str) -> DeclareExchange {
    DeclareExchange {
        exchange: name.to_owned(),
        kind: kind.to_owned(),
        auto_delete: name == "e-passing",
        internal: name == "e-internal",
        alternate: (name == "e-alternate").then(|| "amq.fanout".to_owned()),
        ..DeclareExchange::default()
    }
}
