//! From the sections of a file to declarations, section by section in the order of RabbitMQ's
//! imports, each item by its name where it is wrong.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::declaration::{Declaration, DeclaredPassword, ExchangeWish, QueueWish, UserWish};
use super::{Definitions, DefinitionsError, Item, arguments, json};
use crate::definitions::{
    Binding, BindingEnd, GlobalParameterDefinition, HOST_LIMITS, HashingAlgorithm, HostSettings,
    LIMITS, ParameterDefinition, PasswordHash, PermissionDefinition, PolicyDefinition, PolicyKind,
    PolicyTarget, TopicPermissionDefinition, USER_LIMITS, VIRTUAL_HOST_LIMITS, is_no_rate, term,
};
use crate::message::{Name, QueueKind, cleaned};

/// A text that the wire can carry.
const SHORT_STRING_LENGTH_MAX: usize = 255;

type Read<T> = Result<T, String>;

/// How one item of a section is read: it may come to nothing, with a warning, or to several.
type ReadItem<J> = fn(&mut Reading, J) -> Read<()>;

/// What was read so far, and the name of the item in work.
#[derive(Default)]
struct Reading {
    label: String,
    definitions: Definitions,
}

/// All sections in their order.
pub(super) fn read(sections: Map<String, Value>) -> Result<Definitions, DefinitionsError> {
    let mut file = File { sections, reading: Reading::default() };
    file.section::<json::User>("users", user_label, Reading::user)?;
    file.section::<json::Host>("vhosts", host_label, Reading::host)?;
    file.section::<json::Permission>("permissions", permission_label, Reading::permission)?;
    file.section::<json::Exchange>("exchanges", exchange_label, Reading::exchange)?;
    file.section::<json::TopicPermission>(
        "topic_permissions",
        topic_permission_label,
        Reading::topic_permission,
    )?;
    file.section::<json::GlobalParameter>(
        "global_parameters",
        global_parameter_label,
        Reading::global_parameter,
    )?;
    file.section::<json::Policy>("policies", policy_label, Reading::policy)?;
    file.section::<json::Parameter>("parameters", parameter_label, Reading::parameter)?;
    file.section::<json::Queue>("queues", queue_label, Reading::queue)?;
    file.section::<json::Binding>("bindings", binding_label, Reading::binding)?;
    Ok(file.reading.definitions)
}

struct File {
    sections: Map<String, Value>,
    reading: Reading,
}

impl File {
    fn section<J: DeserializeOwned>(
        &mut self,
        name: &str,
        label: fn(&Value) -> Option<String>,
        read: ReadItem<J>,
    ) -> Result<(), DefinitionsError> {
        let items = match self.sections.remove(name) {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::Array(items)) => items,
            Some(_) => {
                let reason = "expected a list".to_owned();
                return Err(DefinitionsError::Item { label: name.to_owned(), reason });
            }
        };
        for (index, item) in items.into_iter().enumerate() {
            let label = label(&item).unwrap_or_else(|| format!("{name}, item {}", index + 1));
            self.reading.label = label;
            let shaped = serde_json::from_value(item).map_err(|error| error.to_string());
            shaped.and_then(|item| read(&mut self.reading, item)).map_err(|reason| {
                let label = std::mem::take(&mut self.reading.label);
                DefinitionsError::Item { label, reason }
            })?;
        }
        Ok(())
    }
}

impl Reading {
    fn add(&mut self, declaration: Declaration) {
        self.definitions.items.push(Item { label: self.label.clone(), declaration });
    }

    fn skip(&mut self, reason: &str) {
        self.definitions.warnings.push(format!("{} is skipped: {reason}", self.label));
    }

    fn user(&mut self, user: json::User) -> Read<()> {
        self.add(Declaration::User(user_wish(user)?));
        Ok(())
    }

    fn host(&mut self, host: json::Host) -> Read<()> {
        check_length("name", &host.name)?;
        let name: Name = host.name.as_str().into();
        self.add(Declaration::Host { name: name.clone(), settings: settings(&host)? });
        if !host.limits.is_empty() {
            limits(&host.limits, &HOST_LIMITS)?;
            self.add(Declaration::Parameter(ParameterDefinition {
                host: name,
                component: VIRTUAL_HOST_LIMITS.into(),
                name: LIMITS.into(),
                value: Value::Object(host.limits),
            }));
        }
        Ok(())
    }

