//! Connections, channels, queues or bindings that come and go.

use std::thread;

use super::Conditions;
use super::progress::Progress;
use super::threads::{join, resolve, start};
use super::watch::{Look, Watch};
use super::window::Window;
use crate::perf::clients::{Churner, Churners};
use crate::perf::figures::{Check, Histogram, Measurement};
use crate::perf::wire::{Reactor, WireError};
use crate::perf::workload::{Churn, Workload};

/// Runs so many connections at once and tells what is seen meanwhile.
pub(super) fn run(
    workload: &Workload,
    what: Churn,
    connections: u32,
    conditions: &Conditions,
    tell: &mut dyn FnMut(&Look, &Look),
) -> Result<Measurement, WireError> {
    let Conditions { stopwatch, .. } = *conditions;
    let address = resolve(&conditions.target.address)?;
    let mut reactor = Reactor::new(address, stopwatch)?;
    for number in 0..connections {
        let prefix = format!("{}-{number}", conditions.prefix);
        reactor.add(Churner::new(what, prefix, workload), None)?;
    }
    let window = Window::starting(stopwatch.now_ns(), conditions.length);
    let progress = &Progress::new(0, None);
    thread::scope(|scope| {
        let churning = start(scope, "churners", progress, move || {
            churn(reactor, window, progress, conditions)
        })?;
        let watch = Watch { progress, process: conditions.target.process, stopwatch };
        let seen = watch.over(window, tell);
        let mut latency = Histogram::default();
        join(vec![churning])?.iter().for_each(|own| latency.merge(own));
        let (name, check) = (&conditions.target.name, Check::default());
        Ok(Measurement::of_repetition(workload, name, &seen, check, latency.percentiles()))
    })
}

fn churn(
    mut reactor: Reactor<Churner>,
    window: Window,
    progress: &Progress,
    conditions: &Conditions,
) -> Result<Histogram, WireError> {
    let credentials = &conditions.target.credentials;
    let mut shared = Churners { window, progress, credentials, latency: Histogram::default() };
    while !reactor.is_finished() {
        reactor.turn(&mut shared)?;
    }
    Ok(shared.latency)
}
