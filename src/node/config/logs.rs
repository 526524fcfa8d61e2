//! What is logged, where to and how, as meant: the levels that were written for outputs and for
//! categories are already merged into one filter for each output. Writing lines is
//! `node::logging`'s work.

use std::{collections::BTreeMap, path::PathBuf};

/// The names of levels, as keys take them.
pub const LEVELS: &[&str] =
    &["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency", "none"];

/// All of logging. An output that is off is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    pub console: Option<ConsoleLog>,
    pub file: Option<FileLog>,
    pub exchange: Option<ExchangeLog>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleLog {
    pub stream: LogStream,
    pub format: LogFormat,
    pub filter: LogFilter,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLog {
    pub path: PathBuf,
    pub format: LogFormat,
    pub filter: LogFilter,
}

/// Lines go out as messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeLog {
    pub format: LogFormat,
    pub filter: LogFilter,
}

/// Which of the two standard outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    Output,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// RabbitMQ's shape of a line.
    Text,
    /// One JSON object a line.
    Json,
}

/// The least severity that passes, in all and for each category that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter {
    pub default: LogLevel,
    pub categories: BTreeMap<LogCategory, LogLevel>,
}

/// How severe. `None` is above all and lets nothing pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    None,
}

/// Parts of the broker with a level of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogCategory {
    Connection,
    Channel,
    Queue,
}

impl LogLevel {
    /// The level of a name. What is above critical in syslog's list is critical here.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "debug" => Self::Debug,
            "info" => Self::Info,
            "notice" => Self::Notice,
            "warning" => Self::Warning,
            "error" => Self::Error,
            "critical" | "alert" | "emergency" => Self::Critical,
            "none" => Self::None,
            _ => return None,
        })
    }
}

impl LogCategory {
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "connection" => Self::Connection,
            "channel" => Self::Channel,
            "queue" => Self::Queue,
            _ => return None,
        })
    }
}

impl LogFilter {
    /// Merges an output's own level with those of the categories. A line has to pass both; where
    /// neither was written it is info.
    #[must_use]
    pub fn merged(
        output: Option<LogLevel>,
        default: Option<LogLevel>,
        categories: &BTreeMap<LogCategory, LogLevel>,
    ) -> Self {
        let both = |level| output.map_or(level, |output: LogLevel| output.max(level));
        let merge = |(category, level): (&LogCategory, &LogLevel)| (*category, both(*level));
        Self {
            default: default.map_or(output.unwrap_or(LogLevel::Info), both),
            categories: categories.iter().map(merge).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_level_is_one() {
        assert!(LEVELS.iter().all(|name| LogLevel::from_name(name).is_some()));
        assert_eq!(LogLevel::from_name("emergency"), Some(LogLevel::Critical));
        assert_eq!(LogLevel::from_name("loud"), None);
    }

    #[test]
    fn without_a_level_of_the_output_the_category_decides() {
        let categories = BTreeMap::from([(LogCategory::Channel, LogLevel::Debug)]);
        let filter = LogFilter::merged(None, None, &categories);
        assert_eq!(filter.default, LogLevel::Info);
        assert_eq!(filter.categories[&LogCategory::Channel], LogLevel::Debug);
    }

    #[test]
    fn the_level_of_an_output_holds_back_every_category() {
        let categories = BTreeMap::from([
            (LogCategory::Channel, LogLevel::Debug),
            (LogCategory::Queue, LogLevel::None),
        ]);
        let filter = LogFilter::merged(Some(LogLevel::Error), Some(LogLevel::Info), &categories);
        assert_eq!(filter.default, LogLevel::Error);
        assert_eq!(filter.categories[&LogCategory::Channel], LogLevel::Error);
        assert_eq!(filter.categories[&LogCategory::Queue], LogLevel::None);
    }
}
