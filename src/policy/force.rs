//! What is in force for a queue: what a policy sets and what the arguments say. Of limits the
//! stricter counts; where messages go, the arguments say first, as in RabbitMQ.

use serde_json::{Map, Value};

use crate::message::expiration::EXPIRY_MS_MAX;
use crate::message::queue_options::{
    DeadLetterStrategy, DelayedRetry, DelayedRetryKind, DeliveryLimit, Overflow, Storage,
};
use crate::message::{QueueKind, QueueOptions};

/// Settings, one by one.
struct Settings<'a>(&'a Map<String, Value>);

impl Settings<'_> {
    fn number(&self, key: &str) -> Option<u64> {
        self.0.get(key)?.as_u64()
    }

    fn text(&self, key: &str) -> Option<Box<str>> {
        Some(self.0.get(key)?.as_str()?.into())
    }

    fn overflow(&self) -> Option<Overflow> {
        Some(match self.0.get("overflow")?.as_str()? {
            "reject-publish" => Overflow::RejectPublish,
            "reject-publish-dlx" => Overflow::RejectPublishDeadLetter,
            _ => Overflow::DropHead,
        })
    }

    fn delivery_limit(&self) -> Option<DeliveryLimit> {
        let limit = self.0.get("delivery-limit")?;
        Some(limit.as_u64().map_or(DeliveryLimit::Unlimited, DeliveryLimit::Returns))
    }

    fn dead_letter_strategy(&self) -> Option<DeadLetterStrategy> {
        Some(match self.0.get("dead-letter-strategy")?.as_str()? {
            "at-least-once" => DeadLetterStrategy::AtLeastOnce,
            _ => DeadLetterStrategy::AtMostOnce,
        })
    }

    fn storage(&self) -> Option<Storage> {
        Some(match self.0.get("storage")?.as_str()? {
            "memory" => Storage::Memory,
            _ => Storage::Disk,
        })
    }

    fn delayed_retry(&self) -> Option<DelayedRetry> {
        let kind = match self.0.get("delayed-retry-type")?.as_str()? {
            "all" => DelayedRetryKind::All,
            "failed" => DelayedRetryKind::Failed,
            "returned" => DelayedRetryKind::Returned,
            _ => DelayedRetryKind::Disabled,
        };
        let min_ms = self.number("delayed-retry-min").unwrap_or(0);
        let max_ms = self.number("delayed-retry-max").map(|max_ms| max_ms.max(min_ms));
        Some(DelayedRetry { kind, min_ms, max_ms })
    }
}

/// The options of a queue with these arguments under these settings.
#[must_use]
pub fn in_force(arguments: &QueueOptions, settings: &Map<String, Value>) -> QueueOptions {
    let policy = Settings(settings);
    let said = arguments.clone();
    let least = |said: Option<u64>, key: &str| least(said, policy.number(key));
    QueueOptions {
        expires_ms: least(said.expires_ms, "expires"),
        // As with arguments, nothing lives longer than that.
        message_ttl_ms: least(said.message_ttl_ms, "message-ttl").map(|ms| ms.min(EXPIRY_MS_MAX)),
        length_max: least(said.length_max, "max-length"),
        length_bytes_max: least(said.length_bytes_max, "max-length-bytes"),
        consumer_timeout_ms: sooner(said.consumer_timeout_ms, policy.number("consumer-timeout")),
        delivery_limit: stricter(said.delivery_limit, policy.delivery_limit()),
        overflow: overflow(said.kind, said.overflow, policy.overflow()),
        dead_letter_exchange: said.dead_letter_exchange.or(policy.text("dead-letter-exchange")),
        dead_letter_routing_key: said
            .dead_letter_routing_key
            .or(policy.text("dead-letter-routing-key")),
        dead_letter_strategy: said.dead_letter_strategy.or(policy.dead_letter_strategy()),
        delayed_retry: said.delayed_retry.or(policy.delayed_retry()),
        storage: said.storage.or(policy.storage()),
        ..said
    }
}

