//! Where the doors of this node listen: every address and path is bound before anybody is let in.
//! What is served there is not known here.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, error, warn};

use super::config::{Config, ListenAddress, ProxyConfig, TcpOptions};
use crate::server::{
    Listener, ListenerOptions, Proxy, Tls, TlsOptions, UnixListener, WayIn, bind, bind_unix,
};

/// Nobody but the broker's own user, and root.
const MANAGEMENT_SOCKET_MODE: u32 = 0o600;

/// All listeners.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) amqp: Listeners,
    /// AMQP for this machine alone.
    pub(super) local: Vec<UnixListener>,
    pub(super) management: Listeners,
    /// The HTTP API for who owns the machine.
    pub(super) management_socket: Option<UnixListener>,
    pub(super) metrics: Listeners,
}

/// The listeners of one door.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    pub(super) plain: Vec<Listener>,
    pub(super) encrypted: Vec<Listener>,
    /// What the encrypted ones encrypt with.
    pub(super) tls: Option<Arc<Tls>>,
}

/// Where the doors really are, for people.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) amqp: Vec<String>,
    pub(super) management: Vec<String>,
    pub(super) metrics: Vec<String>,
}

impl Listening {
    /// Binds all that the operator wants.
    ///
    /// # Errors
    /// A place that was asked for cannot be had.
    pub(super) fn bind(config: &Config) -> Result<Self, String> {
        let ways = Ways::of(config)?;
        let tcp = listener_options(&config.tcp);
        let amqp = Listeners {
            plain: bind_all(&config.listeners, tcp, &ways.amqp)?,
            encrypted: bind_all(&config.tls_listeners, tcp, &ways.amqp_tls)?,
            tls: ways.amqp_tls.tls,
        };
        let (plain, encrypted) = match &config.metrics {
            Some(metrics) => (metrics.addresses.as_slice(), metrics.tls_addresses.as_slice()),
            None => (&[][..], &[][..]),
        };
        let options = ListenerOptions::default();
        let metrics = Listeners {
            plain: bind_all(plain, options, &WayIn::default())?,
            encrypted: bind_all(encrypted, options, &ways.metrics_tls)?,
            tls: ways.metrics_tls.tls,
        };
        let encrypted =
            config.management.as_ref().map_or(&[][..], |found| found.tls_addresses.as_slice());
        let management = Listeners {
            plain: bind_management(config, &ways.management)?,
            encrypted: bind_all(encrypted, options, &ways.management_tls)?,
            tls: ways.management_tls.tls,
        };
        let management_socket = bind_management_socket(config)?;
        Ok(Self { amqp, local: bind_local(config)?, management, management_socket, metrics })
    }

    pub(super) fn places(&self) -> Places {
        let local = self.local.iter().map(|listener| listener.path().display().to_string());
        Places {
            amqp: self.amqp.places().chain(local).collect(),
            management: self.management.places().collect(),
            metrics: self.metrics.places().collect(),
        }
    }

    /// All that is encrypted with.
    pub(super) fn tls(&self) -> Vec<Arc<Tls>> {
        let all = [&self.amqp, &self.management, &self.metrics];
        all.into_iter().filter_map(|listeners| listeners.tls.clone()).collect()
    }
}

impl Listeners {
    /// Each with whether it is encrypted, and where it is.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (bool, SocketAddr)> {
        let plain = self.plain.iter().map(|listener| (false, listener));
        let encrypted = self.encrypted.iter().map(|listener| (true, listener));
        let all = plain.chain(encrypted);
        all.filter_map(|(is_encrypted, found)| Some((is_encrypted, found.local_address().ok()?)))
    }

    pub(super) fn into_all(self) -> impl Iterator<Item = Listener> {
        self.plain.into_iter().chain(self.encrypted)
    }

    fn places(&self) -> impl Iterator<Item = String> {
        self.addresses().map(|(is_encrypted, address)| match is_encrypted {
            true => format!("{address} (TLS)"),
            false => address.to_string(),
        })
    }
}

/// What connections go through on their way to each door.
struct Ways {
    amqp: WayIn,
    amqp_tls: WayIn,
    management: WayIn,
    management_tls: WayIn,
    metrics_tls: WayIn,
}

impl Ways {
    fn of(config: &Config) -> Result<Self, String> {
        let patience = Duration::from_millis(config.handshake_timeout_ms);
        let trusted = &config.proxy.trusted;
        let proxy = |is_there: bool| is_there.then(|| Proxy { trusted: trusted.clone(), patience });
        let way = |is_behind_proxy, tls| WayIn {
            proxy: proxy(is_behind_proxy),
            tls,
            login: config.certificate_login,
        };
        let ProxyConfig { is_before_amqp, is_before_management, .. } = config.proxy;
        Ok(Self {
            amqp: way(is_before_amqp, None),
            amqp_tls: way(is_before_amqp, tls(config, config.tls.amqp.as_ref())?),
            management: way(is_before_management, None),
            management_tls: way(is_before_management, tls(config, config.tls.management.as_ref())?),
            metrics_tls: way(false, tls(config, config.tls.metrics.as_ref())?),
        })
    }
}

