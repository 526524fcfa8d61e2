//! The names that the command line goes by: its own, and those of RabbitMQ's tools, by which it is
//! called through links.

use std::path::Path;

/// Which tool is meant. All but one have the same verbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `leveret ctl`.
    Ctl,
    /// `rabbitmqctl`.
    RabbitmqCtl,
    /// `rabbitmq-diagnostics`.
    Diagnostics,
    /// `rabbitmq-queues`.
    Queues,
    /// `rabbitmq-streams`.
    Streams,
    /// `rabbitmq-upgrade`.
    Upgrade,
    /// `rabbitmq-plugins`, which has verbs of its own.
    Plugins,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Ctl,
        Self::RabbitmqCtl,
        Self::Diagnostics,
        Self::Queues,
        Self::Streams,
        Self::Upgrade,
        Self::Plugins,
    ];

    /// What is typed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ctl => "leveret ctl",
            Self::RabbitmqCtl => "rabbitmqctl",
            Self::Diagnostics => "rabbitmq-diagnostics",
            Self::Queues => "rabbitmq-queues",
            Self::Streams => "rabbitmq-streams",
            Self::Upgrade => "rabbitmq-upgrade",
            Self::Plugins => "rabbitmq-plugins",
        }
    }

    /// The tool by whose name the binary was called, if by any.
    #[must_use]
    pub fn called(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_by_the_name_of_a_tool_is_that_tool() {
        for (path, tool) in [
            ("/usr/bin/rabbitmqctl", Some(Tool::RabbitmqCtl)),
            ("rabbitmq-plugins", Some(Tool::Plugins)),
            ("/usr/local/bin/leveret", None),
            ("/", None),
        ] {
            assert_eq!(Tool::called(Path::new(path)), tool, "{path}");
        }
    }
}
