//! What operators may have done to this node around its broker: the HTTP door asks, and here it is
//! done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::log_level::LogControl;
use super::log_tail::FileTail;
use crate::management::{Deed, LogTail, NodeControl, Service};
use crate::server::ClientListeners;

/// The node as the HTTP door may change it.
#[derive(Debug)]
pub(super) struct Control {
    logs: LogControl,
    clients: Arc<ClientListeners>,
    is_drained: AtomicBool,
}

impl Control {
    pub(super) fn new(logs: LogControl, clients: Arc<ClientListeners>) -> Self {
        Self { logs, clients, is_drained: AtomicBool::new(false) }
    }
}

impl NodeControl for Control {
    fn set_log_level(&self, level: &str, category: Option<&str>) -> Result<(), String> {
        self.logs.set_level(level, category)
    }

    fn reopen_log(&self) -> Result<(), String> {
        self.logs.file()?.reopen()
    }

    fn follow_log(&self) -> Result<Box<dyn LogTail>, String> {
        let path = self.logs.file()?.path();
        let tail = FileTail::of(path.clone());
        let tail = tail.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        Ok(Box::new(tail))
    }

    fn service(&self) -> Service {
        Service {
            is_suspended: self.clients.are_suspended(),
            is_drained: self.is_drained.load(Ordering::Relaxed),
        }
    }

    fn suspend(&self) -> Deed<'_> {
        Box::pin(self.clients.suspend())
    }

    fn resume(&self) -> Deed<'_> {
        Box::pin(self.clients.resume())
    }

    fn mark_drained(&self, is_drained: bool) {
        self.is_drained.store(is_drained, Ordering::Relaxed);
    }
}
