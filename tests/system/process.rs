//! A broker as a process of its own: started on ports that the system chooses, read line by line,
//! ended by a signal. What is said to it over a socket is in `wire`.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use leveret::server::Clock;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long anything may take that is expected to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running broker, or one that has just ended.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    lines: Receiver<Line>,
    seen: Vec<Line>,
    /// Its data directory is in here.
    folder: TempDir,
    addresses: Vec<SocketAddr>,
}

/// One line that it wrote.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// On its standard output, not among the logs.
    pub(crate) is_output: bool,
    pub(crate) text: String,
}

/// The binary that was built with this test.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_leveret"))
}

impl Process {
    /// Starts it on a port of 127.0.0.1, and waits until it listens.
    pub(crate) fn start() -> Self {
        Self::start_with(&["--listen", "127.0.0.1:0"])
    }

    /// Starts it with these flags, and waits until it listens.
    pub(crate) fn start_with(flags: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.arg("serve").args(flags);
        Self::start_by(command)
    }

    /// Starts it by a command line of one's own, and waits until it listens.
    pub(crate) fn start_by(command: Command) -> Self {
        let mut process = Self::launch_by(command);
        let line = process.output_line();
        process.addresses = addresses(&line);
        process
    }

    /// Starts it with these flags, and waits for nothing.
    pub(crate) fn launch_with(flags: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.arg("serve").args(flags);
        Self::launch_by(command)
    }

    /// Ends it by a signal, SIGKILL for one that it cannot prepare for, and starts it again on the
    /// same data, on another port.
    pub(crate) fn restart(self, signal: Signal) -> Self {
        let mut command = Command::new(binary());
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        self.restart_by(signal, command)
    }

    /// The same by a command line of one's own.
    pub(crate) fn restart_by(self, signal: Signal, command: Command) -> Self {
        self.signal(signal);
        let mut process = self;
        process.ended();
        let folder = std::mem::replace(&mut process.folder, tempfile::tempdir().expect("a folder"));
        let mut process = Self::launch_in(command, folder);
        let line = process.output_line();
        process.addresses = addresses(&line);
        process
    }

    /// Starts it by a command line of one's own, and waits for nothing.
    pub(crate) fn launch_by(command: Command) -> Self {
        Self::launch_in(command, tempfile::tempdir().expect("a folder for the data"))
    }

    fn launch_in(mut command: Command, folder: TempDir) -> Self {
        // What is set for the tests is none of the broker's business.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LEVERET_") {
                command.env_remove(name);
            }
        }
        command.env("LEVERET_DATA_DIR", folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the broker starts");
        let (sender, lines) = channel();
        read_lines(child.stdout.take().expect("a pipe"), true, sender.clone());
        read_lines(child.stderr.take().expect("a pipe"), false, sender);
        Self { child, lines, seen: Vec::new(), folder, addresses: Vec::new() }
    }

    /// Where it listens, or the first of several places.
    pub(crate) fn address(&self) -> SocketAddr {
        *self.addresses.first().expect("it listens somewhere")
    }

    /// All places where it listens.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The folder that holds its data.
    pub(crate) fn data_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits for a line of its log with this in it, from the start on.
    pub(crate) fn logged(&mut self, part: &str) -> String {
        self.line(part, |line| !line.is_output && line.text.contains(part))
    }

    /// Waits for the first line on its standard output.
    pub(crate) fn output_line(&mut self) -> String {
        self.line("a start-up line", |line| line.is_output)
    }

    /// Waits for its end; gives what it said until then.
    pub(crate) fn ended(&mut self) -> (ExitStatus, Vec<Line>) {
        let clock = Clock::start();
        while self.next_line(clock).is_some() {}
        (self.child.wait().expect("it has ended"), self.seen.clone())
    }

    /// Asks it to stop, by SIGTERM or another signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it takes signals");
    }

    /// Stops it as an operator does. Its end must be a clean one.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        let (status, lines) = self.ended();
        assert!(status.success(), "{status}: {lines:#?}");
    }

    fn line(&mut self, what: &str, is_meant: impl Fn(&Line) -> bool) -> String {
        if let Some(line) = self.seen.iter().find(|line| is_meant(line)) {
            return line.text.clone();
        }
        let clock = Clock::start();
        while let Some(line) = self.next_line(clock) {
            if is_meant(&line) {
                return line.text;
            }
        }
        panic!("the broker ended and never said {what}: {:#?}", self.seen);
    }

    /// The next line, or none where both its outputs are closed.
    fn next_line(&mut self, since: Clock) -> Option<Line> {
        match self.lines.recv_timeout(PATIENCE.saturating_sub(since.elapsed())) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("nothing more in {PATIENCE:?} after {:#?}", self.seen)
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already where a test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(pipe: impl Read + Send + 'static, is_output: bool, lines: Sender<Line>) {
    let read = move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&line).into_owned();
            if lines.send(Line { is_output, text }).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("lines".to_owned()).spawn(read).expect("a thread");
}

/// The addresses in the start-up line, which has paths too, and says which are encrypted.
fn addresses(line: &str) -> Vec<SocketAddr> {
    let (_, rest) = line.split_once("listens on ").expect(line);
    let (list, _) = rest.split_once(';').expect(line);
    let listed = list.split(", ").filter(|place| !place.starts_with('/'));
    listed.map(|address| address.trim_end_matches(" (TLS)").parse().expect(line)).collect()
}
