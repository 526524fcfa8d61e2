//! Floor 4: the synchronous heart. Virtual hosts with their live queues, and sessions that carry
//! out what connections ask. No socket, no clock, no runtime: bytes and the time come in, bytes
//! wait in an output. A program or a test can run the whole broker on one thread.
//!
//! Reading order: [`Broker`], [`Session`] (one client), `publish` (the path of a message),
//! `settle`, `dead_letters`, `consume`, `exchanges` and `queues` (declarations), `replies` (direct
//! reply-to).

mod access;
mod administration;
mod alarm;
mod author;
mod batch;
mod bucket;
mod burial;
mod channel_exchanges;
mod churn;
mod commit;
mod consume;
mod consumer_timeout;
mod dead_letter_counts;
mod dead_letters;
mod declaration;
mod deduplication;
mod direct_channel;
mod durability;
mod encryption;
mod events;
mod exchanges;
mod expiry;
mod export;
mod figures;
mod firehose;
mod host_defaults;
mod host_deletion;
mod import;
mod in_force;
mod listed_connection;
mod listed_queue;
mod listing;
mod live_connection;
mod live_queue;
mod lock;
mod login;
mod mailbox;
mod measures;
mod message_counts;
mod meter;
mod new_password;
mod node_definitions;
mod node_room;
mod opening;
mod options;
mod out_of_service;
mod pace;
mod parameters;
mod password_checks;
mod permission;
mod policies;
mod pressure;
mod publish;
mod publish_rate;
mod publish_tally;
mod queue_delivery;
mod queue_figures;
mod queue_handle;
mod queue_latency;
mod queue_log;
mod queue_traffic;
mod queues;
mod readiness;
mod redeclare;
mod release;
mod replies;
mod requests;
mod route_cache;
mod session;
mod settle;
mod shared;
mod tallies;
mod targets;
mod timers;
mod traffic;
mod trail;
mod virtual_host;
mod waiting;
mod waiting_room;
mod watermarks;
mod work;

pub use alarm::{Alarm, Alarms};
pub use author::Author;
pub use channel_exchanges::ExchangePublishes;
pub use churn::{ChurnFigures, Passed};
pub use dead_letter_counts::{DeadLetterFigures, DeadLettersSent, Strategy};
pub use declaration::{DeclarationRefused, DeclarationResult, Declared};
pub use direct_channel::{DirectChannel, Rejection};
pub use durability::MemoryOptions;
pub use encryption::Encryption;
pub use events::{LogLine, LogLines};
pub use figures::BrokerFigures;
pub use host_defaults::{DefaultLimits, DefaultPolicy, DefaultUser, HostDefaults};
pub use import::{Import, ImportFailure, ImportReport};
pub use listed_connection::{ChannelReport, ListedChannel, ListedConnection, OctetFigures};
pub use listed_queue::{ListedConsumer, ListedQueue, QueueReport};
pub use listing::{ListedBinding, ListedExchange};
pub use live_connection::ConnectionState;
pub use measures::MeasuredFigures;
pub use message_counts::MessageFigures;
pub use node_room::NodeLimits;
pub use opening::{Left, UnreadableDefinition};
pub use options::{BrokerOptions, Product, server_properties};
pub use password_checks::{LoginCheck, NewHash};
pub use queue_figures::QueueFigures;
pub use queue_traffic::{Backlog, QueueTraffic};
pub use session::{Peer, Session};
pub use shared::Broker;
pub use traffic::{ClientFigures, TrafficFigures};
pub use watermarks::{Watermark, share};

/// What tools know a connection by, or, where that is not 0, a channel of it: in the shape of an
/// Erlang process's name.
fn process_id(node: &str, session: crate::message::SessionId, channel: u16) -> String {
    format!("<{node}.1.{}.{channel}>", session.0)
}

#[cfg(test)]
mod at_least_once_tests;
#[cfg(test)]
mod firehose_tests;
#[cfg(test)]
mod memory_queue_tests;
#[cfg(test)]
mod object_traffic_tests;
#[cfg(test)]
mod out_of_service_tests;
#[cfg(test)]
mod test_world;
#[cfg(test)]
mod traffic_tests;
