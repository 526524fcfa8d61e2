//! One definition as JSON: the same shape in the HTTP API and in a definitions file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::definitions::{
    GlobalParameterDefinition, ParameterDefinition, PermissionDefinition, PolicyDefinition,
    TopicPermissionDefinition, UserDefinition,
};

/// A user, with the hash of its password.
#[must_use]
pub fn user(user: &UserDefinition) -> Value {
    let tags: Vec<&str> = user.tags.iter().map(|tag| &**tag).collect();
    let limits = user.limits.iter().map(|(name, limit)| (name.to_string(), Value::from(*limit)));
    json!({
        "name": &*user.name,
        "password_hash": STANDARD.encode(&user.password.bytes),
        "hashing_algorithm": user.password.algorithm.name(),
        "tags": tags,
        "limits": limits.collect::<Map<_, _>>(),
    })
}

/// What a user may do in a virtual host.
#[must_use]
pub fn permission(permission: &PermissionDefinition) -> Value {
    json!({
        "user": &*permission.user,
        "vhost": &*permission.host.name,
        "configure": permission.configure,
        "write": permission.write,
        "read": permission.read,
    })
}

/// Which routing keys a user may use with an exchange.
#[must_use]
pub fn topic_permission(permission: &TopicPermissionDefinition) -> Value {
    json!({
        "user": &*permission.user,
        "vhost": &*permission.host.name,
        "exchange": &*permission.exchange,
        "write": permission.write,
        "read": permission.read,
    })
}

/// A parameter of a component.
#[must_use]
pub fn parameter(parameter: &ParameterDefinition) -> Value {
    json!({
        "vhost": &*parameter.host.name,
        "component": &*parameter.component,
        "name": &*parameter.name,
        "value": parameter.value,
    })
}

/// A policy as a parameter, which to RabbitMQ it is.
#[must_use]
pub fn policy_parameter(policy: &PolicyDefinition) -> Value {
    json!({
        "vhost": &*policy.host.name,
        "component": policy.kind.component(),
        "name": &*policy.name,
        "value": {
            "pattern": policy.pattern,
            "apply-to": policy.applies_to.name(),
            "definition": policy.settings,
            "priority": policy.priority,
        },
    })
}

/// A parameter of the node.
#[must_use]
pub fn global_parameter(parameter: &GlobalParameterDefinition) -> Value {
    json!({"name": &*parameter.name, "value": parameter.value})
}

/// A policy of either kind.
#[must_use]
pub fn policy(policy: &PolicyDefinition) -> Value {
    json!({
        "vhost": &*policy.host.name,
        "name": &*policy.name,
        "pattern": policy.pattern,
        "apply-to": policy.applies_to.name(),
        "definition": policy.settings,
        "priority": policy.priority,
    })
}
