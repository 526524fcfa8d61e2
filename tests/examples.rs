//! Every program in `examples/` runs against a broker of its own and prints what it should. Cargo
//! has built them: with a plain `cargo test`, or with `cargo build --examples` before this target.

#![expect(clippy::expect_used, reason = "a panic is a failed test")]

#[path = "system/process.rs"]
#[expect(dead_code, reason = "the system tests use all of it")]
mod process;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use process::Process;

/// What is tested below; nothing else may lie in the folder.
const NAMES: [&str; 22] = [
    "back_off",
    "bounded_queue",
    "changed_limit",
    "confirms",
    "embedded",
    "expiring_queue",
    "hello",
    "memory_queue",
    "one_at_a_time",
    "order_flow",
    "parking_lot",
    "policies",
    "publish_rate",
    "publish_subscribe",
    "retry_later",
    "rpc",
    "scheduled",
    "send_again",
    "slow_worker",
    "topic_routing",
    "urgent_first",
    "work_queue",
];

fn program(name: &str) -> PathBuf {
    let folder = process::binary().parent().expect("a folder").join("examples");
    let path = folder.join(name);
    let hint = "build it first: cargo build --examples";
    assert!(path.exists(), "{} is not there; {hint}", path.display());
    path
}

/// Runs an example, and gives the lines it printed. One that hangs is ended by `timeout`.
fn run(name: &str, address: &str) -> Vec<String> {
    run_with(name, &[("AMQP_ADDR", address)])
}

fn run_with(name: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let mut command = Command::new("timeout");
    command.arg(process::PATIENCE.as_secs().to_string()).arg(program(name));
    let output = command.envs(variables.iter().copied()).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {}\n{text}{error}", output.status);
    text.lines().map(str::to_owned).collect()
}

/// Runs an example twice, for the second run must find nothing that the first one left.
fn check(name: &str, expected: &[&str]) {
    let process = Process::start();
    let address = format!("amqp://guest:guest@{}/%2f", process.address());
    for _ in 0..2 {
        assert_eq!(run(name, &address), expected, "{name}");
    }
}

#[test]
fn hello_receives_what_it_sent() {
    check("hello", &["received: Hello, Leveret!"]);
}

#[test]
fn work_queue_does_every_task_once() {
    let process = Process::start();
    let lines = run("work_queue", &format!("amqp://guest:guest@{}/%2f", process.address()));
    assert_eq!(lines[0], "hasty gives up task 1");
    let mut done: Vec<&str> =
        lines[1..].iter().map(|line| line.split_once(" does ").expect(line).1).collect();
    done.sort_unstable();
    assert_eq!(done, ["task 1", "task 2", "task 3", "task 4", "task 5", "task 6"]);
}

#[test]
fn publish_subscribe_gives_every_subscriber_a_copy() {
    check(
        "publish_subscribe",
        &[
            "subscriber 1: first",
            "subscriber 1: second",
            "subscriber 2: first",
            "subscriber 2: second",
        ],
    );
}

#[test]
fn topic_routing_goes_by_words() {
    check(
        "topic_routing",
        &[
            "europe.*.rain got europe.london.rain",
            "europe.# got europe.london.rain",
            "europe.# got europe.oslo.snow",
            "*.*.snow got europe.oslo.snow",
            "*.*.snow got asia.tokyo.snow",
        ],
    );
}

#[test]
fn order_flow_accounts_for_every_order_though_the_broker_is_killed() {
    let lines = run_with("order_flow", &[("ORDERS", "3000")]);
    let told: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (last, told) = told.split_last().expect("lines");
    assert!(last.starts_with("came more than once, and were noticed: "), "{last}");
    let mut told = told.to_vec();
    // Which of the two happens first is chance, where many are confirmed at once.
    told[..2].sort_unstable();
    assert_eq!(
        told,
        [
            "3000 orders are taken",
            "the broker is killed, and starts again",
            "payment: 2940 paid, 60 failed and set aside",
            "restaurant: 3000",
            "email: 3000",
            "analytics: 3000",
            "lost: 0",
        ]
    );
}

#[test]
fn scheduled_messages_come_in_their_time() {
    check("scheduled", &["now", "soon", "in a moment"]);
}

#[test]
fn what_is_sent_again_comes_once() {
    check("send_again", &["order 1: a hat", "order 2: a coat", "order 3: gloves"]);
}

/// Runs an example that also asks the HTTP API, twice as well.
fn check_managed(name: &str, expected: &[&str]) {
    let mut process = Process::start_with(&[
        "--listen",
        "127.0.0.1:0",
        "--set",
        "management.tcp.port=0",
        "--set",
        "management.tcp.ip=127.0.0.1",
    ]);
    let line = process.output_line();
    let (_, rest) = line.split_once("; management on ").expect(&line);
    let (management, _) = rest.split_once(';').expect(&line);
    let address = format!("amqp://guest:guest@{}/%2f", process.address());
    for _ in 0..2 {
        let variables = [("AMQP_ADDR", &*address), ("MANAGEMENT_ADDR", management)];
        assert_eq!(run_with(name, &variables), expected, "{name}");
    }
}

