//! Limits that operators set on virtual hosts and users: their names, and what a declared value
//! comes to. What is counted against them, the broker knows.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::message::Name;

/// What limits of a virtual host are on, as they are named.
pub const HOST_LIMITS: [&str; 2] = ["max-connections", "max-queues"];

/// What limits of a user are on, as they are named.
pub const USER_LIMITS: [&str; 2] = ["max-connections", "max-channels"];

/// How much there may be in a virtual host; none is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostLimits {
    /// Connections.
    pub connections: Option<u64>,
    /// Queues.
    pub queues: Option<u64>,
}

/// How much a user may have; none is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserLimits {
    /// Connections.
    pub connections: Option<u64>,
    /// Channels, on all its connections together.
    pub channels: Option<u64>,
}

impl HostLimits {
    /// What the value of a parameter says. A number below zero is no limit.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        let limit = |name| value.get(name).and_then(Value::as_u64);
        let [connections, queues] = HOST_LIMITS.map(limit);
        Self { connections, queues }
    }
}

impl UserLimits {
    /// What was declared of a user. A number below zero is no limit.
    #[must_use]
    pub fn of(limits: &BTreeMap<Name, i64>) -> Self {
        let limit = |name| limits.get(name).and_then(|limit| u64::try_from(*limit).ok());
        let [connections, channels] = USER_LIMITS.map(limit);
        Self { connections, channels }
    }
}

/// Checks limits that somebody wishes for; `of` says whose they are to RabbitMQ.
///
/// # Errors
/// One is not known, or no whole number: RabbitMQ's words.
pub fn check_limits(
    wished: &Map<String, Value>,
    known: [&str; 2],
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
        limits.insert(name.as_str().into(), limit);
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_below_zero_is_no_limit_and_zero_is_one() {
        let limits = HostLimits::of(&json!({"max-connections": -1, "max-queues": 0}));
        assert_eq!(limits, HostLimits { connections: None, queues: Some(0) });
        assert_eq!(HostLimits::of(&json!([])), HostLimits::default());
        let declared = BTreeMap::from([("max-channels".into(), 3), ("max-connections".into(), -5)]);
        let limits = UserLimits::of(&declared);
        assert_eq!(limits, UserLimits { connections: None, channels: Some(3) });
    }

    #[test]
    fn what_is_no_limit_is_refused_in_rabbitmqs_words() {
        let check = |wished: Value| {
            check_limits(wished.as_object().unwrap(), HOST_LIMITS, "limits").unwrap_err()
        };
        for (wished, expected) in [
            (json!({"max-zzz": 3}), "Unrecognised terms [{<<\"max-zzz\">>,3}] in limits"),
            (json!({"max-queues": "a"}), "max-queues should be a number, actually was <<\"a\">>"),
            (json!({"max-queues": 1.5}), "max-queues should be a number, actually was 1.5"),
        ] {
            assert_eq!(check(wished), expected);
        }
        let good = json!({"max-queues": 1, "max-connections": -1});
        assert_eq!(check_limits(good.as_object().unwrap(), HOST_LIMITS, "").unwrap().len(), 2);
    }
}
