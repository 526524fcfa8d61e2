//! What a connection goes through between its listener and its door: the header of a proxy, the
//! handshake of TLS, or nothing. Who does not come through is told to the log and closed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tracing::warn;

use super::door_stream::DoorStream;
use super::proxy::{self, Network};
use super::tls::Tls;
use crate::auth::CertificateLogin;

/// What a connection goes through.
#[derive(Clone, Debug, Default)]
pub struct WayIn {
    /// A proxy stands before the listener.
    pub proxy: Option<Proxy>,
    /// The connection is encrypted.
    pub tls: Option<Arc<Tls>>,
    /// Which part of a client's certificate is its user's name.
    pub login: CertificateLogin,
}

/// A proxy, which says for whom it connects.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Where it may be; anywhere, where nothing is said.
    pub trusted: Vec<Network>,
    /// How long its header may take.
    pub patience: Duration,
}

/// A connection that came through.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) stream: DoorStream,
    /// Where the client comes from, and where it went.
    pub(super) ends: (SocketAddr, SocketAddr),
}

impl WayIn {
    /// There is nothing to go through.
    pub(super) fn is_open(&self) -> bool {
        self.proxy.is_none() && self.tls.is_none()
    }

    /// Lets a connection through that comes from `origin`.
    pub(super) async fn enter(&self, mut stream: TcpStream, origin: SocketAddr) -> Option<Guest> {
        let mut ends = (origin, stream.local_addr().ok()?);
        if let Some(proxy) = &self.proxy {
            match proxy.receive(&mut stream, origin).await {
                Ok(told) => ends = told.unwrap_or(ends),
                Err(error) => {
                    warn!(target: "connection", "closing connection from proxy {origin}: {error}");
                    return None;
                }
            }
        }
        let stream = match &self.tls {
            None => DoorStream::Plain(stream),
            Some(tls) => match tls.shake_hands(stream).await {
                Ok(stream) => DoorStream::Encrypted(Box::new(stream)),
                Err(error) => {
                    let (peer, local) = ends;
                    warn!(
                        target: "connection",
                        "closing connection {peer} -> {local}: TLS handshake failed: {error}"
                    );
                    return None;
                }
            },
        };
        Some(Guest { stream, ends })
    }
}

impl Proxy {
    async fn receive(&self, stream: &mut TcpStream, origin: SocketAddr) -> io::Result<proxy::Ends> {
        let is_trusted = self.trusted.iter().any(|network| network.contains(origin.ip()));
        if !is_trusted && !self.trusted.is_empty() {
            return Err(io::Error::other("it is none of those that are trusted"));
        }
        let header = proxy::read_header(stream);
        tokio::time::timeout(self.patience, header).await.unwrap_or_else(|_| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "no whole PROXY header came in time"))
        })
    }
}
