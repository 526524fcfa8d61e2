//! A socket whose client must go on reading: a write that finds no room for too long fails. How
//! long reading may take is decided where it is known what is read.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::websocket::Upgraded;

/// A stream with a deadline for each of its writes.
#[derive(Debug)]
pub(super) struct PatientStream<Stream> {
    stream: Stream,
    patience: Duration,
    upgraded: Upgraded,
    /// Runs while a write waits.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<Stream> PatientStream<Stream> {
    /// Once it is `upgraded` it has no deadline any more.
    pub(super) fn new(stream: Stream, patience: Duration, upgraded: Upgraded) -> Self {
        Self { stream, patience, upgraded, timer: None }
    }

    /// What a write came to; none that waits waits for ever.
    fn in_time<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() || self.upgraded.is_set() {
            self.timer = None;
            return written;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(self.patience)));
        timer.as_mut().poll(context).map(|()| {
            Err(io::Error::new(ErrorKind::TimedOut, "the client does not read its answer"))
        })
    }
}

impl<Stream: AsyncRead + Unpin> AsyncRead for PatientStream<Stream> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<Stream: AsyncWrite + Unpin> AsyncWrite for PatientStream<Stream> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.in_time(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// A socket flushes nothing: that a write waits is not forgotten by it.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
