//! From what was typed to what is meant: `Typed` holds the values of the obeyed keys as they were
//! set, later ones over earlier ones, and `resolve` turns them into a `Config` in which nothing
//! is left to decide. Whoever runs the node sees only the `Config`.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Config, MemoryConfig, NodeLimits, PasswordRule, Permissions, Product, ProxyConfig, QueueType,
    StoreConfig, TcpOptions, TlsConfig,
    errors::{Layer, Warning},
    keys::Setting,
    logs::{
        ConsoleLog, ExchangeLog, FileLog, LogCategory, LogConfig, LogFilter, LogFormat, LogLevel,
        LogStream,
    },
    seeds::{Family, Seeds},
    tls::TypedTls,
    values::ListenAddress,
};

use crate::broker::Watermark;
use crate::limits::READ_WINDOW_SIZE;
use crate::message::DeclareEquivalence;
use crate::server::Network;

const AMQP_PORT: u16 = 5672;
const DAY_MS: u64 = 86_400_000;

/// The obeyed keys as they were set. `None` means that nobody set it.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    pub data_dir: Option<PathBuf>,
    pub pid_file: Option<PathBuf>,
    pub is_synced: Option<bool>,
    pub accepts_damaged_definitions: Option<bool>,
    pub read_window_size: Option<u64>,
    pub memory_share: Option<f64>,
    pub disk_free_limit: Option<u64>,
    pub disk_free_share: Option<f64>,
    pub memory_watermark: Option<u64>,
    pub memory_watermark_share: Option<f64>,
    pub memory_available: Option<u64>,
    pub memory_interval_ms: Option<u64>,
    pub listeners: Named<ListenAddress>,
    pub tls_listeners: Named<ListenAddress>,
    pub tls: TypedTls,
    pub tls_handshake_ms: Option<u64>,
    pub proxy_protocol: Option<bool>,
    pub proxies: Vec<Network>,
    pub unix_listeners: BTreeMap<String, PathBuf>,
    pub unix_mode: Option<u32>,
    pub node_name: Option<String>,
    /// Where to listen unless a key says so; the inner `None` is every interface.
    pub node_port: Option<u16>,
    pub node_host: Option<Option<IpAddr>>,
    /// From `--listen`, which stands in for all other listeners.
    pub listen_flags: Vec<ListenAddress>,
    pub heartbeat_seconds: Option<u16>,
    pub frame_size_max: Option<u32>,
    pub initial_frame_size_max: Option<u32>,
    pub channel_max: Option<u16>,
    /// The inner `None` is infinity, as for the deadline of the handshake.
    pub consumer_max_per_channel: Option<Option<u32>>,
    pub node_limits: NodeLimits,
    pub message_size_max: Option<u64>,
    pub handshake_timeout_ms: Option<Option<u64>>,
    pub tcp_backlog: Option<u16>,
    pub tcp_nodelay: Option<bool>,
    pub tcp_keepalive: Option<bool>,
    pub tcp_send_buffer_size: Option<usize>,
    pub tcp_receive_buffer_size: Option<usize>,
    pub tcp_linger_on: Option<bool>,
    pub tcp_linger_seconds: Option<u16>,
    pub default_virtual_host: Option<String>,
    pub default_user: Option<String>,
    pub default_pass: Option<String>,
    pub default_user_tags: BTreeMap<String, bool>,
    pub default_permissions_configure: Option<String>,
    pub default_permissions_write: Option<String>,
    pub default_permissions_read: Option<String>,
    pub default_users: Family,
    pub default_policies: Family,
    pub default_limits: Family,
    pub password_hashing_module: Option<String>,
    pub credential_validator: Option<String>,
    pub credential_length_min: Option<usize>,
    pub credential_pattern: Option<String>,
    pub loopback_users: Named<bool>,
    pub load_definitions: Option<String>,
    pub definitions_backend: Option<Setting>,
    pub definitions_path: Option<String>,
    /// By their number, so that the order is the operator's.
    pub auth_mechanisms: BTreeMap<u64, Setting>,
    pub anonymous_user: Option<String>,
    pub anonymous_password: Option<String>,
    pub certificate_login: Option<String>,
    pub alternative_name: Option<String>,
    pub alternative_name_index: Option<usize>,
    pub default_queue_type: Option<QueueType>,
    pub declare_equivalence: Option<DeclareEquivalence>,
    pub lets_quorum_be_classic: Option<bool>,
    /// 0 is no limit.
    pub consumer_timeout_ms: Option<u64>,
    pub event_exchange: Option<bool>,
    pub event_exchange_host: Option<String>,
    pub cluster_name: Option<String>,
    pub product_name: Option<String>,
    pub product_version: Option<String>,
    pub product_platform: Option<String>,
    pub product_information: Option<String>,
    pub management_port: Option<u16>,
    pub management_ip: Option<IpAddr>,
    pub management_tls_port: Option<u16>,
    pub management_tls_ip: Option<IpAddr>,
    pub management_tls: TypedTls,
    pub management_proxy_protocol: Option<bool>,
    pub management_body_size_max: Option<u64>,
    pub management_socket: Option<String>,
    pub management_path_prefix: Option<String>,
    pub management_origins: Named<String>,
    pub management_max_age_seconds: Option<u64>,
    pub web_amqp: Option<bool>,
    pub prometheus_port: Option<u16>,
    pub prometheus_ip: Option<IpAddr>,
    pub prometheus_tls_port: Option<u16>,
    pub prometheus_tls_ip: Option<IpAddr>,
    pub prometheus_tls: TypedTls,
    pub prometheus_path: Option<String>,
    pub prometheus_is_of_each: Option<bool>,
    pub log_console: Option<bool>,
    pub log_console_level: Option<LogLevel>,
    pub log_console_format: Option<LogFormat>,
    pub log_console_stream: Option<LogStream>,
    pub log_file: Option<String>,
    pub log_folder: Option<String>,
    pub log_file_level: Option<LogLevel>,
    pub log_file_format: Option<LogFormat>,
    pub log_exchange: Option<bool>,
    pub log_exchange_level: Option<LogLevel>,
    pub log_exchange_format: Option<LogFormat>,
    pub log_default_level: Option<LogLevel>,
    pub log_categories: BTreeMap<LogCategory, LogLevel>,
}

