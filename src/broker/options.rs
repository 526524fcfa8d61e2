//! What a broker is told when it starts. Where that is written, the node knows.

use std::sync::Arc;

use super::events::LogLines;
use super::host_defaults::HostDefaults;
use super::node_room::NodeLimits;
use super::watermarks::Watermark;
use crate::auth::{Login, PasswordRule};
use crate::connection::Options;
use crate::definitions::HashingAlgorithm;
use crate::message::{DeclareEquivalence, QueueKind};
use crate::protocol::field::FieldTable;

/// The version clients branch on: the RabbitMQ whose behavior this follows.
const COMPATIBLE_VERSION: &str = "4.3.5";

/// What a broker is told when it starts.
#[derive(Clone, Debug)]
pub struct BrokerOptions {
    /// Limits and properties of connections.
    pub connection: Options,
    /// The name of the node, for texts.
    pub node_name: String,
    /// The name in connection.start.
    pub cluster_name: String,
    /// Who connection.start says we are.
    pub product: Product,
    /// The first virtual host.
    pub default_virtual_host: String,
    /// The first user.
    pub default_user: String,
    /// Its password.
    pub default_password: String,
    /// Its tags.
    pub default_user_tags: Vec<String>,
    /// Its permissions: configure, write, read.
    pub default_permissions: [String; 3],
    /// What new virtual hosts begin with.
    pub host_defaults: HostDefaults,
    /// Which passwords new users may have.
    pub password_rule: PasswordRule,
    /// How the passwords of new users are hashed.
    pub hashing_algorithm: HashingAlgorithm,
    /// Users that may come from this machine only.
    pub loopback_users: Vec<String>,
    /// Who comes in without a proof, with the password it needs for that; none where nobody does.
    pub anonymous: Option<Login>,
    /// The type of queues that name none.
    pub default_queue_kind: QueueKind,
    /// What becomes of repeated declarations that say something else, where the virtual host does
    /// not say.
    pub declare_equivalence: DeclareEquivalence,
    /// Queues of quorum type may be declared again as classic ones, as RabbitMQ's
    /// `relaxed_checks_on_redeclaration` has it.
    pub lets_quorum_be_classic: bool,
    /// How much the whole node may have.
    pub node_limits: NodeLimits,
    /// How much memory the process may have before publishers are blocked.
    pub memory_high_watermark: Watermark,
    /// How much of the disk must be free, or publishers are blocked.
    pub disk_free_limit: Watermark,
    /// Bytes of memory that the node may use, where that is known.
    pub memory_available: Option<u64>,
    /// Consumers of one channel; none means any number.
    pub consumers_per_channel_max: Option<usize>,
    /// Milliseconds for which consumers may hold a delivery where neither they nor their queue say;
    /// 0 is for ever. None means half an hour on queues of quorum type, and for ever on others.
    pub consumer_timeout_ms: Option<u64>,
    /// The virtual host with the exchange that what happens is told to; none where nothing is told.
    pub event_exchange: Option<String>,
    /// Where lines of the log come from for the exchange of logs; none where there is none.
    pub log_lines: Option<Arc<LogLines>>,
}

/// Who connection.start says we are: clients branch on name and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// The product whose behavior this follows.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it runs on.
    pub platform: String,
    /// Where to read more.
    pub information: String,
}

impl Default for Product {
    fn default() -> Self {
        let version = env!("CARGO_PKG_VERSION");
        Self {
            name: "RabbitMQ".into(),
            version: COMPATIBLE_VERSION.into(),
            platform: format!("Leveret {version}"),
            information: format!("Leveret {version}, Apache-2.0"),
        }
    }
}

impl Default for BrokerOptions {
    fn default() -> Self {
        Self {
            connection: Options::default(),
            node_name: "leveret@localhost".into(),
            cluster_name: "leveret@localhost".into(),
            product: Product::default(),
            default_virtual_host: crate::message::DEFAULT_VIRTUAL_HOST.into(),
            default_user: "guest".into(),
            default_password: "guest".into(),
            default_user_tags: vec!["administrator".into()],
            default_permissions: [".*".into(), ".*".into(), ".*".into()],
            host_defaults: HostDefaults::default(),
            password_rule: PasswordRule::default(),
            hashing_algorithm: HashingAlgorithm::Sha256,
            loopback_users: vec!["guest".into()],
            anonymous: None,
            default_queue_kind: QueueKind::Classic,
            declare_equivalence: DeclareEquivalence::Strict,
            lets_quorum_be_classic: false,
            node_limits: NodeLimits::default(),
            memory_high_watermark: Watermark::Relative(0.6),
            disk_free_limit: Watermark::Absolute(50_000_000),
            memory_available: None,
            consumers_per_channel_max: None,
            consumer_timeout_ms: None,
            event_exchange: None,
            log_lines: None,
        }
    }
}

/// What connection.start says of us.
#[must_use]
pub fn server_properties(product: &Product, cluster_name: &str) -> FieldTable {
    let capabilities: FieldTable = [
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "consumer_priorities",
        "authentication_failure_close",
        "per_consumer_qos",
        "direct_reply_to",
    ]
    .into_iter()
    .map(|name| (name, true))
    .collect();
    let mut properties = FieldTable::new();
    properties.insert("capabilities", capabilities);
    for (name, value) in [
        ("cluster_name", cluster_name),
        ("copyright", "Copyright (c) the Leveret developers"),
        ("information", &product.information),
        ("platform", &product.platform),
        ("product", &product.name),
        ("version", &product.version),
    ] {
        properties.insert(name, value);
    }
    properties
}