    fn permission(&mut self, permission: json::Permission) -> Read<()> {
        let json::Permission { user, vhost, configure, write, read } = permission;
        let (user, host) = (user.into(), vhost.into());
        let permission = PermissionDefinition { user, host, configure, write, read };
        self.add(Declaration::Permission(permission));
        Ok(())
    }

    fn topic_permission(&mut self, permission: json::TopicPermission) -> Read<()> {
        let json::TopicPermission { user, vhost, exchange, write, read } = permission;
        let (user, host, exchange) = (user.into(), vhost.into(), exchange.into());
        let permission = TopicPermissionDefinition { user, host, exchange, write, read };
        self.add(Declaration::TopicPermission(permission));
        Ok(())
    }

    fn exchange(&mut self, exchange: json::Exchange) -> Read<()> {
        if exchange.name.is_empty() || is_reserved(&exchange.name) {
            self.skip("every virtual host has exchanges of this name by itself");
            return Ok(());
        }
        self.add(Declaration::Exchange(ExchangeWish {
            host: exchange.vhost.into(),
            name: entity_name(&exchange.name)?,
            kind: exchange.kind.into(),
            durable: exchange.durable,
            auto_delete: exchange.auto_delete,
            internal: exchange.internal,
            arguments: arguments::table(&exchange.arguments)?,
        }));
        Ok(())
    }

    fn global_parameter(&mut self, parameter: json::GlobalParameter) -> Read<()> {
        let json::GlobalParameter { name, value } = parameter;
        let parameter = GlobalParameterDefinition { name: name.into(), value };
        self.add(Declaration::GlobalParameter(parameter));
        Ok(())
    }

    fn policy(&mut self, policy: json::Policy) -> Read<()> {
        let json::Policy { vhost, name, body } = policy;
        self.add_policy(PolicyKind::User, vhost, name, body)
    }

    fn add_policy(
        &mut self,
        kind: PolicyKind,
        host: String,
        name: String,
        body: json::PolicyBody,
    ) -> Read<()> {
        let policy = policy_of(kind, host.into(), name.into(), body)?;
        self.add(Declaration::Policy(policy));
        Ok(())
    }

    /// Some parameters are more than that: policies, and limits of the virtual host.
    fn parameter(&mut self, parameter: json::Parameter) -> Read<()> {
        let json::Parameter { vhost, component, name, value } = parameter;
        if let Some(kind) = PolicyKind::from_component(&component) {
            let body = serde_json::from_value(value).map_err(|error| error.to_string())?;
            return self.add_policy(kind, vhost, name, body);
        }
        if component == VIRTUAL_HOST_LIMITS {
            let known = value.as_object().ok_or("expected an object of limits")?;
            limits(known, &HOST_LIMITS)?;
        }
        self.add(Declaration::Parameter(ParameterDefinition {
            host: vhost.into(),
            component: component.into(),
            name: name.into(),
            value,
        }));
        Ok(())
    }

    fn queue(&mut self, queue: json::Queue) -> Read<()> {
        if is_reserved(&queue.name) {
            self.skip("names that begin with 'amq.' are given by the broker");
            return Ok(());
        }
        self.add(Declaration::Queue(QueueWish {
            host: queue.vhost.into(),
            name: entity_name(&queue.name)?,
            kind: queue.kind.map(Name::from),
            durable: queue.durable,
            auto_delete: queue.auto_delete,
            arguments: arguments::table(&queue.arguments)?,
        }));
        Ok(())
    }

    /// A queue is bound to the default exchange without a word, and one that is skipped is not
    /// there to be bound.
    fn binding(&mut self, binding: json::Binding) -> Read<()> {
        if binding.source.is_empty() {
            return Ok(());
        }
        let destination = match binding.destination_type.as_str() {
            "queue" if is_reserved(&binding.destination) => {
                self.skip("its queue is skipped as well");
                return Ok(());
            }
            "queue" => BindingEnd::Queue(entity_name(&binding.destination)?),
            "exchange" => BindingEnd::Exchange(entity_name(&binding.destination)?),
            other => {
                return Err(format!("destination_type '{other}' is neither queue nor exchange"));
            }
        };
        check_length("routing key", &binding.routing_key)?;
        let source = entity_name(&binding.source)?;
        let routing_key = binding.routing_key.into();
        let arguments = arguments::table(&binding.arguments)?;
        self.add(Declaration::Binding {
            host: binding.vhost.into(),
            binding: Binding { source, destination, routing_key, arguments },
        });
        Ok(())
    }
}

