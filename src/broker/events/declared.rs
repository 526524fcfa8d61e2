//! What is told of definitions that change, in a virtual host and of the node.

use super::notice::{Notice, field, object};
use crate::broker::process_id;
use crate::definitions::{
    Binding, BindingEnd, Change, ExchangeDefinition, GlobalParameterDefinition, HostDefinition,
    NodeChange, NodeDefinitions, ParameterDefinition, PermissionDefinition, PolicyDefinition,
    PolicyKind, QueueDefinition, TopicPermissionDefinition, UserDefinition,
};
use crate::message::{QueueKind, binary_term};
use crate::policy::Policies;
use crate::protocol::field::{FieldTable, FieldValue};

/// Where a change is made, and by whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    /// The virtual host.
    pub(super) host: &'a str,
    /// What is in force there.
    pub(super) policies: &'a Policies,
    /// The node's name.
    pub(super) node: &'a str,
    /// None is nobody but the node.
    pub(super) user: Option<&'a str>,
}

impl Notice {
    /// What is told of a change in a virtual host; nothing of one that nobody made.
    pub(super) fn of_change(change: &Change, scene: Scene<'_>) -> Option<Self> {
        let notice = match change {
            Change::ExchangeDeclared(exchange) => exchange_created(exchange, scene),
            Change::ExchangeDeleted(exchange) => {
                Self::new("exchange.deleted").with("name", &*exchange.name)
            }
            Change::QueueDeclared(queue) => queue_created(queue, scene.node),
            Change::QueueDeleted(queue) => Self::new("queue.deleted").with("name", &*queue.name),
            Change::Bound(binding) => of_binding("binding.created", binding),
            Change::Unbound(binding) => of_binding("binding.deleted", binding),
            Change::QueueConfigured(_) => return None,
        };
        Some(notice.with("vhost", scene.host).by(scene.user))
    }

    /// What is told of a queue to which a policy applies that is set or cleared, or applied before:
    /// what that policy says now, whether it still applies or another one does. So RabbitMQ has it.
    pub(super) fn of_queue_policy(
        change: &NodeChange,
        queue: &QueueDefinition,
        user: Option<&str>,
    ) -> Option<Self> {
        let (notice, policy) = match change {
            NodeChange::PolicySet(policy) => {
                (Self::new("queue.policy.updated").with_all(&policy_value(policy)), policy)
            }
            NodeChange::PolicyCleared(policy) => (Self::new("queue.policy.cleared"), policy),
            _ => return None,
        };
        let kind = match queue.options.kind {
            QueueKind::Classic => "rabbit_classic_queue",
            QueueKind::Quorum => "rabbit_quorum_queue",
        };
        let notice = notice.with("name", &*queue.name).with("vhost", &*policy.host.name);
        Some(notice.with("type", kind).by(user))
    }

    /// What is told of a change that concerns the node, before it is made.
    pub(super) fn of_node_change(
        change: &NodeChange,
        before: &NodeDefinitions,
        node: &str,
        user: Option<&str>,
    ) -> Vec<Self> {
        let notices = match change {
            NodeChange::HostDeclared(host) => vec![host_declared(host, before, node)],
            NodeChange::HostDeleted(host) => {
                vec![Self::new("vhost.deleted").with("name", &*host.key.name)]
            }
            NodeChange::UserDeclared(user) => user_declared(user, before),
            NodeChange::UserDeleted(user) => {
                vec![Self::new("user.deleted").with("name", &*user.name)]
            }
            NodeChange::PermissionSet(permission) => vec![permission_created(permission)],
            NodeChange::PermissionCleared(permission) => {
                let PermissionDefinition { user, host, .. } = &**permission;
                vec![
                    Self::new("permission.deleted")
                        .with("user", &**user)
                        .with("vhost", &*host.name),
                ]
            }
            NodeChange::TopicPermissionSet(permission) => {
                vec![topic_permission_created(permission)]
            }
            NodeChange::TopicPermissionCleared(permission) => {
                let TopicPermissionDefinition { user, host, .. } = &**permission;
                let notice = Self::new("topic.permission.deleted").with("user", &**user);
                vec![notice.with("vhost", &*host.name)]
            }
            NodeChange::PolicySet(policy) => policy_set(policy),
            NodeChange::PolicyCleared(policy) => policy_cleared(policy),
            NodeChange::ParameterSet(parameter) => parameter_set(parameter),
            NodeChange::ParameterCleared(parameter) => parameter_cleared(parameter),
            NodeChange::GlobalParameterSet(parameter) => {
                vec![of_global("parameter.set", parameter).with("value", field(&parameter.value))]
            }
            NodeChange::GlobalParameterCleared(parameter) => {
                vec![of_global("parameter.cleared", parameter)]
            }
        };
        notices.into_iter().map(|notice| notice.by(user)).collect()
    }
}

