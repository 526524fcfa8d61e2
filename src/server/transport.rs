//! What a session moves its bytes over: a socket, of whatever kind. Each kind makes a session's
//! task of its own when it is compiled, so that nothing is paid for the others.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use tokio::io::AsyncRead;
use tokio::net::{TcpStream, UnixStream};

/// A stream that tells when it is ready, and then reads and writes without waiting.
pub(super) trait Transport: AsyncRead + Unpin + Send + 'static {
    /// Whether a read would bring something, if only that nothing comes any more.
    fn poll_read_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether a write would get somewhere.
    fn poll_write_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Writes what finds room now, and tells how much that was.
    ///
    /// # Errors
    /// There is no room (`WouldBlock`), or nobody who reads.
    fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// All that was written is with the system. Where it is not, a write of nothing goes on.
    fn is_flushed(&self) -> bool {
        true
    }

    /// Says that nothing more is written, where there is a way to say so.
    fn say_end(&mut self) {}
}

impl Transport for TcpStream {
    fn poll_read_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_read_ready(self, context)
    }

    fn poll_write_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_write_ready(self, context)
    }

    fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(slices)
    }
}

impl Transport for UnixStream {
    fn poll_read_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_read_ready(self, context)
    }

    fn poll_write_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_write_ready(self, context)
    }

    fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(slices)
    }
}
