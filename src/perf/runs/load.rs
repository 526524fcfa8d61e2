//! The usual run: publishers and consumers at the same time, for as long as the window says, or
//! until a number of messages went through.

use std::thread;

use super::Conditions;
use super::progress::Progress;
use super::threads::{AllConsumed, AllPublished, consumers, join, publishers, start, wakers};
use super::watch::{Look, Watch};
use super::window::Window;
use crate::perf::figures::{Flow, Measurement};
use crate::perf::wire::WireError;
use crate::perf::workload::{Topology, Workload};

/// Runs a workload against a broker and tells what is seen meanwhile.
pub(super) fn run(
    workload: &Workload,
    topology: &Topology,
    conditions: &Conditions,
    tell: &mut dyn FnMut(&Look, &Look),
) -> Result<Measurement, WireError> {
    let Conditions { stopwatch, .. } = *conditions;
    let consumer_groups = match workload.consumers {
        0 => Vec::new(),
        _ => consumers(workload, topology, conditions)?,
    };
    let publisher_groups = publishers(workload, topology, conditions)?;
    let mut progress = Progress::new(workload.publishers, workload.in_flight);
    progress.wake(wakers(&publisher_groups));
    let window = match workload.count {
        Some(_) => Window::ALWAYS,
        None => Window::starting(stopwatch.now_ns(), conditions.length),
    };
    let (progress, is_precise) = (&progress, workload.rate.is_some());
    thread::scope(|scope| {
        let (mut consuming, mut publishing) = (Vec::new(), Vec::new());
        for group in consumer_groups {
            consuming.push(start(scope, "consumers", progress, move || {
                group.run(window, workload, progress, stopwatch)
            })?);
        }
        for group in publisher_groups {
            publishing.push(start(scope, "publishers", progress, move || {
                group.run(window, progress, is_precise, stopwatch)
            })?);
        }
        let watch = Watch { progress, process: conditions.target.process, stopwatch };
        let seen = match (workload.count, workload.consumers) {
            (None, _) => watch.over(window, tell),
            (Some(_), 0) => watch.until_ended(&publishing, tell),
            (Some(_), _) => watch.until_ended(&consuming, tell),
        };
        let (published, consumed) = (join(publishing), join(consuming));
        let published = AllPublished::of(published?, workload.publishers);
        let consumed = AllConsumed::of(consumed?, &published, workload);
        Ok(Measurement::of_load(
            workload,
            &conditions.target.name,
            &Flow { seen, published, consumed },
        ))
    })
}