fn exchange_created(exchange: &ExchangeDefinition, scene: Scene<'_>) -> Notice {
    let policy = scene.policies.of_exchange(&exchange.name).and_then(|applied| applied.user);
    Notice::new("exchange.created")
        .with("name", &*exchange.name)
        .with("type", &*exchange.kind)
        .with("durable", exchange.durable)
        .with("auto_delete", exchange.auto_delete)
        .with("internal", exchange.internal)
        .arguments("arguments", &exchange.arguments)
        .with("policy", policy.as_deref().unwrap_or_default())
}

fn queue_created(queue: &QueueDefinition, node: &str) -> Notice {
    let owner = queue.owner.map(|session| process_id(node, session, 0));
    Notice::new("queue.created")
        .with("name", &*queue.name)
        .with("durable", queue.durable)
        .with("auto_delete", queue.auto_delete)
        .arguments("arguments", &queue.arguments)
        .with("owner_pid", owner.unwrap_or_default())
        .with("exclusive", queue.is_exclusive())
}

fn of_binding(key: &'static str, binding: &Binding) -> Notice {
    let destination_kind = match &binding.destination {
        BindingEnd::Queue(_) => "queue",
        BindingEnd::Exchange(_) => "exchange",
    };
    Notice::new(key)
        .with("source_name", &*binding.source)
        .with("source_kind", "exchange")
        .with("destination_name", &**binding.destination.name())
        .with("destination_kind", destination_kind)
        .with("routing_key", &*binding.routing_key)
        .arguments("arguments", &binding.arguments)
}

fn host_declared(host: &HostDefinition, before: &NodeDefinitions, node: &str) -> Notice {
    let is_new = before.host(&host.key.name).is_none();
    let settings = &host.settings;
    let (description, tags) = (binary_term(&settings.description), settings.tags.join(","));
    let state: FieldTable = [(node, "running")].into_iter().collect();
    Notice::new(if is_new { "vhost.created" } else { "vhost.updated" })
        .with("name", &*host.key.name)
        .with("description", settings.description.as_str())
        .with("tags", names(&settings.tags))
        .with(
            "default_queue_type",
            settings.default_queue_kind.map_or("undefined", |kind| kind.name()),
        )
        .with("metadata", format!("#{{description => {description},tags => [{tags}]}}"))
        .with("tracing", settings.is_traced.unwrap_or(false))
        .with("cluster_state", state)
}

fn names(names: &[crate::message::Name]) -> FieldValue {
    FieldValue::Array(names.iter().map(|name| FieldValue::from(&**name)).collect())
}

/// A user is declared as a whole: what is told is what is new.
fn user_declared(user: &UserDefinition, before: &NodeDefinitions) -> Vec<Notice> {
    let of = |key| Notice::new(key).with("name", &*user.name);
    let tags = || of("user.tags.set").with("tags", names(&user.tags));
    let Some(known) = before.user(&user.name) else {
        let has_tags = !user.tags.is_empty();
        return std::iter::once(of("user.created")).chain(has_tags.then(tags)).collect();
    };
    let mut notices = Vec::new();
    if known.password != user.password {
        let is_none = user.password.bytes.is_empty();
        notices.push(of(if is_none { "user.password.cleared" } else { "user.password.changed" }));
    }
    if known.tags != user.tags {
        notices.push(tags());
    }
    if known.limits != user.limits {
        let key = if user.limits.is_empty() { "user.limits.cleared" } else { "user.limits.set" };
        let limits = user.limits.iter();
        let notice = Notice::new(key).with("name", "limits").with("username", &*user.name);
        notices.push(limits.fold(notice, |notice, (name, limit)| notice.number(name, *limit)));
    }
    notices
}

