//! Floor 5: the HTTP door for operators and their tools, as RabbitMQ's management plugin has it.
//! HTTP itself is in `door`, who asks in `caller`, what is refused and how in `refusal`; each
//! resource has a file of its own that gives its routes. It knows no other door, listens nowhere by
//! itself, and keeps nothing between requests but what it counted at the last looks (`samples`).
//!
//! A change is answered when it is on disk (`api`), so that what was answered survives.

mod absent;
mod alarm_limits;
mod answer;
mod api;
mod arguments;
mod auth_attempts;
mod bindings;
mod body;
mod caller;
mod certificates;
mod channel_exchanges;
mod channels;
mod charged;
mod cluster_name;
mod columns;
mod connection_name;
mod connections;
mod consumer_shape;
mod consumers;
mod definitions;
mod description;
mod direct;
mod door;
mod effective_config;
mod entity;
mod events;
mod exchange_types;
mod exchanges;
mod features;
mod front_page;
mod get;
mod global_parameters;
mod growing_text;
mod hash_password;
mod headers;
mod health;
mod list;
mod login;
mod logs;
mod look;
mod maintenance;
mod matching_policies;
mod message_sizes;
mod message_stats;
mod methods;
mod moment_text;
mod name_filter;
mod names;
mod node_control;
mod node_facts;
mod node_memory;
mod node_operations;
mod nodes;
mod operation;
mod overview;
mod parameters;
mod patient_stream;
mod patterns;
mod permissions;
mod permitted;
mod policies;
mod properties;
mod properties_key;
mod publish;
mod publish_wish;
mod query;
mod queue_shape;
mod queues;
mod refusal;
mod replicas;
mod routes;
mod row_order;
mod row_stream;
mod samples;
mod shaped;
mod spans;
mod tls;
mod topic_permissions;
mod totals;
mod turns;
mod user_limits;
mod users;
mod value_order;
mod view;
mod virtual_host_limits;
mod virtual_hosts;
mod visitors;
mod websocket;
mod whoami;
mod wish;

use std::fmt;

pub use certificates::{Certificates, ListenerCertificates};
pub use door::Management;
pub use headers::CrossOrigin;
pub use node_control::{Deed, LogTail, NodeControl, Service};
pub use node_facts::{ListenerFacts, ListenerProtocol, NodeFacts, Place, ProcessFigures};
pub use tls::{CipherSuite, TlsOffer};
pub use websocket::{AmqpDoor, Visit};

use crate::message::Moment;
use crate::protocol::percent;

/// What the door knows of the node that the broker does not.
pub struct ManagementOptions {
    /// The name of the node.
    pub node: String,
    /// The largest body of a request.
    pub body_size_max: u64,
    /// Tells the time, which this floor does not read.
    pub clock: Box<dyn Fn() -> Moment + Send + Sync>,
    /// What holds as long as the node runs.
    pub facts: NodeFacts,
    /// Begins sessions of AMQP over WebSockets; none where that is not wanted.
    pub amqp: Option<AmqpDoor>,
    /// Tells until when certificates are good, which may be read anew.
    pub certificates: Certificates,
    /// What every path begins with: nothing, or a slash and more.
    pub path_prefix: String,
    /// Pages of other origins that may use the API.
    pub cross_origin: CrossOrigin,
    /// Tells what the configuration of the node comes to, without what is secret.
    pub configuration: Box<dyn Fn() -> Vec<(String, String)> + Send + Sync>,
    /// Stops the node, as SIGTERM does.
    pub stop: Box<dyn Fn() + Send + Sync>,
    /// Tells how the process fares, which this floor cannot see.
    pub process: Box<dyn Fn() -> ProcessFigures + Send + Sync>,
}

impl fmt::Debug for ManagementOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ManagementOptions")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