/// A family of keys that can also be set to none as a whole. None takes back what lower layers
/// and its own layer set, wherever it stands there; a higher layer may set anew.
#[derive(Clone, Debug)]
pub struct Named<T> {
    none: Option<Layer>,
    by_name: BTreeMap<String, (Layer, T)>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { none: None, by_name: BTreeMap::new() }
    }
}

impl<T> Named<T> {
    pub fn clear(&mut self, layer: Layer) {
        self.none = self.none.max(Some(layer));
    }

    /// Those whose names are numbers in the order of these, then the others.
    pub(super) fn numbered(self) -> Vec<T> {
        let mut named: Vec<_> = self.into_values().collect();
        named.sort_by_key(|(name, _)| name.parse::<u64>().unwrap_or(u64::MAX));
        named.into_iter().map(|(_, value)| value).collect()
    }

    pub fn insert(&mut self, setting: &Setting, value: T) {
        self.by_name.insert(setting.capture(), (setting.origin.layer(), value));
    }

    fn is_none(&self) -> bool {
        self.none.is_some()
    }

    fn into_values(self) -> impl Iterator<Item = (String, T)> {
        let none = self.none;
        let counts = move |layer| Some(layer) > none;
        self.by_name
            .into_iter()
            .filter_map(move |(name, (layer, value))| counts(layer).then_some((name, value)))
    }
}

impl Typed {
    /// Decides everything that was left open.
    #[must_use]
    pub fn resolve(self, tls: TlsConfig) -> (Config, Vec<Warning>) {
        let mut warnings = Vec::new();
        let default_virtual_host = self.default_virtual_host.clone();
        let default_virtual_host = default_virtual_host.unwrap_or_else(|| "/".to_owned());
        let config = Config {
            event_exchange: self.event_exchange(&default_virtual_host),
            default_virtual_host,
            tcp: self.tcp(),
            default_permissions: self.default_permissions(),
            default_user_tags: self.default_user_tags(),
            password_rule: self.password_rule(),
            auth_mechanisms: self.mechanisms(&mut warnings),
            definitions: self.definitions(&mut warnings),
            product: self.product(),
            store: self.store(),
            memory: self.memory(),
            management: self.management(),
            management_body_size_max: self.management_body_size_max(),
            management_socket: self.management_socket(),
            metrics: self.metrics(),
            logging: self.logging(),
            proxy: ProxyConfig {
                is_before_amqp: self.proxy_protocol.unwrap_or(false),
                is_before_management: self.management_proxy_protocol.unwrap_or(false),
                trusted: self.proxies.clone(),
            },
            anonymous: self.anonymous(),
            certificate_login: self.certificate_login(),
            tls,
            tls_listeners: sorted(self.tls_listeners),
            listeners: listeners(
                self.listeners,
                self.listen_flags,
                otherwise(self.node_host, self.node_port),
            ),
            unix_listeners: self.unix_listeners.into_values().collect(),
            unix_mode: self.unix_mode.unwrap_or(0o660),
            node_name: self.node_name,
            pid_file: self.pid_file,
            data_dir: self.data_dir.unwrap_or_else(|| PathBuf::from("./data")),
            heartbeat_seconds: self.heartbeat_seconds.unwrap_or(60),
            frame_size_max: self.frame_size_max.unwrap_or(131_072),
            initial_frame_size_max: self.initial_frame_size_max.unwrap_or(4096),
            channel_max: self.channel_max.unwrap_or(2047),
            consumer_max_per_channel: self.consumer_max_per_channel.flatten(),
            node_limits: self.node_limits,
            message_size_max: self.message_size_max.unwrap_or(134_217_728),
            handshake_timeout_ms: self
                .handshake_timeout_ms
                .map_or(10_000, |deadline| deadline.unwrap_or(DAY_MS)),
            files: Vec::new(),
            set: BTreeMap::new(),
            default_user: self.default_user.unwrap_or_else(|| "guest".to_owned()),
            default_pass: self.default_pass.unwrap_or_else(|| "guest".to_owned()),
            seeds: Seeds::new(self.default_users, self.default_policies, self.default_limits),
            password_hashing: self
                .password_hashing_module
                .unwrap_or_else(|| "rabbit_password_hashing_sha256".to_owned()),
            loopback_users: loopback_users(self.loopback_users),
            default_queue_type: self.default_queue_type.unwrap_or(QueueType::Classic),
            declare_equivalence: self.declare_equivalence.unwrap_or_default(),
            lets_quorum_be_classic: self.lets_quorum_be_classic.unwrap_or(false),
            consumer_timeout_ms: self.consumer_timeout_ms,
            cluster_name: self.cluster_name.unwrap_or_else(|| "leveret".to_owned()),
        };
        (config, warnings)
    }

