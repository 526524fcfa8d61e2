//! One socket of a reactor: connecting, reading and writing without ever waiting. What the bytes
//! mean is its client's business.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use super::error::WireError;
use super::handshake::FRAME_SIZE_MAX;
use super::input::{Input, is_silence};

/// A socket with what is known of it.
#[derive(Debug)]
pub(in crate::perf) struct Link {
    stream: TcpStream,
    pub(super) input: Input,
    pub(super) frame_size_max: usize,
    is_connected: bool,
    /// There may be something to read.
    pub(super) is_readable: bool,
    /// There may be room to write.
    pub(super) is_writable: bool,
}

impl Link {
    /// Of a connection that is open already, with bytes that were read from it and not looked at.
    pub(super) fn of(
        stream: TcpStream,
        rest: Vec<u8>,
        frame_size_max: usize,
    ) -> Result<Self, WireError> {
        stream.set_nonblocking(true)?;
        let input = Input::after(rest);
        let is_readable = input.has_rest();
        let link = Self {
            stream,
            input,
            frame_size_max,
            is_connected: true,
            is_readable,
            is_writable: false,
        };
        Ok(link)
    }

    /// Begins to connect. The socket becomes writable when that is done.
    pub(super) fn connect(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(IN_PROGRESS) => {}
            Err(error) => return Err(error),
        }
        Ok(Self {
            stream: socket.into(),
            input: Input::default(),
            frame_size_max: FRAME_SIZE_MAX,
            is_connected: false,
            is_readable: false,
            is_writable: false,
        })
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Whether it is connected by now; an error where it never will be.
    pub(super) fn has_connected(&mut self) -> io::Result<bool> {
        if !self.is_connected && self.is_writable {
            if let Some(error) = self.stream.take_error()? {
                return Err(error);
            }
            self.is_connected = true;
        }
        Ok(self.is_connected)
    }

    /// Reads once behind what was left over; the octets that lie there now, and how many are new.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<(usize, usize)> {
        let restored = self.input.restore(buffer);
        let room = buffer.len() - restored;
        let size = Input::read(&mut self.stream, buffer, restored)?.unwrap_or(0);
        // Less than there was room for: the next bytes will be told.
        self.is_readable = size == room;
        Ok((restored + size, size))
    }

    /// Writes as much as there is room for.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = match self.stream.write(bytes) {
            Ok(size) => size,
            Err(error) if is_silence(&error) => 0,
            Err(error) => return Err(error),
        };
        self.is_writable = size == bytes.len();
        Ok(size)
    }

    /// Whether the peer still holds its end and has said nothing: how an idle connection is.
    pub(in crate::perf) fn is_quiet(&mut self) -> bool {
        let nothing = self.stream.read(&mut [0; 1]);
        nothing.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Gives the socket back, which waits again.
    pub(in crate::perf) fn into_stream(self) -> io::Result<TcpStream> {
        self.stream.set_nonblocking(false)?;
        Ok(self.stream)
    }
}

/// What `connect` says where it does not wait.
const IN_PROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn pair() -> (Link, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        (Link::of(near, b"rest".to_vec(), 4096).unwrap(), far)
    }

    #[test]
    fn what_was_left_over_stands_before_what_is_read() {
        let (mut link, mut far) = pair();
        assert!(link.is_readable);
        far.write_all(b"more").unwrap();
        let mut buffer = [0; 64];
        let mut size = link.read(&mut buffer).unwrap();
        while size.0 < 8 {
            link.input = Input::after(buffer[..size.0].to_vec());
            size = link.read(&mut buffer).unwrap();
        }
        assert_eq!(&buffer[..8], b"restmore");
        assert!(!link.is_readable, "a short read says that nothing is left");
    }

    #[test]
    fn a_full_socket_takes_a_part_and_says_so() {
        let (mut link, _far) = pair();
        link.is_writable = true;
        let bytes = vec![0; 64 << 20];
        assert!(link.write(&bytes).unwrap() < bytes.len());
        assert!(!link.is_writable);
    }

    #[test]
    fn an_idle_connection_is_quiet_until_the_peer_speaks_or_leaves() {
        let (mut link, far) = pair();
        assert!(link.is_quiet());
        drop(far);
        while link.is_quiet() {}
        assert!(!link.is_quiet());
    }
}
