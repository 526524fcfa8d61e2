//! What a queue's declaration asks for, parsed once: every `x-` argument as a typed option, or
//! RabbitMQ's refusal. Not what a policy adds, and not the comparison with a queue that exists
//! already, which comes before this and is in `equivalence`. Floor 1.

mod choices;
mod kind;
#[cfg(test)]
mod tests;

pub use self::choices::{
    DeadLetterStrategy, DelayedRetry, DelayedRetryKind, DeliveryLimit, Overflow,
    QueueLeaderLocator, Storage,
};
pub use self::kind::QueueKind;
use super::argument::Arguments;
use super::resource::Resource;
use crate::protocol::field::FieldTable;
use crate::protocol::reply::{AmqpError, ChannelError, ConnectionError};

/// Deliveries that a quorum queue allows a message if nobody set another limit.
pub const QUORUM_DELIVERY_LIMIT: u64 = 20;

/// The longest prefix of a name that the server generates.
const NAME_PREFIX_LENGTH_MAX: usize = 64;

/// A routing key is a short string, and a dead letter is delivered with this one.
const ROUTING_KEY_LENGTH_MAX: usize = 255;

/// A declaration without its arguments.
#[derive(Debug, Clone, Copy)]
pub struct QueueDeclaration<'a> {
    /// The name as given, empty if the server makes one up.
    pub name: &'a str,
    /// The virtual host of the connection.
    pub virtual_host: &'a str,
    /// The flag as sent; an exclusive queue is transient whatever it says.
    pub durable: bool,
    /// Only for the declaring connection.
    pub exclusive: bool,
    /// Deleted with its last consumer.
    pub auto_delete: bool,
    /// The client gave no name.
    pub server_named: bool,
}

/// The options of a queue, as its arguments say. `None` is "not given", so that a policy may.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueOptions {
    /// `x-queue-type`, or the default.
    pub kind: QueueKind,
    /// `x-expires`: deleted when unused for so long.
    pub expires_ms: Option<u64>,
    /// `x-message-ttl`.
    pub message_ttl_ms: Option<u64>,
    /// `x-dead-letter-exchange`; the empty name is the default exchange.
    pub dead_letter_exchange: Option<Box<str>>,
    /// `x-dead-letter-routing-key`.
    pub dead_letter_routing_key: Option<Box<str>>,
    /// `x-dead-letter-strategy`.
    pub dead_letter_strategy: Option<DeadLetterStrategy>,
    /// `x-max-length`.
    pub length_max: Option<u64>,
    /// `x-max-length-bytes`.
    pub length_bytes_max: Option<u64>,
    /// `x-overflow`.
    pub overflow: Option<Overflow>,
    /// `x-max-priority`, classic only.
    pub priority_max: Option<u8>,
    /// `x-single-active-consumer`.
    pub single_active_consumer: bool,
    /// `x-message-deduplication`: no two equal messages in it at once.
    pub message_deduplication: bool,
    /// `x-delivery-limit`.
    pub delivery_limit: Option<DeliveryLimit>,
    /// `x-consumer-timeout`.
    pub consumer_timeout_ms: Option<u64>,
    /// `x-delayed-retry-type`, `-min` and `-max`.
    pub delayed_retry: Option<DelayedRetry>,
    /// `x-storage`.
    pub storage: Option<Storage>,
    /// `x-queue-leader-locator`; kept for when there are several nodes.
    pub queue_leader_locator: Option<QueueLeaderLocator>,
    /// `x-name-prefix`, for a name that the server makes up.
    pub name_prefix: Option<Box<str>>,
}

/// What `x-queue-type` asked for, or would by default.
enum RequestedKind {
    Known(QueueKind),
    Stream,
}

impl<'a> QueueDeclaration<'a> {
    /// The queue that this is about.
    #[must_use]
    pub fn resource(&self) -> Resource<'a> {
        Resource::queue(self.name, self.virtual_host)
    }

    /// The type of a declaration that names none. The default holds only where that type can do
    /// what the flags ask for.
    #[must_use]
    pub fn kind_when_unnamed(&self, default_kind: QueueKind) -> QueueKind {
        let fits_quorum = self.durable && !self.exclusive && !self.auto_delete;
        if fits_quorum { default_kind } else { QueueKind::Classic }
    }
}

