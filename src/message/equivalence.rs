//! What a declaration of something that exists says otherwise than the first one did. It reads
//! the arguments as they were sent, not as options: a repeated declaration is compared before it
//! is validated, and what means nothing to the type is not compared at all. Which differences are
//! let through is decided where it is declared. Floor 1.

use super::exchange_options::ALTERNATE_EXCHANGE;
use super::queue_options::QueueKind;
use super::resource::Resource;
use super::term;
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::reply::ChannelError;

const QUEUE_TYPE: &str = "x-queue-type";

/// What RabbitMQ compares where a quorum queue is declared again as a classic one and
/// `relaxed_checks_on_redeclaration` is on.
const ARGUMENTS_OF_BOTH_TYPES: &[&str] = &[
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-single-active-consumer",
    "x-message-ttl",
];

/// What becomes of a repeated declaration that says something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeclareEquivalence {
    /// It is refused.
    #[default]
    Strict,
    /// It is taken, and what exists stays as it is.
    Relaxed,
}

/// Something that a repeated declaration says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference<'a> {
    /// The flag or the argument.
    pub name: &'a str,
    /// What a strict check answers.
    pub refusal: ChannelError,
    /// A relaxed check lets it through.
    pub is_passable: bool,
}

/// A queue as it was declared, or as it is declared again.
#[derive(Debug, Clone, Copy)]
pub struct QueueProperties<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its virtual host.
    pub virtual_host: &'a str,
    /// The flag as sent; between exclusive queues it is not compared.
    pub durable: bool,
    /// Deleted with its last consumer.
    pub auto_delete: bool,
    /// Only for the declaring connection. Whether it is the same connection is asked elsewhere.
    pub exclusive: bool,
    /// The type of the queue. Of a repeated declaration: the type if the arguments name none,
    /// see [`QueueDeclaration::kind_when_unnamed`](super::queue_options::QueueDeclaration).
    pub kind: QueueKind,
    /// The arguments as sent.
    pub arguments: &'a FieldTable,
}

/// An exchange as it was declared, or as it is declared again.
#[derive(Debug, Clone, Copy)]
pub struct ExchangeProperties<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its virtual host.
    pub virtual_host: &'a str,
    /// The name of its type.
    pub kind: &'a str,
    /// Whether it survives a restart.
    pub durable: bool,
    /// Deleted with its last binding.
    pub auto_delete: bool,
    /// Closed to publishers.
    pub internal: bool,
    /// The arguments as sent.
    pub arguments: &'a FieldTable,
}

/// One argument, present or not.
type Argument<'a> = Option<&'a FieldValue>;

impl DeclareEquivalence {
    /// The name in the configuration and in the metadata of virtual hosts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Relaxed => "relaxed",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Strict, Self::Relaxed].into_iter().find(|known| known.name() == name)
    }
}

/// What a repeated declaration of a queue says otherwise, in RabbitMQ's order: exclusive, durable,
/// auto-delete, then the arguments that the queue's type knows. Of a queue of quorum type that is
/// called classic now, only some arguments are compared where that is asked for.
pub fn queue_differences<'a>(
    existing: &'a QueueProperties<'a>,
    received: &'a QueueProperties<'a>,
    lets_quorum_be_classic: bool,
) -> impl Iterator<Item = Difference<'a>> {
    let queue = Resource::queue(existing.name, existing.virtual_host);
    let is_let_be = lets_quorum_be_classic && is_called_classic(existing, received);
    // A client that wants a queue for itself must not share one, nor the other way round.
    let locked = (existing.exclusive != received.exclusive).then(|| Difference {
        name: "exclusive",
        refusal: queue.locked(),
        is_passable: false,
    });
    // An exclusive queue is transient whatever its declaration says.
    let durable = (!existing.exclusive)
        .then(|| flag_difference(queue, "durable", existing.durable, received.durable));
    let auto_delete =
        flag_difference(queue, "auto_delete", existing.auto_delete, received.auto_delete);
    let flags = durable.flatten().into_iter().chain(auto_delete).filter(move |_| !is_let_be);
    let names = if is_let_be { ARGUMENTS_OF_BOTH_TYPES } else { existing.kind.arguments() };
    let arguments = names.iter().filter_map(move |name| match *name {
        QUEUE_TYPE => queue_type_difference(queue, existing, received),
        name => argument_difference(queue, name, existing.arguments, received.arguments),
    });
    locked.into_iter().chain(flags).chain(arguments)
}

/// What a repeated declaration of an exchange says otherwise: type, durable, auto-delete, internal,
/// and of the arguments the alternate exchange only. Another type would route otherwise, so it
/// never passes.
pub fn exchange_differences<'a>(
    existing: &'a ExchangeProperties<'a>,
    received: &'a ExchangeProperties<'a>,
) -> impl Iterator<Item = Difference<'a>> {
    let exchange = Resource::exchange(existing.name, existing.virtual_host);
    let shown = |kind| quoted(term::atom(kind));
    let kind = (existing.kind != received.kind).then(|| Difference {
        is_passable: false,
        ..inequivalent(exchange, "type", &shown(received.kind), &shown(existing.kind))
    });
    let flags = [
        ("durable", existing.durable, received.durable),
        ("auto_delete", existing.auto_delete, received.auto_delete),
        ("internal", existing.internal, received.internal),
    ];
    let flags = flags.into_iter().filter_map(move |(name, existing, received)| {
        flag_difference(exchange, name, existing, received)
    });
    let alternate =
        argument_difference(exchange, ALTERNATE_EXCHANGE, existing.arguments, received.arguments);
    kind.into_iter().chain(flags).chain(alternate)
}

