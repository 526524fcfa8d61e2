//! Where the node is asked: at its own socket on this machine, or at an address. It is found
//! without a word where `leveret` is called as the node was.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::common::Common;
use super::failure::Failure;

/// The socket in a data directory.
const SOCKET: &str = "management.sock";

/// The data directory of a package, and the one that RabbitMQ's had, where the one of this folder
/// is not there.
const INSTALLED: [&str; 2] = ["/var/lib/leveret", "/var/lib/rabbitmq"];

const DEFAULT_PORT: u16 = 15672;

const DEFAULT_TLS_PORT: u16 = 15671;

/// Where the node is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Socket(PathBuf),
    Address { host: String, port: u16, prefix: String, is_encrypted: bool },
}

/// What bytes go over.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

impl Place {
    /// Where it is by flags, then by the environment, then by default.
    pub(super) fn of(
        common: &Common,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let environment = |name: &str| environment(name).filter(|value| !value.is_empty());
        if let Some(url) = &common.url {
            return Self::of_url(url);
        }
        if let Some(path) = &common.socket {
            return Ok(Self::Socket(path.into()));
        }
        if let Some(folder) = &common.data_dir {
            return Ok(Self::Socket(Path::new(folder).join(SOCKET)));
        }
        if let Some(url) = environment("LEVERET_CTL_URL") {
            return Self::of_url(&url);
        }
        let path = environment("LEVERET_CTL_SOCKET")
            .or_else(|| environment("LEVERET_MANAGEMENT_UNIX_PATH"))
            .map(PathBuf::from);
        let folder = environment("LEVERET_DATA_DIR");
        let path = path.or_else(|| folder.map(|folder| Path::new(&folder).join(SOCKET)));
        Ok(Self::Socket(path.unwrap_or_else(default_socket)))
    }

    fn of_url(url: &str) -> Result<Self, Failure> {
        let refused = |why: &str| Failure::Usage(format!("--url {url}: {why}"));
        if let Some(path) = url.strip_prefix("unix:") {
            return Ok(Self::Socket(path.trim_start_matches("//").into()));
        }
        let (is_encrypted, rest) = match url.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            Some(_) => {
                return Err(refused("expected http://HOST:PORT, https://HOST:PORT or unix:PATH"));
            }
            None => (false, url),
        };
        let (authority, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let default = if is_encrypted { DEFAULT_TLS_PORT } else { DEFAULT_PORT };
        let (host, port) =
            host_and_port(authority, default).ok_or_else(|| refused("no such port"))?;
        let prefix = prefix.trim_end_matches('/').trim_end_matches("/api").to_owned();
        Ok(Self::Address { host, port, prefix, is_encrypted })
    }

    /// What every path begins with.
    pub(super) fn prefix(&self) -> &str {
        match self {
            Self::Socket(_) => "",
            Self::Address { prefix, .. } => prefix,
        }
    }

    /// Nobody on the way can read along.
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self, Self::Address { is_encrypted: true, .. })
    }

    /// Connects, by TLS where that is wanted.
    pub(super) async fn connect(
        &self,
        tls: Option<&Arc<ClientConfig>>,
    ) -> io::Result<Box<dyn Wire>> {
        let (host, port) = match self {
            Self::Socket(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
            Self::Address { host, port, .. } => (host, *port),
        };
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        let Some(tls) = tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        Ok(Box::new(TlsConnector::from(tls.clone()).connect(name, stream).await?))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(formatter, "unix:{}", path.display()),
            Self::Address { host, port, .. } => write!(formatter, "{host}:{port}"),
        }
    }
}

/// The socket of a node in this folder, or else of the one that a package starts.
fn default_socket() -> PathBuf {
    let here = Path::new("./data").join(SOCKET);
    let mut installed = INSTALLED.iter().map(|folder| Path::new(folder).join(SOCKET));
    match here.exists() {
        true => here,
        false => installed.find(|path| path.exists()).unwrap_or(here),
    }
}

/// A host in brackets may have colons.
fn host_and_port(authority: &str, default: u16) -> Option<(String, u16)> {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = port.map_or(Some(default), |port| port.parse().ok())?;
    let host = if host.is_empty() { "localhost" } else { host };
    Some((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(common: &Common, environment: &[(&str, &str)]) -> Result<String, Failure> {
        let find = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Place::of(common, find).map(|place| place.to_string())
    }

    #[test]
    fn the_node_is_found_by_flags_before_the_environment() {
        let data = Common { data_dir: Some("d".to_owned()), ..Common::default() };
        let url = Common { url: Some("http://[::1]:1".to_owned()), ..Common::default() };
        let none = Common::default();
        for (common, environment, expected) in [
            (&data, &[("LEVERET_CTL_URL", "http://a")][..], "unix:d/management.sock"),
            (&url, &[], "::1:1"),
            (&none, &[("LEVERET_DATA_DIR", "e")], "unix:e/management.sock"),
            (&none, &[("LEVERET_DATA_DIR", "e"), ("LEVERET_MANAGEMENT_UNIX_PATH", "s")], "unix:s"),
            (&none, &[("LEVERET_CTL_URL", "hare"), ("LEVERET_DATA_DIR", "e")], "hare:15672"),
            (&none, &[("LEVERET_CTL_SOCKET", "")], "unix:./data/management.sock"),
        ] {
            assert_eq!(place(common, environment).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn a_url_may_have_a_prefix_and_must_have_a_port_that_is_one() {
        let of = |url: &str| Place::of_url(url);
        let address = |prefix: &str| {
            let (host, prefix) = ("h".to_owned(), prefix.to_owned());
            Ok(Place::Address { host, port: 15672, prefix, is_encrypted: false })
        };
        let (host, prefix) = ("h".to_owned(), "/rabbit".to_owned());
        let encrypted = Place::Address { host, port: 15671, prefix, is_encrypted: true };
        assert_eq!(of("https://h/rabbit"), Ok(encrypted));
        assert_eq!(of("http://h/"), address(""));
        assert_eq!(of("http://h/api"), address(""));
        assert_eq!(of("http://h/rabbit/api/"), address("/rabbit"));
        assert_eq!(of("unix:/run/x"), Ok(Place::Socket("/run/x".into())));
        for url in ["http://h:port", "https://h:port", "amqp://h"] {
            assert_eq!(of(url).unwrap_err().code(), 64, "{url}");
        }
    }
}
