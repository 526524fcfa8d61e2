//! When the time of a message is over, as a queue reckons it: by its own time to live and by what
//! the publisher gave the message, whichever is less. Not what becomes of it then.

use std::fmt;

use crate::limits::DUE_STEP_MS;
use crate::message::{Message, Moment};

/// The moment at which a message dies, in few bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Due(u64);

/// It may also be later.
const INEXACT: u64 = 1 << 63;

impl Due {
    /// It lives until somebody takes it.
    pub const NEVER: Self = Self(!INEXACT);

    /// Only the disk knows.
    pub const UNKNOWN: Self = Self(INEXACT);

    /// At this moment.
    #[must_use]
    pub fn exact(at: Moment) -> Self {
        Self(at.0.min(!INEXACT))
    }

    /// At this moment or later: of what is on disk only, it is not always known.
    #[must_use]
    pub fn not_before(at: Moment) -> Self {
        Self(Self::exact(at).0 | INEXACT)
    }

    /// When.
    #[must_use]
    pub fn at(self) -> Moment {
        Moment(self.0 & !INEXACT)
    }

    /// Not later.
    #[must_use]
    pub fn is_exact(self) -> bool {
        self.0 & INEXACT == 0
    }

    /// It lives until somebody takes it.
    #[must_use]
    pub fn is_never(self) -> bool {
        self == Self::NEVER
    }
}

impl fmt::Debug for Due {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not_before = if self.is_exact() { "" } else { "not before " };
        match self.is_never() {
            true => formatter.write_str("never"),
            false => write!(formatter, "{not_before}{}", self.at().0),
        }
    }
}

impl Default for Due {
    fn default() -> Self {
        Self::NEVER
    }
}

/// What is known of messages that just came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When they die.
    pub due: Due,
    /// They live as long as every message that has no time of its own, so they do not die before
    /// any that came earlier.
    pub is_uniform: bool,
    /// Their priority, where it is another than the queue takes without being told.
    pub level: Option<u8>,
}

impl Arrival {
    /// They live for ever.
    pub const LASTING: Self = Self { due: Due::NEVER, is_uniform: false, level: None };
}

/// How long messages live in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime {
    /// `x-message-ttl`.
    pub ttl_ms: Option<u64>,
}

impl Lifetime {
    /// When a message dies that came at this moment.
    ///
    /// Long lives end at a multiple of some milliseconds, never too early: messages that came
    /// shortly one after the other are alike then, and take the room of one.
    #[must_use]
    pub fn due(self, arrived: Moment, message: &Message) -> Due {
        let Some(life_ms) = self.of(message) else { return Due::NEVER };
        let at = arrived.plus(life_ms);
        let is_long = life_ms >= DUE_STEP_MS * 100;
        let at = if is_long { Moment(at.0.next_multiple_of(DUE_STEP_MS)) } else { at };
        Due::exact(at)
    }

    /// The same of one that comes now.
    #[must_use]
    pub fn arrival(self, now: Moment, message: &Message) -> Arrival {
        if self.ttl_ms.is_none() && !message.has_expiration() {
            return Arrival::LASTING;
        }
        let due = self.due(now, message);
        let is_uniform = self.ttl_ms.is_some() && self.of(message) == self.ttl_ms;
        Arrival { due, is_uniform, ..Arrival::LASTING }
    }

    /// When a message came that dies at this moment, or a little later.
    #[must_use]
    pub fn arrived(self, due: Due, message: &Message) -> Option<Moment> {
        let life_ms = self.of(message)?;
        Some(Moment(due.at().0.saturating_sub(life_ms)))
    }

    fn of(self, message: &Message) -> Option<u64> {
        let own = message.expiration_ms();
        self.ttl_ms.into_iter().chain(own).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, Envelope};
    use crate::protocol::properties::Properties;

    fn message(expiration: Option<&str>) -> Message {
        let mut bytes = Vec::new();
        let expiration = expiration.map(Into::into);
        Properties { expiration, ..Properties::default() }.encode(&mut bytes);
        let envelope =
            Envelope { exchange: "", routing_key: "q", properties: &bytes, is_persistent: false };
        Message::new(envelope, Body::Copied(b""))
    }

    fn due(ttl_ms: Option<u64>, expiration: Option<&str>) -> Due {
        Lifetime { ttl_ms }.due(Moment(1001), &message(expiration))
    }

    fn at(moment: u64) -> Due {
        Due::exact(Moment(moment))
    }

    #[test]
    fn the_shorter_of_both_times_counts() {
        assert_eq!(due(None, None), Due::NEVER);
        assert_eq!(due(Some(10), None), at(1011));
        assert_eq!(due(None, Some("20")), at(1021));
        assert_eq!(due(Some(10), Some("20")), at(1011));
        assert_eq!(due(Some(30), Some("20")), at(1021));
        assert_eq!(due(Some(0), Some("20")), at(1001));
    }

    #[test]
    fn long_lives_end_in_steps_and_never_early() {
        assert_eq!(due(Some(999_999), None), at(1_001_000));
        assert_eq!(due(Some(1_000_000), None), at(1_001_004));
        let lifetime = Lifetime { ttl_ms: Some(1_000_000) };
        for arrived in 1001..=1004 {
            let due = lifetime.due(Moment(arrived), &message(None));
            assert_eq!(due, at(1_001_004));
            let known = lifetime.arrived(due, &message(None)).unwrap();
            assert_eq!(lifetime.due(known, &message(None)), due);
        }
    }

    #[test]
    fn messages_that_live_as_long_as_the_queue_lets_them_are_uniform() {
        let is_uniform = |ttl_ms, expiration| {
            Lifetime { ttl_ms }.arrival(Moment(0), &message(expiration)).is_uniform
        };
        assert!(is_uniform(Some(10), None) && is_uniform(Some(10), Some("10")));
        assert!(!is_uniform(Some(10), Some("5")));
        assert!(!is_uniform(None, Some("5")) && !is_uniform(None, None));
    }
}
