//! The task of one connection: waits until there is something to do, and moves bytes. It owns no
//! read buffer while it waits; what a read brings that is not yet a whole frame is all it keeps.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncReadExt, ReadBuf};
use tokio::time::{Sleep, sleep};
use tracing::{error, info, warn};

use super::clock::Clock;
use super::gathering::Gathering;
use super::transport::Transport;
use crate::broker::Session;
use crate::connection::CloseReason;
use crate::limits::{
    BUSY_READ_SIZE_MIN, HANG_UP_PATIENCE_MS, READ_BUFFER_SIZE, WRITE_BUFFER_SIZE_MAX,
    WRITE_SLICES_MAX,
};
use crate::message::Moment;

thread_local! {
    /// One read buffer for all connections of a worker thread.
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BUFFER_SIZE]);

    /// A buffer that the next connection of a worker thread writes to: an idle one has none.
    static WRITE_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What woke a session.
#[derive(Clone, Copy, Debug, Default)]
struct Ready {
    readable: bool,
    writable: bool,
    has_events: bool,
    is_late: bool,
}

impl Ready {
    /// Nothing else woke it.
    fn is_by_events(self) -> bool {
        self.has_events && !self.readable && !self.writable && !self.is_late
    }
}

/// One connection's loop.
#[derive(Debug)]
pub(super) struct SessionTask<Stream> {
    session: Session,
    stream: Stream,
    clock: Clock,
    name: String,
    /// Bytes that were read and not used yet: part of a frame, or what must wait.
    rest: Vec<u8>,
    timer: Option<(Moment, Pin<Box<Sleep>>)>,
    /// The socket took less than there was.
    is_write_blocked: bool,
    /// It read much, and there may be more.
    is_busy: bool,
    gathering: Gathering,
}

impl<Stream: Transport> SessionTask<Stream> {
    pub(super) fn new(session: Session, stream: Stream, clock: Clock, name: String) -> Self {
        Self {
            session,
            stream,
            clock,
            name,
            rest: Vec::new(),
            timer: None,
            is_write_blocked: false,
            is_busy: false,
            gathering: Gathering::default(),
        }
    }

    /// Runs until the connection is over.
    /// It is boxed, so that the task holds one pointer and not several copies on its way.
    pub(super) async fn run(mut self: Box<Self>) {
        let result = self.serve().await;
        self.session.abort(self.clock.now());
        self.log_end(&result);
        self.stream.say_end();
        if self.session.connection().close_reason() == Some(&CloseReason::ByClient) {
            self.await_hang_up().await;
        }
    }

    /// After close-ok the socket is the client's to close, as in RabbitMQ: some clients take an end
    /// that comes too early for a failure.
    async fn await_hang_up(&mut self) {
        let patience = Duration::from_millis(HANG_UP_PATIENCE_MS);
        let mut rest = [0; 64];
        let hang_up =
            async { while self.stream.read(&mut rest).await.is_ok_and(|count| count > 0) {} };
        // A client that does not hang up is hung up on.
        let _ = tokio::time::timeout(patience, hang_up).await;
    }

    async fn serve(&mut self) -> io::Result<()> {
        loop {
            self.set_timer();
            self.reclaim_buffer();
            let mut ready = poll_fn(|context| self.poll_ready(context)).await?;
            if ready.is_by_events() && self.gathers() {
                give_way().await;
                self.gathering.learn(!self.session.has_small_delivery());
                // The events are still there, and perhaps bytes as well.
                ready = poll_fn(|context| self.poll_ready(context)).await?;
            }
            self.lend_buffer();
            if ready.is_late {
                self.session.elapse(self.clock.now());
            }
            if ready.writable {
                self.is_write_blocked = false;
            }
            if ready.has_events || ready.writable || ready.is_late {
                if self.session.awaits_disk() {
                    self.session.learn_time(self.clock.now());
                }
                self.session.pump();
                self.use_rest();
            }
            // What is left over may have to wait again: then nothing is added to it.
            let reads = ready.readable && (self.rest.is_empty() || self.session.may_read());
            let is_open = !reads || poll_fn(|context| self.poll_read(context)).await?;
            self.write()?;
            // Whose time is over is not waited for until it reads.
            let may_end = ready.is_late || !self.is_write_blocked;
            if !is_open || (self.session.connection().is_closed() && may_end) {
                return Ok(());
            }
            // Others on this thread have their turn before this one reads again.
            match std::mem::take(&mut self.is_busy) {
                true => give_way().await,
                false => tokio::task::consume_budget().await,
            }
        }
    }

