//! What the operator wrote, as one value. `Config` is what the rest of the node sees: typed,
//! complete, with nothing left to decide. The way there:
//!
//! ```text
//! files ──────► parse ─┐
//! environment ─────────┼─► load: keys (find the row), values (read the text) ─► resolve::Typed
//! flags ───────────────┘                                                             │
//!                                                                        Config ◄────┘
//! ```
//!
//! `keys` is the one table; `sample` writes `config/leveret.conf` from it; `errors` has the texts
//! of what went wrong. Reading is done once at the start; nothing here runs later.

mod doors;
mod effective;
pub mod environment;
pub mod errors;
pub mod keys;
pub mod load;
mod logins;
pub mod logs;
pub mod parse;
mod rabbitmq;
pub mod resolve;
pub mod sample;
pub mod seeds;
pub mod tls;
pub mod values;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use crate::auth::{CertificateLogin, Login};
use crate::broker::Watermark;
use crate::message::DeclareEquivalence;
use crate::node::command_line::Serve;
use crate::server::{Network, TlsOptions};

pub use self::{
    effective::with_defaults,
    errors::{ConfigErrors, Warning},
    logs::LogConfig,
    seeds::Seeds,
    values::ListenAddress,
};

/// How much the node may have; `None` for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeLimits {
    pub connections: Option<u64>,
    pub channels: Option<u64>,
    pub virtual_hosts: Option<u64>,
    pub queues: Option<u64>,
    pub exchanges: Option<u64>,
}

/// Everything that can be set and is obeyed.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `None` for one after the machine.
    pub node_name: Option<String>,
    /// Empty when the operator wants none.
    pub listeners: Vec<ListenAddress>,
    /// The same for AMQP over TLS.
    pub tls_listeners: Vec<ListenAddress>,
    pub tls: TlsConfig,
    pub proxy: ProxyConfig,
    /// Which part of a client's certificate is its user's name.
    pub certificate_login: CertificateLogin,
    /// Who comes in without a proof; `None` where nobody does.
    pub anonymous: Option<Login>,
    /// Paths where this machine alone can connect.
    pub unix_listeners: Vec<PathBuf>,
    /// Who may use them, as the mode of a file.
    pub unix_mode: u32,
    pub data_dir: PathBuf,
    /// The file with the number of the process; `None` where nobody wants one.
    pub pid_file: Option<PathBuf>,
    /// 0 proposes no heartbeats.
    pub heartbeat_seconds: u16,
    /// 0 for no limit.
    pub frame_size_max: u32,
    pub initial_frame_size_max: u32,
    /// 0 for no limit.
    pub channel_max: u16,
    /// `None` for no limit.
    pub consumer_max_per_channel: Option<u32>,
    pub node_limits: NodeLimits,
    pub message_size_max: u64,
    pub handshake_timeout_ms: u64,
    pub tcp: TcpOptions,
    pub default_virtual_host: String,
    pub default_user: String,
    pub default_pass: String,
    pub default_user_tags: Vec<String>,
    pub default_permissions: Permissions,
    /// What new virtual hosts begin with.
    pub seeds: Seeds,
    /// Which passwords new users may have.
    pub password_rule: PasswordRule,
    /// How the passwords of new users are hashed, by the name of the module.
    pub password_hashing: String,
    /// Users that may connect from this machine only.
    pub loopback_users: Vec<String>,
    /// Files, or folders of files, to import at the start. With any, no default virtual host and
    /// user are created.
    pub definitions: Vec<PathBuf>,
    /// In the order in which they are offered. Empty when none of those wanted can be.
    pub auth_mechanisms: Vec<String>,
    pub default_queue_type: QueueType,
    /// What becomes of repeated declarations that say something else.
    pub declare_equivalence: DeclareEquivalence,
    /// Quorum queues may be declared again as classic ones.
    pub lets_quorum_be_classic: bool,
    /// 0 is no limit. `None` leaves it to the type of the queue.
    pub consumer_timeout_ms: Option<u64>,
    /// The virtual host with the exchange of events. `None` where there is none.
    pub event_exchange: Option<String>,
    pub cluster_name: String,
    pub product: Product,
    pub store: StoreConfig,
    pub memory: MemoryConfig,
    /// `None` where nobody is to ask.
    pub management: Option<ManagementConfig>,
    /// Bytes of a request's body, also where only the socket is.
    pub management_body_size_max: u64,
    /// `None` where there is to be none.
    pub management_socket: Option<ManagementSocket>,
    /// `None` where nobody is to scrape them.
    pub metrics: Option<MetricsConfig>,
    pub logging: LogConfig,
    /// The configuration files that were read, in their order.
    pub files: Vec<String>,
    /// What was set, key by key; without what is secret.
    pub set: BTreeMap<String, String>,
}

