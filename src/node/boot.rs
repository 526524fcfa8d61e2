//! From the command line to a broker that listens: configuration, logs, limits of the process, the
//! heart, its doors. What happens at the end is in `shutdown`.

use std::future::poll_fn;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tracing::{debug, error, info, warn};

use super::command_line::Serve;
use super::config::{self, Config, MemoryConfig, QueueType};
use super::control::Control;
use super::listening::Listening;
use super::log_level::LogControl;
use super::management::ManagementDoors;
use super::password_thread::PasswordThread;
use super::pid_file::PidFile;
use super::reload::Reload;
use super::store_threads::StoreThreads;
use super::{
    definitions, log_exchange, logging, management, memory, metrics, process, seeds, shutdown,
};
use crate::broker::{Broker, BrokerOptions, Left, MemoryOptions, NodeLimits, Product, share};
use crate::connection;
use crate::definitions::HashingAlgorithm;
use crate::message::QueueKind;
use crate::server::{ClientListeners, Clock, Doors};
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
    let log_lines = log_exchange::lines(config.logging.exchange.as_ref());
    let logs = logging::start(&config.logging, log_lines.clone()).map_err(Failure::unavailable)?;
    logging::report(&warnings);
    memory::avoid_huge_pages();
    raise_open_file_limit();
    let seed = seed().map_err(Failure::unavailable)?;
    let (writer, left) = Left::part(open_store(&config, wrap)?);
    // Whoever started a second node here has not got as far as this.
    let pid_file = config.pid_file.as_deref().map(PidFile::write).transpose();
    let _pid_file = pid_file.map_err(Failure::unavailable)?;
    let options = broker_options(&config).map_err(Failure::config)?;
    let options = BrokerOptions { log_lines, ..options };
    let broker =
        Broker::open(options, seed, left, memory_options(&config)).map_err(Failure::unavailable)?;
    define(&config, &broker, clock).map_err(|text| {
        error!(target: "node", "{text}");
        Failure::config(text)
    })?;
    let broker = Arc::new(broker);
    let failed = Arc::new(Notify::new());
    let threads =
        StoreThreads::start(writer, &broker, clock, &failed).map_err(Failure::unavailable)?;
    broker.tell_limits();
    let passwords = PasswordThread::start(&broker, &failed).map_err(Failure::unavailable)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("leveret-door")
        .build()
        .map_err(Failure::unavailable)?;
    let result = runtime.block_on(listen(&config, logs, broker.clone(), clock, &failed));
    // What clients did last is in the log before it is closed.
    drop(runtime);
    passwords.stop();
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
    logs: LogControl,
    broker: Arc<Broker>,
    clock: Clock,
    failed: &Notify,
) -> Result<(), Failure> {
    let stop = shutdown::Signals::watch().map_err(Failure::unavailable)?;
    let listening = Listening::bind(config).map_err(Failure::unavailable)?;
    let doors = Doors::default();
    let clients = Arc::new(ClientListeners::new(broker.clone(), clock, &doors));
    let control = Arc::new(Control::new(logs.clone(), clients.clone()));
    let facts = management::facts(config, clock, &listening, control);
    let certificates = management::certificates(&listening);
    announce(config, &listening, clock);
    let reload = Reload::watch(listening.tls(), logs).map_err(Failure::unavailable)?;
    let opened = clients.open(listening.amqp.into_all(), listening.local).await;
    opened.map_err(Failure::unavailable)?;
    let asked = Arc::new(Notify::new());
    let management = ManagementDoors { config, broker: &broker, clock, doors: &doors };
    let places = (listening.management, listening.management_socket);
    management.serve((facts, certificates), asked.clone(), places);
    metrics::serve(listening.metrics, config, &broker, clock, &doors);
    tokio::select! {
        () = stop.received() => {}
        () = asked.notified() => {}
        () = failed.notified() => {}
        () = keep_time(&broker, clock) => {}
        () = reload.forever() => {}
        () = watch_memory(&broker, &config.memory) => {}
    }
    shutdown::close(&broker, doors).await;
    Ok(())
}

/// The line operators and scripts wait for.
fn announce(config: &Config, listening: &Listening, clock: Clock) {
    let places = listening.places();
    let amqp = match places.amqp.as_slice() {
        [] => "nowhere".to_owned(),
        addresses => addresses.join(", "),
    };
    let beside = |what: &str, addresses: &[String]| match addresses {
        [] => String::new(),
        addresses => format!("; {what} on {}", addresses.join(", ")),
    };
    let line = format!(
        "Leveret {} listens on {amqp}{}{}; data directory {}; storage: {}; started in {} ms",
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

fn broker_options(config: &Config) -> Result<BrokerOptions, String> {
    let permissions = &config.default_permissions;
    Ok(BrokerOptions {
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
        host_defaults: seeds::host_defaults(&config.seeds)?,
        password_rule: seeds::password_rule(&config.password_rule)?,
        hashing_algorithm: HashingAlgorithm::from_name(&config.password_hashing)
            .unwrap_or(HashingAlgorithm::Sha256),
        loopback_users: config.loopback_users.clone(),
        anonymous: config.anonymous.clone(),
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
        event_exchange: config.event_exchange.clone(),
        log_lines: None,
    })
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
