//! RabbitMQ's definitions file, read into a list of declarations in the order in which they are to
//! be made. Nothing is declared here, and numbers are not given: whether a declaration can be
//! made, the broker says. How the JSON looks is in `json`, how an argument becomes a field in
//! `arguments`.

mod arguments;
mod declaration;
mod items;
mod json;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::{Map, Value};

pub use arguments::table as arguments_table;
pub use items::{host_settings, policy, user};

pub use declaration::{Declaration, DeclaredPassword, ExchangeWish, QueueWish, UserWish};

/// A file that was understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definitions {
    /// What it declares, in the order of RabbitMQ's imports.
    pub items: Vec<Item>,
    /// What was passed over.
    pub warnings: Vec<String>,
}

/// One thing that is declared.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What it is called in texts: `queue 'q' in vhost '/'`.
    pub label: String,
    /// What is declared.
    pub declaration: Declaration,
}

/// Why a file is not understood. Nothing of it is declared then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefinitionsError {
    /// It is no JSON, or no object.
    NotDefinitions(String),
    /// It holds one virtual host only, and does not say which: the item that shows it, if one does.
    SingleVirtualHost(Option<String>),
    /// An item is not what it should be.
    Item {
        /// Which.
        label: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for DefinitionsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDefinitions(reason) => {
                write!(formatter, "this is no definitions file: {reason}")
            }
            Self::SingleVirtualHost(item) => {
                formatter.write_str("these are the definitions of a single virtual host")?;
                if let Some(item) = item {
                    write!(formatter, " ({item} has no `vhost`)")?;
                }
                formatter.write_str(
                    "; a node needs those of the whole cluster: export them with `rabbitmqctl \
                     export_definitions FILE`, or give every item a `vhost`, declare that under \
                     `vhosts`, and take `rabbitmq_definition_format` out; or send them to \
                     /api/definitions/VHOST of the HTTP API",
                )
            }
            Self::Item { label, reason } => write!(formatter, "{label}: {reason}"),
        }
    }
}

impl std::error::Error for DefinitionsError {}

impl Definitions {
    /// Reads a file of a whole cluster. Keys that mean nothing are passed over.
    ///
    /// # Errors
    /// The first thing that is wrong, by its name.
    pub fn read(bytes: &[u8]) -> Result<Self, DefinitionsError> {
        let sections = sections(bytes)?;
        refuse_single_host(&sections)?;
        items::read(sections)
    }

    /// Reads what a file has for a virtual host, whichever it was in before. All else in the file,
    /// users and permissions say, is passed over.
    ///
    /// # Errors
    /// The first thing that is wrong, by its name.
    pub fn read_for_host(bytes: &[u8], host: &str) -> Result<Self, DefinitionsError> {
        let mut sections = sections(bytes)?;
        sections.retain(|section, _| IN_HOST.iter().any(|(known, _)| known == section));
        for item in sections.values_mut().filter_map(Value::as_array_mut).flatten() {
            if let Some(item) = item.as_object_mut() {
                item.insert("vhost".to_owned(), host.into());
            }
        }
        items::read(sections)
    }
}

fn sections(bytes: &[u8]) -> Result<Map<String, Value>, DefinitionsError> {
    let bytes = bytes.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(bytes);
    let not_definitions =
        |reason: &dyn fmt::Display| DefinitionsError::NotDefinitions(reason.to_string());
    match serde_json::from_slice(bytes).map_err(|error| not_definitions(&error))? {
        Value::Object(sections) => Ok(sections),
        _ => Err(not_definitions(&"it is not a JSON object")),
    }
}

/// Sections whose items say in which virtual host they are.
const IN_HOST: [(&str, &str); 5] = [
    ("exchanges", "exchange"),
    ("policies", "policy"),
    ("parameters", "parameter"),
    ("queues", "queue"),
    ("bindings", "binding"),
];

fn refuse_single_host(sections: &Map<String, Value>) -> Result<(), DefinitionsError> {
    if sections.get("rabbitmq_definition_format").and_then(Value::as_str)
        == Some("single_virtual_host")
    {
        return Err(DefinitionsError::SingleVirtualHost(None));
    }
    for (section, kind) in IN_HOST {
        let items = sections.get(section).and_then(Value::as_array).into_iter().flatten();
        let mut without = items.filter(|item| item.is_object() && item.get("vhost").is_none());
        if let Some(item) = without.next() {
            let name = item.get("name").or_else(|| item.get("source")).and_then(Value::as_str);
            let label = name.map_or_else(|| kind.to_owned(), |name| format!("{kind} '{name}'"));
            return Err(DefinitionsError::SingleVirtualHost(Some(label)));
        }
    }
    Ok(())
}
