//! How often the disk itself can do what a broker must do for a confirm: append a message and wait
//! until it is safe. It is the limit that figures of durable queues are read against, and knows no
//! broker.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::histogram::{Histogram, Percentiles};
use super::table::figure;
use crate::perf::runs::Stopwatch;

/// What is appended each time: a message of the durable scenarios.
const APPEND_SIZE: usize = 1024;

/// How long the disk is tried before the runs.
pub(in crate::perf) const TRIAL: Duration = Duration::from_secs(1);

/// What a disk did: each time 1 KiB was appended to one file, then `fdatasync` called.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(in crate::perf) struct Disk {
    pub(in crate::perf) syncs_per_second: f64,
    /// Of one append with its sync.
    pub(in crate::perf) latency: Percentiles,
}

impl Disk {
    /// Tries the disk that a folder is on, with a file that is removed again.
    pub(in crate::perf) fn under(
        folder: &Path,
        trial: Duration,
        stopwatch: Stopwatch,
    ) -> io::Result<Self> {
        let path = folder.join(format!("perf-disk-{}", std::process::id()));
        let file = OpenOptions::new().append(true).create_new(true).open(&path)?;
        let result = Self::try_for(trial, file, stopwatch);
        fs::remove_file(&path)?;
        result
    }

    fn try_for(trial: Duration, mut file: File, stopwatch: Stopwatch) -> io::Result<Self> {
        let start_ns = stopwatch.now_ns();
        let trial_ns = u64::try_from(trial.as_nanos()).unwrap_or(u64::MAX);
        let until_ns = start_ns.saturating_add(trial_ns);
        let mut latency = Histogram::default();
        let mut now_ns = start_ns;
        while now_ns < until_ns {
            file.write_all(&[b'.'; APPEND_SIZE])?;
            file.sync_data()?;
            let end_ns = stopwatch.now_ns();
            latency.record(end_ns.saturating_sub(now_ns));
            now_ns = end_ns;
        }
        let latency = latency.percentiles().ok_or(io::ErrorKind::TimedOut)?;
        let seconds = now_ns.saturating_sub(start_ns) as f64 / 1e9;
        Ok(Self { syncs_per_second: latency.count as f64 / seconds, latency })
    }

    /// A sentence to stand beside the tables.
    pub(in crate::perf) fn sentence(&self) -> String {
        format!(
            "The disk itself: {} appends of 1 KiB per second, each with its own fdatasync; \
             p50 {} µs, p99 {} µs.\n",
            figure(Some(self.syncs_per_second)),
            figure(Some(self.latency.p50_us)),
            figure(Some(self.latency.p99_us)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_append_is_counted_and_the_file_is_as_long_as_they_say() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = File::create(&path).unwrap();
        let disk = Disk::try_for(Duration::from_millis(20), file, Stopwatch::default()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 1024 * disk.latency.count);
        assert!(disk.syncs_per_second > 0.0 && disk.latency.p50_us <= disk.latency.p99_us);
    }

    #[test]
    fn the_folder_is_left_as_it_was_and_must_exist() {
        let folder = tempfile::tempdir().unwrap();
        let under = |path: &Path| Disk::under(path, Duration::from_millis(1), Stopwatch::default());
        assert!(under(folder.path()).is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(under(&folder.path().join("none")).is_err());
    }

    #[test]
    fn the_sentence_has_rate_and_latency() {
        let latency =
            Percentiles { count: 1, p50_us: 250.0, p99_us: 1500.0, p999_us: 0.0, max_us: 0.0 };
        let sentence = Disk { syncs_per_second: 3210.0, latency }.sentence();
        assert_eq!(
            sentence,
            "The disk itself: 3,210 appends of 1 KiB per second, each with its own fdatasync; \
             p50 250 µs, p99 1,500 µs.\n"
        );
    }
}
