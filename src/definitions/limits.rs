//! Limits that operators set on virtual hosts and users: their names, and what a declared value
//! comes to. What is counted against them, the broker knows.

use core::num::NonZeroU64;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::message::Name;

/// What limits of a virtual host are on, as they are named.
pub const HOST_LIMITS: [&str; 4] =
    ["max-connections", "max-queues", PUBLISH_RATE, PUBLISH_BYTES_RATE];

/// What limits of a user are on, as they are named.
pub const USER_LIMITS: [&str; 4] =
    ["max-connections", "max-channels", PUBLISH_RATE, PUBLISH_BYTES_RATE];

const PUBLISH_RATE: &str = "max-publish-rate";

const PUBLISH_BYTES_RATE: &str = "max-publish-bytes-rate";

/// How much there may be in a virtual host; none is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostLimits {
    /// Connections.
    pub connections: Option<u64>,
    /// Queues.
    pub queues: Option<u64>,
    /// How fast all clients in it may publish.
    pub publish: PublishLimits,
}

/// How much a user may have; none is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserLimits {
    /// Connections.
    pub connections: Option<u64>,
    /// Channels, on all its connections together.
    pub channels: Option<u64>,
    /// How fast it may publish, on all its connections together.
    pub publish: PublishLimits,
}

/// How much may be published in a second; none is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublishLimits {
    /// Messages.
    pub messages: Option<NonZeroU64>,
    /// Bytes of their bodies.
    pub bytes: Option<NonZeroU64>,
}

impl PublishLimits {
    fn new([messages, bytes]: [Option<u64>; 2]) -> Self {
        let [messages, bytes] = [messages, bytes].map(|rate| rate.and_then(NonZeroU64::new));
        Self { messages, bytes }
    }
}

impl HostLimits {
    /// What the value of a parameter says. A number below zero is no limit.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        let limit = |name| value.get(name).and_then(Value::as_u64);
        let [connections, queues, messages, bytes] = HOST_LIMITS.map(limit);
        Self { connections, queues, publish: PublishLimits::new([messages, bytes]) }
    }
}

impl UserLimits {
    /// What was declared of a user. A number below zero is no limit.
    #[must_use]
    pub fn of(limits: &BTreeMap<Name, i64>) -> Self {
        let limit = |name| limits.get(name).and_then(|limit| u64::try_from(*limit).ok());
        let [connections, channels, messages, bytes] = USER_LIMITS.map(limit);
        Self { connections, channels, publish: PublishLimits::new([messages, bytes]) }
    }
}

/// Checks limits that somebody wishes for; `of` says whose they are to RabbitMQ.
///
/// # Errors
/// One is not known, or no whole number: RabbitMQ's words; or a rate of nothing.
pub fn check_limits(
    wished: &Map<String, Value>,
    known: &[&str],
    of: &str,
) -> Result<BTreeMap<Name, i64>, String> {
    let mut limits = BTreeMap::new();
    for (name, value) in wished {
        let shown = super::term(value);
        if !known.contains(&name.as_str()) {
            return Err(format!("Unrecognised terms [{{<<\"{name}\">>,{shown}}}] in {of}"));
        }
        let limit = value
            .as_i64()
            .ok_or_else(|| format!("{name} should be a number, actually was {shown}"))?;
        if is_no_rate(name, limit) {
            return Err(format!(
                "{name} should be above 0, or below for no limit, actually was {limit}"
            ));
        }
        limits.insert(name.as_str().into(), limit);
    }
    Ok(limits)
}

/// A rate of nothing: who publishes would wait for ever.
#[must_use]
pub fn is_no_rate(name: &str, limit: i64) -> bool {
    limit == 0 && [PUBLISH_RATE, PUBLISH_BYTES_RATE].contains(&name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_below_zero_is_no_limit_and_zero_is_one() {
        let limits = HostLimits::of(&json!({"max-connections": -1, "max-queues": 0}));
        assert_eq!(limits, HostLimits { queues: Some(0), ..HostLimits::default() });
        assert_eq!(HostLimits::of(&json!([])), HostLimits::default());
        let declared = BTreeMap::from([("max-channels".into(), 3), ("max-connections".into(), -5)]);
        let limits = UserLimits::of(&declared);
        assert_eq!(limits, UserLimits { channels: Some(3), ..UserLimits::default() });
    }

    #[test]
    fn rates_are_above_zero_or_none() {
        let wished = json!({"max-publish-rate": 100, "max-publish-bytes-rate": -1});
        let limits = PublishLimits { messages: NonZeroU64::new(100), bytes: None };
        assert_eq!(HostLimits::of(&wished).publish, limits);
        let checked = check_limits(wished.as_object().unwrap(), &USER_LIMITS, "user-limits");
        assert_eq!(UserLimits::of(&checked.unwrap()).publish, limits);
        assert_eq!(HostLimits::of(&json!({"max-publish-rate": 0})), HostLimits::default());
    }

    #[test]
    fn what_is_no_limit_is_refused_in_rabbitmqs_words() {
        let check = |wished: Value| {
            check_limits(wished.as_object().unwrap(), &HOST_LIMITS, "limits").unwrap_err()
        };
        for (wished, expected) in [
            (json!({"max-zzz": 3}), "Unrecognised terms [{<<\"max-zzz\">>,3}] in limits"),
            (json!({"max-queues": "a"}), "max-queues should be a number, actually was <<\"a\">>"),
            (json!({"max-queues": 1.5}), "max-queues should be a number, actually was 1.5"),
            (
                json!({"max-publish-bytes-rate": 0}),
                "max-publish-bytes-rate should be above 0, or below for no limit, actually was 0",
            ),
        ] {
            assert_eq!(check(wished), expected);
        }
        let good = json!({"max-queues": 1, "max-connections": -1});
        assert_eq!(check_limits(good.as_object().unwrap(), &HOST_LIMITS, "").unwrap().len(), 2);
    }
}
