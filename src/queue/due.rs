//! When the time of a message is over, as a queue reckons it: by its own time to live and by what
//! the publisher gave the message, whichever is less. Not what becomes of it then.

use std::fmt;

use crate::limits::{DUE_STEP_MS, ERAS_MAX};
use crate::message::{Era, Message, Moment, delay};

/// The moment at which a message dies, in few bytes. It may stand at any four of them, so that it
/// leaves no gap among what else is known of messages that are alike.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(Rust, packed(4))]
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

/// How long messages live in a queue: what was said when they came counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifetime {
    /// `x-message-ttl`, and what a policy makes of it.
    pub ttl_ms: Option<u64>,
    /// How long it was before, the earliest first: a policy may change it.
    pub before: Vec<Era>,
    /// Messages live as long as each asks an exchange to wait for it, and no longer or shorter.
    pub is_by_delay: bool,
}

impl Lifetime {
    /// When a message dies that came at this moment.
    #[must_use]
    pub fn due(&self, arrived: Moment, message: &Message) -> Due {
        let Some(life_ms) = self.life(self.ttl_at(arrived), message) else { return Due::NEVER };
        Due::exact(end_of(arrived, life_ms))
    }

    /// The same of one that comes now.
    #[must_use]
    pub fn arrival(&self, now: Moment, message: &Message) -> Arrival {
        let ttl_ms = self.ttl_at(now);
        if ttl_ms.is_none() && !message.has_expiration() && !self.is_by_delay {
            return Arrival::LASTING;
        }
        let due = self.due(now, message);
        let is_uniform =
            ttl_ms.is_some() && self.life(ttl_ms, message) == ttl_ms && self.is_rising();
        Arrival { due, is_uniform, ..Arrival::LASTING }
    }

    /// When a message may have come, until now, that dies at this moment or a little earlier.
    #[must_use]
    pub fn arrived(&self, due: Due, message: &Message, now: Moment) -> Moment {
        let earlier = self.before.iter().rev().map(|era| (era.ttl_ms, era.until.minus(1)));
        let eras = [(self.ttl_ms, now)].into_iter().chain(earlier);
        let mut arrived = eras.map(|(ttl_ms, latest)| match self.life(ttl_ms, message) {
            Some(life_ms) if !due.is_never() => due.at().minus(life_ms).min(latest),
            _ => latest,
        });
        arrived.find(|arrived| self.due(*arrived, message) == due).unwrap_or(now)
    }

    fn life(&self, ttl_ms: Option<u64>, message: &Message) -> Option<u64> {
        if self.is_by_delay {
            return delay::asked_for(message.properties());
        }
        ttl_ms.into_iter().chain(message.expiration_ms()).min()
    }

    /// The time to live of what came at this moment.
    fn ttl_at(&self, arrived: Moment) -> Option<u64> {
        let era = self.before.iter().find(|era| arrived < era.until);
        era.map_or(self.ttl_ms, |era| era.ttl_ms)
    }

    /// What comes later lives no shorter, where it has no time of its own.
    #[must_use]
    pub fn is_rising(&self) -> bool {
        if self.is_by_delay {
            return false;
        }
        let earlier = self.before.iter().map(|era| era.ttl_ms);
        self.before.is_empty()
            || earlier.chain([self.ttl_ms]).map(|ttl| ttl.unwrap_or(u64::MAX)).is_sorted()
    }

    /// Every message lives for ever that has no time of its own.
    #[must_use]
    pub fn is_endless(&self) -> bool {
        let is_endless = |era: &Era| era.ttl_ms.is_none();
        !self.is_by_delay && self.ttl_ms.is_none() && self.before.iter().all(is_endless)
    }

    /// From now on, messages that come live so long. Nothing is known of earlier ones where there
    /// are none.
    #[must_use]
    pub fn changed(mut self, ttl_ms: Option<u64>, now: Moment, is_empty: bool) -> Self {
        if self.ttl_ms != ttl_ms {
            self.before.push(Era { until: now.plus(1), ttl_ms: self.ttl_ms });
        }
        if is_empty {
            self.before.clear();
        }
        if self.before.len() > ERAS_MAX {
            self.join_first_eras();
        }
        Self { ttl_ms, ..self }
    }

    /// Of the two, the longer life counts.
    fn join_first_eras(&mut self) {
        let first = self.before.remove(0);
        if let (Some(second), Some(first_ttl)) = (self.before.first_mut(), first.ttl_ms) {
            second.ttl_ms = second.ttl_ms.map(|ttl_ms| ttl_ms.max(first_ttl));
        } else if let Some(second) = self.before.first_mut() {
            second.ttl_ms = None;
        }
    }
}

