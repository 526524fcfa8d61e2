//! A disk that is full, a folder that cannot be used: with a real file system of its own, and real
//! clients. What the store makes of errors one by one is shown in the simulation.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use futures_lite::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection};
use rustix::process::Signal;

use crate::durability::connect;
use crate::process::{PATIENCE, Process};

const BODY_SIZE: usize = 32 * 1024;

/// A file system in memory, taken away again at the end.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where mounting is refused, which is told.
    fn mount(megabytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path());
        if command.status().is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        println!("could not run: a full disk (mounting a file system is refused here)");
        assert!(std::env::var("CI").is_err(), "with CI=true a part that is missing fails");
        None
    }

    fn data(&self) -> String {
        self.0.path().join("data").display().to_string()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A folder that stays mounted is lazily taken away.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn start(folder: &str, settings: &[&str]) -> Process {
    let mut flags = vec!["--listen", "127.0.0.1:0", "--data-dir", folder];
    for setting in settings {
        flags.extend(["--set", setting]);
    }
    Process::start_with(&flags)
}

/// True where it is confirmed within so long.
async fn publish(channel: &Channel, patience: Duration) -> bool {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let body = vec![b'x'; BODY_SIZE];
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish("".into(), "q".into(), options, &body, properties);
    let confirmed = async { sent.await.unwrap().await.is_ok_and(|answer| answer.is_ack()) };
    tokio::time::timeout(patience, confirmed).await.unwrap_or(false)
}

/// Publishes until it is held back. Gives how many were confirmed.
async fn fill(process: &Process) -> (u32, Connection) {
    let (connection, channel) = connect(process).await;
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("q".into(), options, FieldTable::default()).await.unwrap();
    let mut confirmed = 0;
    while publish(&channel, Duration::from_secs(2)).await {
        confirmed += 1;
        assert!(confirmed < 20_000, "the disk is never full");
    }
    (confirmed, connection)
}

/// Takes at least so many messages; a consumer of its own, as advised, is never held back.
async fn drain(process: &Process, count: u32) {
    let (connection, channel) = connect(process).await;
    channel.basic_qos(100, BasicQosOptions::default()).await.unwrap();
    let options = BasicConsumeOptions::default();
    let none = FieldTable::default();
    let mut consumer = channel.basic_consume("q".into(), "".into(), options, none).await.unwrap();
    for taken in 0..count {
        let next = tokio::time::timeout(PATIENCE, consumer.next()).await;
        let delivery = next.unwrap_or_else(|_| panic!("only {taken} of {count} came"));
        let delivery = delivery.unwrap().unwrap();
        assert_eq!(delivery.data.len(), BODY_SIZE);
        delivery.acker.ack(BasicAckOptions::default()).await.unwrap();
    }
    connection.close(200, "".into()).await.unwrap();
}

/// A new publisher is confirmed again, soon.
async fn recovers(process: &Process) {
    let (_connection, channel) = connect(process).await;
    assert!(publish(&channel, PATIENCE).await, "publishers go on when there is room");
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_blocks_publishers_and_lets_consumers_make_room() {
    let Some(disk) = SmallDisk::mount(160) else { return };
    let mut process = start(&disk.data(), &[]);
    let (confirmed, connection) = fill(&process).await;
    assert!(confirmed > 500, "{confirmed}");
    process.logged("disk resource limit alarm set on node");
    assert!(connection.status().blocked(), "the publisher is told");
    drain(&process, confirmed).await;
    process.logged("disk resource limit alarm cleared on node");
    recovers(&process).await;
}

#[tokio::test]
async fn a_full_disk_holds_confirms_back_and_recovers_when_consumers_make_room() {
    let Some(disk) = SmallDisk::mount(120) else { return };
    let mut process = start(&disk.data(), &["disk_free_limit.absolute=0"]);
    let (confirmed, _connection) = fill(&process).await;
    assert!(confirmed > 500, "{confirmed}");
    process.logged("the disk is full");
    drain(&process, confirmed).await;
    recovers(&process).await;
}

#[tokio::test]
async fn what_was_confirmed_before_the_disk_was_full_survives_a_kill() {
    let Some(disk) = SmallDisk::mount(120) else { return };
    let settings = ["disk_free_limit.absolute=0"];
    let process = start(&disk.data(), &settings);
    let (confirmed, connection) = fill(&process).await;
    process.signal(Signal::KILL);
    let mut process = process;
    process.ended();
    drop((connection, process));
    let process = start(&disk.data(), &settings);
    drain(&process, confirmed).await;
    recovers(&process).await;
}

fn refused(folder: &Path) -> String {
    let folder = folder.display().to_string();
    let mut process =
        Process::launch_with(&["--listen", "127.0.0.1:0", "--data-dir", folder.as_str()]);
    let (status, lines) = process.ended();
    assert_eq!(status.code(), Some(69), "{lines:#?}");
    lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let process = Process::start();
    let text = refused(process.data_folder());
    assert!(text.contains("in use by process"), "{text}");
    assert!(text.contains(&process.id().to_string()), "{text}");
}

#[test]
fn a_file_in_place_of_the_data_directory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    std::fs::write(&file, "not a folder").unwrap();
    let text = refused(&file);
    assert!(text.contains(&file.display().to_string()), "{text}");
}

#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    let Some(disk) = SmallDisk::mount(8) else { return };
    let mut remount = Command::new("mount");
    remount.args(["-o", "remount,ro"]).arg(disk.0.path());
    assert!(remount.status().unwrap().success());
    let text = refused(&disk.0.path().join("data"));
    assert!(text.contains("Read-only file system"), "{text}");
}