    /// What there is to write may wait until others who are ready had their turn.
    fn gathers(&mut self) -> bool {
        self.session.has_small_delivery() && self.gathering.is_due()
    }

    fn lend_buffer(&mut self) {
        let buffer = WRITE_BUFFER.take();
        if let Some(unused) = self.session.output().lend(buffer) {
            WRITE_BUFFER.set(unused);
        }
    }

    /// Memory of a connection that waits is of use to others; large ones are of use to nobody.
    fn reclaim_buffer(&mut self) {
        let buffer = self.session.output().reclaim();
        if buffer.capacity() > 0 && buffer.capacity() <= WRITE_BUFFER_SIZE_MAX {
            WRITE_BUFFER.set(buffer);
        }
    }

    /// Waits for whatever comes first: bytes, room, events, time.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        let has_events = match self.session.is_congested() {
            true => self.session.register_congested(context.waker()),
            false => self.session.register(context.waker()),
        };
        let mut ready = Ready { has_events, ..Ready::default() };
        if self.session.may_read() {
            ready.readable = is_ready(self.stream.poll_read_ready(context))?;
        }
        if self.is_write_blocked {
            ready.writable = is_ready(self.stream.poll_write_ready(context))?;
        }
        if let Some((_, timer)) = &mut self.timer {
            ready.is_late = timer.as_mut().poll(context).is_ready();
        }
        if ready.has_events || ready.readable || ready.writable || ready.is_late {
            if ready.is_late {
                self.timer = None;
            }
            return Poll::Ready(Ok(ready));
        }
        Poll::Pending
    }

    /// One timer per session, moved only when its deadline comes nearer.
    fn set_timer(&mut self) {
        let Some(deadline) = self.session.deadline() else {
            self.timer = None;
            return;
        };
        if self.timer.as_ref().is_some_and(|(set, _)| *set <= deadline) {
            return;
        }
        let wait = self.clock.until(deadline);
        self.timer = Some((deadline, Box::pin(sleep(wait))));
    }

    /// Reads what there is, a buffer at the most. False where the client is gone. It never waits.
    /// (`try_read` does not conclude from a short read that the socket is empty: each message would
    /// cost another read, in vain.)
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(result) => result?,
                Poll::Pending => return Poll::Ready(Ok(true)),
            }
            let bytes = buffer.filled();
            self.is_busy = bytes.len() >= BUSY_READ_SIZE_MIN;
            self.take(bytes);
            Poll::Ready(Ok(!bytes.is_empty()))
        })
    }

    /// Gives bytes to the session, behind what was left before.
    fn take(&mut self, bytes: &[u8]) {
        self.session.count_received(bytes.len());
        let now = self.clock.now();
        if self.rest.is_empty() {
            let used = self.session.receive(bytes, now);
            self.rest.extend_from_slice(bytes.get(used..).unwrap_or(&[]));
        } else {
            self.rest.extend_from_slice(bytes);
            self.use_rest();
        }
    }

    /// Offers again what was left.
    fn use_rest(&mut self) {
        if self.rest.is_empty() {
            return;
        }
        let used = self.session.receive(&self.rest, self.clock.now());
        if used == self.rest.len() {
            self.rest = Vec::new();
        } else {
            self.rest.drain(..used);
        }
    }

    /// Writes what there is, and what comes up meanwhile, until the socket takes no more.
    fn write(&mut self) -> io::Result<()> {
        while !self.is_write_blocked && self.has_to_write() {
            let mut slices = [IoSlice::new(&[]); WRITE_SLICES_MAX];
            let filled = self.session.output().fill(&mut slices);
            match self.stream.try_write(slices.get(..filled).unwrap_or(&[])) {
                Ok(count) => {
                    self.session.output().advance(count);
                    self.session.count_sent(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_write_blocked = true;
                }
                Err(error) => return Err(error),
            }
            self.session.sent(self.clock.now());
            if !self.is_write_blocked && self.session.output().is_empty() {
                self.session.pump();
                self.use_rest();
            }
        }
        Ok(())
    }

    fn has_to_write(&mut self) -> bool {
        !self.session.output().is_empty() || !self.stream.is_flushed()
    }

    fn log_end(&self, result: &io::Result<()>) {
        let name = &self.name;
        let hung_up = "client unexpectedly closed TCP connection";
        let why = match (self.session.connection().close_reason(), result) {
            (Some(CloseReason::ByClient), _) => {
                info!(target: "connection", "closing AMQP connection ({name})");
                return;
            }
            (Some(CloseReason::MissedHeartbeats(seconds)), _) => {
                format!("missed heartbeats from client, timeout: {seconds}s")
            }
            (Some(CloseReason::ByBroker { text, is_answered: true }), _)
            | (Some(CloseReason::LoginRefused(text)), _) => text.clone(),
            (Some(CloseReason::ByBroker { text, is_answered: false }), _) => {
                format!("{text}; {hung_up}")
            }
            (Some(CloseReason::HandshakeTimeout), _) => "handshake timeout".to_owned(),
            (Some(CloseReason::ForeignProtocol(hint)), _) => {
                format!("the client does not speak AMQP 0-9-1 but {hint}")
            }
            (None, Ok(())) => hung_up.to_owned(),
            (None, Err(error)) => format!("{hung_up}: {error}"),
        };
        warn!(target: "connection", "closing AMQP connection ({name}): {why}");
    }
}

