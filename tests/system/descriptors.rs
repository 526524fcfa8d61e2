//! A broker that has no descriptors left: it says so, goes on with whom it has, and lets others in
//! when it can.

use std::fs;
use std::process::Command;

use crate::process::{Process, binary};
use crate::wire::Wire;

/// Few enough to run out of at once, enough to start with.
const FILES_MAX: usize = 40;

/// Starts it under a soft and a hard limit on open files.
fn start_with_limits(soft: usize, hard: usize) -> Process {
    let mut shell = Command::new("sh");
    let script = format!("ulimit -S -n {soft} && ulimit -H -n {hard} && exec \"$0\" \"$@\"");
    shell.args(["-c", &script]).arg(binary()).args(["serve", "--listen", "127.0.0.1:0"]);
    Process::start_by(shell)
}

#[test]
fn accepting_pauses_when_descriptors_run_out_and_goes_on_afterwards() {
    let mut process = start_with_limits(FILES_MAX, FILES_MAX);
    let mut first = Wire::with_channel(process.address());
    first.declare_queue("q");
    // More than it can take: the system keeps those above in its own queue.
    let mut plugged: Vec<Wire> =
        (0..2 * FILES_MAX).map(|_| Wire::plug(process.address())).collect();
    let line = process.logged("accepting connections pauses");
    assert!(line.contains("[warning]") && line.contains("Too many open files"), "{line}");
    for _ in 0..10 {
        first.round_trip("q");
    }
    assert_eq!(first.message_count("q"), 0);
    let mut last = plugged.pop().unwrap();
    plugged.into_iter().for_each(Wire::hang_up);
    process.logged("accepting connections again");
    last.log_in(0);
    last.close();
    first.close();
    process.stop();
    let (_, lines) = process.ended();
    let pauses = lines.iter().filter(|line| line.text.contains("connections pauses")).count();
    assert!((1..=3).contains(&pauses), "said {pauses} times: {lines:#?}");
}

#[test]
fn the_soft_limit_is_raised_to_the_hard_one() {
    let hard = 4 * FILES_MAX;
    let process = start_with_limits(FILES_MAX, hard);
    let limits = fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let limits: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(limits, vec![hard.to_string(); 2]);
    let clients: Vec<Wire> = (0..2 * FILES_MAX).map(|_| Wire::connect(process.address())).collect();
    clients.into_iter().for_each(Wire::close);
}
