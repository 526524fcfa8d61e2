//! A definitions file: an inventory written as JSON, one item a line, so that two exports can be
//! compared. Items are made one at a time: a file of many is not held twice.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::inventory::{HostInventory, Inventory};
use super::{arguments, items};
use crate::definitions::{
    Binding, BindingEnd, ExchangeDefinition, HostDefinition, HostKey, HostSettings,
    ParameterDefinition, PolicyKind, QueueDefinition,
};
use crate::message::QueueKind;

const QUEUE_TYPE: &str = "x-queue-type";

/// Parameters of the node that begin so are one node's own, and stay with it.
const OWN_PARAMETERS: &str = "internal";

/// Where a file comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The version of RabbitMQ whose files these are.
    pub rabbitmq_version: String,
    /// The name of the cluster.
    pub cluster: String,
}

impl Inventory {
    /// The file with everything.
    #[must_use]
    pub fn cluster_file(&self, origin: &Origin) -> String {
        let mut file = File::begin(origin, "cluster");
        let cluster = &origin.cluster;
        file.field("original_cluster_name", &cluster.as_str().into());
        let mut explanation = format!("Definitions of cluster '{cluster}'");
        let foreign = self.foreign_users();
        if !foreign.is_empty() {
            let names = foreign.join("', '");
            let _ = write!(explanation, "; RabbitMQ cannot read the passwords of '{names}'");
        }
        file.field("explanation", &explanation.into());
        file.list("users", self.users.iter().map(|user| items::user(user)));
        file.list("vhosts", self.hosts.iter().map(|host| self.host_item(&host.host)));
        let permissions = self.permissions.iter();
        file.list("permissions", permissions.map(|permission| items::permission(permission)));
        let permissions = self.topic_permissions.iter();
        file.list(
            "topic_permissions",
            permissions.map(|permission| items::topic_permission(permission)),
        );
        let shared = self.global_parameters.iter();
        let shared = shared.filter(|parameter| !parameter.name.starts_with(OWN_PARAMETERS));
        file.list("global_parameters", shared.map(|each| items::global_parameter(each)));
        let hosts: Vec<&HostInventory> = self.hosts.iter().collect();
        self.write_contents(&mut file, &hosts, |item| item);
        file.end()
    }

    /// Users whose passwords are kept in a way that RabbitMQ does not know.
    #[must_use]
    pub fn foreign_users(&self) -> Vec<&str> {
        let foreign = self.users.iter().filter(|user| !user.password.algorithm.is_rabbitmqs());
        foreign.map(|user| &*user.name).collect()
    }

    /// The file of one virtual host, which can be imported into another one; none where it is not
    /// there.
    #[must_use]
    pub fn host_file(&self, name: &str, origin: &Origin) -> Option<String> {
        let host = self.hosts.iter().find(|host| *host.host.key.name == *name)?;
        let mut file = File::begin(origin, "single_virtual_host");
        file.field("original_vhost_name", &name.into());
        file.field("explanation", &format!("Definitions of virtual host '{name}'").into());
        let Value::Object(mut item) = self.host_item(&host.host) else { return None };
        item.remove("name");
        item.iter().for_each(|(name, value)| file.field(name, value));
        self.write_contents(&mut file, &[host], without_host);
        Some(file.end())
    }

    /// Writes what is in virtual hosts.
    fn write_contents(
        &self,
        file: &mut File,
        hosts: &[&HostInventory],
        shape: impl Fn(Value) -> Value + Copy,
    ) {
        let is_meant = |key: &HostKey| hosts.iter().any(|host| host.host.key == *key);
        let kept = self.parameters.iter().filter(|each| is_meant(&each.host));
        let policies = |kind| {
            self.policies.iter().filter(move |each| each.kind == kind && is_meant(&each.host))
        };
        let operators = policies(PolicyKind::Operator).map(|each| items::policy_parameter(each));
        let parameters = kept.map(|each| items::parameter(each)).chain(operators);
        file.list("parameters", parameters.map(shape));
        let users = policies(PolicyKind::User).map(|policy| items::policy(policy));
        file.list("policies", users.map(shape));
        file.list_in_hosts("exchanges", hosts, shape, |host| {
            host.exchanges.iter().map(|exchange| exchange_item(&host.host, exchange))
        });
        file.list_in_hosts("queues", hosts, shape, |host| {
            host.queues.iter().map(|queue| queue_item(&host.host, queue))
        });
        file.list_in_hosts("bindings", hosts, shape, |host| {
            host.bindings.iter().map(|binding| binding_item(&host.host, binding))
        });
    }

