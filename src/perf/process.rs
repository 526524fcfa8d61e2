//! What a process has cost so far, as Linux tells it under `/proc`. On other systems there is
//! nothing to read, and nothing is told.

use std::fs;
use std::time::Duration;

/// Linux counts CPU time for programs in hundredths of a second, whatever the kernel's own clock.
const TICK: Duration = Duration::from_millis(10);

/// CPU time and memory of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// Of all its threads, in user and kernel mode.
    pub(super) cpu: Duration,
    pub(super) resident_size: u64,
}

impl Usage {
    /// Of the process with this id; none where it is gone or cannot be read.
    pub(super) fn of(process: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        Some(Self { cpu: cpu(&stat)?, resident_size: resident_size(&status)? })
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

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_found_by_its_id() {
        assert!(Usage::of(std::process::id()).is_some_and(|usage| usage.resident_size > 0));
    }
}
