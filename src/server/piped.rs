//! A stream of another door as a session needs it: one that cannot tell whether it is ready, and is
//! read ahead, or written behind, a little for that. It copies all bytes once more; sockets do not
//! need it.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::transport::Transport;
use crate::limits::PIPE_BUFFER_SIZE;

/// A stream with a buffer on either side.
#[derive(Debug)]
pub(super) struct Piped<Stream> {
    stream: Stream,
    /// What was read ahead, and how much of it is used.
    ahead: Vec<u8>,
    used: usize,
    is_ended: bool,
    /// What is written and not with the stream yet.
    behind: Vec<u8>,
}

impl<Stream: AsyncRead + AsyncWrite + Unpin> Piped<Stream> {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, ahead: Vec::new(), used: 0, is_ended: false, behind: Vec::new() }
    }

    /// Hands on what was written, as far as there is room.
    fn poll_hand_on(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.behind.is_empty() {
            let written = Pin::new(&mut self.stream).poll_write(context, &self.behind);
            match ready!(written)? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                count => drop(self.behind.drain(..count)),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn is_read_out(&self) -> bool {
        self.used == self.ahead.len()
    }
}

impl<Stream: AsyncRead + AsyncWrite + Unpin> AsyncRead for Piped<Stream> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_read_out() {
            return match this.is_ended {
                true => Poll::Ready(Ok(())),
                false => Pin::new(&mut this.stream).poll_read(context, buffer),
            };
        }
        let rest = this.ahead.get(this.used..).unwrap_or(&[]);
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(rest.get(..count).unwrap_or(&[]));
        this.used += count;
        Poll::Ready(Ok(()))
    }
}

impl<Stream> Transport for Piped<Stream>
where
    Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn poll_read_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_read_out() || self.is_ended {
            return Poll::Ready(Ok(()));
        }
        self.used = 0;
        self.ahead.resize(PIPE_BUFFER_SIZE, 0);
        let mut buffer = ReadBuf::new(&mut self.ahead);
        let read = Pin::new(&mut self.stream).poll_read(context, &mut buffer);
        let count = buffer.filled().len();
        self.ahead.truncate(count);
        ready!(read)?;
        self.is_ended = count == 0;
        Poll::Ready(Ok(()))
    }

    fn poll_write_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_hand_on(context)
    }

    fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut context = Context::from_waker(Waker::noop());
        if self.poll_hand_on(&mut context)?.is_pending() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut count = 0;
        for slice in slices {
            let room = PIPE_BUFFER_SIZE - self.behind.len();
            let taken = slice.get(..room.min(slice.len())).unwrap_or(slice);
            self.behind.extend_from_slice(taken);
            count += taken.len();
        }
        // What finds no room now goes on when there is some.
        let _ = self.poll_hand_on(&mut context)?;
        Ok(count)
    }

    fn is_flushed(&self) -> bool {
        self.behind.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_is_read_ahead_is_not_lost() {
        let (mut near, far) = duplex(64);
        let mut piped = Piped::new(far);
        near.write_all(b"hello").await.unwrap();
        poll_fn(|context| piped.poll_read_ready(context)).await.unwrap();
        let mut start = [0; 2];
        piped.read_exact(&mut start).await.unwrap();
        drop(near);
        let mut rest = Vec::new();
        piped.read_to_end(&mut rest).await.unwrap();
        assert_eq!((&start[..], &rest[..]), (&b"he"[..], &b"llo"[..]));
        poll_fn(|context| piped.poll_read_ready(context)).await.unwrap();
    }

    #[tokio::test]
    async fn what_finds_no_room_goes_on_when_there_is_some() {
        let (mut near, far) = duplex(4);
        let mut piped = Piped::new(far);
        assert_eq!(piped.try_write(&[IoSlice::new(b"abc"), IoSlice::new(b"defghi")]).unwrap(), 9);
        assert!(!piped.is_flushed());
        assert_eq!(
            piped.try_write(&[IoSlice::new(b"x")]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        let mut seen = [0; 9];
        let write = poll_fn(|context| piped.poll_write_ready(context));
        let (written, read) = tokio::join!(write, near.read_exact(&mut seen));
        assert!(written.is_ok() && read.is_ok());
        assert_eq!(&seen, b"abcdefghi");
        assert!(piped.is_flushed());
    }
}
