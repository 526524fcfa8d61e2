//! From the command line to a broker that listens: configuration, logs, limits of the process, the
//! heart, its doors. What happens at the end is in `shutdown`.

use std::future::poll_fn;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tracing::{debug, error, info, warn};

use super::command_line::Serve;
use super::config::{self, Config, ListenAddress, MemoryConfig, QueueType, TcpOptions};
use super::store_threads::StoreThreads;
use super::{definitions, logging, management, memory, metrics, process, shutdown};
use crate::broker::{Broker, BrokerOptions, Left, MemoryOptions, NodeLimits, Product, share};
use crate::connection;
use crate::management::ListenerProtocol;
use crate::message::QueueKind;
use crate::server::{Clock, Doors, Listener, ListenerOptions, bind};
use crate::store::{self, Damage, FileStorage, Storage, StoreOptions};

/// What the shell is told when the configuration is wrong: sysexits' EX_CONFIG.
const EXIT_CONFIG: u8 = 78;

/// What the shell is told when the node cannot start: sysexits' EX_UNAVAILABLE.
const EXIT_UNAVAILABLE: u8 = 69;

/// What the shell is told when something of ours broke that only a start puts right: sysexits'
/// EX_SOFTWARE.
const EXIT_SOFTWARE: u8 = 70;

/// Why a node does not start, and what the shell is told.
struct Failure {
    exit: u8,
    text: String,
}

impl Failure {
    #[expect(clippy::needless_pass_by_value, reason = "fits map_err")]
    fn config(error: impl ToString) -> Self {
        Self { exit: EXIT_CONFIG, text: error.to_string() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "fits map_err")]
    fn unavailable(error: impl ToString) -> Self {
        Self { exit: EXIT_UNAVAILABLE, text: error.to_string() }
    }
}

/// Runs a node to its end.
#[must_use]
pub fn run(flags: &Serve) -> ExitCode {
    run_over(flags, |folder| Arc::new(folder))
}

/// The same, with something of the caller's between the node and its data directory: a disk that
/// goes wrong as it is told, say.
#[must_use]
pub fn run_over(flags: &Serve, wrap: impl FnOnce(FileStorage) -> Arc<dyn Storage>) -> ExitCode {
    match serve(flags, wrap) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell if this fails.
            let _ = writeln!(std::io::stderr(), "{}", failure.text);
            ExitCode::from(failure.exit)
        }
    }
}

fn serve(flags: &Serve, wrap: impl FnOnce(FileStorage) -> Arc<dyn Storage>) -> Result<(), Failure> {
    let clock = Clock::start();
    let (config, warnings) =
        Config::load(flags, config::environment::of_process()).map_err(Failure::config)?;
    logging::start(&config.logging).map_err(Failure::unavailable)?;
    logging::report(&warnings);
    memory::avoid_huge_pages();
    raise_open_file_limit();
    let seed = seed().map_err(Failure::unavailable)?;
    let (writer, left) = Left::part(open_store(&config, wrap)?);
    let broker = Broker::open(broker_options(&config), seed, left, memory_options(&config))
        .map_err(Failure::unavailable)?;
    define(&config, &broker, clock).map_err(|text| {
        error!(target: "node", "{text}");
        Failure::config(text)
    })?;
    let broker = Arc::new(broker);
    let failed = Arc::new(Notify::new());
    let threads =
        StoreThreads::start(writer, &broker, clock, &failed).map_err(Failure::unavailable)?;
    broker.tell_limits();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("leveret-door")
        .build()
        .map_err(Failure::unavailable)?;
    let result = runtime.block_on(listen(&config, broker.clone(), clock, &failed));
    // What clients did last is in the log before it is closed.
    drop(runtime);
    broker.tell_delivered();
    threads.stop();
    info!(target: "node", "stopped");
    match broker.failure() {
        Some(why) => Err(Failure { exit: EXIT_SOFTWARE, text: why.to_owned() }),
        None => result,
    }
}

/// Opens the store in the data directory, and says what was not as it should be.
fn open_store(
    config: &Config,
    wrap: impl FnOnce(FileStorage) -> Arc<dyn Storage>,
) -> Result<store::Opened, Failure> {
    let folder = &config.data_dir;
    let storage = FileStorage::open(folder).map_err(|error| {
        Failure::unavailable(format!("cannot use the data directory {}: {error}", folder.display()))
    })?;
    let options = StoreOptions {
        is_synced: config.store.is_synced,
        accepts_damaged_definitions: config.store.accepts_damaged_definitions,
        ..StoreOptions::default()
    };
    let opened = store::open(wrap(storage), options).map_err(|error| {
        Failure::unavailable(format!("cannot open the store in {}: {error}", folder.display()))
    })?;
    report_damage(&opened.damage, opened.was_clean);
    Ok(opened)
}

