//! What a process has cost so far, as Linux tells it under `/proc`. On other systems there is
//! nothing to read, and nothing is told.

use std::fs;
use std::time::Duration;

/// Linux counts CPU time for programs in hundredths of a second, whatever the kernel's own clock.
const TICK: Duration = Duration::from_millis(10);

/// CPU time and memory of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::perf) struct Usage {
    /// Of all its threads, in user and kernel mode.
    pub(in crate::perf) cpu: Duration,
    pub(in crate::perf) resident_size: u64,
    /// None where the system keeps it to itself.
    pub(in crate::perf) written: Option<Written>,
}

/// Octets that a process has written since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::perf) struct Written {
    /// By calls that write, to files and, with some of those calls, to sockets.
    pub(in crate::perf) by_calls: u64,
    /// On their way to disks, in whole pages: appending one octet and syncing it writes a page.
    /// What was removed before it went there is not counted.
    pub(in crate::perf) to_disks: u64,
}

impl Written {
    /// What came after an earlier moment.
    pub(in crate::perf) fn since(self, earlier: Self) -> Self {
        Self {
            by_calls: self.by_calls.saturating_sub(earlier.by_calls),
            to_disks: self.to_disks.saturating_sub(earlier.to_disks),
        }
    }
}

impl Usage {
    /// Of the process with this id; none where it is gone or cannot be read.
    pub(in crate::perf) fn of(process: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let io = fs::read_to_string(format!("/proc/{process}/io"));
        Some(Self {
            cpu: cpu(&stat)?,
            resident_size: resident_size(&status)?,
            written: io.ok().and_then(|io| written(&io)),
        })
    }
}

/// Fields 14 and 15 of `stat`. The name in field 2 may hold anything, so what counts comes after
/// its last parenthesis.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * (user.checked_add(system)?))
}

fn resident_size(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn written(io: &str) -> Option<Written> {
    let octets = |name: &str| -> Option<u64> {
        io.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
    };
    let to_disks = octets("write_bytes:")?.saturating_sub(octets("cancelled_write_bytes:")?);
    Some(Written { by_calls: octets("wchar:")?, to_disks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_is_user_and_kernel_time_whatever_the_process_is_called() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194304 9 0 0 0 1234 66 0 0 20 0 24 0 7 0";
        assert_eq!(cpu(stat), Some(Duration::from_secs(13)));
        assert_eq!(cpu("42 (beam.smp) S 1"), None);
    }

    #[test]
    fn resident_memory_is_in_octets() {
        let status = "Name:\tbeam.smp\nVmHWM:\t  200 kB\nVmRSS:\t  141200 kB\nThreads:\t24\n";
        assert_eq!(resident_size(status), Some(141_200 * 1024));
        assert_eq!(resident_size("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn what_is_written_leaves_out_what_was_removed_before_it_went_to_the_disk() {
        let io = "rchar: 1\nwchar: 9000\nsyscr: 2\nsyscw: 3\nread_bytes: 4\nwrite_bytes: 8192\n\
                  cancelled_write_bytes: 4096\n";
        assert_eq!(written(io), Some(Written { by_calls: 9000, to_disks: 4096 }));
        assert_eq!(written("rchar: 1\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_found_by_its_id() {
        assert!(Usage::of(std::process::id()).is_some_and(|usage| usage.resident_size > 0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_this_process_writes_to_a_file_is_counted() {
        let written = || Usage::of(std::process::id()).and_then(|usage| usage.written).unwrap();
        let before = written();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), [0; 5000]).unwrap();
        assert!(written().since(before).by_calls >= 5000);
    }
}
