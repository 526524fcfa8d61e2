//! What a run does, as values: one row per scenario. How it is done is in `run`.

use serde::Serialize;

/// How a consumer acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Acknowledgements {
    /// basic.qos for the consumer.
    pub(super) prefetch_count: u16,
    /// Each acknowledgement is a multiple one for so many messages.
    pub(super) messages_per_ack: u64,
}

/// One publisher, one transient queue, one consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Scenario {
    pub(super) name: &'static str,
    /// Octets of each body.
    pub(super) message_size: usize,
    /// None where messages count as acknowledged when they are sent.
    pub(super) acknowledgements: Option<Acknowledgements>,
    /// None where messages are published as fast as the broker takes them. Latency is measured only
    /// at a rate: at full speed it would tell the length of the queue.
    pub(super) messages_per_second: Option<u64>,
}

const PER_HUNDRED: Acknowledgements =
    Acknowledgements { prefetch_count: 1000, messages_per_ack: 100 };

/// At a rate, fewer per acknowledgement: the last message of a hundred must not look slow.
const PER_TEN: Acknowledgements = Acknowledgements { prefetch_count: 1000, messages_per_ack: 10 };

const fn scenario(name: &'static str, message_size: usize) -> Scenario {
    Scenario { name, message_size, acknowledgements: None, messages_per_second: None }
}

/// All scenarios, in the order in which they run.
pub(super) const SCENARIOS: [Scenario; 6] = [
    scenario("auto-ack-16", 16),
    scenario("auto-ack-1k", 1024),
    Scenario { acknowledgements: Some(PER_HUNDRED), ..scenario("ack-16", 16) },
    Scenario { acknowledgements: Some(PER_HUNDRED), ..scenario("ack-1k", 1024) },
    Scenario { messages_per_second: Some(2000), ..scenario("latency-16", 16) },
    Scenario {
        messages_per_second: Some(2000),
        acknowledgements: Some(PER_TEN),
        ..scenario("latency-1k", 1024)
    },
];

/// The scenario of this name.
pub(super) fn named(name: &str) -> Result<Scenario, String> {
    SCENARIOS.into_iter().find(|scenario| scenario.name == name).ok_or_else(|| {
        let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        format!("the scenarios are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::stamp::STAMP_SIZE;

    #[test]
    fn every_scenario_is_found_by_its_own_name() {
        for scenario in SCENARIOS {
            assert_eq!(named(scenario.name), Ok(scenario));
        }
        assert!(named("ack-2k").unwrap_err().contains("auto-ack-16, auto-ack-1k"));
    }

    #[test]
    fn every_body_has_room_for_its_stamp() {
        assert!(SCENARIOS.iter().all(|scenario| scenario.message_size >= STAMP_SIZE));
    }

    #[test]
    fn no_consumer_waits_for_more_than_its_prefetch_before_it_acknowledges() {
        let acknowledgements = SCENARIOS.iter().filter_map(|scenario| scenario.acknowledgements);
        assert!(
            acknowledgements.into_iter().all(|a| a.messages_per_ack <= a.prefetch_count.into())
        );
    }
}
