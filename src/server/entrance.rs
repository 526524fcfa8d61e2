//! Accepting, whatever it is that is listened on. When descriptors run out, accepting pauses and
//! says so; what is connected goes on.

use std::fmt::Debug;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream, unix};
use tracing::{debug, info, warn};

use super::spawn::Doors;
use crate::limits::ACCEPT_PAUSE_MS;

/// Something that connections come in by.
pub(super) trait Entrance: Send + Sync + 'static {
    type Stream: Send;
    /// Where a connection comes from.
    type Origin: Debug + Send;

    fn poll_accept(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(Self::Stream, Self::Origin)>>;
}

impl Entrance for TcpListener {
    type Stream = TcpStream;
    type Origin = std::net::SocketAddr;

    fn poll_accept(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(Self::Stream, Self::Origin)>> {
        Self::poll_accept(self, context)
    }
}

impl Entrance for UnixListener {
    type Stream = UnixStream;
    type Origin = unix::SocketAddr;

    fn poll_accept(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(Self::Stream, Self::Origin)>> {
        Self::poll_accept(self, context)
    }
}

/// Accepts until the doors or their gate close, in a task of its own. It keeps `kept` as long.
pub(super) fn accept<Way: Entrance>(
    entrance: Way,
    kept: impl Send + 'static,
    (doors, gate): (&Doors, &Doors),
    start: impl Fn(Way::Stream, Way::Origin) + Send + 'static,
) {
    let (closing, suspending, inside) = (doors.closing(), gate.closing(), gate.watch());
    doors.spawn(async move {
        // Whoever waits for the gate finds nobody listening any more.
        let _inside = inside;
        let (_kept, entrance) = (kept, entrance);
        tokio::select! {
            () = closing => {}
            () = suspending => {}
            () = accept_all(&entrance, start) => {}
        }
    });
}

async fn accept_all<Way: Entrance>(entrance: &Way, start: impl Fn(Way::Stream, Way::Origin)) {
    let mut is_paused = false;
    loop {
        match poll_fn(|context| entrance.poll_accept(context)).await {
            Ok((stream, origin)) => {
                if std::mem::take(&mut is_paused) {
                    info!(target: "connection", "accepting connections again");
                }
                start(stream, origin);
            }
            Err(error) if is_of_one_connection(&error) => {
                debug!(target: "connection", %error, "a connection ended unaccepted");
            }
            Err(error) => {
                if !std::mem::replace(&mut is_paused, true) {
                    warn!(target: "connection", %error, "accepting connections pauses");
                }
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}

/// The error concerns the connection that was to be accepted, not the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
