//! The listeners for AMQP clients as one thing, which can be suspended and resumed: a suspended
//! listener is closed, so that nobody waits in its queue, and bound anew when it is resumed. Who is
//! inside stays there.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::amqp_door::AmqpDoor;
use super::clock::Clock;
use super::listener::{Bound, Listener, bind};
use super::spawn::{Doors, Key};
use super::unix_listener::{UnixListener, bind_unix};
use crate::broker::Broker;
use crate::limits::SUSPEND_PATIENCE_MS;

/// All listeners for AMQP clients.
#[derive(Debug)]
pub struct ClientListeners {
    broker: Arc<Broker>,
    clock: Clock,
    doors: Key,
    state: Mutex<State>,
    is_suspended: AtomicBool,
}

#[derive(Debug)]
struct State {
    places: Vec<Place>,
    /// Closes the listeners, and nothing else. There is none while they are suspended.
    gate: Option<Doors>,
}

/// Where somebody listens, or will again.
#[derive(Clone, Debug)]
enum Place {
    Address(Bound),
    Path { path: PathBuf, mode: u32 },
}

/// A listener of either kind.
#[derive(Debug)]
enum AnyListener {
    Address(Listener),
    Path(UnixListener),
}

impl ClientListeners {
    /// None yet.
    #[must_use]
    pub fn new(broker: Arc<Broker>, clock: Clock, doors: &Doors) -> Self {
        let state = Mutex::new(State { places: Vec::new(), gate: None });
        let is_suspended = AtomicBool::new(false);
        Self { broker, clock, doors: doors.key(), state, is_suspended }
    }

    /// Starts to accept at all of these, until the doors close.
    ///
    /// # Errors
    /// The system does not tell where one of them is.
    pub async fn open(
        &self,
        listeners: impl IntoIterator<Item = Listener>,
        local: Vec<UnixListener>,
    ) -> io::Result<()> {
        let mut state = self.state.lock().await;
        let addresses = listeners.into_iter().map(AnyListener::Address);
        let all: Vec<AnyListener> =
            addresses.chain(local.into_iter().map(AnyListener::Path)).collect();
        state.places = all.iter().map(AnyListener::place).collect::<io::Result<_>>()?;
        state.gate = Some(self.run(all));
        Ok(())
    }

    fn run(&self, listeners: Vec<AnyListener>) -> Doors {
        let gate = Doors::default();
        let door = AmqpDoor::new(self.broker.clone(), self.clock, self.doors.doors());
        for listener in listeners {
            match listener {
                AnyListener::Address(listener) => listener.run(&door, &gate),
                AnyListener::Path(listener) => listener.run(&door, &gate),
            }
        }
        gate
    }

    /// Closes all of them. Who is on the way in is sent away.
    ///
    /// # Errors
    /// One was not closed in time.
    pub async fn suspend(&self) -> Result<(), String> {
        let mut state = self.state.lock().await;
        self.is_suspended.store(true, Ordering::Relaxed);
        let Some(gate) = state.gate.take() else { return Ok(()) };
        gate.close();
        match gate.emptied(Duration::from_millis(SUSPEND_PATIENCE_MS)).await {
            true => Ok(()),
            false => Err("the listeners were not closed in time".to_owned()),
        }
    }

    /// Binds all of them anew, or none.
    ///
    /// # Errors
    /// A place cannot be had any more: all stay suspended.
    pub async fn resume(&self) -> Result<(), String> {
        let mut state = self.state.lock().await;
        if state.gate.is_some() {
            return Ok(());
        }
        let listeners = state.places.iter().map(Place::bind).collect::<Result<_, _>>()?;
        state.gate = Some(self.run(listeners));
        self.is_suspended.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Nobody is let in.
    #[must_use]
    pub fn are_suspended(&self) -> bool {
        self.is_suspended.load(Ordering::Relaxed)
    }
}

impl AnyListener {
    fn place(&self) -> io::Result<Place> {
        Ok(match self {
            Self::Address(listener) => Place::Address(listener.bound()?),
            Self::Path(listener) => {
                Place::Path { path: listener.path().to_owned(), mode: listener.mode() }
            }
        })
    }
}

impl Place {
    fn bind(&self) -> Result<AnyListener, String> {
        match self {
            Self::Address(Bound { address, options, way }) => {
                let bound = bind(*address, *options).map_err(|error| refused(address, &error))?;
                Ok(AnyListener::Address(bound.with(way.clone())))
            }
            Self::Path { path, mode } => bind_unix(path, *mode)
                .map(AnyListener::Path)
                .map_err(|error| refused(&path.display(), &error)),
        }
    }
}

fn refused(place: &dyn std::fmt::Display, error: &io::Error) -> String {
    format!("cannot listen on {place}: {error}")
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};

    use tempfile::tempdir;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpStream, UnixStream};

    use super::*;
    use crate::broker::BrokerOptions;
    use crate::server::ListenerOptions;

    fn listeners() -> (Arc<ClientListeners>, Doors) {
        let broker = Arc::new(Broker::new(BrokerOptions::default(), [1, 2]).unwrap());
        let doors = Doors::default();
        (Arc::new(ClientListeners::new(broker, Clock::start(), &doors)), doors)
    }

    fn listener() -> (Listener, SocketAddr) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = bind(address, ListenerOptions::default()).unwrap();
        let address = listener.local_address().unwrap();
        (listener, address)
    }

    /// The first byte of connection.start.
    async fn is_greeted(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin) -> bool {
        stream.write_all(b"AMQP\0\0\x09\x01").await.is_ok()
            && stream.read_u8().await.is_ok_and(|byte| byte == 1)
    }

    #[tokio::test]
    async fn a_suspended_listener_is_closed_and_a_resumed_one_is_where_it_was() {
        let (clients, doors) = listeners();
        let folder = tempdir().unwrap();
        let path = folder.path().join("amqp.sock");
        let (listener, address) = listener();
        let local = bind_unix(&path, 0o640).unwrap();
        clients.open([listener], vec![local]).await.unwrap();
        assert!(is_greeted(TcpStream::connect(address).await.unwrap()).await);
        for _ in 0..2 {
            clients.suspend().await.unwrap();
        }
        assert!(clients.are_suspended());
        assert!(TcpStream::connect(address).await.is_err());
        assert!(!path.exists());
        for _ in 0..2 {
            clients.resume().await.unwrap();
        }
        assert!(!clients.are_suspended());
        assert!(is_greeted(TcpStream::connect(address).await.unwrap()).await);
        assert!(is_greeted(UnixStream::connect(&path).await.unwrap()).await);
        let mode = std::os::unix::fs::MetadataExt::mode(&path.metadata().unwrap());
        assert_eq!(mode & 0o777, 0o640);
        doors.close();
        assert!(doors.emptied(Duration::from_secs(5)).await, "they end with the doors");
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn a_place_that_is_taken_meanwhile_leaves_all_suspended() {
        let (clients, _doors) = listeners();
        let ((first, free), (second, taken)) = (listener(), listener());
        clients.open([first, second], Vec::new()).await.unwrap();
        clients.suspend().await.unwrap();
        let holder = TcpListener::bind(taken).unwrap();
        let error = clients.resume().await.unwrap_err();
        assert!(error.starts_with(&format!("cannot listen on {taken}: ")), "{error}");
        assert!(clients.are_suspended() && TcpStream::connect(free).await.is_err());
        drop(holder);
        clients.resume().await.unwrap();
        assert!(TcpStream::connect(free).await.is_ok());
    }
}
