//! The other kind of run: all is published before the first message is consumed, and the queue
//! holds it meanwhile. Both halves are timed by their own ends and not by the clock.

use std::thread;
use std::time::Duration;

use super::consumer::{Consumed, Consumer};
use super::options::{Options, Target};
use super::publisher::Publisher;
use super::queues::Queues;
use super::run::{END_INTERVAL, Look, Progress, Stopwatch, Watch, Window, join, start};
use super::scenario::Scenario;
use super::wire::WireError;

/// How long the full queue is left alone before the broker's memory is looked at: what the fill
/// itself needed for a moment is not what a backlog costs.
const REST: Duration = Duration::from_secs(1);

/// How long a queue may take what was published without growing, in looks at it.
const GROWTH_PATIENCE_LOOKS: u128 = 30_000 / END_INTERVAL.as_millis();

/// What a run brought.
#[derive(Debug)]
pub(super) struct Backlog {
    /// Before the first message is published.
    pub(super) empty: Look,
    /// When the queue says that it has them all.
    pub(super) filled: Look,
    /// After a rest, before the first message is consumed.
    pub(super) full: Look,
    /// When the broker has taken the last acknowledgement.
    pub(super) drained: Look,
    pub(super) resident_size_max: Option<u64>,
    pub(super) consumed: Consumed,
}

/// Fills a broker's queue and drains it, and tells what is seen meanwhile.
pub(super) fn run(
    scenario: &Scenario,
    target: &Target,
    options: &Options,
    stopwatch: Stopwatch,
    mut tell: impl FnMut(&Look, &Look),
) -> Result<Backlog, WireError> {
    let queues = Queues::of(scenario, stopwatch);
    queues.during(target, options, |mut wire| {
        let publisher = Publisher::start(queues.names(), scenario, target, options)?;
        let progress = Progress::default();
        let watch = Watch { progress: &progress, process: target.process, stopwatch };
        thread::scope(|scope| {
            let empty = watch.look();
            let publishing = start(scope, "publisher", &progress, |progress| {
                publisher.run(stopwatch, Window::ALWAYS, progress)
            })?;
            let filling_max = watch.until_ended(&publishing, &mut tell);
            await_growth(join(publishing)?.count, || queues.message_count(&mut wire))?;
            let filled = watch.look();
            thread::sleep(REST);
            let full = watch.look();
            let consumer = Consumer::start(wire, queues.names(), scenario)?;
            let consuming = start(scope, "consumer", &progress, |progress| {
                consumer.run(stopwatch, Window::ALWAYS, progress)
            })?;
            let draining_max = watch.until_ended(&consuming, &mut tell);
            let consumed = join(consuming)?;
            let drained = watch.look();
            let resident_size_max = [empty, filled, full, drained]
                .iter()
                .filter_map(|look| look.broker.map(|broker| broker.resident_size))
                .chain(filling_max.max(draining_max))
                .max();
            Ok(Backlog { empty, filled, full, drained, resident_size_max, consumed })
        })
    })
}

/// Waits until so many messages are in the queue. Without confirms, a publisher that is done knows
/// only that the broker has read them.
fn await_growth(
    expected: u64,
    mut count: impl FnMut() -> Result<u64, WireError>,
) -> Result<(), WireError> {
    let (mut largest, mut looks_without_growth) = (0, 0);
    loop {
        let found = count()?;
        if found >= expected {
            return Ok(());
        }
        looks_without_growth = if found > largest { 0 } else { looks_without_growth + 1 };
        largest = largest.max(found);
        if looks_without_growth > GROWTH_PATIENCE_LOOKS {
            return Err(WireError::Unexpected("the queue does not get what was published"));
        }
        thread::sleep(END_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_full_when_it_has_all_that_was_published() {
        let mut counts = [5, 5, 9, 10, 11].into_iter();
        assert!(await_growth(10, || Ok(counts.next().unwrap())).is_ok());
        assert_eq!(counts.next(), Some(11));
    }

    #[test]
    fn what_the_broker_answers_instead_of_a_count_ends_the_wait() {
        let mut counts = [Ok(5), Err(WireError::Unexpected("x"))].into_iter();
        let error = await_growth(10, || counts.next().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "x");
    }
}
