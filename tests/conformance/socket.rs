//! A socket to a broker somewhere: bytes out, bytes in, with patience.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long nothing must come to count as silence.
const SILENCE: Duration = Duration::from_millis(250);

pub(crate) fn plug(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection to the peer");
    stream.set_nodelay(true).expect("an option");
    stream.set_write_timeout(Some(PATIENCE)).expect("an option");
    stream
}

/// A peer that has hung up reads nothing more; what it said before is still to be read.
pub(crate) fn send(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes);
}

/// What came, and whether the socket is still open; nothing where nothing came in time.
pub(crate) fn read(stream: &mut TcpStream, is_awaited: bool) -> (Vec<u8>, bool) {
    let wait = if is_awaited { PATIENCE } else { SILENCE };
    stream.set_read_timeout(Some(wait)).expect("an option");
    let mut buffer = vec![0; 64 * 1024];
    match stream.read(&mut buffer) {
        Ok(0) => (Vec::new(), false),
        Ok(count) => {
            buffer.truncate(count);
            (buffer, true)
        }
        Err(error) => {
            let is_open = matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
            );
            (Vec::new(), is_open)
        }
    }
}
