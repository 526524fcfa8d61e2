//! AMQP over a WebSocket, on the port of the HTTP API, with a client that knows just enough of
//! WebSockets: it writes binary messages, and reads those that come.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::certificates::plug;
use crate::management::{MANAGED, place};
use crate::process::Process;
use crate::wire::Wire;

/// A socket that has become a WebSocket, and the head of the answer by which it did.
fn upgraded(address: SocketAddr, more: &str) -> (TcpStream, String) {
    let mut stream = plug(address);
    let request = format!(
        "GET /ws/amqp HTTP/1.1\r\nHost: hare\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    (stream, String::from_utf8(head).unwrap().to_ascii_lowercase())
}

/// The bytes in the messages of a WebSocket.
#[derive(Debug)]
struct Messages {
    stream: TcpStream,
    /// Bytes of the message that is being read.
    left: u64,
}

impl Write for Messages {
    /// One message, masked with nothing.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = &bytes[..bytes.len().min(60_000)];
        let size = u16::try_from(part.len()).unwrap().to_be_bytes();
        let frame = [&[0x82, 0x80 | 126], &size[..], &[0; 4], part].concat();
        self.stream.write_all(&frame)?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Messages {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 {
            let mut head = [0; 2];
            if self.stream.read(&mut head[..1])? == 0 {
                return Ok(0);
            }
            self.stream.read_exact(&mut head[1..])?;
            let mut long = [0; 8];
            self.left = match head[1] {
                126 => {
                    self.stream.read_exact(&mut long[6..])?;
                    u64::from_be_bytes(long)
                }
                127 => {
                    self.stream.read_exact(&mut long)?;
                    u64::from_be_bytes(long)
                }
                size => u64::from(size),
            };
            if head[0] == 0x88 {
                return Ok(0);
            }
            assert_eq!(head[0], 0x82, "a whole binary message");
        }
        let most = buffer.len().min(usize::try_from(self.left).unwrap());
        let count = self.stream.read(&mut buffer[..most])?;
        self.left -= count as u64;
        Ok(count)
    }
}

#[test]
fn amqp_goes_over_a_websocket() {
    let mut process = Process::start_with(&MANAGED);
    let address = place(&mut process);
    let (stream, head) = upgraded(address, "Sec-WebSocket-Protocol: other, amqp\r\n");
    assert!(head.starts_with("http/1.1 101"), "{head}");
    assert!(head.contains("sec-websocket-protocol: amqp\r\n"), "{head}");
    let own = stream.local_addr().unwrap();
    let mut wire = Wire::over(Messages { stream, left: 0 });
    wire.log_in(0);
    process.logged(&format!("accepting AMQP connection {own} -> {address}"));
    wire.open_channel(1);
    wire.declare_queue("q");
    wire.round_trip("q");
    wire.send_and_get_back("q", &vec![b'x'; 3_000_000]);
    wire.close();
    process.logged(&format!("closing AMQP connection ({own} -> {address})"));
}

#[test]
fn websockets_do_not_take_the_places_of_http() {
    let mut process = Process::start_with(&MANAGED);
    let address = place(&mut process);
    let mut wires = Vec::new();
    for _ in 0..70 {
        let (stream, head) = upgraded(address, "");
        assert!(!head.contains("sec-websocket-protocol"), "{head}");
        let mut wire = Wire::over(Messages { stream, left: 0 });
        wire.log_in(0);
        wires.push(wire);
    }
    let mut stream = plug(address);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: hare\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    process.stop();
}

#[test]
fn a_websocket_on_which_nobody_logs_in_is_closed_as_any_connection() {
    let flags = [&MANAGED[..], &["--set", "handshake_timeout=300"]].concat();
    let mut process = Process::start_with(&flags);
    let (stream, _) = upgraded(place(&mut process), "");
    assert_eq!(Messages { stream, left: 0 }.read(&mut [0; 8]).unwrap(), 0);
    process.logged("handshake timeout");
}

/// Every page that somebody here looked at could log in as guest.
#[test]
fn pages_of_other_origins_get_no_websocket_unless_they_are_listed() {
    let listed = ["--set", "management.cors.allow_origins.1=https://owl.example"];
    let mut process = Process::start_with(&[&MANAGED[..], &listed].concat());
    let address = place(&mut process);
    for (origin, status) in [
        ("http://hare", "101 switching"),
        ("https://owl.example", "101 switching"),
        ("https://fox.example", "403 forbidden"),
    ] {
        let (_, head) = upgraded(address, &format!("Origin: {origin}\r\n"));
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{origin} {head}");
    }
    process.logged("AMQP over a WebSocket refused to a page of 'https://fox.example'");
}

#[test]
fn who_speaks_another_subprotocol_only_gets_no_websocket() {
    let mut process = Process::start_with(&MANAGED);
    let address = place(&mut process);
    let (_, head) = upgraded(address, "Sec-WebSocket-Protocol: mqtt, stomp\r\n");
    assert!(head.starts_with("http/1.1 400"), "{head}");
}

#[test]
fn there_are_no_websockets_where_they_are_switched_off() {
    let flags = [&MANAGED[..], &["--set", "web_amqp.enabled=false"]].concat();
    let mut process = Process::start_with(&flags);
    let (_, head) = upgraded(place(&mut process), "");
    assert!(head.starts_with("http/1.1 404"), "{head}");
}

#[test]
fn what_asks_for_no_websocket_is_told_so() {
    let mut process = Process::start_with(&MANAGED);
    let mut stream = plug(place(&mut process));
    stream.write_all(b"GET /ws/amqp HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
}