/// Options of listeners and of the connections they accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpOptions {
    pub backlog: u16,
    pub nodelay: bool,
    pub keepalive: bool,
    /// `None` leaves a buffer to the system.
    pub send_buffer_size: Option<usize>,
    pub receive_buffer_size: Option<usize>,
    /// `None` leaves the option off.
    pub linger: Option<Duration>,
}

/// What the first user may do: three patterns for names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    pub configure: String,
    pub write: String,
    pub read: String,
}

/// Which passwords new users may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PasswordRule {
    #[default]
    Any,
    /// So many bytes at least.
    Length(usize),
    /// What a regular expression finds something in.
    Pattern(String),
}

/// The type of queues that are declared without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueType {
    Classic,
    Quorum,
}

/// What is kept on disk, and how much of it in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct StoreConfig {
    /// A confirm waits for the disk, not only for the operating system.
    pub is_synced: bool,
    /// Start though a definition is damaged.
    pub accepts_damaged_definitions: bool,
    /// Bytes of bodies in memory that are on disk too.
    pub read_window_size: u64,
    /// The part of the memory for bodies that are nowhere else.
    pub memory_share: f64,
    /// Free bytes of the disk below which publishers are blocked.
    pub disk_free_limit: Watermark,
}

/// How much memory the process may have, and how that is found out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemoryConfig {
    /// Above it publishers are blocked.
    pub high_watermark: Watermark,
    /// Bytes that this machine is taken to have; `None` for what it says.
    pub available: Option<u64>,
    /// Between two looks.
    pub monitor_interval: Duration,
}

/// Where the HTTP API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagementConfig {
    pub addresses: Vec<ListenAddress>,
    /// The same over TLS.
    pub tls_addresses: Vec<ListenAddress>,
    /// The operator says where: an address that cannot be had is a reason not to start.
    pub is_asked_for: bool,
    /// What every path begins with: nothing, or a slash and more.
    pub path_prefix: String,
    /// Where web pages that may use it come from; `*` is anywhere.
    pub cross_origins: Vec<String>,
    pub cross_origin_max_age_seconds: Option<u64>,
    /// AMQP comes over WebSockets, too.
    pub takes_web_amqp: bool,
}

/// What each door wants of TLS; `None` where it listens for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    pub amqp: Option<TlsOptions>,
    pub management: Option<TlsOptions>,
    pub metrics: Option<TlsOptions>,
    pub handshake_ms: u64,
}

/// Where the PROXY protocol is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyConfig {
    pub is_before_amqp: bool,
    pub is_before_management: bool,
    /// Where proxies may be; empty for anywhere.
    pub trusted: Vec<Network>,
}

/// Where who owns the machine asks without a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagementSocket {
    pub path: PathBuf,
    /// The operator says where: that it cannot be had is a reason not to start.
    pub is_asked_for: bool,
}

/// Where metrics are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsConfig {
    pub addresses: Vec<ListenAddress>,
    /// The same over TLS.
    pub tls_addresses: Vec<ListenAddress>,
    /// From the slash on.
    pub path: String,
    /// The common path tells of each queue and client.
    pub is_of_each: bool,
}

/// What the server properties say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    pub name: String,
    pub version: String,
    pub platform: String,
    pub information: String,
}

impl Config {
    /// Reads the files that the flags name, then the environment (`environment::of_process`, but
    /// for tests), then the other flags.
    ///
    /// # Errors
    /// All that was wrong, at once, each with its place.
    pub fn load(
        flags: &Serve,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<Warning>), ConfigErrors> {
        load::load(flags, environment)
    }
}

impl Default for Config {
    /// What is meant when nothing is set.
    fn default() -> Self {
        let typed = resolve::Typed::default();
        let tls = typed.tls(&mut tls::Findings::default());
        typed.resolve(tls).0
    }
}
