//! The keys a policy may set: what values they take, whether an operator may set them, which types
//! of queue know them. What a value then does is in `force`.

use serde_json::{Map, Value};

use crate::definitions::PolicyKind;
use crate::message::QueueKind;

/// What values a key takes.
#[derive(Clone, Copy, Debug)]
enum Takes {
    /// A whole number, from this on.
    Number(i64),
    /// Any text.
    Text,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// One of these numbers.
    Version(&'static [i64]),
    /// A length of time: a number and its unit, as streams have it.
    Age,
    /// Yes or no.
    Boolean,
    /// Anything: it has no effect on one node, or none any more.
    Anything,
}

/// Who knows a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knows {
    Exchanges,
    Queues,
    Only(QueueKind),
    /// What there is not yet.
    Streams,
}

/// One key.
struct Key {
    name: &'static str,
    takes: Takes,
    /// What a text of RabbitMQ calls it: "... is not a valid message TTL".
    called: &'static str,
    knows: Knows,
    /// How values of a user and of an operator become one; none where operators may not set it.
    merge: Option<Merge>,
}

/// Whose value counts where both set one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merge {
    /// The smaller one; below zero is no limit.
    Least,
    /// The larger one.
    Most,
    /// The operator's.
    Operator,
}

const CLASSIC: Knows = Knows::Only(QueueKind::Classic);
const QUORUM: Knows = Knows::Only(QueueKind::Quorum);
const COUNT: Takes = Takes::Number(0);
const ANY_NUMBER: Takes = Takes::Number(i64::MIN);
const VERSIONS: Takes = Takes::Version(&[1, 2]);
const OVERFLOWS: Takes = Takes::Choice(&["drop-head", "reject-publish", "reject-publish-dlx"]);
const LOCATORS: Takes = Takes::Choice(&["client-local", "balanced", "random", "least-leaders"]);
const RETRIES: Takes = Takes::Choice(&["disabled", "all", "failed", "returned"]);
const STRATEGIES: Takes = Takes::Choice(&["at-most-once", "at-least-once"]);

#[rustfmt::skip]
const KEYS: &[Key] = &[
    key("alternate-exchange", Takes::Text, "alternate exchange name", Knows::Exchanges),
    key("consumer-disconnected-timeout", COUNT, "consumer disconnected timeout", QUORUM),
    key("consumer-timeout", COUNT, "consumer timeout", Knows::Queues),
    key("dead-letter-exchange", Takes::Text, "dead letter exchange name", Knows::Queues),
    key("dead-letter-routing-key", Takes::Text, "dead letter routing key", Knows::Queues),
    key("dead-letter-strategy", STRATEGIES, "dead letter strategy", Knows::Queues),
    key("delayed", Takes::Boolean, "delayed value", Knows::Exchanges),
    key("delayed-retry-max", COUNT, "maximum delayed retry", Knows::Queues).merged(Merge::Least),
    key("delayed-retry-min", COUNT, "minimum delayed retry", Knows::Queues).merged(Merge::Least),
    key("delayed-retry-type", RETRIES, "delayed retry type", Knows::Queues).merged(Merge::Operator),
    key("delivery-limit", ANY_NUMBER, "delivery limit", Knows::Queues).merged(Merge::Least),
    key("expires", Takes::Number(1), "queue expiry", Knows::Queues).merged(Merge::Least),
    key("federation-upstream", Takes::Text, "upstream", Knows::Queues),
    key("federation-upstream-set", Takes::Text, "upstream set", Knows::Queues),
    key("ha-mode", Takes::Anything, "", Knows::Queues),
    key("ha-params", Takes::Anything, "", Knows::Queues),
    key("ha-promote-on-failure", Takes::Anything, "", Knows::Queues),
    key("ha-promote-on-shutdown", Takes::Anything, "", Knows::Queues),
    key("ha-sync-batch-size", Takes::Anything, "", Knows::Queues),
    key("ha-sync-mode", Takes::Anything, "", Knows::Queues),
    key("initial-cluster-size", COUNT, "cluster size", Knows::Streams),
    key("max-age", Takes::Age, "max age", Knows::Streams),
    key("max-in-memory-bytes", COUNT, "maximum memory in bytes", QUORUM).merged(Merge::Least),
    key("max-in-memory-length", COUNT, "maximum memory in bytes", QUORUM).merged(Merge::Least),
    key("max-length", COUNT, "maximum length", Knows::Queues).merged(Merge::Least),
    key("max-length-bytes", COUNT, "maximum length in bytes", Knows::Queues).merged(Merge::Least),
    key("member-placement-tag", Takes::Text, "placement tag", QUORUM).merged(Merge::Operator),
    key("message-ttl", COUNT, "message TTL", Knows::Queues).merged(Merge::Least),
    key("overflow", OVERFLOWS, "overflow value", Knows::Queues).merged(Merge::Operator),
    key("queue-leader-locator", LOCATORS, "queue leader locator value", Knows::Queues),
    key("queue-mode", Takes::Choice(&["default", "lazy"]), "queue-mode value", CLASSIC),
    key("queue-version", VERSIONS, "queue-version value", CLASSIC).merged(Merge::Operator),
    key("storage", Takes::Choice(&["disk", "memory"]), "storage value", Knows::Queues),
    key("stream-filter-size-bytes", Takes::Number(16), "filter size", Knows::Streams),
    key("stream-max-segment-size-bytes", COUNT, "segment size", Knows::Streams),
    key("target-group-size", Takes::Number(1), "target group size", QUORUM).merged(Merge::Most),
];

const fn key(name: &'static str, takes: Takes, called: &'static str, knows: Knows) -> Key {
    Key { name, takes, called, knows, merge: None }
}

