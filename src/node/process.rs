//! What this process takes of its machine, as the system tells it. It decides nothing.

use std::fs;

use rustix::process::{Resource, getrlimit};

use crate::management::ProcessFigures;

/// How it fares now.
pub(super) fn figures() -> ProcessFigures {
    ProcessFigures { memory_bytes: resident_bytes(), open_files: open_files() }
}

/// Bytes of memory that the process has.
#[must_use]
pub(super) fn resident_bytes() -> Option<u64> {
    resident(&fs::read_to_string("/proc/self/status").ok()?)
}

/// Files and sockets that it has open. Where the system does not tell their number they are
/// counted, without the one for that.
#[must_use]
pub(super) fn open_files() -> Option<u64> {
    let folder = "/proc/self/fd";
    let told = fs::metadata(folder).ok()?.len();
    if told > 0 {
        return Some(told);
    }
    Some((fs::read_dir(folder).ok()?.count() as u64).saturating_sub(1))
}

/// So many it may have open; `None` where there is no limit.
#[must_use]
pub(super) fn open_files_max() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// The line `VmRSS:     24567 kB`.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_its_line() {
        let status = "Name:\ta\nVmHWM:\t   9 kB\nVmRSS:\t    2048 kB\n";
        assert_eq!(resident(status), Some(2048 * 1024));
        assert_eq!(resident("Name:\ta\n"), None);
    }

    #[test]
    fn this_process_has_memory_and_files_below_its_limit() {
        assert!(resident_bytes().unwrap() > 1024 * 1024);
        let open = open_files().unwrap();
        assert!(open >= 3 && open <= open_files_max().unwrap_or(u64::MAX), "{open}");
    }

    #[test]
    fn a_file_that_is_opened_is_counted() {
        // Other tests open and close files meanwhile, but not so many.
        let before = open_files().unwrap();
        let files: Vec<_> =
            (0..500).map(|_| fs::File::open("/proc/self/status").unwrap()).collect();
        assert!(open_files().unwrap() > before + files.len() as u64 / 2);
    }
}
