//! The scenarios that brokers are compared by, as workloads. What each is for is in
//! `docs/performance.md`.

use super::{Acknowledgements, Argument, Churn, ExchangeKind, Kind, QueueLife, Workload};

/// What they are called, in the order in which they are told.
pub(in crate::perf) const SCENARIO_NAMES: [&str; 18] = [
    "s1", "s2", "s3", "s3t", "s3-1", "s4", "s5", "s6", "s6-10", "s7", "s8", "s9", "s10", "s11-1",
    "s11-32", "s12", "s13", "s14",
];

const PER_HUNDRED: Option<Acknowledgements> =
    Some(Acknowledgements { prefetch_count: 1000, messages_per_ack: 100 });

/// At a rate, fewer per acknowledgement: the last message of a hundred must not look slow.
const PER_TEN: Option<Acknowledgements> =
    Some(Acknowledgements { prefetch_count: 1000, messages_per_ack: 10 });

/// Messages of 1 MiB are acknowledged one by one, and few are on their way.
const EACH: Option<Acknowledgements> =
    Some(Acknowledgements { prefetch_count: 10, messages_per_ack: 1 });

/// Messages of the backlog.
const BACKLOG_COUNT: u64 = 1_000_000;

/// One publisher, one consumer, a transient queue, acknowledgements.
pub(in crate::perf) fn plain(name: &str, message_size: usize) -> Workload {
    Workload {
        name: name.to_owned(),
        kind: Kind::Load,
        publishers: 1,
        consumers: 1,
        queues: 1,
        message_size,
        is_persistent: false,
        rate: None,
        confirm_window: None,
        in_flight: None,
        acknowledgements: PER_HUNDRED,
        exchange: ExchangeKind::Default,
        bindings: 0,
        queue_life: QueueLife::Transient,
        queue_arguments: Vec::new(),
        count: None,
    }
}

fn durable(name: &str, confirm_window: Option<u64>) -> Workload {
    Workload {
        is_persistent: true,
        confirm_window,
        queue_life: QueueLife::Durable,
        ..plain(name, 1024)
    }
}

fn topic(name: &str, bindings: u32) -> Workload {
    Workload {
        acknowledgements: None,
        exchange: ExchangeKind::Topic,
        bindings,
        queues: 10,
        consumers: 2,
        ..plain(name, 64)
    }
}

fn many(name: &str, clients: u32, queues: u32) -> Workload {
    Workload { publishers: clients, consumers: clients, queues, ..plain(name, 256) }
}

fn rpc(name: &str, clients: u32) -> Workload {
    Workload { kind: Kind::Rpc, publishers: clients, ..plain(name, 64) }
}

fn quorum(name: &str) -> Workload {
    let kind = ("x-queue-type".to_owned(), Argument::Text("quorum".to_owned()));
    Workload { queue_arguments: vec![kind], ..durable(name, Some(1000)) }
}

/// The scenario of this name.
pub(in crate::perf) fn named(name: &str) -> Result<Workload, String> {
    Ok(match name {
        "s1" => Workload { acknowledgements: None, ..plain(name, 16) },
        "s2" => plain(name, 1024),
        "s3" => durable(name, Some(1000)),
        "s3t" => Workload { confirm_window: Some(1000), ..plain(name, 1024) },
        "s3-1" => durable(name, Some(1)),
        "s4" => {
            Workload { rate: Some(2000), acknowledgements: PER_TEN, ..durable(name, Some(1000)) }
        }
        "s5" => Workload {
            acknowledgements: None,
            exchange: ExchangeKind::Fanout,
            bindings: 10,
            queues: 10,
            consumers: 10,
            ..plain(name, 256)
        },
        "s6" => topic(name, 10_000),
        "s6-10" => topic(name, 10),
        "s7" => many(name, 10, 10),
        "s8" => many(name, 4, 100),
        "s9" => Workload { kind: Kind::Backlog, count: Some(BACKLOG_COUNT), ..durable(name, None) },
        "s10" => {
            Workload { kind: Kind::Idle { connections: 10_000, channels: 0 }, ..plain(name, 16) }
        }
        "s11-1" => rpc(name, 1),
        "s11-32" => rpc(name, 32),
        "s12" => {
            Workload { in_flight: Some(100), acknowledgements: EACH, ..plain(name, 1024 * 1024) }
        }
        "s13" => quorum(name),
        "s14" => Workload {
            kind: Kind::Churn { what: Churn::Connection, connections: 4 },
            ..plain(name, 16)
        },
        _ => return Err(format!("the scenarios are {}", SCENARIO_NAMES.join(", "))),
    })
}

/// All scenarios, in the order in which they are told.
pub(in crate::perf) fn all() -> Vec<Workload> {
    SCENARIO_NAMES.iter().filter_map(|name| named(name).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_found_by_its_name_and_can_be_run() {
        assert_eq!(all().len(), SCENARIO_NAMES.len());
        for workload in all() {
            assert_eq!(named(&workload.name), Ok(workload.clone()));
            assert_eq!(workload.check(), Ok(()), "{}", workload.name);
        }
        assert!(named("ack-2k").unwrap_err().contains("s1, s2, s3"));
    }

    #[test]
    fn durable_scenarios_send_persistent_messages_and_others_do_not() {
        for workload in all() {
            let is_durable = ["s3", "s3-1", "s4", "s9", "s13"].contains(&workload.name.as_str());
            assert_eq!(workload.is_durable(), is_durable, "{}", workload.name);
            assert_eq!(workload.is_persistent, is_durable, "{}", workload.name);
        }
    }
}
