//! `leveret perf` as its users run it, against a real broker: every scenario for a moment, what
//! makes a run invalid, and what is said where there is nothing to load.

use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};

use futures_lite::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Process, binary};

fn perf(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.arg("perf").args(arguments).stdin(Stdio::null());
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs scenarios for a moment each, and gives what was kept of each run.
fn run(scenarios: &str) -> Vec<Value> {
    let (broker, folder) = (Process::start(), tempfile::tempdir().unwrap());
    let (address, json) = (broker.address().to_string(), folder.path().join("runs.json"));
    let output = perf(&["compare", "--against", &address, "--scenarios", scenarios])
        .args(["--duration", "1", "--warm-up", "0.1", "--messages", "5000"])
        .args(["--connections", "100", "--json"])
        .arg(&json)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let kept: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    kept["runs"].as_array().unwrap().clone()
}

/// That each run is complete, and that every figure that these names stand for is above nothing.
fn assert_complete(scenarios: &str, figures: &[&str]) {
    let runs = run(scenarios);
    let names: Vec<&str> = runs.iter().map(|run| run["scenario"].as_str().unwrap()).collect();
    assert_eq!(names, scenarios.split(',').collect::<Vec<_>>());
    for run in runs {
        for wrong in ["lost", "duplicated", "reordered", "foreign"] {
            assert_eq!(run["check"][wrong], 0, "{run}");
        }
        assert_eq!(run["is_complete"], true, "{run}");
        for figure in figures {
            let value = figure.split('.').fold(&run, |value, name| &value[name]);
            assert!(value.as_f64().is_some_and(|value| value > 0.0), "{figure} in {run}");
        }
    }
}

#[test]
fn every_scenario_at_full_speed_is_run_and_checked() {
    // On a busy machine a window this short may end before anything is consumed.
    assert_complete("s1,s2,s5,s6,s6-10,s7,s8", &["published_per_second", "check.received"]);
}

#[test]
fn every_scenario_with_confirms_is_run_and_checked() {
    let figures = ["consumed_per_second", "confirm_latency.p50_us", "confirm_latency.max_us"];
    assert_complete("s3,s3t,s3-1,s13", &figures);
}

#[test]
fn every_scenario_whose_latency_counts_is_run_and_checked() {
    assert_complete("s4,s12", &["consumed_per_second", "latency.p50_us", "latency.max_us"]);
}

#[test]
fn a_backlog_is_filled_and_drained() {
    assert_complete("s9", &["published_per_second", "consumed_per_second"]);
}

#[test]
fn what_is_done_over_and_over_is_run_and_checked() {
    assert_complete("s11-1,s11-32,s14", &["done_per_second", "latency.p50_us"]);
    assert_complete("s10", &["done_per_second"]);
}

#[test]
fn every_kind_of_run_has_a_summary_and_ends_well() {
    let broker = Process::start();
    let uri = format!("amqp://guest:guest@{}/%2F", broker.address());
    for (line, words) in [
        ("--publishers 3 --consumers 6 --queues 2 --prefetch 50 --count 6000", "shares"),
        ("--exchange headers --bindings 30 --queues 3 --consumers 2 --auto-ack", "consumed"),
        ("--exchange direct --bindings 5 --queues 5 --threads 2 --publishers 2", "consumed"),
        ("--consumers 0 --count 1000 --size 64", "published"),
        ("--count 5000 --publishers 3 --persistent --durable --confirm 10", "confirms"),
        ("rpc --clients 3 --servers 2", "round trips"),
        ("churn --what channel", "cycles"),
        ("churn --what queue --connections 2", "cycles"),
        ("churn --what binding", "cycles"),
        ("idle --connections 20 --channels 3", "opened"),
        ("backlog --messages 500 --queues 2", "drained"),
    ] {
        let mut words_typed: Vec<&str> = line.split(' ').collect();
        words_typed.extend(["--uri", &uri, "--duration", "0.2", "--warm-up", "0"]);
        let output = perf(&words_typed).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        let summary = String::from_utf8(output.stdout).unwrap();
        assert!(summary.contains(words) && summary.contains("check"), "{line}: {summary}");
    }
}

// ---- What makes a run invalid -------------------------------------------------------------------

/// A run on a queue that others can reach.
struct Disturbed {
    broker: Process,
    folder: TempDir,
    run: Child,
}

const QUEUE: &str = "disturbed-000000";

impl Disturbed {
    fn start() -> Self {
        let (broker, folder) = (Process::start(), tempfile::tempdir().unwrap());
        let address = broker.address().to_string();
        let run = perf(&["--against", &address, "--durable", "--queue-prefix", "disturbed"])
            .args(["--rate", "500", "--duration", "3", "--warm-up", "0", "--json"])
            .arg(folder.path().join("run.json"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { broker, folder, run }
    }

    /// Lets something be done to the queue while the run uses it, and gives the run's check.
    fn check(self, disturb: impl AsyncFnOnce(&Channel)) -> Value {
        let Self { broker, folder, run } = self;
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let connection = connect(broker.address()).await;
            let channel = channel_with_queue(&connection).await;
            disturb(&channel).await;
            // What it has and did not acknowledge goes back.
            connection.close(200, "".into()).await.unwrap();
        });
        let output = run.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(stderr(&output).contains("INVALID"), "{output:?}");
        let kept = std::fs::read(folder.path().join("run.json")).unwrap();
        serde_json::from_slice::<Value>(&kept).unwrap()["measurement"]["check"].clone()
    }
}

async fn connect(address: SocketAddr) -> Connection {
    let uri = format!("amqp://guest:guest@{address}/%2f");
    Connection::connect(&uri, ConnectionProperties::default()).await.unwrap()
}

/// A channel, once the run has declared its queue.
async fn channel_with_queue(connection: &Connection) -> Channel {
    loop {
        let channel = connection.create_channel().await.unwrap();
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared = channel.queue_declare(QUEUE.into(), passive, FieldTable::default()).await;
        if declared.is_ok_and(|queue| queue.consumer_count() > 0) {
            return channel;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn publish(channel: &Channel, body: &[u8]) {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish("".into(), QUEUE.into(), options, body, properties).await.unwrap();
}

/// Takes some messages out of the run's queue, does something with each, and acknowledges.
async fn take(channel: &Channel, count: usize, mut with: impl AsyncFnMut(&[u8])) {
    channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut taken = channel.basic_consume(QUEUE.into(), "".into(), options, none).await.unwrap();
    for _ in 0..count {
        let delivery = taken.next().await.unwrap().unwrap();
        with(&delivery.data).await;
        delivery.ack(BasicAckOptions::default()).await.unwrap();
    }
}

#[test]
fn a_run_that_lost_a_message_is_invalid() {
    let check = Disturbed::start().check(async |channel| take(channel, 3, async |_| {}).await);
    assert!(check["lost"].as_u64().unwrap() >= 3, "{check}");
    assert_eq!(check["duplicated"], 0, "{check}");
}

#[test]
fn a_run_that_got_a_message_twice_is_invalid() {
    let check = Disturbed::start().check(async |channel| {
        // The stamp of the very first message, which came long ago.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        publish(channel, &[0; 1024]).await;
    });
    assert_eq!((&check["duplicated"], &check["lost"]), (&1.into(), &0.into()), "{check}");
}

#[test]
fn a_run_that_got_a_message_late_is_invalid() {
    let check = Disturbed::start().check(async |channel| {
        let mut bodies = Vec::new();
        take(channel, 3, async |body| bodies.push(body.to_vec())).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        for body in bodies {
            publish(channel, &body).await;
        }
    });
    assert!(check["reordered"].as_u64().unwrap() >= 3, "{check}");
    assert_eq!((&check["duplicated"], &check["lost"]), (&0.into(), &0.into()), "{check}");
}

// ---- What is said where nothing can be done -----------------------------------------------------

#[test]
fn what_cannot_be_done_is_said_in_words() {
    let broker = Process::start();
    let address = broker.address().to_string();
    for (line, words) in [
        ("--against 127.0.0.1:1", "connection refused"),
        ("--against ADDRESS --password wrong", "403 ACCESS_REFUSED"),
        ("--against ADDRESS --virtual-host none", "vhost none not found"),
        ("--against ADDRESS --queue-type none", "406 PRECONDITION_FAILED"),
        ("--against ADDRESS --size 8", "at least 16 octets"),
        ("--against ADDRESS --consumers 2 --exclusive", "exclusive"),
        ("--uri amqps://localhost", "amqps"),
    ] {
        let line = line.replace("ADDRESS", &address);
        let output = perf(&line.split(' ').collect::<Vec<_>>()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}: {output:?}");
        assert!(stderr(&output).contains(words), "{line}: {}", stderr(&output));
    }
    let unknown = perf(&["--exchange", "x-random"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("[possible values: default, direct"), "{unknown:?}");
}
