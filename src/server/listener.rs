//! Listens on an address and gives every connection a task of its own: a session, or what another
//! door makes of it. When descriptors run out, accepting pauses and says so; what is connected goes
//! on.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, info, warn};

use super::clock::Clock;
use super::session_task::SessionTask;
use super::spawn::Doors;
use crate::broker::{Broker, Peer, Session};
use crate::limits::ACCEPT_PAUSE_MS;

/// Socket options of a listener and of what it accepts.
#[derive(Clone, Copy, Debug)]
pub struct ListenerOptions {
    /// Connections that may wait to be accepted.
    pub backlog: i32,
    /// Send small segments at once; sessions gather by themselves.
    pub is_nodelay: bool,
    /// Let the system notice dead peers.
    pub is_keepalive: bool,
    /// The socket's send buffer in bytes, where it is set.
    pub send_buffer_size: Option<usize>,
    /// The socket's receive buffer in bytes, where it is set.
    pub receive_buffer_size: Option<usize>,
    /// How long a closed socket goes on sending.
    pub linger: Option<Duration>,
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self {
            backlog: 128,
            is_nodelay: true,
            is_keepalive: false,
            send_buffer_size: None,
            receive_buffer_size: None,
            linger: None,
        }
    }
}

/// A bound address that accepts once it runs.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    options: ListenerOptions,
}

/// Binds an address; an IPv6 one takes IPv6 only, so that both families can be bound side by side.
///
/// # Errors
/// The address is in use, not ours, or not allowed.
pub fn bind(address: SocketAddr, options: ListenerOptions) -> io::Result<Listener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if let Some(size) = options.send_buffer_size {
        socket.set_send_buffer_size(size)?;
    }
    if let Some(size) = options.receive_buffer_size {
        socket.set_recv_buffer_size(size)?;
    }
    socket.bind(&address.into())?;
    socket.listen(options.backlog)?;
    Ok(Listener { socket: TcpListener::from_std(socket.into())?, options })
}

impl Listener {
    /// The address it really has: port 0 was given a number.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Starts to accept AMQP connections, until the doors close.
    pub fn run(self, broker: Arc<Broker>, clock: Clock, doors: &Doors) {
        let tasks = doors.clone();
        self.accept(doors, move |stream, peer| {
            start_session(stream, peer, &broker, clock, &tasks);
        });
    }

    /// Starts to accept for another door, until the doors close: what it makes of a connection is
    /// the connection's task.
    pub fn run_with<Served>(
        self,
        doors: &Doors,
        serve: impl Fn(TcpStream) -> Served + Send + 'static,
    ) where
        Served: Future<Output = ()> + Send + 'static,
    {
        let tasks = doors.clone();
        self.accept(doors, move |stream, _| tasks.spawn(serve(stream)));
    }

    fn accept(self, doors: &Doors, start: impl Fn(TcpStream, SocketAddr) + Send + 'static) {
        let closing = doors.closing();
        doors.spawn(async move {
            tokio::select! {
                () = closing => {}
                () = self.accept_all(start) => {}
            }
        });
    }

    async fn accept_all(self, start: impl Fn(TcpStream, SocketAddr)) {
        let mut is_paused = false;
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    if std::mem::take(&mut is_paused) {
                        info!(target: "connection", "accepting connections again");
                    }
                    if let Err(error) = self.set_options(&stream) {
                        debug!(target: "connection", %error, %peer, "socket options were not set");
                    }
                    start(stream, peer);
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

    fn set_options(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(self.options.is_nodelay)?;
        let socket = SockRef::from(stream);
        if self.options.is_keepalive {
            socket.set_tcp_keepalive(&TcpKeepalive::new())?;
        }
        if self.options.linger.is_some() {
            socket.set_linger(self.options.linger)?;
        }
        Ok(())
    }
}

fn start_session(
    stream: TcpStream,
    peer: SocketAddr,
    broker: &Arc<Broker>,
    clock: Clock,
    doors: &Doors,
) {
    let Ok(local) = stream.local_addr() else { return };
    let name = format!("{peer} -> {local}");
    info!(target: "connection", "accepting AMQP connection {name}");
    let peer = Peer { address: Some(peer.ip()) };
    let session = Session::new(broker.clone(), peer, clock.now()).named(&name);
    doors.spawn(Box::new(SessionTask::new(session, stream, clock, name)).run());
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
