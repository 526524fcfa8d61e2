//! What a definitions file wishes for: definitions that have no numbers yet. They become facts when
//! the broker has made them.

use std::collections::BTreeMap;
use std::fmt;

use crate::definitions::{
    Binding, GlobalParameterDefinition, HostSettings, ParameterDefinition, PasswordHash,
    PermissionDefinition, PolicyDefinition, TopicPermissionDefinition,
};
use crate::message::Name;
use crate::protocol::field::FieldTable;

/// Something to be declared. Virtual hosts are named.
#[derive(Clone, Debug, PartialEq)]
pub enum Declaration {
    /// A user.
    User(UserWish),
    /// A virtual host.
    Host {
        /// Its name.
        name: Name,
        /// What it is for.
        settings: HostSettings,
    },
    /// What a user may do.
    Permission(PermissionDefinition<Name>),
    /// An exchange.
    Exchange(ExchangeWish),
    /// Which routing keys a user may use.
    TopicPermission(TopicPermissionDefinition<Name>),
    /// A parameter of the node.
    GlobalParameter(GlobalParameterDefinition),
    /// A policy, of users or of the operator.
    Policy(PolicyDefinition<Name>),
    /// A parameter of a component.
    Parameter(ParameterDefinition<Name>),
    /// A queue.
    Queue(QueueWish),
    /// A binding.
    Binding {
        /// Where.
        host: Name,
        /// All of it.
        binding: Binding,
    },
}

/// A user to be declared.
#[derive(Clone, Debug, PartialEq)]
pub struct UserWish {
    /// Its name.
    pub name: Name,
    /// How it proves itself.
    pub password: DeclaredPassword,
    /// Its tags.
    pub tags: Vec<Name>,
    /// Its limits.
    pub limits: BTreeMap<Name, i64>,
}

/// A password as a file has it.
#[derive(Clone, PartialEq)]
pub enum DeclaredPassword {
    /// Hashed already.
    Hash(PasswordHash),
    /// As it is typed.
    Clear(String),
}

/// It never enters a log.
impl fmt::Debug for DeclaredPassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Hash(_) => "Hash",
            Self::Clear(_) => "Clear",
        })
    }
}

/// An exchange to be declared.
#[derive(Clone, Debug, PartialEq)]
pub struct ExchangeWish {
    /// Where.
    pub host: Name,
    /// Its name.
    pub name: Name,
    /// Its type as clients write it.
    pub kind: Name,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with its last binding.
    pub auto_delete: bool,
    /// Only other exchanges may publish to it.
    pub internal: bool,
    /// Its arguments.
    pub arguments: FieldTable,
}

/// A queue to be declared.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueWish {
    /// Where.
    pub host: Name,
    /// Its name.
    pub name: Name,
    /// The type it had, where the file says so beside the arguments.
    pub kind: Option<Name>,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with its last consumer.
    pub auto_delete: bool,
    /// Its arguments.
    pub arguments: FieldTable,
}
