//! What is measured and what becomes of it: histograms, checks of sequences, costs of processes,
//! the figures of a run, and their tables. Nothing here knows a socket.

mod columns;
mod disk;
mod histogram;
mod measurement;
mod median;
mod process;
mod report;
mod sequence;
mod share;
mod table;

pub(super) use disk::{Disk, TRIAL};
pub(super) use histogram::{Histogram, Percentiles};
pub(super) use measurement::{FillAndDrain, Flow, Measurement, seconds_between};
pub(super) use process::Usage;
pub(super) use report::{Broker, Report, Settings};
pub(super) use sequence::{Check, Sequences};
pub(super) use table::{Table, figure};

#[cfg(test)]
pub(super) use measurement::tests::measurement;
