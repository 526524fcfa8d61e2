//! What queues are told, by their arguments and by a policy each, and what of it is in force. A
//! queue's dead letters always go to a queue further down, so that no fate is a circle.

use leveret::protocol::field::{FieldTable, FieldValue};
use serde_json::{Map, Value};

use crate::chance::Chance;
use crate::operation::number;

/// Queues from the first to the last: dead letters go down, and stay in the last one, which has no
/// rules.
pub(super) const QUEUES: [&str; 6] = ["a0", "a1", "a2", "b0", "b1", "m"];

/// Where everything ends.
pub(super) const LAST: &str = "m";

/// The exchange that lets messages wait, and the one by which some dead letters go.
pub(super) const LATER: &str = "later";
pub(super) const BURY: &str = "bury";

/// Rules of one queue, of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) ttl_ms: Option<u64>,
    pub(super) length_max: Option<u64>,
    pub(super) overflow: Option<&'static str>,
    pub(super) delivery_limit: Option<u64>,
    pub(super) retry: Option<Retry>,
    /// The exchange and the queue of dead letters.
    pub(super) target: Option<(&'static str, &'static str)>,
    /// Dead letters for which there is no room stay.
    pub(super) keeps: Option<bool>,
}

/// What comes back waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retry {
    pub(super) kind: &'static str,
    pub(super) min_ms: u64,
    pub(super) max_ms: u64,
}

/// Rules that are in force for a queue.
#[derive(Clone, Debug)]
pub(super) struct QueueRules {
    pub(super) is_quorum: bool,
    pub(super) priority_max: Option<u64>,
    pub(super) arguments: Rules,
    pub(super) policy: Option<Rules>,
    /// Times to live, each since when; the latest is last.
    pub(super) ttls: Vec<(u64, Option<u64>)>,
    /// Policies that it had.
    pub(super) change_count: usize,
}

impl Rules {
    /// Some rules at random; a target only where it is given.
    pub(super) fn random(chance: &mut Chance, queue: &str, is_quorum: bool) -> Self {
        let overflows = match is_quorum {
            true => &["drop-head", "reject-publish"][..],
            false => &["drop-head", "reject-publish", "reject-publish-dlx"][..],
        };
        let retry = Retry {
            kind: chance.pick(&["all", "failed", "returned", "disabled"]).unwrap(),
            min_ms: 1 + chance.below(60) as u64,
            max_ms: 60 + chance.below(60) as u64,
        };
        let length_max = 1 + chance.below(12) as u64;
        Self {
            ttl_ms: chance.one_in(2).then(|| chance.below(500) as u64),
            length_max: chance.one_in(2).then_some(length_max),
            overflow: chance.one_in(2).then(|| *chance.pick(overflows).unwrap()),
            delivery_limit: chance.one_in(3).then(|| chance.below(4) as u64),
            retry: chance.one_in(3).then_some(retry),
            target: Some(Self::target_of(chance, queue)),
            keeps: chance.one_in(2).then(|| chance.one_in(2)),
        }
    }

    fn target_of(chance: &mut Chance, queue: &str) -> (&'static str, &'static str) {
        let below: &[&str] = match queue.starts_with('a') {
            true => &["b0", "b1", LAST],
            false => &[LAST],
        };
        (chance.pick(&["", BURY]).unwrap(), chance.pick(below).unwrap())
    }

