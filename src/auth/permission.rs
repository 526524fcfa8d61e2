//! What a user may do in a virtual host: three patterns over names of queues and exchanges.

use regex::Regex;

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
#[derive(Clone, Debug)]
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
    pub fn new(configure: &str, write: &str, read: &str) -> Result<Self, regex::Error> {
        Ok(Self {
            configure: Pattern::new(configure)?,
            write: Pattern::new(write)?,
            read: Pattern::new(read)?,
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

#[derive(Clone, Debug)]
enum Pattern {
    Nothing,
    Everything,
    Expression(Regex),
}

impl Pattern {
    fn new(text: &str) -> Result<Self, regex::Error> {
        Ok(match text {
            "" => Self::Nothing,
            ".*" => Self::Everything,
            text => Self::Expression(Regex::new(text)?),
        })
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Expression(expression) => expression.is_match(name),
        }
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
    fn a_malformed_pattern_is_an_error() {
        assert!(Permissions::new("(", ".*", ".*").is_err());
    }
}