/// A queue of quorum type is declared again, by name, as a classic one.
fn is_called_classic(existing: &QueueProperties<'_>, received: &QueueProperties<'_>) -> bool {
    let called = received.arguments.get(QUEUE_TYPE).and_then(FieldValue::as_str);
    existing.kind == QueueKind::Quorum && called == Some(QueueKind::Classic.name())
}

fn flag_difference<'a>(
    resource: Resource<'_>,
    name: &'a str,
    existing: bool,
    received: bool,
) -> Option<Difference<'a>> {
    let is_same = existing == received;
    (!is_same).then(|| inequivalent(resource, name, &quoted(received), &quoted(existing)))
}

fn argument_difference<'a>(
    resource: Resource<'_>,
    name: &'a str,
    existing: &FieldTable,
    received: &FieldTable,
) -> Option<Difference<'a>> {
    let (existing, received) = (existing.get(name), received.get(name));
    let is_same = match (existing, received) {
        (None, None) => true,
        (Some(existing), Some(received)) => is_same_value(existing, received),
        (None, Some(_)) | (Some(_), None) => false,
    };
    (!is_same).then(|| argument_inequivalent(resource, name, existing, received))
}

/// A type that is not named is the default one, so naming it or not is the same declaration. In
/// the text, a default of classic is `none`; another one stands as if it had been sent.
fn queue_type_difference(
    queue: Resource<'_>,
    existing: &QueueProperties<'_>,
    received: &QueueProperties<'_>,
) -> Option<Difference<'static>> {
    let defaults = [existing.kind, received.kind].map(|kind| FieldValue::from(kind.name()));
    let [existing_default, received_default] = &defaults;
    let existing_named = existing.arguments.get(QUEUE_TYPE);
    let received_named = received.arguments.get(QUEUE_TYPE);
    if is_same_value(
        existing_named.unwrap_or(existing_default),
        received_named.unwrap_or(received_default),
    ) {
        return None;
    }
    fn shown<'a>(named: Argument<'a>, default: &'a FieldValue, kind: QueueKind) -> Argument<'a> {
        let is_silent = kind == QueueKind::Classic;
        named.or((!is_silent).then_some(default))
    }
    Some(argument_inequivalent(
        queue,
        QUEUE_TYPE,
        shown(existing_named, existing_default, existing.kind),
        shown(received_named, received_default, received.kind),
    ))
}

/// Numbers are compared by value whatever their width, and so are strings and bytes.
fn is_same_value(one: &FieldValue, other: &FieldValue) -> bool {
    match (whole_number(one), whole_number(other)) {
        (Some(one), Some(other)) => return one == other,
        (None, None) => {}
        _ => return false,
    }
    match (one, other) {
        (FieldValue::F32(one), FieldValue::F64(other))
        | (FieldValue::F64(other), FieldValue::F32(one)) => f64::from(*one) == *other,
        (FieldValue::LongString(one), FieldValue::Bytes(other))
        | (FieldValue::Bytes(one), FieldValue::LongString(other)) => one == other,
        _ => one == other,
    }
}

fn whole_number(value: &FieldValue) -> Option<i128> {
    match value {
        FieldValue::Timestamp(seconds) => Some(i128::from(*seconds)),
        other => other.as_integer().map(i128::from),
    }
}

fn quoted(value: impl std::fmt::Display) -> String {
    format!("'{value}'")
}

/// Two values are shown bare, one alone with its type, as RabbitMQ 3.10 does on the wire.
fn argument_inequivalent<'a>(
    resource: Resource<'_>,
    name: &'a str,
    existing: Argument<'_>,
    received: Argument<'_>,
) -> Difference<'a> {
    let shown = |value: Argument<'_>| match (value, existing.is_some() && received.is_some()) {
        (Some(value), true) => quoted(term::bare(value)),
        (value, _) => typed(value),
    };
    inequivalent(resource, name, &shown(received), &shown(existing))
}

fn typed(value: Argument<'_>) -> String {
    match value {
        None => "none".to_owned(),
        Some(value) => {
            format!("the value '{}' of type '{}'", term::bare(value), term::type_name(value))
        }
    }
}

fn inequivalent<'a>(
    resource: Resource<'_>,
    name: &'a str,
    received: &str,
    existing: &str,
) -> Difference<'a> {
    let refusal = ChannelError::precondition_failed(format!(
        "inequivalent arg '{name}' for {resource}: received {received} but current is {existing}"
    ));
    Difference { name, refusal, is_passable: true }
}
