//! Where a setting was written, what was wrong with it, and what deserves a warning. The texts
//! that operators read are made here.

use std::fmt;

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file as a whole.
    File { name: String },
    /// A line of a file.
    Line { file: String, line: usize },
    /// An environment variable.
    Variable { name: String },
    /// A flag of the command line.
    Flag { name: &'static str },
}

/// The layers that settings come in; a later one overrides an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    File,
    Environment,
    Flags,
}

/// One thing that stops the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub origin: Origin,
    /// The key as it was written, if it came so far.
    pub key: Option<String>,
    pub message: String,
}

/// Everything that was wrong, so that it can be mended in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

/// Something the operator should know, that does not stop the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub origin: Origin,
    pub key: String,
    pub message: String,
}

impl Origin {
    #[must_use]
    pub fn layer(&self) -> Layer {
        match self {
            Self::File { .. } | Self::Line { .. } => Layer::File,
            Self::Variable { .. } => Layer::Environment,
            Self::Flag { .. } => Layer::Flags,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name } | Self::Variable { name } => formatter.write_str(name),
            Self::Line { file, line } => write!(formatter, "{file}:{line}"),
            Self::Flag { name } => formatter.write_str(name),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(formatter, "{}: {key}: {}", self.origin, self.message),
            None => write!(formatter, "{}: {}", self.origin, self.message),
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            write!(formatter, "{error}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} {}", self.origin, self.key, self.message)
    }
}

impl std::error::Error for ConfigError {}
impl std::error::Error for ConfigErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_print_one_a_line_with_their_place() {
        let error = |origin, key: Option<&str>| ConfigError {
            origin,
            key: key.map(str::to_owned),
            message: "expected a port".to_owned(),
        };
        let errors = ConfigErrors(vec![
            error(Origin::Line { file: "a.conf".to_owned(), line: 3 }, Some("listeners.tcp.1")),
            error(Origin::Variable { name: "LEVERET_X".to_owned() }, None),
            error(Origin::Flag { name: "--listen" }, None),
        ]);
        assert_eq!(
            errors.to_string(),
            "a.conf:3: listeners.tcp.1: expected a port\n\
             LEVERET_X: expected a port\n\
             --listen: expected a port"
        );
    }

    #[test]
    fn flags_come_after_the_environment_and_that_after_files() {
        assert!(Layer::File < Layer::Environment && Layer::Environment < Layer::Flags);
    }
}
