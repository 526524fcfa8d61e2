//! The usual run: publishers and consumers at the same time, for as long as the window says, or
//! until a number of messages went through.

use std::thread;

use super::Conditions;
use super::progress::Progress;
use super::threads::{AllConsumed, AllPublished, consumers, join, publishers, start, wakers};
use super::watch::{Look, Watch};
use super::window::Window;
use crate::perf::figures::{Flow, Measurement};
use crate::perf::wire::{Wire, WireError};
use crate::perf::workload::{Topology, Workload};

/// Runs a workload against a broker and tells what is seen meanwhile.
pub(super) fn run(
    workload: &Workload,
    conditions: &Conditions,
    tell: &mut dyn FnMut(&Look, &Look),
) -> Result<Measurement, WireError> {
    let topology = Topology::new(workload, &conditions.prefix);
    during(&topology, conditions, || work(workload, &topology, conditions, tell))
}

/// Declares what a run needs, lets work be done with it, and deletes what does not go by itself,
/// however the work ended.
pub(super) fn during<T>(
    topology: &Topology,
    conditions: &Conditions,
    work: impl FnOnce() -> Result<T, WireError>,
) -> Result<T, WireError> {
    let mut wire = Wire::connect(&conditions.target)?;
    // What is exclusive and has no consumer lives as long as this connection.
    let result = topology.declare(&mut wire).and_then(|()| work());
    if result.is_err() {
        // The broker may have closed the channel that something was refused on.
        wire = Wire::connect(&conditions.target)?;
    }
    let deletion = topology.delete(&mut wire).and_then(|()| wire.close());
    result.and_then(|outcome| deletion.map(|()| outcome))
}

fn work(
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