    /// A virtual host without a type for its queues has none in the file either.
    fn host_item(&self, host: &HostDefinition) -> Value {
        let HostSettings { description, tags, default_queue_kind, metadata, .. } = &host.settings;
        let tags: Vec<&str> = tags.iter().map(|tag| &**tag).collect();
        let mut settings = Map::from_iter([
            ("description".to_owned(), Value::from(description.as_str())),
            ("tags".to_owned(), json!(tags)),
        ]);
        if let Some(kind) = default_queue_kind {
            settings.insert("default_queue_type".to_owned(), kind.name().into());
        }
        let mut all = metadata.clone();
        all.extend(settings.clone());
        settings.insert("name".to_owned(), Value::from(&*host.key.name));
        settings.insert("metadata".to_owned(), Value::Object(all));
        let is_limits =
            |each: &&Arc<ParameterDefinition>| each.host == host.key && each.is_host_limits();
        let limits = self.parameters.iter().find(is_limits);
        settings.insert("limits".to_owned(), limits.map_or(json!([]), |each| each.value.clone()));
        Value::Object(settings)
    }
}

fn without_host(mut item: Value) -> Value {
    if let Some(item) = item.as_object_mut() {
        item.remove("vhost");
    }
    item
}

fn exchange_item(host: &HostDefinition, exchange: &ExchangeDefinition) -> Value {
    json!({
        "vhost": &*host.key.name,
        "name": &*exchange.name,
        "type": &*exchange.kind,
        "durable": exchange.durable,
        "auto_delete": exchange.auto_delete,
        "internal": exchange.internal,
        "arguments": arguments(&exchange.arguments),
    })
}

/// Brokers that do not read `type` look for it among the arguments.
fn queue_item(host: &HostDefinition, queue: &QueueDefinition) -> Value {
    let kind = queue.options.kind;
    let mut arguments = arguments(&queue.arguments);
    let is_plain = kind == QueueKind::Classic
        && host.settings.default_queue_kind.is_none_or(|default| default == QueueKind::Classic);
    if let Some(arguments) = arguments.as_object_mut().filter(|_| !is_plain) {
        arguments.entry(QUEUE_TYPE).or_insert_with(|| kind.name().into());
    }
    json!({
        "vhost": &*host.key.name,
        "name": &*queue.name,
        "type": kind.name(),
        "durable": queue.durable,
        "auto_delete": queue.auto_delete,
        "arguments": arguments,
    })
}

fn binding_item(host: &HostDefinition, binding: &Binding) -> Value {
    let (kind, destination) = match &binding.destination {
        BindingEnd::Queue(name) => ("queue", name),
        BindingEnd::Exchange(name) => ("exchange", name),
    };
    json!({
        "vhost": &*host.key.name,
        "source": &*binding.source,
        "destination": &**destination,
        "destination_type": kind,
        "routing_key": &*binding.routing_key,
        "arguments": arguments(&binding.arguments),
    })
}

/// A JSON object as it grows.
struct File(String);

impl File {
    fn begin(origin: &Origin, format: &str) -> Self {
        let mut file = Self(String::new());
        let version = Value::from(origin.rabbitmq_version.as_str());
        file.field("rabbit_version", &version);
        file.field("rabbitmq_version", &version);
        file.field("product_name", &"Leveret".into());
        file.field("product_version", &env!("CARGO_PKG_VERSION").into());
        file.field("rabbitmq_definition_format", &format.into());
        file
    }

    fn name(&mut self, name: &str) {
        let before = if self.0.is_empty() { "{" } else { ",\n" };
        self.write(format_args!("{before}{}:", Value::from(name)));
    }

    fn field(&mut self, name: &str, value: &Value) {
        self.name(name);
        self.write(format_args!("{value}"));
    }

    fn list(&mut self, name: &str, items: impl Iterator<Item = Value>) {
        self.name(name);
        let mut before = "[";
        for item in items {
            self.write(format_args!("{before}\n{item}"));
            before = ",";
        }
        self.0.push_str(if before == "[" { "[]" } else { "\n]" });
    }

    fn list_in_hosts<'a, I: Iterator<Item = Value> + 'a>(
        &mut self,
        name: &str,
        hosts: &[&'a HostInventory],
        shape: impl Fn(Value) -> Value,
        items: impl Fn(&'a HostInventory) -> I,
    ) {
        self.list(name, hosts.iter().flat_map(|host| items(host)).map(shape));
    }

    /// A text takes everything.
    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = self.0.write_fmt(text);
    }

    fn end(mut self) -> String {
        self.0.push_str("}\n");
        self.0
    }
}
