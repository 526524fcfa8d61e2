//! Records of what concerns the whole node. Those of permissions, policies and parameters have the
//! number of their virtual host in the key, and its name in the value so that each stands by
//! itself.

use std::sync::Arc;

use super::host::{kind_byte, queue_kind};
use super::read::Reader;
use super::write::Writer;
use super::{Kind, Record, RecordError};
use crate::definitions::{
    GlobalParameterDefinition, HashingAlgorithm, HostDefinition, HostKey, HostSettings, NodeChange,
    ParameterDefinition, PasswordHash, PermissionDefinition, PolicyDefinition, PolicyKind,
    PolicyTarget, TopicPermissionDefinition, UNKNOWN_USER, UserDefinition,
};
use crate::message::VirtualHostNumber;

pub(super) fn encode(change: &NodeChange) -> Record {
    let (key, value) = match change {
        NodeChange::HostDeclared(host) => (host_key(host), Some(host_value(host))),
        NodeChange::HostDeleted(host) => (host_key(host), None),
        NodeChange::UserDeclared(user) => (user_key(user), Some(user_value(user))),
        NodeChange::UserDeleted(user) => (user_key(user), None),
        NodeChange::PermissionSet(permission) => {
            (permission_key(permission), Some(permission_value(permission)))
        }
        NodeChange::PermissionCleared(permission) => (permission_key(permission), None),
        NodeChange::TopicPermissionSet(permission) => {
            (topic_permission_key(permission), Some(topic_permission_value(permission)))
        }
        NodeChange::TopicPermissionCleared(permission) => (topic_permission_key(permission), None),
        NodeChange::PolicySet(policy) => (policy_key(policy), Some(policy_value(policy))),
        NodeChange::PolicyCleared(policy) => (policy_key(policy), None),
        NodeChange::ParameterSet(parameter) => {
            let value = Writer::value().text(&parameter.host.name).json(&parameter.value);
            (parameter_key(parameter), Some(value))
        }
        NodeChange::ParameterCleared(parameter) => (parameter_key(parameter), None),
        NodeChange::GlobalParameterSet(parameter) => {
            (global_key(parameter), Some(Writer::value().json(&parameter.value)))
        }
        NodeChange::GlobalParameterCleared(parameter) => (global_key(parameter), None),
    };
    Record { key: key.finish(), value: value.map(Writer::finish) }
}

/// Whether a virtual host is traced, where nobody said so.
const NOBODY_SAID: u8 = 2;

fn host_key(host: &HostDefinition) -> Writer {
    Writer::key(Kind::Host).number(host.key.number.0)
}

fn host_value(host: &HostDefinition) -> Writer {
    let HostSettings { description, tags, default_queue_kind, is_traced, metadata } =
        &host.settings;
    Writer::value()
        .text(&host.key.name)
        .text(description)
        .list(tags.iter(), |writer, tag| writer.text(tag))
        .byte(default_queue_kind.map_or(0, kind_byte))
        .object(metadata)
        .byte(is_traced.map_or(NOBODY_SAID, u8::from))
        .text(&host.declared_by)
}

fn user_key(user: &UserDefinition) -> Writer {
    Writer::key(Kind::User).text(&user.name)
}

fn user_value(user: &UserDefinition) -> Writer {
    Writer::value()
        .text(user.password.algorithm.name())
        .bytes(&user.password.bytes)
        .list(user.tags.iter(), |writer, tag| writer.text(tag))
        .list(user.limits.iter(), |writer, (name, limit)| writer.text(name).signed(*limit))
}

fn permission_key(permission: &PermissionDefinition) -> Writer {
    Writer::key(Kind::Permission).number(permission.host.number.0).text(&permission.user)
}

fn permission_value(permission: &PermissionDefinition) -> Writer {
    Writer::value()
        .text(&permission.host.name)
        .text(&permission.configure)
        .text(&permission.write)
        .text(&permission.read)
}

fn topic_permission_key(permission: &TopicPermissionDefinition) -> Writer {
    Writer::key(Kind::TopicPermission)
        .number(permission.host.number.0)
        .text(&permission.user)
        .text(&permission.exchange)
}

fn topic_permission_value(permission: &TopicPermissionDefinition) -> Writer {
    Writer::value().text(&permission.host.name).text(&permission.write).text(&permission.read)
}

fn policy_key(policy: &PolicyDefinition) -> Writer {
    let kind = match policy.kind {
        PolicyKind::User => Kind::Policy,
        PolicyKind::Operator => Kind::OperatorPolicy,
    };
    Writer::key(kind).number(policy.host.number.0).text(&policy.name)
}

fn policy_value(policy: &PolicyDefinition) -> Writer {
    Writer::value()
        .text(&policy.host.name)
        .text(&policy.pattern)
        .text(policy.applies_to.name())
        .signed(policy.priority)
        .object(&policy.settings)
}

fn parameter_key(parameter: &ParameterDefinition) -> Writer {
    Writer::key(Kind::Parameter)
        .number(parameter.host.number.0)
        .text(&parameter.component)
        .text(&parameter.name)
}

