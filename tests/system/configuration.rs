//! What an operator wrote in files, the environment and flags, as the process takes it. What each
//! key means is shown beside the table of keys.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use leveret::protocol::methods::Method;
use tempfile::TempDir;

use crate::process::{Process, binary};
use crate::wire::Wire;

/// A configuration file in a folder of its own.
struct Written {
    _folder: TempDir,
    path: PathBuf,
}

impl Written {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("broker.conf");
        fs::write(&path, text).expect("a file");
        Self { _folder: folder, path }
    }

    fn path(&self) -> &str {
        self.path.to_str().expect("a path of text")
    }
}

fn refusal(flags: &[&str]) -> Vec<String> {
    let (status, lines) = Process::launch_with(flags).ended();
    // EX_CONFIG: service managers do not try again.
    assert_eq!(status.code(), Some(78), "{lines:#?}");
    assert!(lines.iter().all(|line| !line.is_output), "it never listened: {lines:#?}");
    lines.into_iter().map(|line| line.text).collect()
}

#[test]
fn all_mistakes_are_told_at_once_with_their_places() {
    let file = Written::new(
        "heartbeat = soon\n\
         # a comment\n\
         listeners.tcp.default = 70000\n\
         heart_beat = 60\n\
         channel_max = 100\n\
         log.console.level = loud\n\
         no equals sign\n",
    );
    let flags = ["--config", file.path(), "--set", "frame_max=tiny", "--listen", "nowhere"];
    let errors = refusal(&flags);
    let path = file.path();
    let expect = |place: &str, parts: &[&str]| {
        let found = errors.iter().find(|error| error.starts_with(place));
        let found = found.unwrap_or_else(|| panic!("{place} in {errors:#?}"));
        for part in parts {
            assert!(found.contains(part), "{part} in {found}");
        }
    };
    expect(&format!("{path}:1: "), &["heartbeat", "expected a whole number", "`soon`"]);
    expect(&format!("{path}:3: "), &["listeners.tcp.default", "expected a port", "`70000`"]);
    expect(&format!("{path}:4: "), &["heart_beat", "heartbeat"]);
    expect(&format!("{path}:6: "), &["log.console.level", "expected", "`loud`"]);
    expect(&format!("{path}:7: "), &["expected"]);
    expect("--set: ", &["frame_max", "expected a size in bytes", "`tiny`"]);
    expect("--listen: ", &["expected a port", "`nowhere`"]);
    assert_eq!(errors.len(), 7, "{errors:#?}");
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let errors = refusal(&["--config", "/nowhere/broker.conf"]);
    assert!(errors[0].starts_with("/nowhere/broker.conf: "), "{errors:#?}");
    assert_eq!(errors.len(), 1, "{errors:#?}");
}

#[test]
fn keys_that_are_not_used_yet_are_warned_of_and_do_not_stop_the_start() {
    let file = Written::new(
        "net_ticktime = 40\n\
         num_acceptors.tcp = 10\n\
         heartbeat = 7\n",
    );
    let flags = ["--listen", "127.0.0.1:0", "--config", file.path()];
    let mut process = Process::start_with(&flags);
    let path = Path::new(file.path()).display();
    let line = process.logged("net_ticktime");
    let expected = format!("{path}:1: net_ticktime is not used yet");
    assert!(line.contains("[warning]") && line.ends_with(&expected), "{line}");
    let line = process.logged("num_acceptors.tcp");
    let expected = format!("{path}:2: num_acceptors.tcp has no meaning here: ");
    assert!(line.contains("[warning]") && line.contains(&expected), "{line}");
    process.stop();
    let (_, lines) = process.ended();
    let warnings = lines.iter().filter(|line| line.text.contains("[warning]")).count();
    assert_eq!(warnings, 2, "{lines:#?}");
}

#[test]
fn flags_win_over_the_environment_and_that_over_files() {
    let file = Written::new("heartbeat = 11\nchannel_max = 12\nframe_max = 8192\n");
    let mut command = Command::new(binary());
    command.args(["--listen", "127.0.0.1:0", "--config", file.path(), "--set", "heartbeat=31"]);
    // `env` puts them behind the test's own variables, which the broker must not see.
    let mut wrapped = Command::new("env");
    wrapped.args(["LEVERET_HEARTBEAT=21", "LEVERET_CHANNEL_MAX=22"]);
    wrapped.arg(command.get_program()).args(command.get_args());
    let process = Process::start_by(wrapped);
    let mut wire = Wire::plug(process.address());
    wire.greet("guest");
    match wire.next_method().method() {
        Method::ConnectionTune(tune) => {
            assert_eq!((tune.heartbeat, tune.channel_max, tune.frame_max), (31, 22, 8192));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unknown_variable_with_our_prefix_stops_the_start() {
    let mut wrapped = Command::new("env");
    wrapped.args(["LEVERET_HARTBEAT=5"]).arg(binary());
    let output = wrapped.output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("LEVERET_HARTBEAT") && error.contains("LEVERET_HEARTBEAT"), "{error}");
}
