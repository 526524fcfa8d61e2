//! Why a verb did not do its work, and which status the shell is told: those of RabbitMQ's tools,
//! which are sysexits.

use std::fmt;

use serde_json::Value;

use super::api::Trouble;

/// A failure. Each kind has a status.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It was not typed as it has to be: 64.
    Usage(String),
    /// Something that was named is not there, or makes no sense: 65.
    Data(String),
    /// There is no such user: 67.
    NoUser(String),
    /// It cannot be done, or a check failed: 69.
    Unavailable(String),
    /// The node does not answer: 69.
    Unreachable(String),
    /// A check failed, of which programs are told more: 69.
    Check { text: String, json: Value },
    /// It is there already, or what was to be shown was lost: 70.
    Software(String),
    /// It took too long: 75.
    Timeout(String),
}

impl Failure {
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::Data(_) => 65,
            Self::NoUser(_) => 67,
            Self::Unavailable(_) | Self::Unreachable(_) | Self::Check { .. } => 69,
            Self::Software(_) => 70,
            Self::Timeout(_) => 75,
        }
    }

    /// What it says, without anything before it.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Usage(text)
            | Self::Data(text)
            | Self::NoUser(text)
            | Self::Unavailable(text)
            | Self::Unreachable(text)
            | Self::Check { text, .. }
            | Self::Software(text)
            | Self::Timeout(text) => text,
        }
    }

    pub(super) fn refused(verb: &str, reason: &str) -> Self {
        Self::Unavailable(format!("{verb} is not done by Leveret: {reason}"))
    }

    pub(super) fn no_user(name: &str) -> Self {
        Self::NoUser(format!("User \"{name}\" does not exist"))
    }

    pub(super) fn no_host(name: &str) -> Self {
        Self::Data(format!("Virtual host '{name}' does not exist"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => formatter.write_str(text),
            other => write!(formatter, "Error:\n{}", other.text()),
        }
    }
}

impl From<Trouble> for Failure {
    /// What is not known better by the verb that asked.
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused { status: 404, reason } if reason == "vhost_not_found" => {
                Self::Data("Virtual host does not exist".to_owned())
            }
            Trouble::Refused { status: 404, .. } => Self::Data("not_found".to_owned()),
            Trouble::Refused { reason, .. } => Self::Unavailable(reason),
            Trouble::Unreachable(text) => Self::Unreachable(text),
            Trouble::TimedOut(seconds) => Self::Timeout(format!(
                "the node did not answer in time. Timeout value used: {seconds} s"
            )),
        }
    }
}
