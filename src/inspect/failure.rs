//! Why an inspection ends, in words for who typed it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::text::counted;
use crate::message::Name;
use crate::store::StoreError;

/// Why an inspection ends.
#[derive(Debug)]
pub(super) enum Failure {
    /// The folder or its files cannot be read.
    Unreadable(io::Error),
    /// There is nothing of a store in the folder.
    NoDataDirectory(PathBuf),
    /// The store does not open.
    Refused { error: StoreError, holder: Option<String> },
    /// There is no such queue.
    NoQueue { what: String, near: Vec<String> },
    /// There is no such virtual host.
    NoVirtualHost { name: String, known: Vec<Name> },
    /// The file to export to cannot be made.
    Export { file: PathBuf, error: io::Error },
    /// The file to export to would be in the folder that is looked at.
    ExportInside(PathBuf),
    /// Some messages could not be read.
    Damaged { count: u64, is_in_use: bool },
    /// Nothing more can be written.
    Output(io::Error),
}

impl Failure {
    /// Who read the output has seen enough.
    pub(super) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::NoDataDirectory(path) => write!(
                f,
                "{} is no data directory of Leveret: there is no log and no checkpoint in it",
                path.display()
            ),
            Self::Refused { error, holder: None } => {
                write!(f, "the store does not open, and a start would be refused: {error}")
            }
            Self::Refused { error, holder: Some(holder) } => write!(
                f,
                "the files were changed by {holder} while they were read; try again ({error})"
            ),
            Self::NoQueue { what, near } if near.is_empty() => write!(f, "there is no {what}"),
            Self::NoQueue { what, near } => {
                write!(f, "there is no {what}; near it are {}", near.join(", "))
            }
            Self::NoVirtualHost { name, known } => {
                let known: Vec<&str> = known.iter().map(|name| &**name).collect();
                write!(f, "there is no virtual host '{name}'; there are: {}", known.join(", "))
            }
            Self::Export { file, error } => {
                write!(f, "cannot export to {}: {error}", file.display())
            }
            Self::ExportInside(file) => write!(
                f,
                "cannot export to {}: it is in the data directory, in which nothing is changed",
                file.display()
            ),
            Self::Damaged { count, is_in_use: false } => {
                write!(f, "{} could not be read: what is on disk is damaged", messages(*count))
            }
            Self::Damaged { count, is_in_use: true } => write!(
                f,
                "{} could not be read: damaged, or given away by the running broker since",
                messages(*count)
            ),
            Self::Output(error) => write!(f, "cannot write: {error}"),
        }
    }
}

fn messages(count: u64) -> String {
    counted(count, "message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_say_what_to_look_for() {
        let near = vec!["'orders'".to_owned(), "'border'".to_owned()];
        let unknown = Failure::NoQueue { what: "queue 'order'".to_owned(), near };
        let expected = "there is no queue 'order'; near it are 'orders', 'border'";
        assert_eq!(unknown.to_string(), expected);
        let known = vec!["/".into(), "shop".into()];
        let unknown = Failure::NoVirtualHost { name: "shpo".to_owned(), known };
        assert_eq!(unknown.to_string(), "there is no virtual host 'shpo'; there are: /, shop");
    }

    #[test]
    fn a_running_broker_is_a_reason_to_try_again() {
        let error = || StoreError::NoCheckpoint { found: vec!["log-2".to_owned()] };
        let refused = Failure::Refused { error: error(), holder: None }.to_string();
        assert!(refused.starts_with("the store does not open, and a start would be refused: no"));
        let busy = Failure::Refused { error: error(), holder: Some("process 7".to_owned()) };
        let text = busy.to_string();
        let expected = "the files were changed by process 7 while they were read; try again (no";
        assert!(text.starts_with(expected), "{text}");
        let gone = Failure::Damaged { count: 2, is_in_use: true }.to_string();
        let expected =
            "2 messages could not be read: damaged, or given away by the running broker since";
        assert_eq!(gone, expected);
    }

    #[test]
    fn only_a_closed_pipe_is_no_failure() {
        assert!(Failure::Output(io::ErrorKind::BrokenPipe.into()).is_closed_pipe());
        assert!(!Failure::Output(io::ErrorKind::StorageFull.into()).is_closed_pipe());
    }
}
