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
use super::wire::WireError;
use super::workload::{Kind, Workload};

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
        Kind::Load => load::run(workload, conditions, tell),
        Kind::Backlog => backlog::run(workload, conditions, tell),
        Kind::Rpc => rpc::run(workload, conditions, tell),
        Kind::Churn { what, connections } => {
            churn::run(workload, what, connections, conditions, tell)
        }
        Kind::Idle { connections, channels } => {
            idle::run(workload, connections, channels, conditions, tell)
        }
    }
}
