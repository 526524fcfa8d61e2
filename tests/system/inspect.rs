//! `leveret inspect` on what real clients left in a real data directory, of a broker that was
//! killed, stopped, or runs: what it shows, what it exports, and that it changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lapin::options::{
    BasicGetOptions, BasicNackOptions, BasicPublishOptions, BasicRejectOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::durability::connect;
use crate::process::{Process, binary};

fn inspect(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("inspect").arg(folder).args(arguments).output().expect("the binary runs")
}

/// What it says where all is well.
fn shown(folder: &Path, arguments: &[&str]) -> String {
    let output = inspect(folder, arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&shown(folder, &[&["--json"], arguments].concat())).unwrap()
}

/// What it says on its standard error where it fails.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = inspect(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn payload(line: &Value) -> String {
    String::from_utf8(STANDARD.decode(line["payload"].as_str().unwrap()).unwrap()).unwrap()
}

/// Every file with all its bytes and when it was written.
fn contents(folder: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let read = |entry: fs::DirEntry| {
        let written = entry.metadata().unwrap().modified().unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, (fs::read(entry.path()).unwrap(), written))
    };
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    // The socket that a killed broker leaves has none.
    entries.filter(|entry| entry.file_type().unwrap().is_file()).map(read).collect()
}

pub(crate) fn kill(process: &mut Process) {
    process.signal(Signal::KILL);
    process.ended();
}

pub(crate) async fn declare(channel: &Channel, queue: &str) {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
}

pub(crate) async fn publish(channel: &Channel, exchange: &str, key: &str, body: &[u8]) {
    let mut headers = FieldTable::default();
    headers.insert("x-shop".into(), AMQPValue::LongString("north".into()));
    let properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_content_type("text/plain".into())
        .with_headers(headers);
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish(exchange.into(), key.into(), options, body, properties);
    assert!(sent.await.unwrap().await.unwrap().is_ack());
}

/// Two queues with messages, one of which is in both, and one without.
pub(crate) async fn fill(process: &Process) {
    let (connection, channel) = connect(process).await;
    for queue in ["orders", "archive", "empty"] {
        declare(&channel, queue).await;
    }
    for queue in ["orders", "archive"] {
        let options = QueueBindOptions::default();
        let bound = channel.queue_bind(
            queue.into(),
            "amq.topic".into(),
            "order.*".into(),
            options,
            FieldTable::default(),
        );
        bound.await.unwrap();
    }
    publish(&channel, "amq.topic", "order.new", b"order one").await;
    for body in ["order two", "order three"] {
        publish(&channel, "", "orders", body.as_bytes()).await;
    }
    connection.close(200, "done".into()).await.unwrap();
}

fn queue<'a>(overview: &'a Value, name: &str) -> &'a Value {
    overview["queues"].as_array().unwrap().iter().find(|queue| queue["name"] == name).unwrap()
}

