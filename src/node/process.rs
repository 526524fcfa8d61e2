//! How this process fares, as the system tells it. Where the system tells nothing, nothing is said.

use std::fs;

use crate::management::ProcessFigures;

/// How it fares now.
pub(super) fn figures() -> ProcessFigures {
    let status = fs::read_to_string("/proc/self/status").ok();
    ProcessFigures {
        memory_bytes: status.and_then(|text| resident(&text)),
        open_files: fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64),
    }
}

/// The line `VmRSS:   9876 kB`.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_its_line() {
        assert_eq!(resident("VmPeak: 1 kB\nVmRSS:\t    2048 kB\n"), Some(2048 * 1024));
        assert_eq!(resident("VmPeak: 1 kB\n"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn open_files_count() {
        let before = figures();
        let files: Vec<_> = (0..50).map(|_| fs::File::open("/proc/self/status").unwrap()).collect();
        let after = figures();
        assert!(before.memory_bytes.is_some_and(|bytes| bytes > 1024 * 1024));
        // Other tests open and close files, too.
        assert!(after.open_files.unwrap() >= before.open_files.unwrap() + 25);
        drop(files);
    }
}