fn permission_created(permission: &PermissionDefinition) -> Notice {
    Notice::new("permission.created")
        .with("user", &*permission.user)
        .with("vhost", &*permission.host.name)
        .with("configure", permission.configure.as_str())
        .with("write", permission.write.as_str())
        .with("read", permission.read.as_str())
}

fn topic_permission_created(permission: &TopicPermissionDefinition) -> Notice {
    Notice::new("topic.permission.created")
        .with("user", &*permission.user)
        .with("vhost", &*permission.host.name)
        .with("exchange", &*permission.exchange)
        .with("write", permission.write.as_str())
        .with("read", permission.read.as_str())
}

/// What a policy says.
fn policy_value(policy: &PolicyDefinition) -> FieldTable {
    let PolicyDefinition { pattern, applies_to, priority, settings, .. } = policy;
    let entries: [(&str, FieldValue); 4] = [
        ("pattern", pattern.as_str().into()),
        ("definition", object(settings)),
        ("priority", FieldValue::I64(*priority)),
        ("apply-to", applies_to.name().into()),
    ];
    entries.into_iter().collect()
}

/// A policy of the operator is told as a parameter too, as in RabbitMQ.
fn policy_set(policy: &PolicyDefinition) -> Vec<Notice> {
    let PolicyDefinition { kind, host, name, .. } = policy;
    let value = policy_value(policy);
    let notice = Notice::new("policy.set").with("name", &**name).with("vhost", &*host.name);
    let notice = notice.with_all(&value);
    match kind {
        PolicyKind::User => vec![notice],
        PolicyKind::Operator => {
            vec![of_operator_policy("parameter.set", policy).with("value", value), notice]
        }
    }
}

fn policy_cleared(policy: &PolicyDefinition) -> Vec<Notice> {
    let of = |key| Notice::new(key).with("name", &*policy.name).with("vhost", &*policy.host.name);
    match policy.kind {
        PolicyKind::User => vec![of("policy.cleared")],
        PolicyKind::Operator => {
            vec![of_operator_policy("parameter.cleared", policy), of("operator.policy.cleared")]
        }
    }
}

fn of_operator_policy(key: &'static str, policy: &PolicyDefinition) -> Notice {
    let notice = Notice::new(key).with("component", "operator_policy");
    notice.with("name", &*policy.name).with("vhost", &*policy.host.name)
}

fn of_parameter(key: &'static str, parameter: &ParameterDefinition) -> Notice {
    let notice = Notice::new(key).with("component", &*parameter.component);
    notice.with("name", &*parameter.name).with("vhost", &*parameter.host.name)
}

fn of_global(key: &'static str, parameter: &GlobalParameterDefinition) -> Notice {
    Notice::new(key).with("component", "global").with("name", &*parameter.name)
}

/// Limits of a virtual host are told as such, too.
fn parameter_set(parameter: &ParameterDefinition) -> Vec<Notice> {
    let mut notices =
        vec![of_parameter("parameter.set", parameter).with("value", field(&parameter.value))];
    if parameter.is_host_limits() {
        let mut notice = Notice::new("vhost.limits.set").with("name", &*parameter.name);
        for (limit, value) in parameter.value.as_object().into_iter().flatten() {
            notice = notice.with(limit.as_str(), field(value));
        }
        notices.push(notice);
    }
    notices
}

fn parameter_cleared(parameter: &ParameterDefinition) -> Vec<Notice> {
    let mut notices = vec![of_parameter("parameter.cleared", parameter)];
    if parameter.is_host_limits() {
        notices.push(Notice::new("vhost.limits.cleared").with("name", &*parameter.name));
    }
    notices
}
