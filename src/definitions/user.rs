//! What is known of a user that is declared, and what it was permitted. Whether a permission allows
//! something is decided in `auth`.

use std::collections::BTreeMap;

use super::{HostKey, PasswordHash};
use crate::message::Name;

/// A declared user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserDefinition {
    /// Its name.
    pub name: Name,
    /// Its password.
    pub password: PasswordHash,
    /// What the management interface lets it do, and `impersonator`.
    pub tags: Vec<Name>,
    /// `max-connections` and `max-channels`; below zero is no limit.
    pub limits: BTreeMap<Name, i64>,
}

/// What a user may do in a virtual host: three patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionDefinition {
    /// The user's name.
    pub user: Name,
    /// Where.
    pub host: HostKey,
    /// What it may declare and delete.
    pub configure: String,
    /// What it may publish to and bind.
    pub write: String,
    /// What it may consume from and bind.
    pub read: String,
}

/// Which routing keys a user may use with one topic exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPermissionDefinition {
    /// The user's name.
    pub user: Name,
    /// Where.
    pub host: HostKey,
    /// The exchange, which need not be there.
    pub exchange: Name,
    /// Keys it may publish with.
    pub write: String,
    /// Keys it may bind with.
    pub read: String,
}
