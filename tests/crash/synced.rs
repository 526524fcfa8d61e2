//! `kill -9` cannot show a missing sync, for the system has what was written. The system calls of
//! the real binary do: what is promised to a client leaves only when a sync of the log came back
//! that began after the promised thing was written.

use std::process::{Command, Stdio};

use leveret::protocol::methods::Method;

use crate::clients::{push_persistent, select_confirms};
use crate::optimized;
use crate::process::Process;
use crate::trace::{Call, Trace};
use crate::wire::Wire;

/// Messages that are published one after the other, and those that are published in windows.
const ALONE: usize = 30;
const WINDOWS: usize = 6;
const WINDOW: usize = 50;
const MESSAGES: usize = ALONE + WINDOWS * WINDOW;

/// Queues that are declared.
const QUEUES: usize = 10;

/// basic.ack in a frame on channel 1, up to its tag.
const ACK: [u8; 11] = [1, 0, 1, 0, 0, 0, 13, 0, 60, 0, 80];

fn message(number: usize) -> String {
    format!("<message-{number}>")
}

fn queue(number: usize) -> String {
    format!("<queue-{number}>")
}

fn has_strace() -> bool {
    let mut traced = Command::new("strace");
    traced.args(["-f", "-e", "trace=none", "true"]).stderr(Stdio::null());
    let works = traced.status().is_ok_and(|status| status.success());
    if !works {
        // Which is a failure where CI is set: tests/run counts these lines.
        println!("could not run: the order of system calls (strace does not work here)");
    }
    works
}

/// Declares and publishes, and waits for all answers.
fn use_it(wire: &mut Wire) {
    (0..QUEUES).for_each(|number| wire.declare_queue(&queue(number)));
    select_confirms(wire);
    let mut published = 0;
    for size in [1; ALONE].into_iter().chain([WINDOW; WINDOWS]) {
        let mut bytes = Vec::new();
        for _ in 0..size {
            push_persistent(&mut bytes, "", &queue(0), message(published).as_bytes());
            published += 1;
        }
        wire.write(&bytes);
        let mut confirmed = 0;
        while confirmed < published as u64 {
            match wire.next_method().method() {
                Method::BasicAck(ack) => confirmed = ack.delivery_tag.max(confirmed),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(published, MESSAGES);
}

/// What a broker did that was used.
fn trace(flags: &[&str]) -> Trace {
    let folder = tempfile::tempdir().expect("a folder for the trace");
    let file = folder.path().join("trace");
    let mut command = Command::new("strace");
    // The tracer is a child of what it traces, so signals go to the broker.
    command.args(["-D", "-f", "-y", "-xx", "-s", "1000000", "-o"]).arg(&file);
    command.args(["-e", "trace=pwrite64,fdatasync,fsync,write,writev,sendto,sendmsg,openat"]);
    command.arg(optimized::binary()).args(["serve", "--listen", "127.0.0.1:0"]).args(flags);
    let mut process = Process::start_by(command);
    let mut wire = Wire::with_channel(process.address());
    use_it(&mut wire);
    wire.close();
    process.stop();
    Trace::read(&file)
}

/// Promises that left too early, of messages and of queues.
fn early(trace: &Trace) -> (usize, usize) {
    let mut unconfirmed: Vec<usize> = (0..MESSAGES).collect();
    let mut undeclared: Vec<usize> = (0..QUEUES).collect();
    let (mut early_messages, mut early_queues) = (0, 0);
    for call in trace.calls.iter().filter(|call| call.is_to_socket()) {
        for number in confirmed_by(call, &mut unconfirmed) {
            early_messages += usize::from(!trace.is_synced_before(&message(number), call));
        }
        let is_here = |number: &mut usize| call.has(&queue(*number));
        for number in undeclared.extract_if(.., is_here) {
            early_queues += usize::from(!trace.is_synced_before(&queue(number), call));
        }
    }
    assert_eq!((unconfirmed, undeclared), (vec![], vec![]), "every answer is in the trace");
    (early_messages, early_queues)
}

/// The messages that are confirmed by what is written here.
fn confirmed_by(call: &Call, unconfirmed: &mut Vec<usize>) -> Vec<usize> {
    let mut numbers = Vec::new();
    for at in call.places(&ACK) {
        let rest = &call.bytes[at + ACK.len()..];
        let tag = u64::from_be_bytes(rest[..8].try_into().expect("a tag"));
        let (last, is_multiple) = (usize::try_from(tag).expect("a tag") - 1, rest[8] & 1 == 1);
        let is_meant = |number: &mut usize| *number == last || (is_multiple && *number <= last);
        numbers.extend(unconfirmed.extract_if(.., is_meant));
    }
    numbers
}

#[test]
fn no_promise_leaves_before_the_sync_that_covers_it() {
    if has_strace() {
        assert_eq!(early(&trace(&[])), (0, 0));
    }
}

/// That the trace can tell: where nothing waits for the disk, promises are early.
#[test]
fn without_syncs_promises_leave_before_them() {
    if has_strace() {
        let (messages, queues) = early(&trace(&["--set", "durability=os"]));
        println!("not synced: {messages} of {MESSAGES} messages, {queues} of {QUEUES} queues");
        assert!(messages > MESSAGES / 2 && queues > QUEUES / 2);
    }
}
