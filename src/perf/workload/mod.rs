//! What a run does, as a value: who publishes what to which queues, and who consumes it. How it is
//! done is in `runs`, what is declared for it in `topology`.

mod describe;
mod scenarios;
mod topology;

use serde::Serialize;

pub(super) use scenarios::{all, named, plain};
pub(super) use topology::{Route, Topology, share};

use super::clients::{PUBLISHERS_MAX, QUEUES_MAX, STAMP_SIZE};
use crate::protocol::field::{FieldTable, FieldValue};

/// How consumers acknowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Acknowledgements {
    /// basic.qos for each consumer.
    pub(super) prefetch_count: u16,
    /// Each acknowledgement is for so many messages.
    pub(super) messages_per_ack: u64,
}

/// Where messages are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ExchangeKind {
    /// The one without a name, which routes by the names of queues.
    Default,
    Direct,
    /// Every message goes to every queue.
    Fanout,
    Topic,
    Headers,
}

/// How long the queues of a run live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum QueueLife {
    /// As long as their consumers: exclusive where each has a single one.
    Transient,
    /// As long as one connection, in any case.
    Exclusive,
    /// Longer than the broker's process.
    Durable,
}

/// The value of an x-argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Argument {
    Boolean(bool),
    Integer(i64),
    Text(String),
}

/// What connections do over and over in a churn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Churn {
    /// Connect, open a channel, declare a queue, publish a message, close both
    Connection,
    /// Open and close a channel
    Channel,
    /// Declare and delete a queue
    Queue,
    /// Bind a queue to a topic exchange and unbind it
    Binding,
}

/// What a run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Messages are consumed while others are published.
    Load,
    /// All messages are published before the first is consumed.
    Backlog,
    /// Publishers are clients that wait for an answer, consumers are servers.
    Rpc,
    /// So many connections at once open and close something.
    Churn { what: Churn, connections: u32 },
    /// So many connections are opened and left alone.
    Idle { connections: u32, channels: u16 },
}

/// Everything that a run depends on, but for the broker and its length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Workload {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) publishers: u32,
    pub(super) consumers: u32,
    pub(super) queues: u32,
    /// Octets of each body.
    pub(super) message_size: usize,
    pub(super) is_persistent: bool,
    /// Messages per second of each publisher; none where they publish as fast as they may.
    pub(super) rate: Option<u64>,
    /// How many messages of each publisher may be unconfirmed; none where there are no confirms.
    pub(super) confirm_window: Option<u64>,
    /// How many messages of all publishers may be published and not consumed.
    pub(super) in_flight: Option<u64>,
    /// None where messages count as acknowledged when they are sent.
    pub(super) acknowledgements: Option<Acknowledgements>,
    pub(super) exchange: ExchangeKind,
    /// In all; spread over the queues. Without an exchange of the run's own there are none.
    pub(super) bindings: u32,
    pub(super) queue_life: QueueLife,
    pub(super) queue_arguments: Vec<(String, Argument)>,
    /// Messages in all, where it is not time that ends the run.
    pub(super) count: Option<u64>,
}

impl Workload {
    /// Copies that each message becomes.
    pub(super) fn copies(&self) -> u64 {
        match self.exchange {
            ExchangeKind::Fanout => self.queues.into(),
            _ => 1,
        }
    }

    /// Whether several consumers share a queue, so that none sees all of its messages.
    pub(super) fn has_shared_queues(&self) -> bool {
        self.consumers > self.queues
    }

    /// Whether queues belong to the connection that consumes from them.
    pub(super) fn is_exclusive(&self) -> bool {
        match self.queue_life {
            QueueLife::Exclusive => true,
            QueueLife::Durable => false,
            QueueLife::Transient => !self.has_shared_queues() && self.kind != Kind::Backlog,
        }
    }

    /// Whether the time from publishing to consuming says something: without anything that holds
    /// publishers back it would tell the length of the queue.
    pub(super) fn is_latency_measured(&self) -> bool {
        self.rate.is_some() || self.in_flight.is_some() || self.kind == Kind::Rpc
    }

    /// Octets of body and properties of each message: what a broker cannot but keep.
    pub(super) fn content_size(&self) -> u64 {
        const FLAGS_SIZE: usize = 2;
        (self.message_size + FLAGS_SIZE + usize::from(self.is_persistent)) as u64
    }

    /// Whether queues and messages are meant to survive a stop of the broker.
    pub(super) fn is_durable(&self) -> bool {
        self.is_persistent && self.queue_life == QueueLife::Durable
    }

