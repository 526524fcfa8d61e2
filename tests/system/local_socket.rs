//! AMQP on a path of this machine.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::{TempDir, tempdir};

use crate::process::{PATIENCE, Process};
use crate::wire::Wire;

fn place() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("amqp.sock");
    (folder, path)
}

fn flags(path: &Path) -> Vec<String> {
    let listener = format!("listeners.unix.1={}", path.display());
    ["--listen", "127.0.0.1:0", "--set", &listener].map(str::to_owned).to_vec()
}

fn start(path: &Path) -> Process {
    let flags = flags(path);
    Process::start_with(&flags.iter().map(String::as_str).collect::<Vec<_>>())
}

fn connect(path: &Path) -> Wire {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut wire = Wire::over(stream);
    wire.log_in(0);
    wire.open_channel(1);
    wire
}

#[test]
fn a_client_comes_in_by_a_path_as_by_an_address() {
    let (_folder, path) = place();
    let mut process = start(&path);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let mut wire = connect(&path);
    wire.declare_queue("q");
    wire.round_trip("q");
    wire.close();
    let begin = format!("accepting AMQP connection unix:{}#1 -> unix:", std::process::id());
    process.logged(&begin);
    process.stop();
    assert!(!path.exists());
}

#[test]
fn the_path_of_a_process_that_was_killed_is_taken_over_and_one_in_use_is_not() {
    let (_folder, path) = place();
    let first = start(&path);
    first.signal(Signal::KILL);
    let mut ended = first;
    ended.ended();
    assert!(path.exists(), "it could not clean up");
    let second = start(&path);
    let flags = flags(&path);
    let mut third = Process::launch_with(&flags.iter().map(String::as_str).collect::<Vec<_>>());
    let (status, lines) = third.ended();
    assert_eq!(status.code(), Some(69));
    let text = format!("cannot listen on {}: another process listens there", path.display());
    assert!(lines.iter().any(|line| line.text.contains(&text)), "{lines:#?}");
    connect(&path).close();
    drop(second);
}
