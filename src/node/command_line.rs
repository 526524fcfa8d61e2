//! The flags of `leveret serve`: what may be typed. What it means is decided in `config`.

use std::path::PathBuf;

use clap::Args;

/// What the help of `serve` ends with.
pub(crate) const SERVE_HELP: &str = "\
Settings:
  Every key of rabbitmq.conf is understood. Files come first, then environment variables named
  as the key in capitals with underscores (LEVERET_LISTENERS_TCP_DEFAULT=5672), then flags; what
  comes later wins. A key that is not used yet is answered with a warning, an unknown key or a
  bad value stops the start. config/leveret.conf in the source lists every key.

Examples:
  leveret
      Listen on 127.0.0.1:5672 and [::1]:5672, data in ./data.
  leveret --listen 5672 --data-dir /var/lib/leveret
      Listen on every interface.
  leveret --config leveret.conf --set log.console.level=debug
      Read a file, then override one key.
  LEVERET_HEARTBEAT=30 leveret --listen 127.0.0.1:0
      Let the system choose a port; the start-up line says which.";

/// The flags of `serve`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Serve {
    /// A configuration file in the syntax of rabbitmq.conf, or a folder of *.conf files; of
    /// several, the later ones win
    #[arg(long, short, value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// Where to listen for AMQP, in place of all listeners that are configured: PORT for every
    /// interface, or ADDRESS:PORT. May be given several times. Port 0 lets the system choose
    #[arg(long, short, value_name = "ADDRESS")]
    pub listen: Vec<String>,
    /// The folder that holds all of the node's data [default: ./data]
    #[arg(long, short, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Set any key, as a line of a configuration file would. May be given several times
    #[arg(long, short, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}
