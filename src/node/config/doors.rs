//! Where the HTTP API and metrics are, from what was typed of them. AMQP's own listeners are in
//! `resolve`, TLS is in `tls`.

use std::net::IpAddr;
use std::path::Path;

use super::resolve::{Typed, on_loopback};
use super::values::ListenAddress;
use super::{ManagementConfig, ManagementSocket, MetricsConfig};
use crate::limits::MANAGEMENT_BODY_SIZE_MAX;

const MANAGEMENT_PORT: u16 = 15672;

/// The socket of the HTTP API in the data directory, as `leveret ctl` knows it.
const MANAGEMENT_SOCKET: &str = "management.sock";

impl Typed {
    pub(super) fn management_body_size_max(&self) -> u64 {
        self.management_body_size_max.unwrap_or(MANAGEMENT_BODY_SIZE_MAX)
    }

    /// In the data directory no other broker has one.
    pub(super) fn management_socket(&self) -> Option<ManagementSocket> {
        let folder = self.data_dir.as_deref().unwrap_or(Path::new("./data"));
        match self.management_socket.as_deref() {
            Some("none") => None,
            Some(path) => Some(ManagementSocket { path: path.into(), is_asked_for: true }),
            None => {
                let path = folder.join(MANAGEMENT_SOCKET);
                Some(ManagementSocket { path, is_asked_for: false })
            }
        }
    }

    /// Where nobody says anything, it is there for this machine alone, like AMQP. Who lists by
    /// flags where the broker listens, a test mostly, gets no door beside those.
    pub(super) fn management(&self) -> Option<ManagementConfig> {
        let is_plain = self.management_port.is_some() || self.management_ip.is_some();
        let tls_port = self.management_tls_port;
        let is_asked_for = is_plain || tls_port.is_some();
        if !is_asked_for && !self.listen_flags.is_empty() {
            return None;
        }
        let port = self.management_port.unwrap_or(MANAGEMENT_PORT);
        let addresses = match (is_plain, is_asked_for) {
            (true, _) => vec![ListenAddress { host: self.management_ip, port }],
            (false, true) => Vec::new(),
            (false, false) => on_loopback(port),
        };
        let at = |port| ListenAddress { host: self.management_tls_ip, port };
        Some(ManagementConfig {
            addresses,
            tls_addresses: tls_port.map(at).into_iter().collect(),
            is_asked_for,
            path_prefix: self.management_path_prefix.clone().unwrap_or_default(),
            cross_origins: self.management_origins.clone().numbered(),
            cross_origin_max_age_seconds: Some(self.management_max_age_seconds.unwrap_or(1800)),
            takes_web_amqp: self.web_amqp != Some(false),
        })
    }

    /// Several brokers of one machine would have one port: without one that is set, none listens.
    pub(super) fn metrics(&self) -> Option<MetricsConfig> {
        let at = |host: Option<IpAddr>| move |port| ListenAddress { host, port };
        let addresses: Vec<_> =
            self.prometheus_port.map(at(self.prometheus_ip)).into_iter().collect();
        let tls_addresses: Vec<_> =
            self.prometheus_tls_port.map(at(self.prometheus_tls_ip)).into_iter().collect();
        if addresses.is_empty() && tls_addresses.is_empty() {
            return None;
        }
        let path = self.prometheus_path.as_deref().unwrap_or("/metrics");
        let path = format!("/{}", path.trim_start_matches('/'));
        let is_of_each = self.prometheus_is_of_each == Some(true);
        Some(MetricsConfig { addresses, tls_addresses, path, is_of_each })
    }
}
