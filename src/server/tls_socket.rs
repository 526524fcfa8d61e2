//! A session's bytes over TLS. What came from the socket is decrypted in one go, what is written is
//! encrypted at once and waits here while the socket takes no more. The handshake is over by then.

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::server::ServerConnection;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::transport::Transport;
use crate::limits::READ_BUFFER_SIZE;

thread_local! {
    /// What a socket brought, encrypted; one for all connections of a worker thread.
    static ENCRYPTED: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BUFFER_SIZE]);
}

/// A socket with TLS on it.
#[derive(Debug)]
pub(super) struct TlsSocket {
    stream: TcpStream,
    connection: ServerConnection,
}

impl From<TlsStream<TcpStream>> for TlsSocket {
    fn from(stream: TlsStream<TcpStream>) -> Self {
        let (stream, connection) = stream.into_inner();
        Self { stream, connection }
    }
}

impl TlsSocket {
    /// Reads from the socket as much as finds room once it is decrypted; true at its end.
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<bool>> {
        ENCRYPTED.with_borrow_mut(|encrypted| {
            let size = buffer.remaining().min(encrypted.len());
            let mut encrypted = ReadBuf::new(encrypted.get_mut(..size).unwrap_or(&mut []));
            match Pin::new(&mut self.stream).poll_read(context, &mut encrypted) {
                Poll::Ready(result) => result?,
                Poll::Pending => return Poll::Pending,
            }
            let mut bytes = encrypted.filled();
            if bytes.is_empty() {
                return Poll::Ready(Ok(true));
            }
            while !bytes.is_empty() {
                self.connection.read_tls(&mut bytes)?;
                if let Err(error) = self.connection.process_new_packets() {
                    // The other side hears why, if it still listens.
                    let _ = self.flush();
                    return Poll::Ready(Err(io::Error::new(ErrorKind::InvalidData, error)));
                }
                self.take_decrypted(buffer)?;
            }
            Poll::Ready(Ok(false))
        })
    }

    /// Moves what is decrypted; true where nothing comes any more.
    fn take_decrypted(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<bool> {
        while buffer.remaining() > 0 {
            match self.connection.reader().read(buffer.initialize_unfilled()) {
                Ok(0) => return Ok(true),
                Ok(count) => buffer.advance(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                // Who hangs up without a word is gone all the same.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Writes what is encrypted, while the socket takes it.
    fn flush(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            if self.connection.write_tls(&mut Now(&self.stream))? == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}

impl AsyncRead for TlsSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let is_over = this.take_decrypted(buffer)?;
        if is_over || buffer.filled().len() > before {
            return Poll::Ready(Ok(()));
        }
        loop {
            match this.poll_receive(context, buffer) {
                Poll::Ready(Ok(is_over)) if is_over || buffer.filled().len() > before => {
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(_)) if this.is_ended() => return Poll::Ready(Ok(())),
                // That was part of a record, or none that carries anything.
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl TlsSocket {
    /// The other side said that nothing more comes.
    fn is_ended(&mut self) -> bool {
        self.connection.process_new_packets().is_ok_and(|state| state.peer_has_closed())
    }
}

impl Transport for TlsSocket {
    fn poll_read_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.connection.wants_read() {
            true => self.stream.poll_read_ready(context),
            // Something is decrypted already, or nothing comes any more.
            false => Poll::Ready(Ok(())),
        }
    }

    fn poll_write_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_write_ready(context)
    }

    fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.flush()?;
        let taken = self.connection.writer().write_vectored(slices)?;
        match self.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    fn is_flushed(&self) -> bool {
        !self.connection.wants_write()
    }

    fn say_end(&mut self) {
        self.connection.send_close_notify();
        // Who does not listen need not know.
        let _ = self.flush();
    }
}

/// A socket that is written to without waiting.
struct Now<'a>(&'a TcpStream);

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