fn report_damage(damage: &Damage, was_clean: bool) {
    if !was_clean {
        info!(
            target: "store",
            torn_bytes = damage.torn_size, "the last run did not stop in order; the log was read"
        );
    }
    for name in &damage.checkpoints {
        warn!(target: "store", "{name} is not whole; the one before it was used");
    }
    for (file, offset, size) in &damage.quarantined {
        if *size == 0 {
            error!(target: "store", "{file} is missing, or what should stand before byte {offset}");
            continue;
        }
        error!(
            target: "store",
            "{file} is damaged at byte {offset}: {size} bytes were set aside as \
             quarantine-{file}-{offset}, and what they held is missing"
        );
    }
}

pub(super) fn memory_options(config: &Config) -> MemoryOptions {
    let available = memory::available(config.memory.available);
    let unlogged_max = available.map(|bytes| share(bytes, config.store.memory_share));
    MemoryOptions {
        window_size: config.store.read_window_size,
        unlogged_max: unlogged_max.unwrap_or(MemoryOptions::default().unlogged_max),
    }
}

/// What is declared before anybody can connect: the operator's files, or else the defaults.
fn define(config: &Config, broker: &Broker, clock: Clock) -> Result<(), String> {
    if config.definitions.is_empty() && broker.is_defined() {
        return Ok(());
    }
    if config.definitions.is_empty() {
        return broker.declare_defaults().map_err(|error| error.to_string());
    }
    info!(
        target: "node",
        "Will not seed default virtual host and user: have definitions to load..."
    );
    let import = |path| definitions::import(broker, path, clock.now());
    config.definitions.iter().try_for_each(|path| import(path))
}