impl Key {
    const fn merged(self, merge: Merge) -> Self {
        Self { merge: Some(merge), ..self }
    }

    fn takes(&self, value: &Value) -> bool {
        match self.takes {
            // Numbers above the largest signed one are as good as that.
            Takes::Number(min) => value.as_i64().map_or(value.is_u64(), |number| number >= min),
            Takes::Text => value.is_string(),
            Takes::Choice(texts) => value.as_str().is_some_and(|text| texts.contains(&text)),
            Takes::Version(numbers) => {
                value.as_i64().is_some_and(|number| numbers.contains(&number))
            }
            Takes::Age => value.as_str().is_some_and(is_age),
            Takes::Boolean => value.is_boolean(),
            Takes::Anything => true,
        }
    }
}

fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// `7D`, `12h`: a number, then years, months, days, hours, minutes or seconds.
fn is_age(text: &str) -> bool {
    let number = text.strip_suffix(['Y', 'M', 'D', 'h', 'm', 's']);
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Whose value of a key counts.
pub(super) fn merge(name: &str) -> Merge {
    find(name).and_then(|key| key.merge).unwrap_or(Merge::Operator)
}

/// Whether all that the settings say has a meaning for a queue of this type: RabbitMQ does not
/// apply the others at all.
pub(super) fn suit(settings: &Map<String, Value>, kind: QueueKind) -> bool {
    settings.keys().all(|name| match find(name).map(|key| key.knows) {
        Some(Knows::Only(only)) => only == kind,
        Some(Knows::Streams) => false,
        Some(Knows::Queues | Knows::Exchanges) | None => true,
    })
}

/// Whether the settings are good.
///
/// # Errors
/// RabbitMQ's words about the first value that is not, else about keys that nobody knows.
pub fn check(kind: PolicyKind, settings: &Map<String, Value>) -> Result<(), String> {
    let known =
        |name: &str| find(name).filter(|key| kind == PolicyKind::User || key.merge.is_some());
    if settings.is_empty() {
        return Err("no policy provided".to_owned());
    }
    for (name, value) in settings {
        if let Some(key) = known(name).filter(|key| !key.takes(value)) {
            return Err(format!("{value} is not a valid {}", key.called));
        }
    }
    let unknown: Vec<&String> = settings.keys().filter(|name| known(name).is_none()).collect();
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(format!("{unknown:?} are not recognised policy settings")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn refusal(kind: PolicyKind, settings: &Value) -> String {
        check(kind, &map(settings)).err().unwrap_or_default()
    }

    #[test]
    fn keys_stand_in_their_order_each_once() {
        assert!(KEYS.is_sorted_by(|one, other| one.name < other.name));
    }

    #[test]
    fn what_a_policy_may_not_say_is_told_in_rabbitmqs_words() {
        for (settings, text) in [
            (json!({}), "no policy provided"),
            (json!({"foo": 1}), r#"["foo"] are not recognised policy settings"#),
            (json!({"foo": 1, "bar": 2}), r#"["bar", "foo"] are not recognised policy settings"#),
            (json!({"foo": 1, "expires": 0}), "0 is not a valid queue expiry"),
            (json!({"message-ttl": "abc"}), r#""abc" is not a valid message TTL"#),
            (json!({"message-ttl": 1.5}), "1.5 is not a valid message TTL"),
            (json!({"max-length": -1}), "-1 is not a valid maximum length"),
            (json!({"max-length-bytes": true}), "true is not a valid maximum length in bytes"),
            (json!({"dead-letter-exchange": 5}), "5 is not a valid dead letter exchange name"),
            (json!({"overflow": ["x"]}), r#"["x"] is not a valid overflow value"#),
            (json!({"delivery-limit": "x"}), r#""x" is not a valid delivery limit"#),
            (json!({"queue-version": 3}), "3 is not a valid queue-version value"),
            (json!({"max-age": "7x"}), r#""7x" is not a valid max age"#),
            (json!({"storage": "x"}), r#""x" is not a valid storage value"#),
        ] {
            assert_eq!(refusal(PolicyKind::User, &settings), text);
        }
    }

    #[test]
    fn values_at_their_edges_are_taken() {
        for settings in [
            json!({"delivery-limit": -1}),
            json!({"message-ttl": 0, "expires": 1, "max-length": 0}),
            json!({"max-length-bytes": u64::MAX}),
            json!({"ha-mode": "all", "max-age": "7D", "dead-letter-exchange": ""}),
        ] {
            assert_eq!(refusal(PolicyKind::User, &settings), "");
        }
    }

    #[test]
    fn operators_set_limits_and_not_where_messages_go() {
        let limits = json!({"max-length": 5, "message-ttl": 7, "overflow": "drop-head"});
        assert_eq!(refusal(PolicyKind::Operator, &limits), "");
        assert_eq!(
            refusal(PolicyKind::Operator, &json!({"dead-letter-exchange": "x"})),
            r#"["dead-letter-exchange"] are not recognised policy settings"#
        );
        assert_eq!(
            refusal(PolicyKind::Operator, &json!({"storage": "disk"})),
            r#"["storage"] are not recognised policy settings"#
        );
    }

    #[test]
    fn a_policy_with_a_key_of_another_type_does_not_suit() {
        let suits = |settings: Value| {
            [QueueKind::Classic, QueueKind::Quorum].map(|kind| suit(&map(&settings), kind))
        };
        assert_eq!(suits(json!({"max-length": 1, "delivery-limit": 3})), [true, true]);
        assert_eq!(suits(json!({"max-length": 1, "queue-mode": "lazy"})), [true, false]);
        assert_eq!(suits(json!({"max-length": 1, "target-group-size": 3})), [false, true]);
        assert_eq!(suits(json!({"max-age": "1h"})), [false, false]);
    }
}
