//! What becomes of a connection to the AMQP door: a session, in a task of its own. Where it came in
//! is decided before.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tracing::info;

use super::clock::Clock;
use super::door_stream::DoorStream;
use super::piped::Piped;
use super::session_task::SessionTask;
use super::spawn::Doors;
use super::tls;
use super::tls_socket::TlsSocket;
use super::transport::Transport;
use super::way_in::Guest;
use crate::auth::CertificateLogin;
use crate::broker::{Broker, Encryption, Peer, Session};

/// Begins sessions.
#[derive(Clone, Debug)]
pub struct AmqpDoor {
    pub(super) broker: Arc<Broker>,
    pub(super) clock: Clock,
    pub(super) doors: Doors,
}

impl AmqpDoor {
    /// Sessions of this broker.
    #[must_use]
    pub fn new(broker: Arc<Broker>, clock: Clock, doors: Doors) -> Self {
        Self { broker, clock, doors }
    }

    /// Begins a session over a stream of another door.
    pub fn begin_over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: Peer,
        name: String,
        encryption: Option<Encryption>,
    ) {
        self.begin_with(Piped::new(stream), peer, name, encryption);
    }

    /// Begins the session of a client that just came, by the name of its connection.
    pub(super) fn begin(&self, stream: impl Transport, peer: Peer, name: String) {
        self.begin_with(stream, peer, name, None);
    }

    /// The same of one that came through.
    pub(super) fn begin_for(&self, guest: Guest, login: CertificateLogin) {
        let (origin, local) = guest.ends;
        let peer = Peer { address: Some(origin.ip()) };
        let name = format!("{origin} -> {local}");
        match guest.stream {
            DoorStream::Plain(stream) => self.begin(stream, peer, name),
            DoorStream::Encrypted(stream) => {
                let encryption = tls::agreed(&stream, login);
                self.begin_with(TlsSocket::from(*stream), peer, name, Some(encryption));
            }
        }
    }

    fn begin_with(
        &self,
        stream: impl Transport,
        peer: Peer,
        name: String,
        encryption: Option<Encryption>,
    ) {
        info!(target: "connection", "accepting AMQP connection {name}");
        let mut session = Session::new(self.broker.clone(), peer, self.clock.now()).named(&name);
        if let Some(encryption) = encryption {
            session = session.encrypted(encryption);
        }
        self.doors.spawn(Box::new(SessionTask::new(session, stream, self.clock, name)).run());
    }
}
