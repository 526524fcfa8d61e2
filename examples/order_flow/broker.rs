//! The broker in a process of its own, so that it can be killed: this program again, in another
//! role. Everybody else would start the `leveret` binary.

use std::error::Error;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use leveret::command_line;

/// The argument that makes a broker of this program.
pub(crate) const ROLE: &str = "broker";

/// A broker that runs, and what it keeps on disk.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) address: String,
    place: String,
    data: tempfile::TempDir,
    process: Child,
}

/// Is the broker, to its end.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let code = command_line::run(std::env::args_os().filter(|word| word != ROLE));
    if code == std::process::ExitCode::SUCCESS { Ok(()) } else { Err("the broker failed".into()) }
}

impl Broker {
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        // A port that is free now, for both lives.
        let place = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let data = tempfile::tempdir()?;
        let process = launch(&place, data.path())?;
        let address = format!("amqp://guest:guest@{place}/%2f");
        Ok(Self { address, place, data, process })
    }

    /// What `kill -9` does, and then the same again.
    pub(crate) fn kill_and_start_again(&mut self) -> Result<(), Box<dyn Error>> {
        self.process.kill()?;
        self.process.wait()?;
        println!("the broker is killed, and starts again");
        self.process = launch(&self.place, self.data.path())?;
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn launch(place: &str, data: &std::path::Path) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args([ROLE, "--listen", place, "--data-dir"])
        .arg(data)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}
