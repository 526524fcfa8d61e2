//! Round trips: clients that wait for the answers of servers.

use std::thread;

use super::Conditions;
use super::progress::Progress;
use super::threads::{join, resolve, start};
use super::watch::{Look, Watch};
use super::window::Window;
use crate::perf::clients::{Answering, Asking, RpcClient, RpcServer, consume};
use crate::perf::figures::{Check, Histogram, Measurement, Sequences};
use crate::perf::wire::{Reactor, Wire, WireError};
use crate::perf::workload::{Topology, Workload};

/// What the clients of a thread brought.
struct Asked {
    sequences: Sequences,
    latency: Histogram,
    /// How often each of them asked.
    counts: Vec<(u32, u64)>,
}

/// Runs clients and servers against a broker and tells what is seen meanwhile.
pub(super) fn run(
    workload: &Workload,
    topology: &Topology,
    conditions: &Conditions,
    tell: &mut dyn FnMut(&Look, &Look),
) -> Result<Measurement, WireError> {
    let Conditions { stopwatch, .. } = *conditions;
    let servers = servers(workload, topology, conditions)?;
    let clients = clients(workload, topology, conditions)?;
    let window = Window::starting(stopwatch.now_ns(), conditions.length);
    let progress = &Progress::new(workload.publishers, None);
    thread::scope(|scope| {
        let serving = start(scope, "servers", progress, move || serve(servers, progress))?;
        let mut asking = Vec::new();
        for group in clients {
            asking.push(start(scope, "clients", progress, move || {
                ask(group, window, workload, progress)
            })?);
        }
        let watch = Watch { progress, process: conditions.target.process, stopwatch };
        let seen = watch.over(window, tell);
        let asked = join(asking);
        // Where clients failed, why is told by them.
        let (asked, _) = (asked?, join(vec![serving])?);
        let (mut check, mut latency) = (Check::default(), Histogram::default());
        for thread in asked {
            latency.merge(&thread.latency);
            let count_of = |client| thread.counts.iter().find(|(number, _)| *number == client);
            let sent = |_, client| count_of(client).map_or(0, |(_, count)| *count);
            check.merge(&thread.sequences.finish([0], sent));
        }
        let name = &conditions.target.name;
        Ok(Measurement::of_repetition(workload, name, &seen, check, latency.percentiles()))
    })
}

fn servers(
    workload: &Workload,
    topology: &Topology,
    conditions: &Conditions,
) -> Result<Reactor<RpcServer>, WireError> {
    let address = resolve(&conditions.target.address)?;
    let mut reactor = Reactor::new(address, conditions.stopwatch)?;
    for _ in 0..workload.consumers {
        let mut wire = Wire::connect(&conditions.target)?;
        topology.declare_own(&mut wire, &[0])?;
        consume(&mut wire, &[0], topology, workload)?;
        reactor.add(RpcServer::new(workload), Some(wire.into_link()?))?;
    }
    Ok(reactor)
}

fn clients(
    workload: &Workload,
    topology: &Topology,
    conditions: &Conditions,
) -> Result<Vec<Reactor<RpcClient>>, WireError> {
    let address = resolve(&conditions.target.address)?;
    let threads = conditions.threads.clamp(1, workload.publishers.max(1));
    let mut groups = Vec::new();
    for thread in 0..threads {
        let mut reactor = Reactor::new(address, conditions.stopwatch)?;
        for number in (thread..workload.publishers).step_by(threads as usize) {
            let mut wire = Wire::connect(&conditions.target)?;
            RpcClient::start(&mut wire)?;
            let client = RpcClient::new(number, topology.queue(0), workload);
            reactor.add(client, Some(wire.into_link()?))?;
        }
        groups.push(reactor);
    }
    Ok(groups)
}

fn ask(
    mut reactor: Reactor<RpcClient>,
    window: Window,
    workload: &Workload,
    progress: &Progress,
) -> Result<Asked, WireError> {
    let mut shared = Asking::new(window, workload, progress);
    while !reactor.is_finished() && !progress.has_failed() {
        reactor.turn(&mut shared)?;
    }
    let Asking { sequences, latency, .. } = shared;
    let (clients, _) = reactor.into_parts();
    Ok(Asked { sequences, latency, counts: clients.iter().map(RpcClient::asked).collect() })
}

/// Answers until every client is done.
fn serve(mut reactor: Reactor<RpcServer>, progress: &Progress) -> Result<(), WireError> {
    let mut shared = Answering { progress };
    while !reactor.is_finished() && !progress.has_failed() {
        reactor.turn(&mut shared)?;
    }
    Ok(())
}