    /// Who names a virtual host for it wants it, unless it is said to be off.
    fn event_exchange(&self, default_virtual_host: &str) -> Option<String> {
        let host = self.event_exchange_host.as_deref();
        let is_on = self.event_exchange.unwrap_or(host.is_some());
        is_on.then(|| host.unwrap_or(default_virtual_host).to_owned())
    }

    fn store(&self) -> StoreConfig {
        StoreConfig {
            is_synced: self.is_synced.unwrap_or(true),
            accepts_damaged_definitions: self.accepts_damaged_definitions.unwrap_or(false),
            read_window_size: self.read_window_size.unwrap_or(READ_WINDOW_SIZE),
            memory_share: self.memory_share.unwrap_or(0.4),
            disk_free_limit: match self.disk_free_share {
                Some(part) => Watermark::Relative(part),
                None => Watermark::Absolute(self.disk_free_limit.unwrap_or(50_000_000)),
            },
        }
    }

    fn memory(&self) -> MemoryConfig {
        MemoryConfig {
            high_watermark: match (self.memory_watermark_share, self.memory_watermark) {
                (Some(part), _) => Watermark::Relative(part),
                (None, Some(bytes)) => Watermark::Absolute(bytes),
                (None, None) => Watermark::Relative(0.6),
            },
            available: self.memory_available,
            monitor_interval: Duration::from_millis(self.memory_interval_ms.unwrap_or(2500)),
        }
    }

    fn tcp(&self) -> TcpOptions {
        let linger_seconds = u64::from(self.tcp_linger_seconds.unwrap_or(0));
        let is_lingering = self.tcp_linger_on == Some(true);
        TcpOptions {
            backlog: self.tcp_backlog.unwrap_or(128),
            nodelay: self.tcp_nodelay.unwrap_or(true),
            keepalive: self.tcp_keepalive.unwrap_or(false),
            send_buffer_size: self.tcp_send_buffer_size,
            receive_buffer_size: self.tcp_receive_buffer_size,
            linger: is_lingering.then(|| Duration::from_secs(linger_seconds)),
        }
    }

    fn default_permissions(&self) -> Permissions {
        let all = |pattern: &Option<String>| pattern.clone().unwrap_or_else(|| ".*".to_owned());
        Permissions {
            configure: all(&self.default_permissions_configure),
            write: all(&self.default_permissions_write),
            read: all(&self.default_permissions_read),
        }
    }

    /// Without a validator its other keys say nothing, as in RabbitMQ.
    fn password_rule(&self) -> PasswordRule {
        match self.credential_validator.as_deref() {
            Some("rabbit_credential_validator_min_password_length") => {
                PasswordRule::Length(self.credential_length_min.unwrap_or(5))
            }
            Some("rabbit_credential_validator_password_regexp") => {
                PasswordRule::Pattern(self.credential_pattern.clone().unwrap_or_default())
            }
            _ => PasswordRule::Any,
        }
    }

    /// Naming any tag replaces the default one, as in RabbitMQ.
    fn default_user_tags(&self) -> Vec<String> {
        if self.default_user_tags.is_empty() {
            return vec!["administrator".to_owned()];
        }
        let given = self.default_user_tags.iter().filter(|(_, is_given)| **is_given);
        given.map(|(tag, _)| tag.clone()).collect()
    }

