//! How much memory this machine, or the part of it that the node was given, really has, and in
//! which pieces the node takes it.

use std::fs;
use std::path::{Path, PathBuf};

/// Where control groups are, and how they call what a process may use: the newest kind first.
const GROUPS: [(&str, &str, &str); 2] = [
    ("", "/sys/fs/cgroup", "memory.max"),
    ("memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
];

/// Bytes of memory: the machine's, or less where a control group allows less; or what the operator
/// says there is. `None` where nobody says.
#[must_use]
pub(super) fn available(said: Option<u64>) -> Option<u64> {
    said.or_else(|| {
        let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let allowed = limit_files(&own).into_iter();
        let allowed = allowed.filter_map(|path| limit(&fs::read_to_string(path).ok()?));
        machine.into_iter().chain(allowed).min()
    })
}

/// The files that limit a process whose control groups these are: each limits all that is in it.
/// Inside a container its own group is the root.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let known = GROUPS.iter().find(|(name, ..)| controllers.split(',').any(|one| one == *name));
        let Some((_, root, file)) = known else { continue };
        for group in Path::new(path.trim_start_matches('/')).ancestors() {
            files.push(Path::new(root).join(group).join(file));
        }
    }
    files
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
    fn every_group_around_the_process_may_limit_it() {
        let told = |groups| {
            let files = limit_files(groups).into_iter();
            files.map(|file| file.display().to_string()).collect::<Vec<_>>()
        };
        let nested = told("0::/system.slice/leveret.service\n");
        let expected = ["system.slice/leveret.service/", "system.slice/", ""];
        assert_eq!(nested, expected.map(|group| format!("/sys/fs/cgroup/{group}memory.max")));
        let old = told("9:cpu,cpuacct:/a\n4:memory:/a\n1:name=systemd:/a\n");
        let expected = ["a/", ""];
        let file = |group| format!("/sys/fs/cgroup/memory/{group}memory.limit_in_bytes");
        assert_eq!(old, expected.map(file));
        assert_eq!(told("0::/\n"), ["/sys/fs/cgroup/memory.max"]);
        assert!(told("nothing of the kind\n").is_empty());
    }

    #[test]
    fn this_machine_has_some() {
        assert!(available(None).is_some_and(|bytes| bytes > 1024 * 1024));
        assert_eq!(available(Some(7)), Some(7));
    }
}
