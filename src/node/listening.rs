//! Where the doors of this node listen: every address and path is bound before anybody is let in.
//! What is served there is not known here.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tracing::{debug, error, warn};

use super::config::{Config, ListenAddress, TcpOptions};
use crate::server::{Listener, ListenerOptions, UnixListener, bind, bind_unix};

/// All listeners.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) amqp: Vec<Listener>,
    /// AMQP for this machine alone.
    pub(super) local: Vec<UnixListener>,
    pub(super) management: Vec<Listener>,
    pub(super) metrics: Vec<Listener>,
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
        let metrics: Vec<_> = config.metrics.iter().map(|metrics| metrics.address).collect();
        Ok(Self {
            amqp: bind_all(&config.listeners, listener_options(&config.tcp))?,
            local: bind_local(config)?,
            metrics: bind_all(&metrics, ListenerOptions::default())?,
            management: bind_management(config)?,
        })
    }

    pub(super) fn places(&self) -> Places {
        let local = self.local.iter().map(|listener| listener.path().display().to_string());
        Places {
            amqp: addresses(&self.amqp).into_iter().chain(local).collect(),
            management: addresses(&self.management),
            metrics: addresses(&self.metrics),
        }
    }
}

fn addresses(listeners: &[Listener]) -> Vec<String> {
    let addresses = listeners.iter().filter_map(|listener| listener.local_address().ok());
    addresses.map(|address| address.to_string()).collect()
}

/// Binds all these addresses. One family may be missing on a machine where the other is there.
fn bind_all(
    addresses: &[ListenAddress],
    options: ListenerOptions,
) -> Result<Vec<Listener>, String> {
    let mut listeners = Vec::new();
    for address in addresses.iter().flat_map(socket_addresses) {
        match bind(address.address, options) {
            Ok(listener) => listeners.push(listener),
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
fn bind_management(config: &Config) -> Result<Vec<Listener>, String> {
    let Some(management) = &config.management else { return Ok(Vec::new()) };
    if management.is_asked_for {
        return bind_all(&management.addresses, ListenerOptions::default());
    }
    let mut listeners = Vec::new();
    for address in management.addresses.iter().flat_map(socket_addresses) {
        match bind(address.address, ListenerOptions::default()) {
            Ok(listener) => listeners.push(listener),
            Err(error) if address.is_optional && is_missing_family(&error) => {}
            Err(error) => {
                let address = address.address;
                warn!(target: "node", "no HTTP API on {address}: {error}");
            }
        }
    }
    Ok(listeners)
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
        assert!(bind_management(&config(&holder, false)).is_ok_and(|none| none.is_empty()));
        assert!(bind_management(&config(&holder, true)).is_err());
    }
}
