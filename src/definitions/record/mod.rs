//! How changes stand on disk: a key that says what changed, and a value that says how it is now,
//! or that it is gone. Of two records with one key the later counts, so a set of records with
//! different keys is a snapshot. What does not survive a restart has no record.
//!
//! A key is the version of the format, its kind, then what makes the thing one; keys of a virtual
//! host have its number next, so that those of one kind begin alike ([`host_prefixes`]) and a
//! name that is declared again is another. A value is the version of its format, then fields.
//! Texts carry their length; tables stand as on the wire, which keeps their types; JSON stands as
//! text.

mod host;
mod node;
mod read;
mod seen;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;

use super::{Change, NodeChange, VirtualHostDefinitions};
use crate::message::{ExchangeId, SeenKey, VirtualHostNumber};
use write::Writer;

/// The format of keys and values that is written. It changes only with a way to read the older one.
const FORMAT: u8 = 1;

/// A change as it goes to disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What changed.
    pub key: Vec<u8>,
    /// How it is now; none where it is gone.
    pub value: Option<Vec<u8>>,
}

/// What a record says is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Something of the node.
    Node(NodeChange),
    /// Something in the virtual host of this number.
    Host(VirtualHostNumber, Change),
    /// An exchange of this number has seen a key. It is no definition, and stands beside them.
    Seen(VirtualHostNumber, ExchangeId, SeenKey),
}

/// Why bytes are no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// A later version of the format, which this program does not know.
    UnknownFormat(u8),
    /// A kind of thing that this program does not know.
    UnknownKind(u8),
    /// A field is cut off, has no sense, or something follows the last one.
    Malformed(&'static str),
    /// The arguments of a queue are not what this program takes.
    QueueArguments {
        /// The queue.
        queue: String,
        /// What is wrong with them.
        reason: String,
    },
}

impl fmt::Display for RecordError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFormat(format) => write!(formatter, "unknown format {format}"),
            Self::UnknownKind(kind) => write!(formatter, "unknown kind {kind}"),
            Self::Malformed(what) => write!(formatter, "malformed {what}"),
            Self::QueueArguments { queue, reason } => {
                write!(formatter, "arguments of queue '{queue}': {reason}")
            }
        }
    }
}

impl std::error::Error for RecordError {}

/// What a record is about. The numbers are on disk: none is ever given to another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Host = 1,
    User = 2,
    GlobalParameter = 3,
    Permission = 16,
    TopicPermission = 17,
    Policy = 18,
    OperatorPolicy = 19,
    Parameter = 20,
    Exchange = 32,
    Queue = 33,
    Binding = 34,
    Seen = 48,
}

impl Kind {
    /// Those whose keys have the number of a virtual host next.
    const IN_HOST: [Self; 9] = [
        Self::Permission,
        Self::TopicPermission,
        Self::Policy,
        Self::OperatorPolicy,
        Self::Parameter,
        Self::Exchange,
        Self::Queue,
        Self::Binding,
        Self::Seen,
    ];
    const OF_NODE: [Self; 3] = [Self::Host, Self::User, Self::GlobalParameter];

    fn from_byte(byte: u8) -> Option<Self> {
        let mut all = Self::OF_NODE.into_iter().chain(Self::IN_HOST);
        all.find(|kind| kind.byte() == byte)
    }

    fn byte(self) -> u8 {
        self as u8
    }
}

/// The record of a change in a virtual host; none where it does not survive a restart. The
/// definitions say which ends of a binding do; they may be those before or after the change.
#[must_use]
pub fn encode_in_host(
    host: VirtualHostNumber,
    change: &Change,
    definitions: &VirtualHostDefinitions,
) -> Option<Record> {
    host::encode(host, change, definitions)
}

/// The record of a change that concerns the node. All of these survive.
#[must_use]
pub fn encode_node(change: &NodeChange) -> Record {
    node::encode(change)
}

/// The record of a key that an exchange has seen. Another one takes its place under the same key.
#[must_use]
pub fn encode_seen(host: VirtualHostNumber, exchange: ExchangeId, seen: &SeenKey) -> Record {
    seen::encode(host, exchange, seen)
}

/// The record that an exchange has seen nothing at this place.
#[must_use]
pub fn encode_unseen(host: VirtualHostNumber, exchange: ExchangeId, place: u32) -> Record {
    Record { key: seen::key(host, exchange, place), value: None }
}

/// The beginnings of all keys of things in a virtual host: with them goes what was declared there.
#[must_use]
pub fn host_prefixes(host: VirtualHostNumber) -> Vec<Vec<u8>> {
    Kind::IN_HOST.into_iter().map(|kind| Writer::key(kind).number(host.0).finish()).collect()
}

/// What a key and its value say is there.
///
/// # Errors
/// The bytes are not what [`encode_in_host`] or [`encode_node`] wrote.
pub fn decode(key: &[u8], value: &[u8]) -> Result<Fact, RecordError> {
    let mut key = read::Reader::new(key, "key");
    let mut value = read::Reader::new(value, "value");
    key.format()?;
    value.format()?;
    let byte = key.byte()?;
    let kind = Kind::from_byte(byte).ok_or(RecordError::UnknownKind(byte))?;
    let fact = match kind {
        Kind::Exchange | Kind::Queue | Kind::Binding => {
            let number = VirtualHostNumber(key.number()?);
            Fact::Host(number, host::decode(kind, &mut key, &mut value)?)
        }
        Kind::Seen => seen::decode(&mut key, &mut value)?,
        kind => Fact::Node(node::decode(kind, &mut key, &mut value)?),
    };
    key.end()?;
    value.end()?;
    Ok(fact)
}