fn tls(config: &Config, options: Option<&TlsOptions>) -> Result<Option<Arc<Tls>>, String> {
    let patience = Duration::from_millis(config.tls.handshake_ms);
    let load = |options: &TlsOptions| Tls::load(options.clone(), patience);
    let Some(options) = options else { return Ok(None) };
    let loaded = load(options).map_err(|error| format!("{}.{error}", options.prefix))?;
    Ok(Some(Arc::new(loaded)))
}

/// Binds all these addresses. One family may be missing on a machine where the other is there.
fn bind_all(
    addresses: &[ListenAddress],
    options: ListenerOptions,
    way: &WayIn,
) -> Result<Vec<Listener>, String> {
    let mut listeners = Vec::new();
    for address in addresses.iter().flat_map(socket_addresses) {
        match bind(address.address, options) {
            Ok(listener) => listeners.push(listener.with(way.clone())),
            Err(error) if address.is_optional && is_missing_family(&error) => {
                debug!(target: "node", address = %address.address, %error, "not listening");
            }
            Err(error) => return Err(cannot_listen(&address.address, &error)),
        }
    }
    Ok(listeners)
}

fn bind_local(config: &Config) -> Result<Vec<UnixListener>, String> {
    let bind = |path| bind_unix(path, config.unix_mode);
    let bound = config
        .unix_listeners
        .iter()
        .map(|path| bind(path).map_err(|error| cannot_listen(&path.display(), &error)));
    bound.collect()
}

fn cannot_listen(place: &dyn std::fmt::Display, error: &io::Error) -> String {
    let text = format!("cannot listen on {place}: {error}");
    error!(target: "node", "{text}");
    text
}

/// Where the HTTP API listens. Without a word of the operator it is not worth a start: another
/// broker of this machine may be there.
fn bind_management(config: &Config, way: &WayIn) -> Result<Vec<Listener>, String> {
    let Some(management) = &config.management else { return Ok(Vec::new()) };
    if management.is_asked_for {
        return bind_all(&management.addresses, ListenerOptions::default(), way);
    }
    let mut listeners = Vec::new();
    for address in management.addresses.iter().flat_map(socket_addresses) {
        match bind(address.address, ListenerOptions::default()) {
            Ok(listener) => listeners.push(listener.with(way.clone())),
            Err(error) if address.is_optional && is_missing_family(&error) => {}
            Err(error) => {
                let address = address.address;
                warn!(target: "node", "no HTTP API on {address}: {error}");
            }
        }
    }
    Ok(listeners)
}

/// The socket of the HTTP API. A path may be longer than the system takes, or lie where sockets
/// cannot be.
fn bind_management_socket(config: &Config) -> Result<Option<UnixListener>, String> {
    let Some(socket) = &config.management_socket else { return Ok(None) };
    match bind_unix(&socket.path, MANAGEMENT_SOCKET_MODE) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if socket.is_asked_for => Err(cannot_listen(&socket.path.display(), &error)),
        Err(error) => {
            let path = socket.path.display();
            warn!(target: "node", "no HTTP API on {path}, which leveret ctl uses: {error}");
            Ok(None)
        }
    }
}

struct Wanted {
    address: SocketAddr,
    is_optional: bool,
}

/// A bare port means every interface of both families; IPv6 may be switched off on a machine.
fn socket_addresses(listen: &ListenAddress) -> Vec<Wanted> {
    let wanted = |host: IpAddr, is_optional| Wanted {
        address: SocketAddr::new(host, listen.port),
        is_optional,
    };
    match listen.host {
        Some(host) => vec![wanted(host, host == IpAddr::V6(Ipv6Addr::LOCALHOST))],
        None => vec![
            wanted(Ipv4Addr::UNSPECIFIED.into(), false),
            wanted(Ipv6Addr::UNSPECIFIED.into(), true),
        ],
    }
}

fn is_missing_family(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

fn listener_options(tcp: &TcpOptions) -> ListenerOptions {
    ListenerOptions {
        backlog: i32::from(tcp.backlog),
        is_nodelay: tcp.nodelay,
        is_keepalive: tcp.keepalive,
        send_buffer_size: tcp.send_buffer_size,
        receive_buffer_size: tcp.receive_buffer_size,
        linger: tcp.linger,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn config(listener: &TcpListener, is_asked_for: bool) -> Config {
        let address = listener.local_addr().unwrap();
        let address = ListenAddress { host: Some(address.ip()), port: address.port() };
        let mut config = Config::default();
        if let Some(management) = &mut config.management {
            management.addresses = vec![address];
            management.is_asked_for = is_asked_for;
        }
        config
    }

    #[tokio::test]
    async fn a_taken_port_stops_a_start_only_where_the_http_api_was_asked_for() {
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(
            bind_management(&config(&holder, false), &WayIn::default())
                .is_ok_and(|none| none.is_empty())
        );
        assert!(bind_management(&config(&holder, true), &WayIn::default()).is_err());
    }
}