/// Lets the broker do what is due, when it is.
async fn keep_time(broker: &Broker, clock: Clock) {
    loop {
        broker.elapse(clock.now());
        let deadline = broker.deadline();
        let earlier = poll_fn(|context| match broker.is_due_before(deadline, context.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        match deadline {
            Some(deadline) => {
                let _ = tokio::time::timeout(clock.until(deadline), earlier).await;
            }
            None => earlier.await,
        }
    }
}

/// Looks at the memory of the process again and again. The log's thread, which looks after the
/// disk, may wait for it, and memory fills up meanwhile.
async fn watch_memory(broker: &Broker, config: &MemoryConfig) {
    let mut looks = tokio::time::interval(config.monitor_interval);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        broker.see_memory(process::resident_bytes(), memory::available(config.available));
    }
}

async fn listen(
    config: &Config,
    broker: Arc<Broker>,
    clock: Clock,
    failed: &Notify,
) -> Result<(), Failure> {
    let stop = shutdown::Signals::watch().map_err(Failure::unavailable)?;
    let listeners = bind_all(&config.listeners, listener_options(&config.tcp))?;
    let scraped: Vec<_> = config.metrics.iter().map(|metrics| metrics.address).collect();
    let scraped = bind_all(&scraped, ListenerOptions::default())?;
    let managed = bind_management(config)?;
    let facts = management::facts(
        config,
        clock,
        [
            (ListenerProtocol::Amqp, &*listeners),
            (ListenerProtocol::Http, &managed),
            (ListenerProtocol::Prometheus, &scraped),
        ],
    );
    let places = Places {
        amqp: addresses(&listeners),
        management: addresses(&managed),
        metrics: addresses(&scraped),
    };
    let doors = Doors::default();
    for listener in listeners {
        listener.run(broker.clone(), clock, &doors);
    }
    management::serve(managed, config, facts, &broker, clock, &doors);
    metrics::serve(scraped, config, &broker, clock, &doors);
    announce(config, &places, clock);
    tokio::select! {
        () = stop.received() => {}
        () = failed.notified() => {}
        () = keep_time(&broker, clock) => {}
        () = watch_memory(&broker, &config.memory) => {}
    }
    shutdown::close(&broker, doors).await;
    Ok(())
}

/// Where the doors really are.
struct Places {
    amqp: Vec<String>,
    management: Vec<String>,
    metrics: Vec<String>,
}

fn addresses(listeners: &[Listener]) -> Vec<String> {
    let addresses = listeners.iter().filter_map(|listener| listener.local_address().ok());
    addresses.map(|address| address.to_string()).collect()
}

/// The line operators and scripts wait for.
fn announce(config: &Config, places: &Places, clock: Clock) {
    let listening = match places.amqp.as_slice() {
        [] => "nowhere".to_owned(),
        addresses => addresses.join(", "),
    };
    let beside = |what: &str, addresses: &[String]| match addresses {
        [] => String::new(),
        addresses => format!("; {what} on {}", addresses.join(", ")),
    };
    let line = format!(
        "Leveret {} listens on {listening}{}{}; data directory {}; storage: {}; started in {} ms",
        env!("CARGO_PKG_VERSION"),
        beside("management", &places.management),
        beside("metrics", &places.metrics),
        config.data_dir.display(),
        if config.store.is_synced { "disk, confirmed after fsync" } else { "disk, not synced" },
        clock.elapsed().as_millis(),
    );
    // A closed standard output is no reason not to serve.
    let _ = writeln!(std::io::stdout(), "{line}");
    info!(target: "node", "Server startup complete; 0 plugins started.");
}

/// Binds all these addresses. One family may be missing on a machine where the other is there.
fn bind_all(
    addresses: &[ListenAddress],
    options: ListenerOptions,
) -> Result<Vec<Listener>, Failure> {
    let mut listeners = Vec::new();
    for address in addresses.iter().flat_map(socket_addresses) {
        match bind(address.address, options) {
            Ok(listener) => listeners.push(listener),
            Err(error) if address.is_optional && is_missing_family(&error) => {
                debug!(target: "node", address = %address.address, %error, "not listening");
            }
            Err(error) => {
                let text = format!("cannot listen on {}: {error}", address.address);
                error!(target: "node", "{text}");
                return Err(Failure::unavailable(text));
            }
        }
    }
    Ok(listeners)
}

/// Where the HTTP API listens. Without a word of the operator it is not worth a start: another
/// broker of this machine may be there.
fn bind_management(config: &Config) -> Result<Vec<Listener>, Failure> {
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

fn is_missing_family(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::AddrNotAvailable | std::io::ErrorKind::Unsupported)
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

fn broker_options(config: &Config) -> BrokerOptions {
    let permissions = &config.default_permissions;
    BrokerOptions {
        connection: connection_options(config),
        node_name: metrics::node_name(config),
        cluster_name: config.cluster_name.clone(),
        product: Product {
            name: config.product.name.clone(),
            version: config.product.version.clone(),
            platform: config.product.platform.clone(),
            information: config.product.information.clone(),
        },
        default_virtual_host: config.default_virtual_host.clone(),
        default_user: config.default_user.clone(),
        default_password: config.default_pass.clone(),
        default_user_tags: config.default_user_tags.clone(),
        default_permissions: [
            permissions.configure.clone(),
            permissions.write.clone(),
            permissions.read.clone(),
        ],
        loopback_users: config.loopback_users.clone(),
        default_queue_kind: match config.default_queue_type {
            QueueType::Classic => QueueKind::Classic,
            QueueType::Quorum => QueueKind::Quorum,
        },
        declare_equivalence: config.declare_equivalence,
        lets_quorum_be_classic: config.lets_quorum_be_classic,
        node_limits: node_limits(config),
        memory_high_watermark: config.memory.high_watermark,
        disk_free_limit: config.store.disk_free_limit,
        memory_available: memory::available(config.memory.available),
        consumers_per_channel_max: config
            .consumer_max_per_channel
            .and_then(|count| usize::try_from(count).ok()),
        consumer_timeout_ms: config.consumer_timeout_ms,
    }
}

fn node_limits(config: &Config) -> NodeLimits {
    let config::NodeLimits { connections, channels, virtual_hosts, queues, exchanges } =
        config.node_limits;
    NodeLimits { connections, channels, virtual_hosts, queues, exchanges }
}

fn connection_options(config: &Config) -> connection::Options {
    connection::Options {
        frame_size_max: config.frame_size_max,
        initial_frame_size_max: config.initial_frame_size_max,
        channel_max: config.channel_max,
        heartbeat_seconds: config.heartbeat_seconds,
        handshake_timeout_ms: config.handshake_timeout_ms,
        message_size_max: config.message_size_max,
        mechanisms: config.auth_mechanisms.join(" "),
        ..connection::Options::default()
    }
}

/// A broker has many sockets: the soft limit on open files is raised to the hard one.
fn raise_open_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => debug!(target: "node", limit = ?limit.maximum, "open files"),
        Err(error) => error!(target: "node", %error, "the limit on open files was not raised"),
    }
}

/// Random bytes of the system, from which all names and tokens are made.
fn seed() -> std::io::Result<[u64; 2]> {
    let mut bytes = [0; 16];
    let filled =
        rustix::rand::getrandom(bytes.as_mut_slice(), rustix::rand::GetRandomFlags::empty())?;
    if filled < bytes.len() {
        return Err(std::io::Error::other("the system gave no random bytes"));
    }
    let number = u128::from_ne_bytes(bytes);
    let low = u64::try_from(number & u128::from(u64::MAX)).unwrap_or(0);
    let high = u64::try_from(number >> 64).unwrap_or(0);
    Ok([high, low])
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::config::ManagementConfig;
    use super::*;

    fn config(listener: &TcpListener, is_asked_for: bool) -> Config {
        let address = listener.local_addr().unwrap();
        let address = ListenAddress { host: Some(address.ip()), port: address.port() };
        let management =
            ManagementConfig { addresses: vec![address], is_asked_for, body_size_max: 1 };
        Config { management: Some(management), ..Config::default() }
    }

    #[tokio::test]
    async fn a_taken_port_stops_a_start_only_where_the_http_api_was_asked_for() {
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(bind_management(&config(&holder, false)).is_ok_and(|none| none.is_empty()));
        assert!(bind_management(&config(&holder, true)).is_err());
    }
}
