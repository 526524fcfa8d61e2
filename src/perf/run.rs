//! One run: a publisher and a consumer on threads of their own, and the thread that started them,
//! which looks at counters and processes while they work. What figures mean is in `measurement`.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Duration;

use super::consumer::{Consumed, Consumer};
use super::options::{Options, Target};
use super::process::Usage;
use super::publisher::{Published, Publisher};
use super::queues::Queues;
use super::scenario::Scenario;
use super::wire::WireError;
use crate::server::Clock;

/// How often processes are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// How precisely the end of something is known that ends by itself.
pub(super) const END_INTERVAL: Duration = Duration::from_millis(5);

/// Time since the generator started.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stopwatch(Clock);

impl Stopwatch {
    pub(super) fn now_ns(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn sleep_until(self, moment_ns: u64) {
        thread::sleep(Duration::from_nanos(moment_ns.saturating_sub(self.now_ns())));
    }
}

/// The part of a run that is measured. Load begins before it, and ends with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) from_ns: u64,
    pub(super) until_ns: u64,
}

impl Window {
    /// All time there is, where an end is not a matter of time.
    pub(super) const ALWAYS: Self = Self { from_ns: 0, until_ns: u64::MAX };

    fn starting(now_ns: u64, options: &Options) -> Self {
        let nanoseconds = |seconds: u64| seconds.saturating_mul(1_000_000_000);
        let from_ns = now_ns.saturating_add(nanoseconds(options.warm_up));
        Self { from_ns, until_ns: from_ns.saturating_add(nanoseconds(options.duration)) }
    }

    pub(super) fn contains(self, moment_ns: u64) -> bool {
        (self.from_ns..self.until_ns).contains(&moment_ns)
    }
}

/// What the threads of a run tell each other.
#[derive(Debug)]
pub(super) struct Progress {
    published: AtomicU64,
    consumed: AtomicU64,
    /// Octets that came from the broker.
    received: AtomicU64,
    /// How many messages were published in all; `u64::MAX` until that is known.
    expected: AtomicU64,
    has_failed: AtomicBool,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            published: AtomicU64::new(0),
            consumed: AtomicU64::new(0),
            received: AtomicU64::new(0),
            expected: AtomicU64::new(u64::MAX),
            has_failed: AtomicBool::new(false),
        }
    }
}

impl Progress {
    pub(super) fn publish(&self, count: u64) {
        self.published.store(count, Ordering::Relaxed);
    }

    pub(super) fn consume(&self, count: u64) {
        self.consumed.store(count, Ordering::Relaxed);
    }

    pub(super) fn receive(&self, octets: u64) {
        self.received.fetch_add(octets, Ordering::Relaxed);
    }

    pub(super) fn expect(&self, count: u64) {
        self.expected.store(count, Ordering::Relaxed);
    }

    pub(super) fn expected(&self) -> Option<u64> {
        let count = self.expected.load(Ordering::Relaxed);
        (count != u64::MAX).then_some(count)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// Lets the other threads of the run end where one has failed.
    fn note_failure<T>(&self, result: &Result<T, WireError>) {
        if result.is_err() {
            self.has_failed.store(true, Ordering::Relaxed);
        }
    }
}

/// Counters and costs at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) moment_ns: u64,
    pub(super) published: u64,
    pub(super) consumed: u64,
    /// Octets that came from the broker.
    pub(super) received: u64,
    pub(super) broker: Option<Usage>,
    pub(super) generator: Option<Usage>,
}

/// What a run brought.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) first: Look,
    pub(super) last: Look,
    /// The broker's resident memory at its highest in the window.
    pub(super) resident_size_max: Option<u64>,
    pub(super) published: Published,
    pub(super) consumed: Consumed,
}

