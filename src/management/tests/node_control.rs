//! A node that only writes down what is done to it.

use std::io;
use std::sync::Mutex;

use axum::body::Bytes;

use super::super::{Deed, LogTail, NodeControl, Service};

/// What was done to it.
#[derive(Debug, Default)]
pub(super) struct TestControl {
    pub(super) service: Mutex<Service>,
    pub(super) deeds: Mutex<Vec<String>>,
    /// What the log file has, in parts; none is no file.
    pub(super) log: Option<Vec<&'static str>>,
    /// Why listeners cannot be bound.
    pub(super) trouble: Option<String>,
}

impl TestControl {
    fn note(&self, deed: String) -> Result<(), String> {
        self.deeds.lock().unwrap().push(deed);
        Ok(())
    }

    /// What was done since it was asked last.
    pub(super) fn done(&self) -> Vec<String> {
        std::mem::take(&mut *self.deeds.lock().unwrap())
    }
}

impl NodeControl for TestControl {
    fn set_log_level(&self, level: &str, category: Option<&str>) -> Result<(), String> {
        match level {
            "loud" => Err("level loud is not supported".to_owned()),
            level => self.note(format!("level {level} {category:?}")),
        }
    }

    fn reopen_log(&self) -> Result<(), String> {
        match self.log {
            Some(_) => self.note("reopen".to_owned()),
            None => Err("the node logs to no file".to_owned()),
        }
    }

    fn follow_log(&self) -> Result<Box<dyn LogTail>, String> {
        let parts = self.log.clone().ok_or("the node logs to no file")?;
        Ok(Box::new(TestTail(parts.into_iter())))
    }

    fn service(&self) -> Service {
        *self.service.lock().unwrap()
    }

    fn suspend(&self) -> Deed<'_> {
        self.service.lock().unwrap().is_suspended = true;
        Box::pin(async { self.note("suspend".to_owned()) })
    }

    fn resume(&self) -> Deed<'_> {
        if let Some(trouble) = self.trouble.clone() {
            return Box::pin(async { Err(trouble) });
        }
        self.service.lock().unwrap().is_suspended = false;
        Box::pin(async { self.note("resume".to_owned()) })
    }

    fn mark_drained(&self, is_drained: bool) {
        self.service.lock().unwrap().is_drained = is_drained;
    }
}

/// Ends with an error, as a file does that is taken away.
struct TestTail(std::vec::IntoIter<&'static str>);

impl LogTail for TestTail {
    fn read(&mut self) -> io::Result<Bytes> {
        match self.0.next() {
            Some(part) => Ok(Bytes::from_static(part.as_bytes())),
            None => Err(io::Error::other("it is gone")),
        }
    }
}
