//! `kill -9` cannot show a missing sync, for the system has what was written. The system calls of
//! the real binary do: no confirm may leave before the `fdatasync` that covers its message came
//! back.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};

use crate::process::{Process, binary};

/// Messages that are published one after the other.
const COUNT: usize = 20;

/// basic.ack in a frame on channel 1, up to its tag, as strace writes bytes.
const ACK: &str = r"\1\0\1\0\0\0\r\0<\0P";

/// What matters of the trace, in the order in which it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// The log got the message of this number.
    Written(usize),
    /// A sync of the log returned.
    Synced,
    /// A confirm went to the socket.
    Confirmed,
}

fn has_strace() -> bool {
    let mut traced = Command::new("strace");
    traced.args(["-e", "trace=none", "true"]).stderr(Stdio::null());
    let works = traced.status().is_ok_and(|status| status.success());
    if !works {
        println!("could not run: the order of system calls (strace does not work here)");
        assert!(std::env::var("CI").is_err(), "with CI=true a part that is missing fails");
    }
    works
}

/// The events of a broker that confirmed some messages, one after the other.
async fn trace(flags: &[&str]) -> Vec<Event> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace");
    let mut command = Command::new("strace");
    // The tracer is a child of what it traces, so signals go to the broker.
    command.args(["-D", "-f", "-y", "-s", "100000", "-o"]).arg(&file);
    command.args(["-e", "trace=pwrite64,fdatasync,write,writev,sendto,sendmsg"]);
    command.arg(binary()).args(["serve", "--listen", "127.0.0.1:0"]).args(flags);
    let mut process = Process::start_by(command);
    let uri = format!("amqp://guest:guest@{}/%2f", process.address());
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("q".into(), options, FieldTable::default()).await.unwrap();
    for number in 0..COUNT {
        let properties = BasicProperties::default().with_delivery_mode(2);
        let body = format!("marker-{number};");
        let options = BasicPublishOptions::default();
        let sent =
            channel.basic_publish("".into(), "q".into(), options, body.as_bytes(), properties);
        assert!(sent.await.unwrap().await.unwrap().is_ack());
    }
    connection.close(200, "".into()).await.unwrap();
    process.stop();
    events(&file)
}

fn events(file: &Path) -> Vec<Event> {
    let text = fs::read_to_string(file).unwrap();
    let mut events = Vec::new();
    // Which threads are in a sync of the log.
    let mut syncing: Vec<&str> = Vec::new();
    for line in text.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or((line, ""));
        let call = call.trim_start();
        let is_log = call.contains("/log-");
        if call.starts_with("pwrite64") && is_log {
            let marked = |number: &usize| call.contains(&format!("marker-{number};"));
            events.extend((0..COUNT).filter(marked).map(Event::Written));
        } else if call.starts_with("fdatasync") && is_log {
            if call.contains("<unfinished") {
                syncing.push(thread);
            } else {
                events.push(Event::Synced);
            }
        } else if call.contains("fdatasync resumed") && syncing.contains(&thread) {
            syncing.retain(|known| *known != thread);
            events.push(Event::Synced);
        } else if call.contains(ACK) {
            events.push(Event::Confirmed);
        }
    }
    events
}

/// How many confirms left before a sync that began after their message was written.
fn too_early(events: &[Event]) -> usize {
    let mut early = 0;
    let mut confirmed = 0;
    for (at, _) in events.iter().enumerate().filter(|(_, event)| **event == Event::Confirmed) {
        let before = &events[..at];
        let written = before.iter().position(|event| *event == Event::Written(confirmed));
        let is_synced = written.is_some_and(|written| before[written..].contains(&Event::Synced));
        early += usize::from(!is_synced);
        confirmed += 1;
    }
    assert_eq!(confirmed, COUNT, "each confirm is in the trace: {events:?}");
    early
}

#[tokio::test]
async fn no_confirm_leaves_before_the_sync_that_covers_it() {
    if has_strace() {
        assert_eq!(too_early(&trace(&[]).await), 0);
    }
}

/// That the trace can tell: where confirms do not wait for the disk, they are early.
#[tokio::test]
async fn without_syncs_confirms_leave_before_them() {
    if has_strace() {
        assert!(too_early(&trace(&["--set", "durability=os"]).await) > COUNT / 2);
    }
}
