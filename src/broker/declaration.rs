//! What comes of a declaration for the node: it changed something or nothing, or why it is refused.
//! What is declared is not known here.

use std::fmt;

use crate::message::Name;

/// Why something is not declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeclarationRefused {
    /// There is no such virtual host.
    NoVirtualHost(Name),
    /// There is no such user.
    NoUser(Name),
    /// A pattern is no regular expression.
    BadPattern(String),
    /// A password is none that a new user may have.
    BadPassword,
    /// There is as much as the node may have: RabbitMQ's words.
    Full(String),
    /// It breaks a rule of its kind: RabbitMQ's words.
    Invalid(String),
}

impl fmt::Display for DeclarationRefused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVirtualHost(name) => write!(formatter, "there is no vhost '{name}'"),
            Self::NoUser(name) => write!(formatter, "there is no user '{name}'"),
            Self::BadPassword => formatter.write_str("credential_validation_failed"),
            Self::BadPattern(reason) | Self::Full(reason) | Self::Invalid(reason) => {
                formatter.write_str(reason)
            }
        }
    }
}

impl std::error::Error for DeclarationRefused {}

/// Whether a declaration changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declared {
    /// It is as declared now.
    Changed,
    /// It was so already.
    Unchanged,
}

/// What comes of a declaration.
pub type DeclarationResult = Result<Declared, DeclarationRefused>;
