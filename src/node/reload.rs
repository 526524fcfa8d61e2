//! SIGHUP: certificates are read anew, for who connects from now on, and the log file is opened
//! anew. What cannot be read is told, and what was read before goes on.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info};

use super::log_level::LogControl;
use crate::server::Tls;

/// What is read anew, and when.
#[derive(Debug)]
pub(super) struct Reload {
    hang_up: Signal,
    tls: Vec<Arc<Tls>>,
    logs: LogControl,
}

impl Reload {
    /// Takes over SIGHUP.
    pub(super) fn watch(tls: Vec<Arc<Tls>>, logs: LogControl) -> io::Result<Self> {
        Ok(Self { hang_up: signal(SignalKind::hangup())?, tls, logs })
    }

    /// Does it whenever it is asked for.
    pub(super) async fn forever(mut self) {
        while self.hang_up.recv().await.is_some() {
            self.logs.reopen();
            if self.tls.is_empty() {
                info!(target: "node", "no certificates to read anew");
            }
            self.tls.iter().for_each(|tls| reload(tls));
        }
        // No signal will ever come; that is no reason to stop.
        std::future::pending::<()>().await;
    }
}

fn reload(tls: &Tls) {
    let place = tls.ends().own_file;
    match tls.reload() {
        Ok(()) => {
            let ends: Vec<String> = tls.ends().own.into_iter().map(|end| end.shown).collect();
            let ends = ends.join(", ");
            info!(target: "node", "read {} anew: good until {ends}", place.display());
        }
        Err(error) => {
            error!(target: "node", "certificates stay as they were: {error}");
        }
    }
}