#[tokio::test]
async fn what_a_killed_broker_left_is_shown_and_not_one_byte_changes() {
    let mut process = Process::start();
    fill(&process).await;
    kill(&mut process);
    let folder = process.data_folder();
    let before = contents(folder);
    let text = shown(folder, &["--verify"]);
    for part in [
        "State           not stopped in order",
        "Definitions     bindings 2, exchanges 0, permissions 1, queues 3, users 1, vhosts 1\n",
        "4 messages of 38 B in 3 queues; ",
        "Damage          none found\n",
        "open: not sealed yet",
        "/             archive  classic         1     9 B",
        "/             empty    classic         0     0 B",
        "/             orders   classic         3    29 B",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let overview = json(folder, &[]);
    assert_eq!(overview["format_versions"], serde_json::json!([1]));
    assert_eq!(overview["stopped_in_order"], false);
    assert_eq!(overview["in_use_by"], Value::Null);
    assert_eq!(queue(&overview, "orders")["messages"], 3);
    assert_eq!(overview["totals"]["messages"], 4);
    let files: Vec<&str> =
        overview["files"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
    let expected: Vec<&str> = before.keys().map(String::as_str).filter(|n| *n != "lock").collect();
    assert_eq!(files, expected);
    let text = shown(folder, &["--queue", "orders", "--count", "2"]);
    for part in [
        "Queue 'orders' in virtual host '/': 3 messages, 29 B\n",
        "#0  exchange amq.topic  routing key order.new  redelivered  arrived 20",
        "    content_type: text/plain\n    delivery_mode: 2\n",
        "    headers:\n      x-shop: north\n    body, 9 B: order one\n",
        "#1  (default exchange)  routing key orders  redelivered  arrived 20",
        "1 more message: ",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(!text.contains("order three"), "{text}");
    assert_eq!(contents(folder), before);
}

#[tokio::test]
async fn every_message_is_exported_and_the_broker_goes_on_with_all_of_them() {
    let mut process = Process::start();
    fill(&process).await;
    kill(&mut process);
    let folder = process.data_folder();
    let before = contents(folder);
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("all.jsonl");
    let output = inspect(folder, &["--export", file.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("4 messages of 3 queues exported to "), "{told}");
    let exported = lines(&fs::read_to_string(&file).unwrap());
    let all: Vec<(&str, u64, String)> = exported
        .iter()
        .map(|l| (l["queue"].as_str().unwrap(), l["sequence"].as_u64().unwrap(), payload(l)))
        .collect();
    let expected = [
        ("archive", 0, "order one"),
        ("orders", 0, "order one"),
        ("orders", 1, "order two"),
        ("orders", 2, "order three"),
    ];
    assert_eq!(all, expected.map(|(queue, at, body)| (queue, at, body.to_owned())));
    let first = &exported[1];
    assert_eq!((&first["vhost"], &first["exchange"]), (&"/".into(), &"amq.topic".into()));
    assert_eq!(first["routing_key"], "order.new");
    let properties = serde_json::json!({
        "content_type": "text/plain", "delivery_mode": 2, "headers": { "x-shop": "north" },
    });
    assert_eq!(first["properties"], properties);
    let one = lines(&shown(folder, &["--queue", "orders", "--count", "1", "--export", "-"]));
    assert_eq!(one.iter().map(payload).collect::<Vec<_>>(), ["order one"]);
    let again = refused(folder, &["--export", file.to_str().unwrap()]);
    assert!(again.contains("File exists"), "{again}");
    let inside = refused(folder, &["--export", folder.join("all.jsonl").to_str().unwrap()]);
    assert!(inside.contains("it is in the data directory"), "{inside}");
    assert_eq!(contents(folder), before);
    let flags = ["--listen", "127.0.0.1:0", "--data-dir", folder.to_str().unwrap()];
    let process = Process::start_with(&flags);
    let (_connection, channel) = connect(&process).await;
    for body in ["order one", "order two", "order three"] {
        let options = BasicGetOptions { no_ack: true };
        let got = channel.basic_get("orders".into(), options).await.unwrap().unwrap();
        assert_eq!(got.delivery.data, body.as_bytes());
    }
}

#[tokio::test]
async fn after_a_clean_stop_the_flags_and_counts_are_shown_as_they_are() {
    let mut process = Process::start();
    let (connection, channel) = connect(&process).await;
    let mut arguments = FieldTable::default();
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(9));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("q".into(), options, arguments).await.unwrap();
    for body in ["one", "two"] {
        publish(&channel, "", "q", body.as_bytes()).await;
    }
    let get = || channel.basic_get("q".into(), BasicGetOptions::default());
    let got = get().await.unwrap().unwrap();
    got.delivery.acker.reject(BasicRejectOptions { requeue: true }).await.unwrap();
    let got = get().await.unwrap().unwrap();
    let politely = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
    got.delivery.acker.nack(politely).await.unwrap();
    // The requests of one channel are carried out in order.
    declare(&channel, "later").await;
    connection.close(200, "done".into()).await.unwrap();
    process.stop();
    let folder = process.data_folder();
    let text = shown(folder, &[]);
    assert!(text.contains("State           stopped in order\n"), "{text}");
    assert!(text.contains(", at a clean stop\n") && text.contains("  sealed\n"), "{text}");
    let messages = lines(&shown(folder, &["--queue", "q", "--json"]));
    let names = ["redelivered", "failure_count", "acquired_count"];
    let told = |line: &Value| Value::from(names.map(|name| line[name].clone()).to_vec());
    assert_eq!(told(&messages[0]), json!([true, 1, 2]));
    assert_eq!(told(&messages[1]), json!([false, 0, 0]));
}

/// Flips a bit in the first place where these bytes stand in any file of the log.
pub(crate) fn flip(folder: &Path, bytes: &[u8]) {
    for (name, (mut content, _)) in contents(folder) {
        let found = content.windows(bytes.len()).position(|part| part == bytes);
        if let Some(at) = found.filter(|_| name.starts_with("log-")) {
            content[at] ^= 1;
            fs::write(folder.join(name), content).unwrap();
            return;
        }
    }
    panic!("no file holds {bytes:?}");
}

#[tokio::test]
async fn a_flipped_bit_is_reported_and_the_other_messages_are_there() {
    let mut process = Process::start();
    fill(&process).await;
    kill(&mut process);
    let folder = process.data_folder();
    flip(folder, b"order two");
    let before = contents(folder);
    let text = shown(folder, &[]);
    assert!(text.contains("Damage          log-000000000001 at byte "), "{text}");
    assert!(text.contains(" bytes cannot be read\n"), "{text}");
    let overview = json(folder, &[]);
    let place = &overview["damage"]["places"][0];
    assert_eq!(place["file"], "log-000000000001");
    assert!(place["bytes"].as_u64() > Some(9), "{place}");
    let left = lines(&shown(folder, &["--queue", "orders", "--export", "-"]));
    assert_eq!(left.iter().map(payload).collect::<Vec<_>>(), ["order one", "order three"]);
    assert_eq!(contents(folder), before);
}

#[tokio::test]
async fn a_damaged_definition_leaves_its_messages_to_be_exported_by_number() {
    let mut process = Process::start();
    fill(&process).await;
    kill(&mut process);
    let folder = process.data_folder();
    // The record of the queue, which stands before all that names it.
    flip(folder, b"orders");
    let before = contents(folder);
    let text = shown(folder, &[]);
    assert!(text.contains("Start           would be refused: a definition in log-"), "{text}");
    let overview = json(folder, &[]);
    let queues = overview["queues"].as_array().unwrap();
    let lost = queues.iter().find(|queue| queue["is_declared"] == false).unwrap();
    assert_eq!((&lost["name"], &lost["messages"]), (&Value::Null, &3.into()));
    let number = lost["number"].to_string();
    assert!(text.contains(&format!("not declared: a start drops it; --number {number}")), "{text}");
    let saved = lines(&shown(folder, &["--number", &number, "--export", "-"]));
    let bodies: Vec<String> = saved.iter().map(payload).collect();
    assert_eq!(bodies, ["order one", "order two", "order three"]);
    let error = refused(folder, &["--queue", "orders"]);
    assert!(error.starts_with("there is no queue 'orders' in virtual host '/'"), "{error}");
    assert_eq!(contents(folder), before);
}

#[tokio::test]
async fn whatever_byte_is_damaged_it_ends_in_order_and_changes_nothing() {
    const STEP: usize = 29;
    const ZEROS_STEP: usize = 100_003;
    let mut process = Process::start();
    fill(&process).await;
    kill(&mut process);
    let folder = process.data_folder();
    let mut files = contents(folder);
    files.retain(|name, _| name.starts_with("log-") || name.starts_with("checkpoint-"));
    for (name, (content, _)) in files {
        // Behind what was written are zeros: there one place is like another.
        let used = content.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
        let zeros = (used..content.len()).step_by(ZEROS_STEP);
        for at in (0..used).step_by(STEP).chain(zeros) {
            let mut damaged = content.clone();
            damaged[at] ^= 0x55;
            fs::write(folder.join(&name), &damaged).unwrap();
            for arguments in [&["--verify"][..], &["--json"], &["--export", "-"]] {
                let output = inspect(folder, arguments);
                assert!(matches!(output.status.code(), Some(0 | 1)), "{name} {at}: {output:?}");
            }
            assert_eq!(fs::read(folder.join(&name)).unwrap(), damaged);
        }
        fs::write(folder.join(&name), &content).unwrap();
    }
    assert!(shown(folder, &[]).contains("4 messages of 38 B in 3 queues; "));
}

#[tokio::test]
async fn the_folder_of_a_running_broker_is_shown_and_the_broker_does_not_mind() {
    let process = Process::start();
    fill(&process).await;
    let folder = process.data_folder();
    let text = shown(folder, &[]);
    let state = format!("State           in use by process {}: ", process.id());
    assert!(text.contains(&state), "{text}");
    assert!(text.contains("4 messages of 38 B in 3 queues; "), "{text}");
    let output = inspect(folder, &["--queue", "orders", "--export", "-"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with(&format!("in use by process {}: ", process.id())), "{told}");
    assert_eq!(lines(std::str::from_utf8(&output.stdout).unwrap()).len(), 3);
    let process = process.restart(Signal::TERM);
    let (_connection, channel) = connect(&process).await;
    let options = BasicGetOptions { no_ack: true };
    let got = channel.basic_get("orders".into(), options).await.unwrap().unwrap();
    assert_eq!(
        (got.delivery.data.as_slice(), got.delivery.redelivered),
        (&b"order one"[..], false)
    );
}

/// More than one file of the log, so that the first is sealed and behind a checkpoint.
#[tokio::test]
async fn damage_in_a_sealed_file_is_found_by_reading_every_message() {
    const COUNT: usize = 40;
    let mut process = Process::start();
    let (connection, channel) = connect(&process).await;
    declare(&channel, "large").await;
    for number in 0..COUNT {
        let mut body = format!("<large {number:03}>").into_bytes();
        body.resize(1024 * 1024, b'.');
        publish(&channel, "", "large", &body).await;
    }
    drop((channel, connection));
    kill(&mut process);
    let folder = process.data_folder();
    let text = shown(folder, &["--verify"]);
    assert!(text.contains("  sealed\n") && text.contains("  open: not sealed yet\n"), "{text}");
    flip(folder, b"<large 003>");
    assert!(shown(folder, &[]).contains("none found (--verify reads every message)"));
    let output = inspect(folder, &["--verify"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Damage          1 message cannot be read\n"), "{text}");
    assert!(text.contains("  1 damaged\n"), "{text}");
    let output = inspect(folder, &["--export", "-"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told, "1 message could not be read: what is on disk is damaged\n");
    let exported = lines(std::str::from_utf8(&output.stdout).unwrap());
    let starts: Vec<String> = exported.iter().map(|line| payload(line)[..11].to_owned()).collect();
    let whole = (0..COUNT).filter(|number| *number != 3);
    assert_eq!(starts, whole.map(|number| format!("<large {number:03}>")).collect::<Vec<_>>());
    // Who reads only the beginning, as `head` does, has no error.
    let mut command = Command::new(binary());
    command.arg("inspect").arg(folder).args(["--export", "-"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[tokio::test]
async fn a_store_of_another_format_shows_its_files_and_why_it_does_not_open() {
    let mut process = Process::start();
    fill(&process).await;
    process.stop();
    let folder = process.data_folder();
    let checkpoints =
        contents(folder).into_iter().filter(|(name, _)| name.starts_with("checkpoint-"));
    for (name, (mut content, _)) in checkpoints {
        content[8] = 9;
        // Where the checksum fits but for the version, the version is a flipped bit.
        content[60..64].fill(9);
        fs::write(folder.join(name), content).unwrap();
    }
    let output = inspect(folder, &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["Format          1, 9\n", "State           the store does not open\n", "log-0000"]
    {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("has format 9, and this version of Leveret reads format 1"), "{told}");
    assert!(refused(folder, &["--queue", "orders"]).contains("has format 9"));
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = refused(&folder.path().join("missing"), &[]);
    assert!(missing.contains("/missing: No such file or directory"), "{missing}");
    let empty = refused(folder.path(), &[]);
    assert!(empty.contains(" is no data directory of Leveret: "), "{empty}");
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(refused(&file, &[]).contains("/file is not a folder"));
    assert_eq!(contents(folder.path()).len(), 1);
    let mut process = Process::start();
    fill(&process).await;
    kill(&mut process);
    let folder = process.data_folder();
    let error = refused(folder, &["--queue", "order"]);
    let expected = "there is no queue 'order' in virtual host '/'; near it are 'orders'\n";
    assert_eq!(error, expected);
    let error = refused(folder, &["--queue", "orders", "--vhost", "shop"]);
    assert_eq!(error, "there is no virtual host 'shop'; there are: /\n");
    let error = refused(folder, &["--number", "999999"]);
    assert_eq!(error, "there is no queue of number 999999\n");
}
