//! Listens on an address and gives every connection a task of its own: a session, or what another
//! door makes of it.

use std::future::{Future, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

use super::amqp_door::AmqpDoor;
use super::door_stream::DoorStream;
use super::entrance;
use super::spawn::Doors;
use super::way_in::{Guest, WayIn};
use crate::broker::Peer;

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
    way: WayIn,
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
    let socket = TcpListener::from_std(socket.into())?;
    Ok(Listener { socket, options, way: WayIn::default() })
}

/// Where a listener is, and all that it takes to bind it once more.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) address: SocketAddr,
    pub(super) options: ListenerOptions,
    pub(super) way: WayIn,
}

impl Listener {
    /// All that it takes to bind it once more.
    pub(super) fn bound(&self) -> io::Result<Bound> {
        let (options, way) = (self.options, self.way.clone());
        Ok(Bound { address: self.local_address()?, options, way })
    }

    /// The address it really has: port 0 was given a number.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Whoever comes goes through this first.
    #[must_use]
    pub fn with(self, way: WayIn) -> Self {
        Self { way, ..self }
    }

    /// Starts to accept AMQP connections, until the doors or their gate close.
    pub fn run(self, door: &AmqpDoor, gate: &Doors) {
        let door = door.clone();
        let doors = door.doors.clone();
        if !self.way.is_open() {
            let login = self.way.login;
            return self.lead_in(&doors, gate, move |guest| {
                door.begin_for(guest, login);
                ready(())
            });
        }
        self.accept(&doors, gate, move |stream, origin| {
            let Ok(local) = stream.local_addr() else { return };
            let peer = Peer { address: Some(origin.ip()) };
            door.begin(stream, peer, format!("{origin} -> {local}"));
        });
    }

    /// Starts to accept for another door, until the doors close: what it makes of a connection, and
    /// of where that comes from and went, is the connection's task.
    pub fn run_with<Served>(
        self,
        doors: &Doors,
        serve: impl Fn(DoorStream, (SocketAddr, SocketAddr)) -> Served + Send + Sync + 'static,
    ) where
        Served: Future<Output = ()> + Send + 'static,
    {
        self.lead_in(doors, doors, move |guest| serve(guest.stream, guest.ends));
    }

    /// Gives each connection a task in which it goes its way in, and is served then.
    fn lead_in<Served>(
        self,
        doors: &Doors,
        gate: &Doors,
        serve: impl Fn(Guest) -> Served + Send + Sync + 'static,
    ) where
        Served: Future<Output = ()> + Send + 'static,
    {
        let way = Arc::new((self.way.clone(), serve));
        let (tasks, is_closing) = (doors.clone(), gate.watch());
        self.accept(doors, gate, move |stream, origin| {
            let (way, closing, suspending) = (way.clone(), tasks.closing(), is_closing.closing());
            tasks.spawn(async move {
                let (way, serve) = &*way;
                let entered = tokio::select! {
                    () = closing => None,
                    () = suspending => None,
                    entered = way.enter(stream, origin) => entered,
                };
                if let Some(guest) = entered {
                    serve(guest).await;
                }
            });
        });
    }

    fn accept(
        self,
        doors: &Doors,
        gate: &Doors,
        start: impl Fn(TcpStream, SocketAddr) + Send + 'static,
    ) {
        let options = self.options;
        entrance::accept(self.socket, (), (doors, gate), move |stream, origin| {
            if let Err(error) = options.apply_to(&stream) {
                debug!(target: "connection", %error, %origin, "socket options were not set");
            }
            start(stream, origin);
        });
    }
}

impl ListenerOptions {
    fn apply_to(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(self.is_nodelay)?;
        let socket = SockRef::from(stream);
        if self.is_keepalive {
            socket.set_tcp_keepalive(&TcpKeepalive::new())?;
        }
        if self.linger.is_some() {
            socket.set_linger(self.linger)?;
        }
        Ok(())
    }
}
