//! Time in a run: a clock that all its threads read, and the part of it that is measured.

use std::thread;
use std::time::Duration;

use crate::server::Clock;

pub(in crate::perf) const SECOND_NS: u64 = 1_000_000_000;

/// Time since the generator started.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::perf) struct Stopwatch(Clock);

impl Stopwatch {
    pub(in crate::perf) fn now_ns(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(in crate::perf) fn sleep_until(self, moment_ns: u64) {
        thread::sleep(Duration::from_nanos(moment_ns.saturating_sub(self.now_ns())));
    }
}

/// The part of a run that is measured. Load begins before it, and ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::perf) struct Window {
    pub(in crate::perf) from_ns: u64,
    pub(in crate::perf) until_ns: u64,
}

impl Window {
    /// All time there is, where an end is not a matter of time.
    pub(in crate::perf) const ALWAYS: Self = Self { from_ns: 0, until_ns: u64::MAX };

    pub(in crate::perf) fn starting(now_ns: u64, length: Length) -> Self {
        let nanoseconds = |length: Duration| u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        let from_ns = now_ns.saturating_add(nanoseconds(length.warm_up));
        Self { from_ns, until_ns: from_ns.saturating_add(nanoseconds(length.measured)) }
    }

    pub(in crate::perf) fn contains(self, moment_ns: u64) -> bool {
        (self.from_ns..self.until_ns).contains(&moment_ns)
    }
}

/// How long a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::perf) struct Length {
    /// Of load before anything is measured.
    pub(in crate::perf) warm_up: Duration,
    pub(in crate::perf) measured: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_its_start_and_not_its_end() {
        let (warm_up, measured) = (Duration::from_secs(2), Duration::from_secs(3));
        let window = Window::starting(SECOND_NS, Length { warm_up, measured });
        assert_eq!(window, Window { from_ns: 3 * SECOND_NS, until_ns: 6 * SECOND_NS });
        let window = Window { from_ns: 10, until_ns: 20 };
        assert_eq!([9, 10, 19, 20].map(|at| window.contains(at)), [false, true, true, false]);
    }
}