#[test]
fn policies_hold_at_once_and_end_when_they_are_cleared() {
    check_managed(
        "policies",
        &[
            "without a policy: 5",
            "the policy: 201 Created",
            "with it: 2",
            "and later: 2",
            "cleared: 204 No Content",
            "without it again: 7",
        ],
    );
}

#[test]
fn publish_rate_slows_down_who_publishes_and_loses_nothing() {
    check_managed(
        "publish_rate",
        &[
            "the limit: 204 No Content",
            "200 of 200 confirmed",
            "a second was there at once, the others took theirs: true",
            "cleared: 204 No Content",
            "200 of 200 confirmed",
        ],
    );
}

#[test]
fn rpc_gets_its_replies() {
    check("rpc", &["square of 3 is 9", "square of 4 is 16", "square of 5 is 25"]);
}

#[test]
fn confirms_tell_of_every_message() {
    check(
        "confirms",
        &[
            "orders: confirmed true",
            "odrers: confirmed, but returned: NO_ROUTE",
            "1000 of 1000 confirmed",
        ],
    );
}

#[test]
fn bounded_queue_keeps_the_latest_readings_and_refuses_orders() {
    check(
        "bounded_queue",
        &[
            "readings: reading 3",
            "readings: reading 4",
            "readings: reading 5",
            "order 1 is taken",
            "order 2 is taken",
            "order 3 is taken",
            "order 4 is refused",
            "order 5 is refused",
            "orders: order 1",
            "orders: order 2",
            "orders: order 3",
        ],
    );
}

#[test]
fn changed_limit_changes_nothing_where_checks_are_relaxed() {
    let process = Process::start_with(&["--set", "declare_equivalence=relaxed"]);
    let address = format!("amqp://guest:guest@{}/%2f", process.address());
    assert_eq!(
        run("changed_limit", &address),
        ["the next version starts: ok, 2 orders are there", "order 2", "order 3"]
    );
    check("changed_limit", &["the next version is refused"]);
}

#[test]
fn parking_lot_has_what_was_rejected_and_what_was_too_much() {
    check(
        "parking_lot",
        &[
            "order 2 is done",
            "order 3 cannot be done",
            "order 4 is done",
            "parked: order 1, maxlen in orders",
            "parked: order 3, rejected in orders",
        ],
    );
}

#[test]
fn retry_later_tries_three_times() {
    check(
        "retry_later",
        &["order 1 failed, attempt 1", "order 1 failed, attempt 2", "order 1 is done, attempt 3"],
    );
}

#[test]
fn back_off_lets_what_failed_wait_longer_each_time() {
    check(
        "back_off",
        &[
            "order 1 failed",
            "order 2 is done",
            "order 1 is back after 200 ms",
            "order 1 failed",
            "order 1 is back after 400 ms",
            "order 1 is done",
        ],
    );
}

#[test]
fn urgent_first_lets_alarms_overtake_reports() {
    check("urgent_first", &["alarm 2", "alarm 5", "report 1", "report 3", "report 4"]);
}

#[test]
fn one_at_a_time_goes_on_in_order_with_the_next_worker() {
    let steps = ["first does step 1", "first does step 2"];
    check("one_at_a_time", &[&steps[..], &["second does step 3", "second does step 4"]].concat());
}

#[test]
fn slow_worker_loses_its_task_to_another() {
    check(
        "slow_worker",
        &["stuck takes task 1", "stuck is cancelled", "prompt does task 1, redelivered: true"],
    );
}

#[test]
fn memory_queue_confirms_what_it_takes_and_needs_a_limit() {
    check(
        "memory_queue",
        &["without a limit: refused", "3 of 3 confirmed", "progress: 60 %", "progress: 90 %"],
    );
}

#[test]
fn expiring_queue_goes_when_nobody_asks_for_it() {
    check(
        "expiring_queue",
        &[
            "the queue is there",
            "and is still there, since somebody asked for it",
            "the queue is gone",
        ],
    );
}

#[test]
fn embedded_needs_no_broker_but_its_own() {
    let lines = run("embedded", "amqp://nobody@127.0.0.1:9/%2f");
    assert_eq!(lines, ["the program under test works", "the broker is empty: true"]);
}

#[test]
fn there_is_no_example_without_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let names: BTreeSet<String> = std::fs::read_dir(folder)
        .expect("the folder of the examples")
        .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .collect();
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), NAMES);
}
