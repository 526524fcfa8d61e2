//! Which plugins of RabbitMQ are built in, for who asks where no node runs, as while an image is
//! built. A node that runs tells it of itself, which is asked first.

use crate::built_in::PLUGINS;

/// What is there where a key of the configuration says so.
const BY_KEY: [(&str, &str); 2] = [
    ("rabbitmq_event_exchange", "event_exchange.enabled"),
    ("rabbitmq_prometheus", "prometheus.tcp.port"),
];

/// The key that a plugin is there by, if by one.
pub(super) fn key(plugin: &str) -> Option<&'static str> {
    BY_KEY.iter().find(|(name, _)| *name == plugin).map(|(_, key)| *key)
}

/// What a node that started here would have: files it may read are not looked into, and what the
/// environment says of a key is.
pub(super) fn here(environment: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let is_on = |key: &str| {
        let name = format!("LEVERET_{}", key.to_uppercase().replace('.', "_"));
        environment(&name).is_some_and(|value| !["", "false", "off"].contains(&value.as_str()))
    };
    let by_key = BY_KEY.iter().filter(|(_, key)| is_on(key)).map(|(name, _)| *name);
    PLUGINS.into_iter().chain(by_key).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_environment_switches_on_is_there() {
        let metrics =
            |name: &str| (name == "LEVERET_PROMETHEUS_TCP_PORT").then(|| "15692".to_owned());
        assert!(here(metrics).contains(&"rabbitmq_prometheus".to_owned()));
        let none = |name: &str| (name == "LEVERET_EVENT_EXCHANGE_ENABLED").then(|| "false".into());
        assert_eq!(here(none), PLUGINS);
        assert_eq!(key("rabbitmq_event_exchange"), Some("event_exchange.enabled"));
        assert_eq!(key("rabbitmq_management"), None);
    }
}