fn least(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

/// The less of both times, where 0 is for ever.
fn sooner(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min_by_key(|timeout_ms| timeout_ms.wrapping_sub(1))
}

fn stricter(one: Option<DeliveryLimit>, other: Option<DeliveryLimit>) -> Option<DeliveryLimit> {
    let returns = |limit: &DeliveryLimit| match limit {
        DeliveryLimit::Returns(count) => *count,
        DeliveryLimit::Unlimited => u64::MAX,
    };
    one.into_iter().chain(other).min_by_key(returns)
}

/// A queue of quorum type listens to the policy first, and knows no dead letters of what it
/// refuses.
fn overflow(kind: QueueKind, said: Option<Overflow>, policy: Option<Overflow>) -> Option<Overflow> {
    match kind {
        QueueKind::Classic => said.or(policy),
        QueueKind::Quorum => match policy.or(said) {
            Some(Overflow::RejectPublishDeadLetter) => Some(Overflow::DropHead),
            overflow => overflow,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn under(arguments: &QueueOptions, settings: &Value) -> QueueOptions {
        in_force(arguments, settings.as_object().unwrap())
    }

    #[test]
    fn of_limits_the_stricter_counts() {
        let said = QueueOptions {
            message_ttl_ms: Some(100),
            length_max: Some(5),
            delivery_limit: Some(DeliveryLimit::Returns(3)),
            ..QueueOptions::default()
        };
        let policy = json!({
            "message-ttl": 50, "max-length": 7, "max-length-bytes": 9, "expires": 11,
            "consumer-timeout": 13, "delivery-limit": -1,
        });
        let options = under(&said, &policy);
        assert_eq!((options.message_ttl_ms, options.length_max), (Some(50), Some(5)));
        assert_eq!((options.length_bytes_max, options.expires_ms), (Some(9), Some(11)));
        assert_eq!(options.consumer_timeout_ms, Some(13));
        assert_eq!(options.delivery_limit, Some(DeliveryLimit::Returns(3)));
        let options = under(&QueueOptions::default(), &policy);
        assert_eq!(options.delivery_limit, Some(DeliveryLimit::Unlimited));
    }

    #[test]
    fn a_consumer_timeout_is_not_lifted_by_a_zero_where_another_is_set() {
        let timeout_ms = |said, policy: u64| {
            let said = QueueOptions { consumer_timeout_ms: said, ..QueueOptions::default() };
            under(&said, &json!({"consumer-timeout": policy})).consumer_timeout_ms
        };
        assert_eq!((timeout_ms(Some(7), 9), timeout_ms(Some(9), 7)), (Some(7), Some(7)));
        assert_eq!((timeout_ms(Some(0), 9), timeout_ms(Some(9), 0)), (Some(9), Some(9)));
        assert_eq!((timeout_ms(Some(0), 0), timeout_ms(None, 0)), (Some(0), Some(0)));
    }

    #[test]
    fn nothing_lives_longer_than_ten_years() {
        let options = under(&QueueOptions::default(), &json!({"message-ttl": u64::MAX}));
        assert_eq!(options.message_ttl_ms, Some(EXPIRY_MS_MAX));
    }

    #[test]
    fn where_dead_letters_go_the_arguments_say_first() {
        let policy = json!({"dead-letter-exchange": "p", "dead-letter-routing-key": "k"});
        let said =
            QueueOptions { dead_letter_exchange: Some("a".into()), ..QueueOptions::default() };
        let options = under(&said, &policy);
        assert_eq!(options.dead_letter_exchange.as_deref(), Some("a"));
        assert_eq!(options.dead_letter_routing_key.as_deref(), Some("k"));
        let options = under(&QueueOptions::default(), &policy);
        assert_eq!(options.dead_letter_exchange.as_deref(), Some("p"));
    }

    #[test]
    fn what_a_full_queue_does_a_classic_one_is_told_by_its_argument_and_a_quorum_one_by_the_policy()
    {
        let policy = json!({"overflow": "reject-publish"});
        for (kind, expected) in
            [(QueueKind::Classic, Overflow::DropHead), (QueueKind::Quorum, Overflow::RejectPublish)]
        {
            let overflow = Some(Overflow::DropHead);
            let said = QueueOptions { kind, overflow, ..QueueOptions::default() };
            assert_eq!(under(&said, &policy).overflow, Some(expected));
        }
        let said = QueueOptions { kind: QueueKind::Quorum, ..QueueOptions::default() };
        let options = under(&said, &json!({"overflow": "reject-publish-dlx"}));
        assert_eq!(options.overflow, Some(Overflow::DropHead));
    }

    #[test]
    fn settings_without_a_meaning_for_queues_change_nothing() {
        let policy = json!({"alternate-exchange": "x", "ha-mode": "all", "queue-mode": "lazy"});
        assert_eq!(under(&QueueOptions::default(), &policy), QueueOptions::default());
    }

    #[test]
    fn where_messages_are_the_argument_says_first() {
        let storage = |said, policy: &str| {
            let said = QueueOptions { storage: said, ..QueueOptions::default() };
            under(&said, &json!({"storage": policy})).storage
        };
        assert_eq!(storage(None, "memory"), Some(Storage::Memory));
        assert_eq!(storage(None, "disk"), Some(Storage::Disk));
        assert_eq!(storage(Some(Storage::Memory), "disk"), Some(Storage::Memory));
        assert_eq!(storage(Some(Storage::Disk), "memory"), Some(Storage::Disk));
    }

    #[test]
    fn a_retry_waits_as_the_policy_says() {
        let policy = json!({"delayed-retry-type": "all", "delayed-retry-min": 9});
        let expected = DelayedRetry { kind: DelayedRetryKind::All, min_ms: 9, max_ms: None };
        assert_eq!(under(&QueueOptions::default(), &policy).delayed_retry, Some(expected));
    }
}
