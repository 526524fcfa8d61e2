//! The one who looks on: at counters and processes, while the threads of a run work.

use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use super::progress::Progress;
use super::window::{Stopwatch, Window};
use crate::perf::figures::Usage;

/// How often processes are looked at.
const LOOK_INTERVAL_NS: u64 = 250_000_000;

/// How precisely the end of something is known that ends by itself.
pub(in crate::perf) const END_INTERVAL: Duration = Duration::from_millis(2);

/// Counters and costs at one moment.
#[derive(Clone, Copy, Debug)]
pub(in crate::perf) struct Look {
    pub(in crate::perf) moment_ns: u64,
    pub(in crate::perf) published: u64,
    pub(in crate::perf) consumed: u64,
    /// Octets that came from the broker.
    pub(in crate::perf) received: u64,
    pub(in crate::perf) broker: Option<Usage>,
    pub(in crate::perf) generator: Option<Usage>,
}

/// What was seen between two moments.
#[derive(Clone, Copy, Debug)]
pub(in crate::perf) struct Seen {
    pub(in crate::perf) first: Look,
    pub(in crate::perf) last: Look,
    /// The broker's resident memory at its highest.
    pub(in crate::perf) resident_size_max: Option<u64>,
}

/// Eyes on a run.
#[derive(Clone, Copy, Debug)]
pub(in crate::perf) struct Watch<'a> {
    pub(in crate::perf) progress: &'a Progress,
    pub(in crate::perf) process: Option<u32>,
    pub(in crate::perf) stopwatch: Stopwatch,
}

impl Watch<'_> {
    /// Looks at the start of the window, at its end, and now and then between and before.
    pub(in crate::perf) fn over(&self, window: Window, mut tell: impl FnMut(&Look, &Look)) -> Seen {
        let start = self.look();
        let mut look = start;
        while look.moment_ns < window.from_ns && !self.progress.has_failed() {
            look = self.look_until(window.from_ns, look);
            tell(&start, &look);
        }
        let (first, mut last, mut resident_size_max) = (look, look, resident_size(&look));
        while last.moment_ns < window.until_ns && !self.progress.has_failed() {
            last = self.look_until(window.until_ns, last);
            resident_size_max = resident_size_max.max(resident_size(&last));
            tell(&first, &last);
        }
        Seen { first, last, resident_size_max }
    }

    /// Looks now and then until threads have ended.
    pub(in crate::perf) fn until_ended<T>(
        &self,
        threads: &[ScopedJoinHandle<'_, T>],
        mut tell: impl FnMut(&Look, &Look),
    ) -> Seen {
        let first = self.look();
        let (mut last, mut resident_size_max) = (first, resident_size(&first));
        while !threads.iter().all(ScopedJoinHandle::is_finished) {
            thread::sleep(END_INTERVAL);
            if self.stopwatch.now_ns().saturating_sub(last.moment_ns) >= LOOK_INTERVAL_NS {
                last = self.look();
                resident_size_max = resident_size_max.max(resident_size(&last));
                tell(&first, &last);
            }
        }
        last = self.look();
        resident_size_max = resident_size_max.max(resident_size(&last));
        Seen { first, last, resident_size_max }
    }

    pub(in crate::perf) fn look(&self) -> Look {
        Look {
            moment_ns: self.stopwatch.now_ns(),
            published: self.progress.published(),
            consumed: self.progress.consumed(),
            received: self.progress.received(),
            broker: self.process.and_then(Usage::of),
            generator: Usage::of(std::process::id()),
        }
    }

    fn look_until(&self, moment_ns: u64, last: Look) -> Look {
        let next_ns = last.moment_ns.saturating_add(LOOK_INTERVAL_NS).min(moment_ns);
        self.stopwatch.sleep_until(next_ns);
        self.look()
    }
}

fn resident_size(look: &Look) -> Option<u64> {
    look.broker.map(|broker| broker.resident_size)
}