    /// Where this cannot be run, why.
    pub(super) fn check(&self) -> Result<(), String> {
        let is_load = matches!(self.kind, Kind::Load | Kind::Backlog | Kind::Rpc);
        let acknowledgements = self.acknowledgements;
        let mistakes = [
            (
                self.message_size < STAMP_SIZE,
                "a message has at least 16 octets, which tell it from all others",
            ),
            (
                self.publishers > PUBLISHERS_MAX || self.queues > QUEUES_MAX,
                "messages tell 65,536 publishers and 1,048,576 queues apart, and no more",
            ),
            (is_load && self.publishers == 0, "there must be a publisher"),
            (is_load && self.queues == 0, "there must be a queue"),
            (self.kind != Kind::Load && is_load && self.consumers == 0, "there must be a consumer"),
            (
                self.in_flight.is_some() && self.consumers == 0,
                "messages in flight are limited by consumers, and there are none",
            ),
            (
                self.is_exclusive() && self.has_shared_queues(),
                "an exclusive queue has one consumer: as many queues as consumers are needed",
            ),
            (
                self.exchange != ExchangeKind::Default && self.bindings < self.queues,
                "every queue needs a binding: as many bindings as queues are needed",
            ),
            (
                acknowledgements.is_some_and(|a| {
                    a.prefetch_count > 0 && a.messages_per_ack > a.prefetch_count.into()
                }),
                "an acknowledgement for more messages than the prefetch would never come",
            ),
        ];
        match mistakes.into_iter().find(|(is_made, _)| *is_made) {
            Some((_, words)) => Err(words.to_owned()),
            None => Ok(()),
        }
    }

    /// The x-arguments of the queues.
    pub(super) fn arguments(&self) -> FieldTable {
        self.queue_arguments.iter().map(|(name, value)| (name.as_str(), value.to_field())).collect()
    }
}

impl Argument {
    /// Booleans and integers are recognized, all else is text.
    pub(super) fn parse(text: &str) -> Self {
        match (text.parse(), text.parse()) {
            (Ok(boolean), _) => Self::Boolean(boolean),
            (_, Ok(integer)) => Self::Integer(integer),
            _ => Self::Text(text.to_owned()),
        }
    }

    fn to_field(&self) -> FieldValue {
        match self {
            Self::Boolean(value) => FieldValue::from(*value),
            Self::Integer(value) => FieldValue::I64(*value),
            Self::Text(value) => FieldValue::from(value.as_str()),
        }
    }
}

impl std::fmt::Display for Argument {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Boolean(value) => write!(formatter, "{value}"),
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Text(value) => write!(formatter, "{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_booleans_integers_or_text() {
        let parsed = ["true", "-5", "quorum", "5s"].map(Argument::parse);
        let expected = [
            Argument::Boolean(true),
            Argument::Integer(-5),
            Argument::Text("quorum".to_owned()),
            Argument::Text("5s".to_owned()),
        ];
        assert_eq!(parsed, expected);
    }

    #[test]
    fn what_cannot_be_run_is_told_in_words() {
        let s1 = || named("s1").unwrap();
        let mistakes = [
            (Workload { message_size: 15, ..s1() }, "16 octets"),
            (Workload { publishers: 0, ..s1() }, "a publisher"),
            (Workload { queues: 0, ..s1() }, "a queue"),
            (Workload { consumers: 0, in_flight: Some(1), ..s1() }, "in flight"),
            (Workload { consumers: 2, queue_life: QueueLife::Exclusive, ..s1() }, "exclusive"),
            (Workload { queues: 11, ..named("s6-10").unwrap() }, "binding"),
            (
                Workload {
                    acknowledgements: Some(Acknowledgements {
                        prefetch_count: 5,
                        messages_per_ack: 6,
                    }),
                    ..s1()
                },
                "prefetch",
            ),
        ];
        for (workload, words) in mistakes {
            let error = workload.check().unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn queues_are_exclusive_where_each_has_one_consumer() {
        let s1 = named("s1").unwrap();
        assert!(s1.is_exclusive());
        assert!(!Workload { consumers: 2, ..s1.clone() }.is_exclusive());
        assert!(!Workload { queue_life: QueueLife::Durable, ..s1.clone() }.is_exclusive());
        assert!(!Workload { kind: Kind::Backlog, ..s1 }.is_exclusive());
    }

    #[test]
    fn content_is_the_body_with_its_properties() {
        // Two octets of flags, and one of the delivery mode.
        assert_eq!(named("s3").unwrap().content_size(), 1024 + 3);
        assert_eq!(named("s1").unwrap().content_size(), 16 + 2);
    }
}
