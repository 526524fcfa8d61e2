//! A node that starts with definitions files: what is there before the first client is, and what
//! stops the start. What may stand in a file is shown beside the code that reads it.

use std::fs;
use std::path::{Path, PathBuf};

use leveret::protocol::methods::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Process;
use crate::wire::Wire;

fn exported(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn flags(key: &str, path: &Path) -> Vec<String> {
    let setting = format!("{key}={}", path.display());
    ["--listen", "127.0.0.1:0", "--set", &setting].map(str::to_owned).to_vec()
}

fn start(key: &str, path: &Path) -> Process {
    let flags = flags(key, path);
    Process::start_with(&flags.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The lines of a node that must not start.
fn refusal(path: &Path) -> String {
    let flags = flags("load_definitions", path);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let (status, lines) = Process::launch_with(&flags).ended();
    // EX_CONFIG: service managers do not try again.
    assert_eq!(status.code(), Some(78), "{lines:#?}");
    assert!(lines.iter().all(|line| !line.is_output), "it never listened: {lines:#?}");
    lines.into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n")
}

fn written(folder: &TempDir, name: &str, file: &Value) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, file.to_string()).expect("a file");
    path
}

#[test]
fn an_export_of_rabbitmq_is_there_when_the_node_listens() {
    let mut process = start("load_definitions", &exported("definitions-4.1.json"));
    let address = process.address();
    let mut wire = Wire::log_in_as(address, "guest", "guest", "orders");
    wire.round_trip("orders.dead");
    wire.round_trip_through("orders.events", "orders.new.eu", "orders");
    // No binding takes it, so it goes by the alternate exchange and what is bound to that.
    wire.round_trip_through("orders.events", "invoices", "orders.dead");
    let mut wire = Wire::log_in_as(address, "guest", "guest", "/");
    wire.round_trip_through("amq.topic", "logs.error", "plain");
    let mut wire = Wire::log_in_as(address, "orders-app", "test12", "orders");
    wire.round_trip_through("orders.events", "orders.old", "orders");
    let line = process.logged("definitions imported");
    assert!(line.contains("definitions-4.1.json: "), "{line}");
    let line = process.logged("is skipped");
    assert!(line.contains("[warning]") && line.contains("amq.gen-"), "{line}");
    process.stop();
}

#[test]
fn users_of_an_older_file_log_in_and_others_do_not() {
    let process = start("definitions.local.path", &exported("definitions-3.10.json"));
    let mut wire = Wire::log_in_as(process.address(), "veteran", "test12", "legacy");
    wire.round_trip_through("work", "work", "work");
    for (user, password) in [("veteran", "test13"), ("typed", "in clea"), ("typed", "")] {
        let mut wire = Wire::plug(process.address());
        wire.greet_as(user, password);
        match wire.next_method().method() {
            Method::ConnectionClose(close) => assert_eq!(close.reply_code, 403),
            other => panic!("{user}: {other:?}"),
        }
    }
}

#[test]
fn a_folder_is_imported_in_the_order_of_its_names_and_no_defaults_are_created() {
    let folder = tempfile::tempdir().expect("a folder");
    let user = json!({"name": "ann", "password": "secret", "tags": ["administrator"]});
    let all = json!({"user": "ann", "vhost": "v", "configure": ".*", "write": ".*", "read": ".*"});
    let people = json!({"users": [user], "vhosts": [{"name": "v"}], "permissions": [all]});
    written(&folder, "1-people.json", &people);
    let queues = json!({"queues": [{"vhost": "v", "name": "q", "durable": true}]});
    written(&folder, "2-queues.json", &queues);
    let process = start("load_definitions", folder.path());
    Wire::log_in_as(process.address(), "ann", "secret", "v").round_trip("q");
    let mut wire = Wire::plug(process.address());
    wire.greet("guest");
    assert!(matches!(wire.next_method().method(), Method::ConnectionClose(_)));
}

#[test]
fn a_broken_file_stops_the_start_with_its_name_and_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broken.json");
    fs::write(&path, "{\"queues\": [").expect("a file");
    let told = refusal(&path);
    assert!(told.contains(&format!("definitions cannot be loaded from {}: ", path.display())));
    assert!(told.contains("this is no definitions file: EOF"), "{told}");
    let queue = json!({"vhost": "v", "name": "q", "arguments": {"x-max-length": -1}});
    let file = json!({"vhosts": [{"name": "v"}], "queues": [queue]});
    let told = refusal(&written(&folder, "bad.json", &file));
    let expected = "queue 'q' in vhost 'v': invalid arg 'x-max-length' for queue 'q' in vhost \
                    'v': {value_negative,-1} (before it: 1 definitions imported, 0 were there \
                    already)";
    assert!(told.contains(expected), "{told}");
    let told = refusal(Path::new("/nowhere/definitions.json"));
    assert!(told.contains("/nowhere/definitions.json: No such file"), "{told}");
    let single = json!({"queues": [{"name": "q", "durable": true}]});
    let told = refusal(&written(&folder, "single.json", &single));
    assert!(told.contains("definitions of a single virtual host"), "{told}");
}
