//! What the door is told of the node it stands in: what holds from start to end, and how the
//! process fares at a moment. The node finds it out.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::certificates::ListenerCertificates;
use super::node_control::NodeControl;
use super::tls::TlsOffer;
use crate::message::Moment;

/// What holds as long as the node runs.
#[derive(Clone, Debug)]
pub struct NodeFacts {
    /// When it started.
    pub started_at: Moment,
    /// The number of its process.
    pub process_id: u32,
    /// How many processors it may use.
    pub processors: usize,
    /// How many files and sockets it may have open.
    pub open_files_max: Option<u64>,
    /// Where everything is kept.
    pub data_dir: String,
    /// The configuration files that were read.
    pub config_files: Vec<String>,
    /// Where logs go.
    pub logs: Vec<String>,
    /// How clients may prove who they are.
    pub auth_mechanisms: Vec<String>,
    /// Where it listens.
    pub listeners: Vec<ListenerFacts>,
    /// What a listener that encrypts could have to agree on.
    pub tls_spoken: TlsOffer,
    /// What may be done to it.
    pub control: Arc<dyn NodeControl>,
}

/// A place where the node listens.
#[derive(Clone, Debug)]
pub struct ListenerFacts {
    /// For whom.
    pub protocol: ListenerProtocol,
    /// Nobody on the way can read along.
    pub is_encrypted: bool,
    /// Where it really is.
    pub place: Place,
}

/// Where a listener is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the network.
    Address(SocketAddr),
    /// On this machine alone.
    Path(String),
}

impl Place {
    /// What RabbitMQ calls the address: of a local one it is the path.
    pub(super) fn host(&self) -> String {
        match self {
            Self::Address(address) => address.ip().to_string(),
            Self::Path(path) => path.clone(),
        }
    }

    /// The port, which a path has not.
    pub(super) fn port(&self) -> u16 {
        match self {
            Self::Address(address) => address.port(),
            Self::Path(_) => 0,
        }
    }
}

/// Who is expected at a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerProtocol {
    /// Clients.
    Amqp,
    /// Operators.
    Http,
    /// Scrapers.
    Prometheus,
}

impl ListenerProtocol {
    /// RabbitMQ's name for it.
    pub(super) fn name(self, is_encrypted: bool) -> &'static str {
        match (self, is_encrypted) {
            (Self::Amqp, false) => "amqp",
            (Self::Amqp, true) => "amqp/ssl",
            (Self::Http, false) => "http",
            (Self::Http, true) => "https",
            (Self::Prometheus, false) => "http/prometheus",
            (Self::Prometheus, true) => "https/prometheus",
        }
    }

    /// How those doors are called that speak HTTP.
    fn context(self) -> Option<&'static str> {
        match self {
            Self::Amqp => None,
            Self::Http => Some("HTTP API"),
            Self::Prometheus => Some("Metrics"),
        }
    }
}

/// How the process fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessFigures {
    /// Bytes of memory, where the system tells.
    pub memory_bytes: Option<u64>,
    /// Files and sockets that are open, where the system tells.
    pub open_files: Option<u64>,
}

impl ListenerFacts {
    pub(super) fn protocol_name(&self) -> &'static str {
        self.protocol.name(self.is_encrypted)
    }

    pub(super) fn shape(&self, node: &str) -> Value {
        json!({
            "node": node,
            "protocol": self.protocol_name(),
            "ip_address": self.place.host(),
            "port": self.place.port(),
            "tls": self.is_encrypted,
        })
    }

    /// The same of those that speak HTTP, as RabbitMQ tells them once more: without TLS, its
    /// options are an empty list.
    fn context(&self, node: &str, certificates: &[ListenerCertificates]) -> Option<Value> {
        let port = self.place.port().to_string();
        let mut context = json!({
            "node": node,
            "description": self.protocol.context()?,
            "path": "/",
            "ip": self.place.host(),
            "port": port,
            "ssl_opts": [],
        });
        let own = certificates.iter().find(|found| found.listener.place == self.place);
        if let (Some(context), Some(own)) = (context.as_object_mut(), own) {
            let options = own.options.iter().map(|(name, value)| (*name, value.as_str()));
            let options: Map<String, Value> = options
                .chain([("port", port.as_str())])
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect();
            context.insert("ssl_opts".to_owned(), options.into());
            context.insert("ssl".to_owned(), "true".into());
        }
        Some(context)
    }
}

impl NodeFacts {
    /// All places that speak HTTP.
    pub(super) fn contexts(&self, node: &str, certificates: &[ListenerCertificates]) -> Value {
        let contexts = self.listeners.iter();
        contexts.filter_map(|listener| listener.context(node, certificates)).collect()
    }
}
