//! Floor 1: the words all floors share: names and numbers, messages, and the arguments of
//! declarations parsed once into typed options. Nothing here decides what happens to a message.

mod account;
mod argument;
mod civil_time;
mod consumer_options;
mod dead_letter;
pub mod deduplication;
pub mod delay;
mod delivery;
mod delivery_counts;
pub mod equivalence;
mod era;
mod exchange_options;
pub mod expiration;
mod histogram;
mod ids;
#[expect(clippy::module_inception, reason = "the floor is named after its main type")]
mod message;
mod message_run;
mod moment;
mod name;
pub mod queue_options;
mod random;
mod raw_table;
mod read_back;
mod recovered;
mod resource;
pub mod sender_selected;
mod sequence;
mod term;
pub mod trace;

pub use account::{Account, Charge};
pub use civil_time::CivilTime;
pub use consumer_options::ConsumerOptions;
pub use dead_letter::{DeadLetter, Death, DeathReason};
pub use deduplication::{DeduplicationKey, SeenKey};
pub use delivery::{Delivery, Outcome, Run};
pub use delivery_counts::DeliveryCounts;
pub use equivalence::DeclareEquivalence;
pub use era::Era;
pub use exchange_options::ExchangeOptions;
pub use histogram::{Histogram, HistogramFigures, OwnHistogram, Tally};
pub use ids::{ConsumerId, ConsumerKey, ExchangeId, GetId, QueueId, SessionId, VirtualHostNumber};
pub use message::{Body, BodyPart, Envelope, Message};
pub use message_run::MessageRun;
pub use moment::Moment;
pub use name::{DEFAULT_VIRTUAL_HOST, Name, cleaned};
pub use queue_options::{QueueDeclaration, QueueKind, QueueOptions};
pub use random::Random;
pub use read_back::ReadBack;
pub use recovered::RecoveredRun;
pub use resource::{Resource, ResourceKind};
pub use sequence::{Sequence, SequenceRange};
pub use term::{binary_term, table_terms};

#[cfg(test)]
mod equivalence_tests;
