//! Connections that are opened as fast as the broker takes them, left alone for a while, and
//! closed.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Conditions;
use super::progress::Progress;
use super::threads::{join, resolve, start};
use super::watch::{Look, Watch};
use crate::perf::clients::{Opener, Opening};
use crate::perf::figures::{Check, Measurement};
use crate::perf::wire::{ANSWER_PATIENCE_NS, GOODBYE, Link, Output, Reactor, WireError};
use crate::perf::workload::Workload;

/// How many handshakes are under way at once: enough for the broker to be the limit, and fewer than
/// a listener's backlog takes.
const OPENERS_MAX: u32 = 64;

/// Files that are open beside the connections.
const OTHER_FILES: u64 = 64;

/// Opens so many connections, and tells what is seen meanwhile. They are left alone for as long as
/// the run is to last before the broker's memory is looked at.
pub(super) fn run(
    workload: &Workload,
    connections: u32,
    channels: u16,
    conditions: &Conditions,
    tell: &mut dyn FnMut(&Look, &Look),
) -> Result<Measurement, WireError> {
    let Conditions { stopwatch, .. } = *conditions;
    raise_file_limit(u64::from(connections) + OTHER_FILES)?;
    let mut reactor = Reactor::new(resolve(&conditions.target.address)?, stopwatch)?;
    for _ in 0..connections.min(OPENERS_MAX) {
        reactor.add(Opener::new(channels), None)?;
    }
    let progress = &Progress::new(0, None);
    let watch = Watch { progress, process: conditions.target.process, stopwatch };
    let before = watch.look();
    let (seen, opened) = thread::scope(|scope| {
        let opening = start(scope, "openers", progress, move || {
            open(reactor, connections, progress, conditions)
        })?;
        let opening = vec![opening];
        let seen = watch.until_ended(&opening, &mut *tell);
        Ok::<_, WireError>((seen, join(opening)?))
    })?;
    let mut links: Vec<Link> = opened.into_iter().flatten().collect();
    thread::sleep(conditions.length.measured);
    let after = watch.look();
    let quiet = links.iter_mut().filter_map(|link| link.is_quiet().then_some(())).count();
    let is_complete = quiet == connections as usize;
    close(links)?;
    let name = &conditions.target.name;
    let measured = Measurement::of_repetition(workload, name, &seen, Check::default(), None);
    let resident_size = |look: &Look| look.broker.map(|broker| broker.resident_size);
    let grown = resident_size(&before).zip(resident_size(&after));
    let grown = grown.map(|(before, after)| after.saturating_sub(before) as f64);
    Ok(Measurement {
        broker_resident_kib_per_connection: grown
            .map(|octets| octets / 1024.0 / f64::from(connections)),
        is_complete: is_complete && measured.is_complete,
        ..measured
    })
}

fn open(
    mut reactor: Reactor<Opener>,
    connections: u32,
    progress: &Progress,
    conditions: &Conditions,
) -> Result<Vec<Link>, WireError> {
    let credentials = &conditions.target.credentials;
    let mut shared = Opening { progress, credentials, left: connections };
    while !reactor.is_finished() {
        reactor.turn(&mut shared)?;
    }
    Ok(reactor.into_parts().1)
}

/// Says goodbye on all before the first answer is waited for.
fn close(links: Vec<Link>) -> Result<(), WireError> {
    let patience = Some(Duration::from_nanos(ANSWER_PATIENCE_NS));
    let (mut streams, mut output) = (Vec::new(), Output::default());
    output.method(0, &GOODBYE);
    for link in links {
        let mut stream = link.into_stream()?;
        stream.write_all(output.waiting())?;
        streams.push(stream);
    }
    for mut stream in streams {
        stream.set_read_timeout(patience)?;
        // Whatever comes is the answer, or the end.
        let _ = stream.read(&mut [0; 64])?;
    }
    Ok(())
}

/// Lets this process have so many files open at once.
fn raise_file_limit(count: u64) -> Result<(), WireError> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= count) {
        return Ok(());
    }
    let too_low = WireError::Unexpected(
        "the limit of open files is too low for so many connections: raise it with `ulimit -n`",
    );
    if maximum.is_some_and(|maximum| maximum < count) {
        return Err(too_low);
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(count), maximum }).map_err(|_| too_low)
}
