//! What a run does, as values: one row per scenario. How it is done is in `run`.

use serde::Serialize;

use crate::protocol::properties::Properties;

/// How a consumer acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Acknowledgements {
    /// basic.qos for the consumer.
    pub(super) prefetch_count: u16,
    /// Each acknowledgement is a multiple one for so many messages.
    pub(super) messages_per_ack: u64,
}

/// The queues of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum QueueKind {
    /// Exclusive, not durable; messages are transient.
    Transient,
    /// Durable, of the type that a broker takes where none is named; messages are persistent.
    Durable,
    /// Durable, of the type quorum; messages are persistent.
    Quorum,
}

/// How a publisher goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Pace {
    /// As fast as the broker takes messages, without confirms.
    FullSpeed,
    /// So many messages per second. The age of messages is measured only here: at full speed it
    /// would tell the length of the queue.
    MessagesPerSecond(u64),
    /// As fast as confirms come, with at most so many messages that are not confirmed yet.
    ConfirmWindow(u64),
    /// As many messages as the options say at full speed, all before the first is consumed.
    Backlog,
}

/// One publisher, one consumer, and the queues between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Scenario {
    pub(super) name: &'static str,
    /// Octets of each body.
    pub(super) message_size: usize,
    /// None where messages count as acknowledged when they are sent.
    pub(super) acknowledgements: Option<Acknowledgements>,
    pub(super) pace: Pace,
    pub(super) queue_kind: QueueKind,
    /// Messages go to one queue after the other.
    pub(super) queue_count: u16,
}

impl Scenario {
    /// Whether queues and messages are meant to survive a stop of the broker.
    pub(super) fn is_durable(&self) -> bool {
        self.queue_kind != QueueKind::Transient
    }

    /// The properties of each message, as they stand in its header frame.
    pub(super) fn properties(&self) -> Vec<u8> {
        let delivery_mode = self.is_durable().then_some(PERSISTENT);
        let mut properties = Vec::new();
        Properties { delivery_mode, ..Properties::default() }.encode(&mut properties);
        properties
    }

    /// Octets of body and properties of each message: what a broker cannot but keep.
    pub(super) fn content_size(&self) -> usize {
        self.message_size + self.properties().len()
    }
}

/// The delivery mode of messages that are to be kept.
const PERSISTENT: u8 = 2;

const PER_HUNDRED: Acknowledgements =
    Acknowledgements { prefetch_count: 1000, messages_per_ack: 100 };

/// At a rate, fewer per acknowledgement: the last message of a hundred must not look slow.
const PER_TEN: Acknowledgements = Acknowledgements { prefetch_count: 1000, messages_per_ack: 10 };

const fn scenario(name: &'static str, message_size: usize) -> Scenario {
    Scenario {
        name,
        message_size,
        acknowledgements: None,
        pace: Pace::FullSpeed,
        queue_kind: QueueKind::Transient,
        queue_count: 1,
    }
}

const fn durable(name: &'static str, pace: Pace) -> Scenario {
    Scenario {
        acknowledgements: Some(PER_HUNDRED),
        pace,
        queue_kind: QueueKind::Durable,
        ..scenario(name, 1024)
    }
}

/// All scenarios, in the order in which they run.
pub(super) const SCENARIOS: [Scenario; 12] = [
    scenario("auto-ack-16", 16),
    scenario("auto-ack-1k", 1024),
    Scenario { acknowledgements: Some(PER_HUNDRED), ..scenario("ack-16", 16) },
    Scenario { acknowledgements: Some(PER_HUNDRED), ..scenario("ack-1k", 1024) },
    Scenario { pace: Pace::MessagesPerSecond(2000), ..scenario("latency-16", 16) },
    Scenario {
        pace: Pace::MessagesPerSecond(2000),
        acknowledgements: Some(PER_TEN),
        ..scenario("latency-1k", 1024)
    },
    durable("durable-confirm-1", Pace::ConfirmWindow(1)),
    durable("durable-confirm-100", Pace::ConfirmWindow(100)),
    durable("durable-confirm-1000", Pace::ConfirmWindow(1000)),
    Scenario { queue_count: 100, ..durable("durable-queues-100", Pace::ConfirmWindow(1000)) },
    Scenario {
        queue_kind: QueueKind::Quorum,
        ..durable("quorum-confirm-1000", Pace::ConfirmWindow(1000))
    },
    durable("backlog", Pace::Backlog),
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

    #[test]
    fn durable_scenarios_send_persistent_messages_and_others_do_not() {
        let mode = |name| Properties::decode(&named(name).unwrap().properties()).unwrap();
        assert_eq!(mode("durable-confirm-1").delivery_mode, Some(2));
        assert_eq!(mode("quorum-confirm-1000").delivery_mode, Some(2));
        assert_eq!(mode("backlog").delivery_mode, Some(2));
        assert_eq!(mode("ack-1k").delivery_mode, None);
    }

    #[test]
    fn content_is_the_body_with_its_properties() {
        // Two octets of flags, and one of the delivery mode.
        assert_eq!(named("durable-confirm-1").unwrap().content_size(), 1024 + 3);
        assert_eq!(named("auto-ack-16").unwrap().content_size(), 16 + 2);
    }
}