impl QueueOptions {
    /// Parses the arguments of a queue that is about to be created. The checks come in
    /// RabbitMQ's order, so that of several mistakes the same one is reported.
    pub fn parse(
        declaration: &QueueDeclaration<'_>,
        table: &FieldTable,
        default_kind: QueueKind,
    ) -> Result<Self, AmqpError> {
        let arguments = Arguments::new(table, declaration.resource());
        let requested = requested_kind(&arguments, declaration, default_kind)?;
        let name_prefix = name_prefix(&arguments, declaration, &requested)?;
        let dead_letter_exchange = arguments.exchange_name("x-dead-letter-exchange")?;
        let kind = match requested {
            RequestedKind::Known(kind) => kind,
            RequestedKind::Stream => return Err(streams_are_disabled(declaration).into()),
        };
        let expires_ms = expires_ms(&arguments)?;
        let message_ttl_ms = arguments.milliseconds("x-message-ttl")?;
        let dead_letter_routing_key = dead_letter_routing_key(&arguments, table)?;
        let dead_letter_strategy = dead_letter_strategy(&arguments)?;
        let length_max = arguments.count("x-max-length")?;
        let length_bytes_max = arguments.count("x-max-length-bytes")?;
        check_memory_limits(&arguments, kind)?;
        let priority_max = priority_max(&arguments, kind)?;
        let overflow = overflow(&arguments, kind)?;
        check_mode_and_version(&arguments, kind)?;
        let single_active_consumer = arguments.boolean("x-single-active-consumer")?;
        check_group(&arguments, kind)?;
        let message_deduplication = arguments.boolean("x-message-deduplication")?;
        let options = Self {
            kind,
            expires_ms,
            message_ttl_ms,
            dead_letter_exchange: dead_letter_exchange.as_deref().map(Box::from),
            dead_letter_routing_key,
            dead_letter_strategy,
            length_max,
            length_bytes_max,
            overflow,
            priority_max,
            single_active_consumer: single_active_consumer.unwrap_or(false),
            message_deduplication: message_deduplication.unwrap_or(false),
            queue_leader_locator: queue_leader_locator(&arguments)?,
            delivery_limit: delivery_limit(&arguments)?,
            consumer_timeout_ms: arguments.count("x-consumer-timeout")?,
            delayed_retry: delayed_retry(&arguments)?,
            storage: storage(&arguments, kind)?,
            name_prefix,
        };
        check_foreign_arguments(declaration, table, kind)?;
        check_removed_arguments(table, kind)?;
        check_quorum_properties(declaration, kind)?;
        Ok(options)
    }

    /// The limit that holds without a policy: quorum queues have one, classic queues only where
    /// it was asked for.
    #[must_use]
    pub fn delivery_limit_or_default(&self) -> DeliveryLimit {
        match (self.delivery_limit, self.kind) {
            (Some(limit), _) => limit,
            (None, QueueKind::Quorum) => DeliveryLimit::Returns(QUORUM_DELIVERY_LIMIT),
            (None, QueueKind::Classic) => DeliveryLimit::Unlimited,
        }
    }
}

fn requested_kind(
    arguments: &Arguments<'_>,
    declaration: &QueueDeclaration<'_>,
    default_kind: QueueKind,
) -> Result<RequestedKind, ChannelError> {
    let Some(name) = arguments.text("x-queue-type")? else {
        return Ok(RequestedKind::Known(declaration.kind_when_unnamed(default_kind)));
    };
    match QueueKind::from_name(&name) {
        Some(kind) => Ok(RequestedKind::Known(kind)),
        None if name == "stream" => Ok(RequestedKind::Stream),
        None => {
            Err(arguments
                .invalid("x-queue-type", format_args!("\"unsupported queue type '{name}'\"")))
        }
    }
}

/// The prefix of a generated name. Where the client gave a name it has no meaning, not even a
/// wrong one. Types that cannot be named by the server are refused before anything else.
fn name_prefix(
    arguments: &Arguments<'_>,
    declaration: &QueueDeclaration<'_>,
    requested: &RequestedKind,
) -> Result<Option<Box<str>>, ChannelError> {
    if !declaration.server_named {
        return Ok(None);
    }
    let module_name = match requested {
        RequestedKind::Known(QueueKind::Classic) => None,
        RequestedKind::Known(kind @ QueueKind::Quorum) => Some(kind.module_name()),
        RequestedKind::Stream => Some("rabbit_stream_queue"),
    };
    if let Some(module_name) = module_name {
        return Err(ChannelError::precondition_failed(format!(
            "Cannot declare a server-named queue for type {module_name}"
        )));
    }
    let Some(prefix) = arguments.text("x-name-prefix")? else { return Ok(None) };
    if prefix.len() > NAME_PREFIX_LENGTH_MAX {
        return Err(ChannelError::precondition_failed(format!(
            "Queue name prefix '{prefix}' exceeds the {NAME_PREFIX_LENGTH_MAX}-byte limit"
        )));
    }
    Ok(Some(prefix.into()))
}

