//! How much memory a process has, as the system counts it.

use std::fs;
use std::time::Duration;

use leveret::server::Clock;

use crate::process::Process;
use crate::wire::Wire;

/// Long enough for every thread, the log's too, to give freed pages back: each does so only while
/// it has something to do.
const SETTLING: Duration = Duration::from_millis(1000);

/// What a process takes more than before.
#[derive(Debug)]
pub(crate) struct Growth {
    pid: u32,
    before: u64,
}

impl Growth {
    /// Begins here. What was highest so far is forgotten.
    pub(crate) fn of(process: &Process) -> Self {
        let pid = process.id();
        fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("the peak is reset");
        Self { pid, before: status(pid, "VmRSS:") }
    }

    /// How much more it has now.
    pub(crate) fn now(&self) -> u64 {
        status(self.pid, "VmRSS:").saturating_sub(self.before)
    }

    /// How much more it has when its allocator has given back what nobody needs any more, which it
    /// does little by little, while there is something to do: the client asks for its queue.
    pub(crate) fn settled(&self, wire: &mut Wire, queue: &str) -> u64 {
        let clock = Clock::start();
        let mut least = self.now();
        while clock.elapsed() < SETTLING {
            wire.message_count(queue);
            least = least.min(self.now());
        }
        least
    }

    /// How much more it had at its highest.
    pub(crate) fn peak(&self) -> u64 {
        status(self.pid, "VmHWM:").saturating_sub(self.before)
    }
}

/// What a process has now.
pub(crate) fn resident(process: &Process) -> u64 {
    status(process.id(), "VmRSS:")
}

/// What it has by itself, and its share of what it has together with others: of the C library's
/// pages, which every process has, its part.
pub(crate) fn proportional(process: &Process) -> u64 {
    figure(process.id(), "smaps_rollup", "Pss:")
}

fn status(pid: u32, name: &str) -> u64 {
    figure(pid, "status", name)
}

/// A figure of the system about a process, in bytes.
fn figure(pid: u32, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).expect("a running process");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect(name);
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect(line);
    kib * crate::KIB
}
