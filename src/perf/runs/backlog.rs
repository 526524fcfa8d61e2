//! The other kind of run: all is published before the first message is consumed, and the queues
//! hold it meanwhile. Both halves are timed by their own ends and not by the clock.

use std::thread;
use std::time::Duration;

use super::Conditions;
use super::progress::Progress;
use super::threads::{AllConsumed, AllPublished, consumers, join, publishers, start};
use super::watch::{END_INTERVAL, Look, Watch};
use super::window::Window;
use crate::perf::figures::{FillAndDrain, Measurement};
use crate::perf::wire::{Wire, WireError};
use crate::perf::workload::{Topology, Workload};

/// How long the full queue is left alone before the broker's memory is looked at: what the fill
/// itself needed for a moment is not what a backlog costs.
const REST: Duration = Duration::from_secs(1);

/// How long a queue may take what was published without growing, in looks at it.
const GROWTH_PATIENCE_LOOKS: u128 = 30_000 / END_INTERVAL.as_millis();

/// Fills a broker's queues and drains them, and tells what is seen meanwhile.
pub(super) fn run(
    workload: &Workload,
    topology: &Topology,
    conditions: &Conditions,
    tell: &mut dyn FnMut(&Look, &Look),
) -> Result<Measurement, WireError> {
    let Conditions { stopwatch, .. } = *conditions;
    let mut wire = Wire::connect(&conditions.target)?;
    let publisher_groups = publishers(workload, topology, conditions)?;
    let progress = &Progress::new(workload.publishers, None);
    let watch = Watch { progress, process: conditions.target.process, stopwatch };
    let (window, is_precise) = (Window::ALWAYS, workload.rate.is_some());
    thread::scope(|scope| {
        let empty = watch.look();
        let mut publishing = Vec::new();
        for group in publisher_groups {
            publishing.push(start(scope, "publishers", progress, move || {
                group.run(window, progress, is_precise, stopwatch)
            })?);
        }
        let filling = watch.until_ended(&publishing, &mut *tell);
        let published = AllPublished::of(join(publishing)?, workload.publishers);
        let expected = progress.expected().unwrap_or_default();
        await_growth(expected, || topology.message_count(&mut wire))?;
        let filled = watch.look();
        thread::sleep(REST);
        let full = watch.look();
        let mut consuming = Vec::new();
        for group in consumers(workload, topology, conditions)? {
            consuming.push(start(scope, "consumers", progress, move || {
                group.run(window, workload, progress, stopwatch)
            })?);
        }
        let draining = watch.until_ended(&consuming, &mut *tell);
        let consumed = AllConsumed::of(join(consuming)?, &published, workload);
        let drained = watch.look();
        let resident_size_max = filling.resident_size_max.max(draining.resident_size_max);
        let backlog =
            FillAndDrain { empty, filled, full, drained, resident_size_max, check: consumed.check };
        wire.close()?;
        Ok(Measurement::of_backlog(workload, &conditions.target.name, &backlog))
    })
}

/// Waits until so many messages are in the queues. Without confirms, a publisher that is done knows
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