/// When a time is over that begins at this moment.
///
/// Long ones end at a multiple of some milliseconds, never too early: messages whose times began
/// shortly one after the other are alike then, and take the room of one.
#[must_use]
pub fn end_of(start: Moment, length_ms: u64) -> Moment {
    let end = start.plus(length_ms);
    let is_long = length_ms >= DUE_STEP_MS * 100;
    let step = if is_long { DUE_STEP_MS } else { 1 };
    Moment(end.0.checked_next_multiple_of(step).unwrap_or(end.0))
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

    fn lifetime(ttl_ms: Option<u64>) -> Lifetime {
        Lifetime { ttl_ms, ..Lifetime::default() }
    }

    fn due(ttl_ms: Option<u64>, expiration: Option<&str>) -> Due {
        lifetime(ttl_ms).due(Moment(1001), &message(expiration))
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
        let lifetime = lifetime(Some(1_000_000));
        for arrived in 1001..=1004 {
            let due = lifetime.due(Moment(arrived), &message(None));
            assert_eq!(due, at(1_001_004));
            let known = lifetime.arrived(due, &message(None), Moment(2000));
            assert_eq!(lifetime.due(known, &message(None)), due);
        }
    }

    #[test]
    fn a_life_without_end_ends_at_the_end_of_time() {
        assert_eq!(end_of(Moment(1_700_000_000_000), u64::MAX), Moment(u64::MAX));
    }

    #[test]
    fn messages_that_live_as_long_as_the_queue_lets_them_are_uniform() {
        let is_uniform = |ttl_ms, expiration| {
            lifetime(ttl_ms).arrival(Moment(0), &message(expiration)).is_uniform
        };
        assert!(is_uniform(Some(10), None) && is_uniform(Some(10), Some("10")));
        assert!(!is_uniform(Some(10), Some("5")));
        assert!(!is_uniform(None, Some("5")) && !is_uniform(None, None));
    }

    fn changed(ttls: &[(u64, Option<u64>)]) -> Lifetime {
        let (first, others) = ttls.split_first().unwrap();
        others.iter().fold(lifetime(first.1), |lifetime, (at, ttl_ms)| {
            lifetime.changed(*ttl_ms, Moment(*at), false)
        })
    }

    #[test]
    fn a_message_lives_as_long_as_was_said_when_it_came() {
        let lifetime = changed(&[(0, None), (100, Some(10)), (200, Some(5)), (300, None)]);
        let due = |arrived| lifetime.due(Moment(arrived), &message(None));
        assert_eq!([due(50), due(100)], [Due::NEVER; 2]);
        assert_eq!([due(101), due(200), due(201), due(300)], [111, 210, 206, 305].map(at));
        assert_eq!(due(301), Due::NEVER);
        assert_eq!(lifetime.due(Moment(150), &message(Some("7"))), at(157));
        assert!(!lifetime.is_endless() && !lifetime.is_rising());
    }

    #[test]
    fn when_a_message_came_is_found_again_whichever_time_it_has() {
        let lifetime = changed(&[(0, None), (100, Some(10)), (200, Some(5)), (300, None)]);
        for (arrived, expiration) in
            [(50, None), (150, None), (250, None), (350, None), (150, Some("7"))]
        {
            let message = message(expiration);
            let due = lifetime.due(Moment(arrived), &message);
            let known = lifetime.arrived(due, &message, Moment(400));
            assert_eq!(lifetime.due(known, &message), due, "{arrived} {expiration:?}");
        }
    }

    #[test]
    fn what_comes_later_is_uniform_only_where_nothing_earlier_lives_longer() {
        let is_uniform =
            |lifetime: &Lifetime| lifetime.arrival(Moment(500), &message(None)).is_uniform;
        assert!(is_uniform(&changed(&[(0, Some(5)), (100, Some(10))])));
        assert!(!is_uniform(&changed(&[(0, Some(10)), (100, Some(5))])));
        assert!(!is_uniform(&changed(&[(0, None), (100, Some(5))])));
    }

    #[test]
    fn earlier_times_are_forgotten_with_the_last_message_and_never_are_many() {
        let lifetime = changed(&[(0, None), (100, Some(10))]);
        assert_eq!(lifetime.clone().changed(Some(10), Moment(200), false), lifetime);
        assert_eq!(lifetime.changed(Some(7), Moment(200), true).before, []);
        let many: Vec<_> = (0..100).map(|number| (number * 10, Some(number))).collect();
        let lifetime = changed(&many);
        assert_eq!(lifetime.before.len(), ERAS_MAX);
        let due = lifetime.due(Moment(3), &message(None));
        assert!(due.at() > Moment(3), "those joined live longer, not shorter");
    }
}