fn global_key(parameter: &GlobalParameterDefinition) -> Writer {
    Writer::key(Kind::GlobalParameter).text(&parameter.name)
}

pub(super) fn decode(
    kind: Kind,
    key: &mut Reader<'_>,
    value: &mut Reader<'_>,
) -> Result<NodeChange, RecordError> {
    Ok(match kind {
        Kind::Host => NodeChange::HostDeclared(Arc::new(host(key, value)?)),
        Kind::User => NodeChange::UserDeclared(Arc::new(user(key, value)?)),
        Kind::GlobalParameter => {
            let (name, value) = (key.name()?, value.json()?);
            NodeChange::GlobalParameterSet(Arc::new(GlobalParameterDefinition { name, value }))
        }
        Kind::Permission => NodeChange::PermissionSet(Arc::new(permission(key, value)?)),
        Kind::TopicPermission => {
            NodeChange::TopicPermissionSet(Arc::new(topic_permission(key, value)?))
        }
        Kind::Policy => NodeChange::PolicySet(Arc::new(policy(PolicyKind::User, key, value)?)),
        Kind::OperatorPolicy => {
            NodeChange::PolicySet(Arc::new(policy(PolicyKind::Operator, key, value)?))
        }
        Kind::Parameter => NodeChange::ParameterSet(Arc::new(parameter(key, value)?)),
        Kind::Exchange | Kind::Queue | Kind::Binding | Kind::Seen => {
            return Err(RecordError::UnknownKind(kind.byte()));
        }
    })
}

/// The number stands in the key, the name first in the value.
fn referred(key: &mut Reader<'_>, value: &mut Reader<'_>) -> Result<HostKey, RecordError> {
    Ok(HostKey { number: VirtualHostNumber(key.number()?), name: value.name()? })
}

fn host(key: &mut Reader<'_>, value: &mut Reader<'_>) -> Result<HostDefinition, RecordError> {
    let key = referred(key, value)?;
    let description = value.text()?.to_owned();
    let tags = value.list(Reader::name)?;
    let default_queue_kind = match value.byte()? {
        0 => None,
        byte => Some(queue_kind(byte).ok_or_else(|| value.malformed())?),
    };
    let metadata = value.object()?;
    // Earlier versions end here, and others behind the next byte, which they leave out where nobody
    // said anything.
    let is_traced = match if value.is_at_end() { NOBODY_SAID } else { value.byte()? } {
        0 => Some(false),
        1 => Some(true),
        NOBODY_SAID => None,
        _ => return Err(value.malformed()),
    };
    let declared_by = if value.is_at_end() { UNKNOWN_USER.into() } else { value.name()? };
    let settings = HostSettings { description, tags, default_queue_kind, is_traced, metadata };
    Ok(HostDefinition { key, settings, declared_by })
}

fn user(key: &mut Reader<'_>, value: &mut Reader<'_>) -> Result<UserDefinition, RecordError> {
    let algorithm = value.text()?;
    let algorithm = HashingAlgorithm::from_name(algorithm).ok_or_else(|| value.malformed())?;
    let password = PasswordHash { algorithm, bytes: value.bytes()?.to_vec() };
    let tags = value.list(Reader::name)?;
    let limits = value.list(|value| Ok((value.name()?, value.signed()?)))?;
    let limits = limits.into_iter().collect();
    Ok(UserDefinition { name: key.name()?, password, tags, limits })
}

fn permission(
    key: &mut Reader<'_>,
    value: &mut Reader<'_>,
) -> Result<PermissionDefinition, RecordError> {
    Ok(PermissionDefinition {
        host: referred(key, value)?,
        user: key.name()?,
        configure: value.text()?.to_owned(),
        write: value.text()?.to_owned(),
        read: value.text()?.to_owned(),
    })
}

fn topic_permission(
    key: &mut Reader<'_>,
    value: &mut Reader<'_>,
) -> Result<TopicPermissionDefinition, RecordError> {
    Ok(TopicPermissionDefinition {
        host: referred(key, value)?,
        user: key.name()?,
        exchange: key.name()?,
        write: value.text()?.to_owned(),
        read: value.text()?.to_owned(),
    })
}

fn policy(
    kind: PolicyKind,
    key: &mut Reader<'_>,
    value: &mut Reader<'_>,
) -> Result<PolicyDefinition, RecordError> {
    let host = referred(key, value)?;
    let pattern = value.text()?.to_owned();
    let target = value.text()?;
    let applies_to = PolicyTarget::from_name(target).ok_or_else(|| value.malformed())?;
    Ok(PolicyDefinition {
        kind,
        host,
        name: key.name()?,
        pattern,
        applies_to,
        priority: value.signed()?,
        settings: value.object()?,
    })
}

fn parameter(
    key: &mut Reader<'_>,
    value: &mut Reader<'_>,
) -> Result<ParameterDefinition, RecordError> {
    Ok(ParameterDefinition {
        host: referred(key, value)?,
        component: key.name()?,
        name: key.name()?,
        value: value.json()?,
    })
}
