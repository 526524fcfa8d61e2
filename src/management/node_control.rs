//! What operators may have done to the node around the broker: its logs, and whether it lets
//! clients in. How that is done, the node knows.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;

use axum::body::Bytes;

/// Something that takes a while, and may fail for a reason.
pub type Deed<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// The node around the broker.
pub trait NodeControl: fmt::Debug + Send + Sync {
    /// From now on only lines of this level pass to the logs, of one category or of all.
    ///
    /// # Errors
    /// There is no such level, or no such category.
    fn set_log_level(&self, level: &str, category: Option<&str>) -> Result<(), String>;

    /// Opens the log file anew, which somebody may have moved away.
    ///
    /// # Errors
    /// There is none, or it cannot be opened.
    fn reopen_log(&self) -> Result<(), String>;

    /// What is written to the log file from now on.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    fn follow_log(&self) -> Result<Box<dyn LogTail>, String>;

    /// Whether it lets clients in.
    fn service(&self) -> Service;

    /// Lets no client in any more; who is inside stays.
    fn suspend(&self) -> Deed<'_>;

    /// Lets clients in again.
    fn resume(&self) -> Deed<'_>;

    /// Somebody wants to stop it soon, or does not any more.
    fn mark_drained(&self, is_drained: bool);
}

/// The end of a file that grows.
pub trait LogTail: Send {
    /// What was written since it was read last, or the next part of it; nothing where that is all.
    ///
    /// # Errors
    /// The file cannot be read.
    fn read(&mut self) -> io::Result<Bytes>;
}

/// Whether a node lets clients in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Nobody listens for clients.
    pub is_suspended: bool,
    /// It is under maintenance.
    pub is_drained: bool,
}