fn streams_are_disabled(declaration: &QueueDeclaration<'_>) -> ConnectionError {
    ConnectionError::internal_error(format!(
        "cannot declare {} of type 'stream': the queue type is disabled",
        declaration.resource()
    ))
}

fn expires_ms(arguments: &Arguments<'_>) -> Result<Option<u64>, ChannelError> {
    arguments.positive("x-expires")?;
    arguments.milliseconds("x-expires")
}

fn dead_letter_routing_key(
    arguments: &Arguments<'_>,
    table: &FieldTable,
) -> Result<Option<Box<str>>, ChannelError> {
    const NAME: &str = "x-dead-letter-routing-key";
    let Some(routing_key) = arguments.text(NAME)? else { return Ok(None) };
    if !table.contains("x-dead-letter-exchange") {
        return Err(arguments.invalid(NAME, "routing_key_but_no_dlx_defined"));
    }
    // RabbitMQ takes a longer one and fails when a dead letter is delivered with it.
    if routing_key.len() > ROUTING_KEY_LENGTH_MAX {
        let length = routing_key.len();
        return Err(arguments.invalid(NAME, format_args!("{{max_length_exceeded,{length}}}")));
    }
    Ok(Some(routing_key.into()))
}

fn dead_letter_strategy(
    arguments: &Arguments<'_>,
) -> Result<Option<DeadLetterStrategy>, ChannelError> {
    const CHOICES: &[(&str, DeadLetterStrategy)] = &[
        ("at-most-once", DeadLetterStrategy::AtMostOnce),
        ("at-least-once", DeadLetterStrategy::AtLeastOnce),
    ];
    arguments.choice("x-dead-letter-strategy", CHOICES, |_| "invalid_dlx_strategy".to_owned())
}

/// Only classic queues have it; on others it is refused as foreign, whatever its value.
fn priority_max(arguments: &Arguments<'_>, kind: QueueKind) -> Result<Option<u8>, ChannelError> {
    const NAME: &str = "x-max-priority";
    if kind != QueueKind::Classic {
        return Ok(None);
    }
    let Some(priority) = arguments.count(NAME)? else { return Ok(None) };
    u8::try_from(priority)
        .map(Some)
        .map_err(|_| arguments.invalid(NAME, format_args!("{{max_value_exceeded,{priority}}}")))
}

/// A quorum queue takes `reject-publish-dlx` and then behaves as with `drop-head`.
fn overflow(arguments: &Arguments<'_>, kind: QueueKind) -> Result<Option<Overflow>, ChannelError> {
    const CHOICES: &[(&str, Overflow)] = &[
        ("drop-head", Overflow::DropHead),
        ("reject-publish", Overflow::RejectPublish),
        ("reject-publish-dlx", Overflow::RejectPublishDeadLetter),
    ];
    let overflow = arguments.choice("x-overflow", CHOICES, |_| "invalid_overflow".to_owned())?;
    Ok(match (overflow, kind) {
        (Some(Overflow::RejectPublishDeadLetter), QueueKind::Quorum) => Some(Overflow::DropHead),
        (overflow, _) => overflow,
    })
}

/// Limits of an older quorum queue, which have no effect any more.
fn check_memory_limits(arguments: &Arguments<'_>, kind: QueueKind) -> Result<(), ChannelError> {
    if kind == QueueKind::Quorum {
        arguments.count("x-max-in-memory-length")?;
        arguments.count("x-max-in-memory-bytes")?;
    }
    Ok(())
}

/// Storage choices of an older classic queue, which have no effect any more.
fn check_mode_and_version(arguments: &Arguments<'_>, kind: QueueKind) -> Result<(), ChannelError> {
    if kind == QueueKind::Classic {
        arguments.choice("x-queue-mode", &[("default", ()), ("lazy", ())], |mode| {
            format!("\"unsupported queue mode '{mode}'\"")
        })?;
        check_queue_version(arguments)?;
    }
    Ok(())
}

/// What a quorum queue says about its group of nodes. It is checked so that a program is told
/// of its mistake, and has no effect on one node.
fn check_group(arguments: &Arguments<'_>, kind: QueueKind) -> Result<(), ChannelError> {
    if kind == QueueKind::Quorum {
        arguments.positive("x-quorum-initial-group-size")?;
        arguments.text("x-member-placement-tag")?;
        arguments.count("x-consumer-disconnected-timeout")?;
    }
    Ok(())
}

fn check_queue_version(arguments: &Arguments<'_>) -> Result<(), ChannelError> {
    const NAME: &str = "x-queue-version";
    match arguments.count(NAME)? {
        None | Some(2) => Ok(()),
        Some(version) => {
            Err(arguments.invalid(NAME, format_args!("\"unsupported queue version '{version}'\"")))
        }
    }
}