impl<Stream> Drop for SessionTask<Stream> {
    /// A panic ends this task only: the runtime keeps it, and the session gives back what it holds.
    fn drop(&mut self) {
        if std::thread::panicking() {
            error!(
                target: "connection",
                "closing AMQP connection ({}): something broke in its session", self.name
            );
        }
    }
}

/// Goes to the end of this worker's tasks at once, where an idle worker finds and takes it: whoever
/// it woke goes on here, and both run side by side. `yield_now` would hide it until this worker has
/// nothing else to do.
async fn give_way() {
    let mut has_waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A poll's answer as a flag, its failure as an error.
fn is_ready(poll: Poll<io::Result<()>>) -> io::Result<bool> {
    match poll {
        Poll::Ready(result) => result.map(|()| true),
        Poll::Pending => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::AsyncRead;

    use super::*;
    use crate::broker::{Broker, BrokerOptions, Peer};

    /// Longer than anything here takes.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// A client that sent this, and reads nothing.
    struct Deaf(&'static [u8]);

    impl AsyncRead for Deaf {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if self.0.is_empty() {
                return Poll::Pending;
            }
            buffer.put_slice(std::mem::take(&mut self.0));
            Poll::Ready(Ok(()))
        }
    }

    impl Transport for Deaf {
        fn poll_read_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            if self.0.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
        }

        fn poll_write_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn try_write(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }

    /// It was once waited for until it read, for ever.
    #[tokio::test]
    async fn a_client_that_reads_nothing_is_gone_when_its_time_is_over() {
        let mut options = BrokerOptions::default();
        options.connection.handshake_timeout_ms = 20;
        let broker = Arc::new(Broker::new(options, [1, 2]).unwrap());
        let clock = Clock::start();
        let session = Session::new(broker.clone(), Peer { address: None }, clock.now());
        let client = Deaf(b"AMQP\x00\x00\x09\x01");
        let task = SessionTask::new(session, client, clock, "deaf".to_owned());
        let ended = tokio::time::timeout(PATIENCE, Box::new(task).run()).await;
        assert!(ended.is_ok(), "it is still waited for");
        assert_eq!(broker.session_count(), 0);
    }
}
