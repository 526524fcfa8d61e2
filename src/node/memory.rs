//! How much memory this machine, or the part of it that the node was given, really has, and in
//! which pieces the node takes it.

use std::fs;

/// Where control groups say how much memory a process may use, newest kind first.
const LIMITS: [&str; 2] =
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// Bytes of memory: the machine's, or less where a control group allows less. `None` where the
/// system does not say.
#[must_use]
pub(super) fn available() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let allowed = LIMITS.iter().find_map(|path| limit(&fs::read_to_string(path).ok()?));
    [machine, allowed].into_iter().flatten().min()
}

/// Takes memory in small pages, also where the system would give huge ones unasked: a process that
/// holds little would take some MiB more, and no message costs measurably less.
pub(super) fn avoid_huge_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(target: "node", %error, "memory may come in huge pages");
    }
}

/// The line `MemTotal:  24567 kB`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// A number of bytes, or `max` where there is no limit.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_from_its_line() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       2048 kB\n"), Some(2048 * 1024));
        assert_eq!(total("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn a_group_without_a_limit_has_none() {
        assert_eq!((limit("max\n"), limit("1048576\n")), (None, Some(1_048_576)));
    }

    #[test]
    fn this_machine_has_some() {
        assert!(available().is_some_and(|bytes| bytes > 1024 * 1024));
    }
}
