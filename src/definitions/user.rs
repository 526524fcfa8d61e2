//! What is known of a user that is declared, and what it was permitted. Whether a permission allows
//! something is decided in `auth`.

use std::collections::BTreeMap;

use super::{HostKey, PasswordHash};
use crate::message::Name;

/// Who does what no user asked for: RabbitMQ's name.
pub const INTERNAL_USER: &str = "rmq-internal";

/// Who did what nobody remembers: RabbitMQ's name.
pub const UNKNOWN_USER: &str = "rmq-unknown";

/// A declared user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserDefinition {
    /// Its name.
    pub name: Name,
    /// Its password.
    pub password: PasswordHash,
    /// What the management interface lets it do, and `impersonator`.
    pub tags: Vec<Name>,
    /// Those of [`USER_LIMITS`](super::USER_LIMITS); below zero is no limit.
    pub limits: BTreeMap<Name, i64>,
}

/// What a user may do in a virtual host: three patterns. As long as it is only wished for, the
/// virtual host is a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionDefinition<H = HostKey> {
    /// The user's name.
    pub user: Name,
    /// Where.
    pub host: H,
    /// What it may declare and delete.
    pub configure: String,
    /// What it may publish to and bind.
    pub write: String,
    /// What it may consume from and bind.
    pub read: String,
}

/// Which routing keys a user may use with one topic exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPermissionDefinition<H = HostKey> {
    /// The user's name.
    pub user: Name,
    /// Where.
    pub host: H,
    /// The exchange, which need not be there.
    pub exchange: Name,
    /// Keys it may publish with.
    pub write: String,
    /// Keys it may bind with.
    pub read: String,
}

impl PermissionDefinition<Name> {
    /// The same, in the virtual host that has the name.
    #[must_use]
    pub fn at(&self, host: HostKey) -> PermissionDefinition {
        let Self { user, configure, write, read, .. } = self.clone();
        PermissionDefinition { user, host, configure, write, read }
    }
}

impl TopicPermissionDefinition<Name> {
    /// The same, in the virtual host that has the name.
    #[must_use]
    pub fn at(&self, host: HostKey) -> TopicPermissionDefinition {
        let Self { user, exchange, write, read, .. } = self.clone();
        TopicPermissionDefinition { user, host, exchange, write, read }
    }
}
