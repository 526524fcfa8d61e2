//! What RabbitMQ has as plugins and is in this binary, whatever is configured. What a key switches
//! on is not named here.

/// By RabbitMQ's names.
pub(crate) const PLUGINS: [&str; 10] = [
    "rabbitmq_auth_mechanism_ssl",
    "rabbitmq_consistent_hash_exchange",
    "rabbitmq_delayed_message_exchange",
    "rabbitmq_management",
    "rabbitmq_management_agent",
    "rabbitmq_message_deduplication",
    "rabbitmq_random_exchange",
    "rabbitmq_recent_history_exchange",
    "rabbitmq_sharding",
    "rabbitmq_web_dispatch",
];
