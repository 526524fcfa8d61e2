//! The end of a node: it is asked to stop, lets nobody in any more, tells everybody, and waits a
//! while for them to go.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use crate::broker::Broker;
use crate::limits::SHUTDOWN_PATIENCE_MS;
use crate::server::Doors;

/// The signals that end a node.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes over SIGTERM and SIGINT.
    pub(super) fn watch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Resolves when one of them comes.
    pub(super) async fn received(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Closes the doors: every client gets connection.close 320 and some time to answer it.
pub(super) async fn close(broker: &Broker, doors: Doors) {
    info!(target: "node", sessions = broker.session_count(), "stopping");
    doors.close();
    broker.shut_down();
    if !doors.emptied(Duration::from_millis(SHUTDOWN_PATIENCE_MS)).await {
        let sessions = broker.session_count();
        warn!(target: "node", sessions, "connections that did not answer are dropped");
    }
}