fn queue_leader_locator(
    arguments: &Arguments<'_>,
) -> Result<Option<QueueLeaderLocator>, ChannelError> {
    const CHOICES: &[(&str, QueueLeaderLocator)] = &[
        ("client-local", QueueLeaderLocator::ClientLocal),
        ("balanced", QueueLeaderLocator::Balanced),
        ("random", QueueLeaderLocator::Balanced),
        ("least-leaders", QueueLeaderLocator::Balanced),
    ];
    arguments.choice("x-queue-leader-locator", CHOICES, |_| "invalid_queue_locator_arg".to_owned())
}

fn delivery_limit(arguments: &Arguments<'_>) -> Result<Option<DeliveryLimit>, ChannelError> {
    let limit = arguments.integer("x-delivery-limit")?;
    Ok(limit.map(|limit| match u64::try_from(limit) {
        Ok(returns) => DeliveryLimit::Returns(returns),
        Err(_) => DeliveryLimit::Unlimited,
    }))
}

fn delayed_retry(arguments: &Arguments<'_>) -> Result<Option<DelayedRetry>, ChannelError> {
    const CHOICES: &[(&str, DelayedRetryKind)] = &[
        ("disabled", DelayedRetryKind::Disabled),
        ("all", DelayedRetryKind::All),
        ("failed", DelayedRetryKind::Failed),
        ("returned", DelayedRetryKind::Returned),
    ];
    let kind = arguments
        .choice("x-delayed-retry-type", CHOICES, |_| "invalid_delayed_retry_type".to_owned())?;
    let min_ms = arguments.milliseconds("x-delayed-retry-min")?;
    let max_ms = arguments.milliseconds("x-delayed-retry-max")?;
    let Some(kind) = kind else { return Ok(None) };
    if kind != DelayedRetryKind::Disabled && min_ms.is_none() {
        return Err(arguments.invalid("x-delayed-retry-type", "delayed_retry_min_not_defined"));
    }
    let min_ms = min_ms.unwrap_or(0);
    match max_ms {
        Some(max_ms) if max_ms < min_ms => {
            Err(arguments
                .invalid("x-delayed-retry-max", format_args!("{{value_below_min,{max_ms}}}")))
        }
        _ => Ok(Some(DelayedRetry { kind, min_ms, max_ms })),
    }
}

/// A queue of quorum type keeps what it has, whatever happens; who wants something else is told.
fn storage(arguments: &Arguments<'_>, kind: QueueKind) -> Result<Option<Storage>, ChannelError> {
    const NAME: &str = "x-storage";
    const CHOICES: &[(&str, Storage)] = &[("disk", Storage::Disk), ("memory", Storage::Memory)];
    let storage =
        arguments.choice(NAME, CHOICES, |word| format!("\"unsupported storage '{word}'\""))?;
    if storage == Some(Storage::Memory) && kind == QueueKind::Quorum {
        return Err(arguments.invalid(NAME, "\"a queue of quorum type is always on disk\""));
    }
    Ok(storage)
}

/// In the order of the table, unlike the values.
fn check_foreign_arguments(
    declaration: &QueueDeclaration<'_>,
    table: &FieldTable,
    kind: QueueKind,
) -> Result<(), ChannelError> {
    for (name, _) in table.iter() {
        let Ok(name) = std::str::from_utf8(name.as_bytes()) else { continue };
        if kind.is_foreign(name) {
            return Err(ChannelError::precondition_failed(format!(
                "invalid arg '{name}' for {} of queue type {}",
                declaration.resource(),
                kind.module_name()
            )));
        }
    }
    Ok(())
}

fn check_removed_arguments(table: &FieldTable, kind: QueueKind) -> Result<(), ConnectionError> {
    if kind == QueueKind::Classic && table.contains("x-queue-master-locator") {
        return Err(ConnectionError::internal_error(
            "Feature `queue_master_locator` is deprecated. Its use is not permitted: \
             x-queue-leader-locator is in its place.",
        ));
    }
    Ok(())
}

fn check_quorum_properties(
    declaration: &QueueDeclaration<'_>,
    kind: QueueKind,
) -> Result<(), ChannelError> {
    let refused = match kind {
        QueueKind::Classic => None,
        QueueKind::Quorum if declaration.auto_delete => Some("auto-delete"),
        QueueKind::Quorum if declaration.exclusive => Some("exclusive-owner"),
        QueueKind::Quorum if !declaration.durable => Some("non-durable"),
        QueueKind::Quorum => None,
    };
    match refused {
        None => Ok(()),
        Some(property) => Err(ChannelError::precondition_failed(format!(
            "invalid property '{property}' for {}",
            declaration.resource()
        ))),
    }
}
