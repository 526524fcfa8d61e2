//! The one way locks are taken here. The order is: definitions of the node, those of a virtual
//! host, room for one more where there is a limit, then at most one queue, then leaves (mailbox,
//! reply targets, users, the map of virtual hosts, publish rates); never across an await.
//!
//! A panic under a lock is a bug of ours, and what the lock guards may be half changed:
//!
//! - a queue: it leaves service and is read again, see `out_of_service`;
//! - definitions of the node or of a virtual host: the node stops, see [`lock_or_fail`];
//! - live queues, users, the map of virtual hosts, tables of exchanges: they change only while
//!   definitions are locked as well, so the node stops, and these are passed over;
//! - the log's open batch: the log takes nothing any more, and the node stops, see `store::log`;
//! - the store's ledger: only the log's thread changes it, and when that ends the node stops;
//! - room for one more: it guards nothing but a moment, so work goes on;
//! - mailboxes, sessions, reply targets, lists of queues, random numbers, rates, what an exchange
//!   remembers: each step under them is one push, one take or one draw, which is done or not, so
//!   work goes on.

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};

use tracing::error;

use crate::store::Log;

/// Why the node has to stop, once there is a reason.
#[derive(Debug, Default)]
pub(super) struct Failure {
    why: OnceLock<String>,
    /// Nothing more may become durable then.
    log: OnceLock<Arc<Log>>,
}

impl Failure {
    /// Where there is a store, its log ends with the node.
    pub(super) fn guard(&self, log: Arc<Log>) {
        // A broker is opened once.
        let _ = self.log.set(log);
    }

    /// Nothing goes on from here: nothing more is confirmed, and the node is to stop. A start reads
    /// everything again.
    pub(super) fn report(&self, why: &str) {
        if let Some(log) = self.log.get() {
            log.poison(why);
        }
        if self.why.set(why.to_owned()).is_ok() {
            error!(
                target: "node",
                "{why}. The node stops; what was confirmed is safe, and a start reads it again"
            );
        }
    }

    /// Why the node has to stop.
    pub(super) fn why(&self) -> Option<&str> {
        let broken = self.log.get().filter(|log| log.has_panicked());
        if broken.is_some() && self.why.get().is_none() {
            self.report("a panic broke what gathered for the log");
        }
        self.why.get().map(String::as_str)
    }
}

/// Locks a leaf. A panic of another holder leaves it whole: what is done under it is one step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks what lasting state is changed under. After a panic of another holder it may contradict the
/// log, so the node stops. This holder goes on for that long, and nothing it does lasts.
pub(super) fn lock_or_fail<'a, T>(
    mutex: &'a Mutex<T>,
    what: &str,
    failure: &Failure,
) -> MutexGuard<'a, T> {
    mutex.lock().unwrap_or_else(|poisoned| {
        failure.report(&format!("a panic broke {what}"));
        poisoned.into_inner()
    })
}

/// Locks for reading, as [`lock`].
pub(super) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for writing, as [`lock`].
pub(super) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