fn policy_of(
    kind: PolicyKind,
    host: Name,
    name: Name,
    body: json::PolicyBody,
) -> Read<PolicyDefinition<Name>> {
    let json::PolicyBody { pattern, apply_to, priority, definition: settings } = body;
    let applies_to = PolicyTarget::from_name(&apply_to).ok_or_else(|| {
        format!(
            "apply-to '{apply_to}' unrecognised; should be one of all, exchanges, queues, \
             classic_queues, quorum_queues, streams"
        )
    })?;
    Ok(PolicyDefinition { kind, host, name, pattern, applies_to, priority, settings })
}

/// A policy as somebody asks for it alone. `pattern` and `definition` are there.
///
/// # Errors
/// Something in it is not what it should be: RabbitMQ's words.
pub fn policy(
    kind: PolicyKind,
    host: Name,
    name: Name,
    body: Map<String, Value>,
) -> Result<PolicyDefinition<Name>, String> {
    for (key, what, is_good) in [
        ("pattern", "be a binary but", Value::is_string as fn(&Value) -> bool),
        ("priority", "be a number, actually", Value::is_i64),
        ("apply-to", "be a binary but", Value::is_string),
    ] {
        if let Some(value) = body.get(key).filter(|value| !is_good(value)) {
            return Err(format!("{key} should {what} was {}", term(value)));
        }
    }
    let body = serde_json::from_value(Value::Object(body)).map_err(|error| error.to_string())?;
    policy_of(kind, host, name, body)
}

/// The settings of a virtual host as somebody asks for it alone.
///
/// # Errors
/// Something in them, or the name, is not what it should be.
pub fn host_settings(name: &str, mut body: Map<String, Value>) -> Result<HostSettings, String> {
    check_length("name", name)?;
    body.insert("name".to_owned(), name.into());
    let host = serde_json::from_value(Value::Object(body)).map_err(|error| error.to_string())?;
    settings(&host)
}

fn user_wish(user: json::User) -> Read<UserWish> {
    let password = password(&user)?;
    let limits = limits(&user.limits, &USER_LIMITS)?;
    let tags = names(&user.tags);
    Ok(UserWish { name: user.name.into(), password, tags, limits })
}

/// A user as somebody asks for it alone.
///
/// # Errors
/// Something in it is not what it should be.
pub fn user(name: &str, mut body: Map<String, Value>) -> Result<UserWish, String> {
    body.insert("name".to_owned(), name.into());
    user_wish(serde_json::from_value(Value::Object(body)).map_err(|error| error.to_string())?)
}

fn password(user: &json::User) -> Read<DeclaredPassword> {
    let algorithm = match user.hashing_algorithm.as_deref() {
        None => HashingAlgorithm::Sha256,
        Some(name) => HashingAlgorithm::from_name(name)
            .ok_or_else(|| format!("hashing_algorithm '{name}' is not known"))?,
    };
    match (&user.password_hash, &user.password) {
        (None, Some(password)) => Ok(DeclaredPassword::Clear(password.clone())),
        (hash, _) => {
            let bytes = STANDARD
                .decode(hash.as_deref().unwrap_or_default().trim())
                .map_err(|error| format!("password_hash is not base64: {error}"))?;
            Ok(DeclaredPassword::Hash(PasswordHash { algorithm, bytes }))
        }
    }
}

