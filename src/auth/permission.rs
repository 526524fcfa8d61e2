//! What a user may do in a virtual host: three patterns over names of queues and exchanges.

use crate::definitions::{Pattern, PatternError};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Declare and delete.
    Configure,
    /// Publish to, bind to.
    Write,
    /// Consume from, bind from.
    Read,
}

impl Access {
    /// The word of RabbitMQ's texts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Configure => "configure",
            Self::Write => "write",
            Self::Read => "read",
        }
    }
}

/// Three patterns, unanchored; an empty one matches nothing.
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    configure: Pattern,
    write: Pattern,
    read: Pattern,
}

impl Permissions {
    /// Permissions from three patterns.
    ///
    /// # Errors
    /// A pattern is no regular expression.
    pub fn new(configure: &str, write: &str, read: &str) -> Result<Self, PatternError> {
        Ok(Self {
            configure: Pattern::parse(configure)?,
            write: Pattern::parse(write)?,
            read: Pattern::parse(read)?,
        })
    }

    /// Whether `name` may be accessed so. The default exchange goes under `amq.default`.
    #[must_use]
    pub fn allow(&self, access: Access, name: &str) -> bool {
        match access {
            Access::Configure => &self.configure,
            Access::Write => &self.write,
            Access::Read => &self.read,
        }
        .matches(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_unanchored_and_the_empty_one_matches_nothing() {
        let permissions = Permissions::new("", "orders", "^a$").unwrap();
        assert!(!permissions.allow(Access::Configure, ""));
        assert!(permissions.allow(Access::Write, "my-orders-1"));
        assert!(permissions.allow(Access::Read, "a") && !permissions.allow(Access::Read, "ab"));
        assert!(Permissions::new(".*", ".*", ".*").unwrap().allow(Access::Read, ""));
    }

    #[test]
    fn names_of_the_system_may_be_kept_out() {
        let permissions = Permissions::new(r"^(?!amq\.).*", ".*", ".*").unwrap();
        assert!(permissions.allow(Access::Configure, "orders"));
        assert!(!permissions.allow(Access::Configure, "amq.gen-1"));
        assert!(permissions.allow(Access::Write, "amq.gen-1"));
    }

    #[test]
    fn a_malformed_pattern_is_an_error() {
        assert!(Permissions::new("(", ".*", ".*").is_err());
    }
}
