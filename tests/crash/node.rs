//! A broker with many lives on the same data.

use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::optimized;
use crate::process::Process;

/// Data, and whoever runs on them.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) process: Process,
    folder: TempDir,
}

impl Node {
    /// The first life.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the data");
        Self { process: Process::start_by(command(&folder)), folder }
    }

    /// Ends it by a signal and starts it again.
    pub(crate) fn restart(&mut self, signal: Signal) {
        self.end(signal);
        self.revive();
    }

    /// Ends it by a signal: at once by SIGKILL, else as it sees fit, which must be a clean end.
    pub(crate) fn end(&mut self, signal: Signal) {
        self.process.signal(signal);
        let (status, lines) = self.process.ended();
        assert!(signal == Signal::KILL || status.success(), "{status}: {lines:#?}");
    }

    /// Starts it again.
    pub(crate) fn revive(&mut self) {
        self.process = Process::start_by(command(&self.folder));
    }

    /// The same, and waits for nothing: it may not have opened its store yet.
    pub(crate) fn conceive(&mut self) {
        self.process = Process::launch_by(command(&self.folder));
    }
}

fn command(folder: &TempDir) -> Command {
    let mut command = Command::new(optimized::binary());
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path());
    command
}
