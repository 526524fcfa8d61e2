//! What of an inventory RabbitMQ 3.10 cannot take, or takes without effect: whoever exports a file
//! for it is told. The file has all of it anyway, for another Leveret.

use std::collections::BTreeSet;

use super::inventory::Inventory;
use crate::definitions::{
    ExchangeDefinition, HostKey, PolicyDefinition, PolicyTarget, QueueDefinition, UserDefinition,
    VIRTUAL_HOST_LIMITS,
};
use crate::protocol::field::FieldTable;

/// Keys of policies that RabbitMQ 3.10 refuses, and with each the whole file.
const POLICY_KEYS: [&str; 10] = [
    "consumer-disconnected-timeout",
    "consumer-timeout",
    "delayed",
    "delayed-retry-max",
    "delayed-retry-min",
    "delayed-retry-type",
    "member-placement-tag",
    "storage",
    "stream-filter-size-bytes",
    "target-group-size",
];

/// Arguments of queues that mean nothing there.
const QUEUE_ARGUMENTS: [&str; 8] = [
    "x-consumer-disconnected-timeout",
    "x-consumer-timeout",
    "x-delayed-retry-max",
    "x-delayed-retry-min",
    "x-delayed-retry-type",
    "x-member-placement-tag",
    "x-message-deduplication",
    "x-storage",
];

/// Types of exchanges that are not among RabbitMQ's own, and which plugin brings each.
const EXCHANGE_TYPES: [(&str, &str); 3] = [
    ("x-delayed-message", "needs the plugin rabbitmq_delayed_message_exchange"),
    ("x-local-random", "comes with RabbitMQ 4"),
    ("x-message-deduplication", "needs the plugin rabbitmq_message_deduplication"),
];

/// Limits that are refused there.
const LIMITS: [&str; 2] = ["max-publish-rate", "max-publish-bytes-rate"];

impl Inventory {
    /// What RabbitMQ 3.10 does not take as it is meant, one sentence each: of everything, or of one
    /// virtual host.
    #[must_use]
    pub fn foreign(&self, host: Option<&str>) -> Vec<String> {
        let is_meant = |key: &HostKey| host.is_none_or(|host| *key.name == *host);
        let mut told = Vec::new();
        if host.is_none() {
            self.users.iter().for_each(|user| of_user(user, &mut told));
        }
        for policy in self.policies.iter().filter(|policy| is_meant(&policy.host)) {
            of_policy(policy, &mut told);
        }
        let limits = self.parameters.iter().filter(|each| *each.component == *VIRTUAL_HOST_LIMITS);
        for parameter in limits.filter(|each| is_meant(&each.host)) {
            let has = |name: &&&str| parameter.value.get(name).is_some();
            for name in LIMITS.iter().filter(has) {
                let host = &parameter.host.name;
                told.push(format!("the limit '{name}' of vhost '{host}' is refused"));
            }
        }
        for host in self.hosts.iter().filter(|found| is_meant(&found.host.key)) {
            let name = &host.host.key.name;
            host.exchanges.iter().for_each(|exchange| of_exchange(exchange, name, &mut told));
            host.queues.iter().for_each(|queue| of_queue(queue, name, &mut told));
        }
        told
    }
}

fn of_user(user: &UserDefinition, told: &mut Vec<String>) {
    let name = &user.name;
    if !user.password.algorithm.is_rabbitmqs() {
        told.push(format!("RabbitMQ cannot read the password of user '{name}'"));
    }
    for limit in LIMITS.iter().filter(|limit| user.limits.contains_key(**limit)) {
        told.push(format!("the limit '{limit}' of user '{name}' is refused"));
    }
}

fn of_policy(policy: &PolicyDefinition, told: &mut Vec<String>) {
    let (name, host) = (&policy.name, &policy.host.name);
    let is_set = |key: &&str| policy.settings.contains_key(*key);
    let unknown: Vec<&str> = POLICY_KEYS.into_iter().filter(is_set).collect();
    if !unknown.is_empty() {
        let keys = unknown.join("', '");
        told.push(format!("policy '{name}' in vhost '{host}' sets '{keys}', which is refused"));
    }
    let only = [PolicyTarget::ClassicQueues, PolicyTarget::QuorumQueues, PolicyTarget::Streams];
    if only.contains(&policy.applies_to) {
        let target = policy.applies_to.name();
        told.push(format!(
            "policy '{name}' in vhost '{host}' applies to '{target}', which is refused"
        ));
    }
    let limit = policy.settings.get("delivery-limit").and_then(serde_json::Value::as_i64);
    if limit.is_some_and(|limit| limit < 0) {
        told.push(format!(
            "policy '{name}' in vhost '{host}' sets a 'delivery-limit' below 0, which is refused"
        ));
    }
}

fn of_exchange(exchange: &ExchangeDefinition, host: &str, told: &mut Vec<String>) {
    if let Some((kind, why)) = EXCHANGE_TYPES.iter().find(|(kind, _)| *exchange.kind == **kind) {
        let name = &exchange.name;
        told.push(format!("exchange '{name}' in vhost '{host}' is of type '{kind}', which {why}"));
    }
}

fn of_queue(queue: &QueueDefinition, host: &str, told: &mut Vec<String>) {
    let arguments = meaningless(&queue.arguments);
    if !arguments.is_empty() {
        let (name, arguments) = (&queue.name, arguments.join("', '"));
        told.push(format!(
            "queue '{name}' in vhost '{host}' has '{arguments}', which has no effect"
        ));
    }
}

fn meaningless(arguments: &FieldTable) -> Vec<&'static str> {
    let names: BTreeSet<String> = arguments.into_iter().map(|(name, _)| name.to_string()).collect();
    QUEUE_ARGUMENTS.into_iter().filter(|name| names.contains(*name)).collect()
}