/// Newer files have everything in the metadata, too.
fn settings(host: &json::Host) -> Read<HostSettings> {
    let mut metadata = host.metadata.clone();
    let in_metadata: json::Host = {
        let mut inner = Map::from_iter([("name".to_owned(), Value::from(""))]);
        for key in ["description", "tags", "default_queue_type"] {
            inner.extend(metadata.remove(key).map(|value| (key.to_owned(), value)));
        }
        serde_json::from_value(Value::Object(inner))
            .map_err(|error| format!("metadata: {error}"))?
    };
    let default_queue_type =
        host.default_queue_type.as_ref().or(in_metadata.default_queue_type.as_ref());
    let settings = HostSettings {
        description: host.description.clone().or(in_metadata.description).unwrap_or_default(),
        tags: host.tags.as_ref().or(in_metadata.tags.as_ref()).map(names).unwrap_or_default(),
        default_queue_kind: default_queue_type.map(|name| queue_kind(name)).transpose()?.flatten(),
        is_traced: host.tracing,
        metadata,
    };
    settings.declare_equivalence()?;
    Ok(settings)
}

/// RabbitMQ 3.11 wrote `undefined` where there is none.
fn queue_kind(name: &str) -> Read<Option<QueueKind>> {
    match name {
        "" | "undefined" => Ok(None),
        name => QueueKind::from_name(name)
            .map(Some)
            .ok_or_else(|| format!("default_queue_type '{name}' is not known")),
    }
}

fn names(tags: &json::Tags) -> Vec<Name> {
    tags.iter().map(Name::from).collect()
}

fn limits(limits: &Map<String, Value>, known: &[&str]) -> Read<BTreeMap<Name, i64>> {
    let mut read = BTreeMap::new();
    for (name, limit) in limits {
        if !known.contains(&name.as_str()) {
            return Err(format!("limit '{name}' is none of {}", known.join(", ")));
        }
        let limit = limit.as_i64().ok_or_else(|| format!("limit '{name}' is no whole number"))?;
        if is_no_rate(name, limit) {
            return Err(format!("limit '{name}' is 0: expected more, or -1 for no limit"));
        }
        read.insert(name.as_str().into(), limit);
    }
    Ok(read)
}

fn is_reserved(name: &str) -> bool {
    name.starts_with("amq.")
}

/// A name as a client could have declared it.
fn entity_name(name: &str) -> Read<Name> {
    if name.is_empty() {
        return Err("it has no name".to_owned());
    }
    check_length("name", name)?;
    Ok(cleaned(name))
}

fn check_length(what: &str, text: &str) -> Read<()> {
    if text.len() > SHORT_STRING_LENGTH_MAX {
        return Err(format!("the {what} is longer than {SHORT_STRING_LENGTH_MAX} bytes"));
    }
    Ok(())
}

fn text<'a>(item: &'a Value, key: &str) -> Option<&'a str> {
    item.get(key).and_then(Value::as_str)
}

fn user_label(item: &Value) -> Option<String> {
    Some(format!("user '{}'", text(item, "name")?))
}

fn host_label(item: &Value) -> Option<String> {
    Some(format!("vhost '{}'", text(item, "name")?))
}

fn global_parameter_label(item: &Value) -> Option<String> {
    Some(format!("global parameter '{}'", text(item, "name")?))
}

fn permission_label(item: &Value) -> Option<String> {
    let (user, host) = (text(item, "user")?, text(item, "vhost")?);
    Some(format!("permission of user '{user}' in vhost '{host}'"))
}

fn topic_permission_label(item: &Value) -> Option<String> {
    let (user, host) = (text(item, "user")?, text(item, "vhost")?);
    Some(format!("topic permission of user '{user}' in vhost '{host}'"))
}

fn named_in_host(kind: &str, item: &Value) -> Option<String> {
    let (name, host) = (text(item, "name")?, text(item, "vhost")?);
    Some(format!("{kind} '{name}' in vhost '{host}'"))
}

fn exchange_label(item: &Value) -> Option<String> {
    named_in_host("exchange", item)
}

fn policy_label(item: &Value) -> Option<String> {
    named_in_host("policy", item)
}

fn parameter_label(item: &Value) -> Option<String> {
    named_in_host(&format!("parameter {}", text(item, "component")?), item)
}

fn queue_label(item: &Value) -> Option<String> {
    named_in_host("queue", item)
}

fn binding_label(item: &Value) -> Option<String> {
    let (source, host) = (text(item, "source")?, text(item, "vhost")?);
    let (kind, name) = (text(item, "destination_type")?, text(item, "destination")?);
    Some(format!("binding from exchange '{source}' to {kind} '{name}' in vhost '{host}'"))
}