    /// As a policy has them.
    pub(super) fn settings(&self) -> Map<String, Value> {
        let mut settings = Map::new();
        let mut set = |key: &str, value: Option<Value>| {
            settings.extend(value.map(|value| (key.to_owned(), value)));
        };
        set("message-ttl", self.ttl_ms.map(Value::from));
        set("max-length", self.length_max.map(Value::from));
        set("overflow", self.overflow.map(Value::from));
        set("delivery-limit", self.delivery_limit.map(Value::from));
        set("delayed-retry-type", self.retry.map(|retry| retry.kind.into()));
        set("delayed-retry-min", self.retry.map(|retry| retry.min_ms.into()));
        set("delayed-retry-max", self.retry.map(|retry| retry.max_ms.into()));
        set("dead-letter-exchange", self.target.map(|(exchange, _)| exchange.into()));
        set("dead-letter-routing-key", self.target.map(|(_, key)| key.into()));
        let strategy = |keeps| if keeps { "at-least-once" } else { "at-most-once" };
        set("dead-letter-strategy", self.keeps.map(|keeps| strategy(keeps).into()));
        settings
    }
}

impl QueueRules {
    /// Random rules of a queue of this name. Where dead letters go is said by the arguments, or
    /// always by the policy.
    pub(super) fn random(chance: &mut Chance, queue: &str, now: u64) -> Self {
        let is_quorum = queue != LAST && chance.one_in(3);
        let mut rules = Self {
            is_quorum,
            priority_max: (!is_quorum && chance.one_in(4)).then_some(5),
            arguments: Rules::default(),
            policy: None,
            ttls: Vec::new(),
            change_count: 0,
        };
        if queue != LAST {
            rules.arguments = Rules::random(chance, queue, is_quorum);
            if chance.one_in(2) {
                rules.arguments.target = None;
                rules.policy = Some(Rules::random(chance, queue, is_quorum));
            }
        }
        rules.changed(now);
        rules
    }

    /// Another policy, or none, where that leaves dead letters somewhere to go.
    pub(super) fn other_policy(&self, chance: &mut Chance, queue: &str) -> Option<Rules> {
        if self.arguments.target.is_some() && chance.one_in(3) {
            return None;
        }
        Some(Rules::random(chance, queue, self.is_quorum))
    }

    /// A policy was set or cleared.
    pub(super) fn changed(&mut self, now: u64) {
        let ttl_ms = self.in_force().ttl_ms;
        if self.ttls.last().is_none_or(|(_, known)| *known != ttl_ms) {
            self.ttls.push((now, ttl_ms));
        }
    }

    /// Of limits the stricter counts; for the rest the arguments are asked first, but for what a
    /// full queue of quorum type does.
    pub(super) fn in_force(&self) -> Rules {
        let said = &self.arguments;
        let Some(policy) = &self.policy else { return said.clone() };
        let least = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
        Rules {
            ttl_ms: least(said.ttl_ms, policy.ttl_ms),
            length_max: least(said.length_max, policy.length_max),
            overflow: match self.is_quorum {
                true => policy.overflow.or(said.overflow),
                false => said.overflow.or(policy.overflow),
            },
            delivery_limit: least(said.delivery_limit, policy.delivery_limit),
            retry: said.retry.or(policy.retry),
            target: said.target.or(policy.target),
            keeps: said.keeps.or(policy.keeps),
        }
    }

    /// The shortest time to live of what came at this moment or later.
    pub(super) fn shortest_ttl_since(&self, since: u64) -> Option<u64> {
        let ends = self.ttls.iter().skip(1).map(|(from, _)| *from).chain([u64::MAX]);
        let overlapping = self.ttls.iter().zip(ends).filter(|(_, end)| *end >= since);
        overlapping.filter_map(|((_, ttl_ms), _)| *ttl_ms).min()
    }

    /// As a declaration has them.
    pub(super) fn arguments(&self) -> FieldTable {
        let mut arguments = FieldTable::new();
        for (key, value) in self.arguments.settings() {
            let value = match value.as_u64() {
                Some(value) => number(value),
                None => FieldValue::from(value.as_str().unwrap()),
            };
            arguments.insert(format!("x-{key}").as_str(), value);
        }
        arguments.insert("x-queue-type", if self.is_quorum { "quorum" } else { "classic" });
        if let Some(priority_max) = self.priority_max {
            arguments.insert("x-max-priority", number(priority_max));
        }
        arguments
    }
}
