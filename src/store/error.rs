//! Why a store does not open, or no longer writes. Each text names the file.

use std::fmt;
use std::io;

/// What is wrong with the store.
#[derive(Debug)]
pub enum StoreError {
    /// The disk refused something.
    Disk {
        /// What was tried, on which file.
        what: String,
        /// What the system says.
        error: io::Error,
    },
    /// The folder was written by a version with another format.
    UnknownVersion {
        /// The file that says so.
        file: String,
        /// Its format.
        version: u16,
    },
    /// A record that may not be passed over, of a kind this version does not know.
    UnknownKind {
        /// The file.
        file: String,
        /// Where in it.
        offset: u64,
        /// The kind's number.
        kind: u8,
    },
    /// A definition is damaged, or something that may have been one: what it said is not known.
    DamagedDefinition {
        /// The file.
        file: String,
        /// Where in it.
        offset: u64,
    },
    /// There are files of a log, not from its beginning on, and no checkpoint is whole.
    NoCheckpoint {
        /// Those there are.
        found: Vec<String>,
        /// Those there are not: a name, or the first and the last of a row.
        missing: Vec<String>,
    },
}

impl StoreError {
    pub(super) fn disk(what: impl Into<String>, error: io::Error) -> Self {
        Self::Disk { what: what.into(), error }
    }

    /// A sync failed. What it left behind nobody knows, whatever the system gives as the reason: a
    /// full disk is no excuse here.
    pub(super) fn sync(what: impl Into<String>, error: &io::Error) -> Self {
        Self::disk(what, io::Error::other(error.to_string()))
    }

    /// The disk is full, and nothing else is wrong.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Disk { error, .. } if is_full(error))
    }
}

/// The disk is full, or the owner's share of it.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk { what, error } => write!(f, "cannot {what}: {error}"),
            Self::UnknownVersion { file, version } => write!(
                f,
                "{file} has format {version}, and this version of Leveret reads format {} only; \
                 start the version that wrote it",
                super::header::FORMAT_VERSION
            ),
            Self::UnknownKind { file, offset, kind } => write!(
                f,
                "{file} has a record of kind {kind} at byte {offset} that this version of Leveret \
                 does not know and must not pass over; start the version that wrote it"
            ),
            Self::DamagedDefinition { file, offset } => write!(
                f,
                "a definition in {file} at byte {offset} is damaged, or may have stood there, so a \
                 queue, exchange, binding or user may be missing; set \
                 store.accept_damaged_definitions = true to start without it"
            ),
            Self::NoCheckpoint { found, missing } => write!(
                f,
                "no checkpoint is whole, and without one the log cannot be read but from its \
                 beginning; missing: {}; found: {}; put a copy of the data directory back",
                missing.join(", "),
                found.join(", ")
            ),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Disk { error, .. } => Some(error),
            _ => None,
        }
    }
}
