//! Runs: one workload against one broker, from declaring what it needs to deleting it. What the
//! figures mean is in `figures`.

mod backlog;
mod churn;
mod idle;
mod load;
mod progress;
mod rpc;
mod threads;
mod watch;
mod window;

use super::figures::Measurement;
use super::options::Target;
use super::wire::{Wire, WireError};
use super::workload::{Kind, Topology, Workload};

pub(super) use progress::Progress;
pub(super) use threads::{AllConsumed, AllPublished};
pub(super) use watch::{Look, Seen};
pub(super) use window::{Length, SECOND_NS, Stopwatch, Window};

/// How a run is made, whatever it does.
#[derive(Clone, Debug)]
pub(super) struct Conditions {
    pub(super) target: Target,
    pub(super) length: Length,
    /// Threads for publishers, and as many for consumers.
    pub(super) threads: u32,
    /// What names of queues and exchanges begin with.
    pub(super) prefix: String,
    pub(super) stopwatch: Stopwatch,
}

/// Runs a workload against a broker and tells what is seen meanwhile.
pub(super) fn run(
    workload: &Workload,
    conditions: &Conditions,
    tell: &mut dyn FnMut(&Look, &Look),
) -> Result<Measurement, WireError> {
    match workload.kind {
        Kind::Load => declared(load::run, workload, conditions, tell),
        Kind::Backlog => declared(backlog::run, workload, conditions, tell),
        Kind::Rpc => declared(rpc::run, workload, conditions, tell),
        Kind::Churn { what, connections } => {
            churn::run(workload, what, connections, conditions, tell)
        }
        Kind::Idle { connections, channels } => {
            idle::run(workload, connections, channels, conditions, tell)
        }
    }
}

/// A run that needs queues.
type Run = fn(
    &Workload,
    &Topology,
    &Conditions,
    &mut dyn FnMut(&Look, &Look),
) -> Result<Measurement, WireError>;

/// Declares what a run needs, makes it, and deletes what does not go by itself, however the run
/// ended.
fn declared(
    run: Run,
    workload: &Workload,
    conditions: &Conditions,
    tell: &mut dyn FnMut(&Look, &Look),
) -> Result<Measurement, WireError> {
    let topology = Topology::new(workload, &conditions.prefix);
    let mut wire = Wire::connect(&conditions.target)?;
    // What is exclusive and has no consumer lives as long as this connection.
    let result =
        topology.declare(&mut wire).and_then(|()| run(workload, &topology, conditions, tell));
    if result.is_err() {
        // The broker may have closed the channel that something was refused on.
        wire = Wire::connect(&conditions.target)?;
    }
    let deletion = topology.delete(&mut wire).and_then(|()| wire.close());
    result.and_then(|outcome| deletion.map(|()| outcome))
}