    /// Without a backend, a path is enough.
    fn definitions(&self, warnings: &mut Vec<Warning>) -> Vec<PathBuf> {
        let backend = self.definitions_backend.as_ref();
        let is_local = |name: &str| matches!(name, "local_filesystem" | "local");
        let other = backend
            .and_then(|setting| Some((setting, setting.text()?)))
            .filter(|(_, name)| !is_local(name));
        if let Some((setting, name)) = &other {
            warnings.push(Warning {
                origin: setting.origin.clone(),
                key: "definitions.import_backend".to_owned(),
                message: format!("is not used yet: nothing is imported from {name}"),
            });
        }
        let path = self.definitions_path.as_ref().filter(|_| other.is_none());
        let paths = self.load_definitions.iter().chain(path);
        paths.filter(|path| !path.is_empty()).map(PathBuf::from).collect()
    }

    fn product(&self) -> Product {
        let version = env!("CARGO_PKG_VERSION");
        let or = |text: &Option<String>, other: &str| text.clone().unwrap_or(other.to_owned());
        Product {
            name: or(&self.product_name, "RabbitMQ"),
            version: or(&self.product_version, "4.3.5"),
            platform: or(&self.product_platform, &format!("Leveret {version}")),
            information: or(
                &self.product_information,
                &format!("Leveret {version}, licensed under the Apache License 2.0"),
            ),
        }
    }

    fn logging(&self) -> LogConfig {
        let filter =
            |output| LogFilter::merged(output, self.log_default_level, &self.log_categories);
        let console = ConsoleLog {
            stream: self.log_console_stream.unwrap_or(LogStream::Error),
            format: self.log_console_format.unwrap_or(LogFormat::Text),
            filter: filter(self.log_console_level),
        };
        let file = self.log_path().map(|path| FileLog {
            path,
            format: self.log_file_format.unwrap_or(LogFormat::Text),
            filter: filter(self.log_file_level),
        });
        let exchange = ExchangeLog {
            format: self.log_exchange_format.unwrap_or(LogFormat::Text),
            filter: filter(self.log_exchange_level),
        };
        LogConfig {
            console: self.log_console.unwrap_or(true).then_some(console),
            file,
            exchange: self.log_exchange.unwrap_or(false).then_some(exchange),
        }
    }

    fn log_path(&self) -> Option<PathBuf> {
        let folder = self.log_folder.as_ref().map(Path::new);
        match (self.log_file.as_deref(), folder) {
            (Some("false"), _) | (None, None) => None,
            (Some(name), folder) => Some(folder.unwrap_or(Path::new("")).join(name)),
            (None, Some(folder)) => Some(folder.join("leveret.log")),
        }
    }
}

/// Flags stand in for all keys. Without either, this machine alone can connect.
fn listeners(
    named: Named<ListenAddress>,
    flags: Vec<ListenAddress>,
    otherwise: Vec<ListenAddress>,
) -> Vec<ListenAddress> {
    if !flags.is_empty() {
        return without_doubles(flags);
    }
    let is_none = named.is_none();
    let named = sorted(named);
    if named.is_empty() && !is_none {
        return otherwise;
    }
    named
}

/// Numbered ones in their order, then those with names.
pub(super) fn sorted(named: Named<ListenAddress>) -> Vec<ListenAddress> {
    without_doubles(named.numbered())
}

/// Where to listen if no key and no flag says so: who names a port or an address means it for
/// everybody who can reach that.
fn otherwise(host: Option<Option<IpAddr>>, port: Option<u16>) -> Vec<ListenAddress> {
    if host.is_none() && port.is_none() {
        return on_loopback(AMQP_PORT);
    }
    vec![ListenAddress { host: host.flatten(), port: port.unwrap_or(AMQP_PORT) }]
}

/// A port that this machine alone can reach.
pub(super) fn on_loopback(port: u16) -> Vec<ListenAddress> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    loopback.map(|host| ListenAddress { host: Some(host), port }).to_vec()
}

/// An address that was named twice is listened on once. Port 0 is another port each time.
fn without_doubles(addresses: Vec<ListenAddress>) -> Vec<ListenAddress> {
    let mut kept: Vec<ListenAddress> = Vec::new();
    for address in addresses {
        if address.port == 0 || !kept.contains(&address) {
            kept.push(address);
        }
    }
    kept
}

/// The guest user stays at home unless it was named, or nobody has to.
fn loopback_users(named: Named<bool>) -> Vec<String> {
    let mut restricted = BTreeMap::new();
    if !named.is_none() {
        restricted.insert("guest".to_owned(), true);
    }
    restricted.extend(named.into_values());
    restricted
        .into_iter()
        .filter_map(|(user, is_restricted)| is_restricted.then_some(user))
        .collect()
}
