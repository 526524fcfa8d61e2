//! Floor 3: one AMQP connection and its channels as a pure machine. Bytes and events go in, effects
//! and bytes come out; it knows no socket, no clock and no broker. Even whether a user may log in
//! is a question it asks by an effect.
//!
//! Reading order: `machine` (the connection), `handshake`, `channel`, `content` (a message on its
//! way in), `methods` (methods to requests), `deliver` (events to frames), [`command`] and
//! [`event`] (the words spoken with the broker).

mod channel;
mod closing;
pub mod command;
mod confirms;
mod content;
mod deliver;
pub mod event;
mod gauge;
mod handshake;
mod heads;
mod keep_alive;
mod machine;
mod message_frames;
mod methods;
mod output;
mod phase;
mod traffic;
mod unsettled;
mod whole;

pub use command::{Command, Credentials, Effect, Publish, Request, Settle, Way};
pub use event::{Delivered, Event, Reply};
pub use gauge::Gauge;
pub use handshake::Introduction;
pub use machine::{CloseReason, Connection};
pub use output::Output;
pub use phase::Options;
pub use traffic::{ChannelTraffic, Consumed, Published};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod whole_tests;