/// Runs a scenario against a broker and tells what is seen meanwhile.
pub(super) fn run(
    scenario: &Scenario,
    target: &Target,
    options: &Options,
    stopwatch: Stopwatch,
    tell: impl FnMut(&Look, &Look),
) -> Result<Outcome, WireError> {
    let queues = Queues::of(scenario, stopwatch);
    queues.during(target, options, |wire| {
        let consumer = Consumer::start(wire, queues.names(), scenario)?;
        let publisher = Publisher::start(queues.names(), scenario, target, options)?;
        let window = Window::starting(stopwatch.now_ns(), options);
        let progress = Progress::default();
        thread::scope(|scope| {
            let consuming = start(scope, "consumer", &progress, |progress| {
                consumer.run(stopwatch, window, progress)
            })?;
            let publishing = start(scope, "publisher", &progress, |progress| {
                publisher.run(stopwatch, window, progress)
            })
            .inspect_err(|_| progress.has_failed.store(true, Ordering::Relaxed))?;
            let watch = Watch { progress: &progress, process: target.process, stopwatch };
            let (first, last, resident_size_max) = watch.over(window, tell);
            let (published, consumed) = (join(publishing), join(consuming));
            let (published, consumed) = (published?, consumed?);
            Ok(Outcome { first, last, resident_size_max, published, consumed })
        })
    })
}

/// Starts a thread of a run. It ends when all is published, or consumed, or something failed.
pub(super) fn start<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    progress: &'scope Progress,
    work: impl FnOnce(&Progress) -> Result<T, WireError> + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, Result<T, WireError>>> {
    thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, move || {
        let result = work(progress);
        progress.note_failure(&result);
        result
    })
}

pub(super) fn join<T>(thread: ScopedJoinHandle<'_, Result<T, WireError>>) -> Result<T, WireError> {
    thread.join().unwrap_or(Err(WireError::Unexpected("a thread of the generator panicked")))
}

/// The one who looks on.
pub(super) struct Watch<'a> {
    pub(super) progress: &'a Progress,
    pub(super) process: Option<u32>,
    pub(super) stopwatch: Stopwatch,
}

impl Watch<'_> {
    /// Looks at the start of the window, at its end, and now and then between.
    fn over(
        &self,
        window: Window,
        mut tell: impl FnMut(&Look, &Look),
    ) -> (Look, Look, Option<u64>) {
        self.stopwatch.sleep_until(window.from_ns);
        let first = self.look();
        let (mut last, mut resident_size_max) = (first, None);
        while last.moment_ns < window.until_ns && !self.progress.has_failed() {
            let interval_ns = u64::try_from(LOOK_INTERVAL.as_nanos()).unwrap_or(u64::MAX);
            let next_ns = last.moment_ns.saturating_add(interval_ns).min(window.until_ns);
            self.stopwatch.sleep_until(next_ns);
            last = self.look();
            resident_size_max =
                resident_size_max.max(last.broker.map(|broker| broker.resident_size));
            tell(&first, &last);
        }
        (first, last, resident_size_max)
    }

    /// Looks now and then until a thread has ended; the broker's resident memory at its highest.
    pub(super) fn until_ended<T>(
        &self,
        thread: &ScopedJoinHandle<'_, T>,
        mut tell: impl FnMut(&Look, &Look),
    ) -> Option<u64> {
        let first = self.look();
        let (mut last, mut resident_size_max) = (first, None);
        while !thread.is_finished() {
            thread::sleep(END_INTERVAL);
            let elapsed_ns = self.stopwatch.now_ns().saturating_sub(last.moment_ns);
            if u128::from(elapsed_ns) >= LOOK_INTERVAL.as_nanos() {
                last = self.look();
                resident_size_max =
                    resident_size_max.max(last.broker.map(|broker| broker.resident_size));
                tell(&first, &last);
            }
        }
        resident_size_max
    }

    pub(super) fn look(&self) -> Look {
        Look {
            moment_ns: self.stopwatch.now_ns(),
            published: self.progress.published.load(Ordering::Relaxed),
            consumed: self.progress.consumed.load(Ordering::Relaxed),
            received: self.progress.received.load(Ordering::Relaxed),
            broker: self.process.and_then(Usage::of),
            generator: Usage::of(std::process::id()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_its_start_and_not_its_end() {
        let window = Window { from_ns: 10, until_ns: 20 };
        assert_eq!([9, 10, 19, 20].map(|at| window.contains(at)), [false, true, true, false]);
    }

    #[test]
    fn how_many_are_expected_is_known_only_when_it_is_told() {
        let progress = Progress::default();
        assert_eq!(progress.expected(), None);
        progress.expect(0);
        assert_eq!(progress.expected(), Some(0));
    }

    #[test]
    fn a_failure_is_seen_by_the_other_threads() {
        let progress = Progress::default();
        progress.note_failure(&Ok(1));
        assert!(!progress.has_failed());
        progress.note_failure::<u8>(&Err(WireError::Unexpected("x")));
        assert!(progress.has_failed());
    }
}
