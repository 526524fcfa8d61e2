//! Exchanges that let of equal messages only the first pass, as the well-known plugin for RabbitMQ
//! has them: their arguments, and the claim that a message on its way has to its key. What is
//! written down of it, and when, the broker knows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::exchange::Exchange;
use super::seen_keys::{Look, SeenKeys};
use super::table::RouteInput;
use crate::limits::SEEN_KEYS_MAX;
use crate::message::{ExchangeId, Message, SeenKey, deduplication};
use crate::protocol::field::{FieldTable, FieldValue};

/// What an exchange keeps so that it knows equal messages.
#[derive(Debug)]
pub(super) struct Deduplication {
    ttl_ms: Option<u64>,
    /// What it has seen is known in the next life too.
    pub(super) is_on_disk: bool,
    keys: Mutex<SeenKeys>,
}

/// What exchanges on the way of a message said to its key: nothing for nearly all, in one word.
#[derive(Debug, Default)]
pub struct Deduplicated(Option<Box<Said>>);

#[derive(Debug, Default)]
struct Said {
    /// The message is the first one for these.
    claims: Vec<Claim>,
    /// One has seen its equal, which stands in the log up to there.
    seen_at: Option<u64>,
    /// Equals of it are on their way and may yet fail.
    on_their_way: Vec<ClaimId>,
}

/// Which claim it is: of which exchange, and its number there.
pub type ClaimId = (ExchangeId, u64);

/// The key of a message on its way. One that is not kept is given back.
#[derive(Debug)]
pub struct Claim {
    exchange: Arc<Exchange>,
    seen: SeenKey,
    is_kept: bool,
    /// The message itself is there after a restart.
    is_lasting: bool,
}

impl Deduplication {
    /// As the arguments of a declaration say.
    ///
    /// # Errors
    /// The explanation of a 406, as the plugin has it.
    pub(super) fn new(arguments: &FieldTable) -> Result<Self, String> {
        let text = "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0";
        let size = arguments.get("x-cache-size").and_then(above_zero).ok_or(text)?;
        if size > SEEN_KEYS_MAX {
            let limit = format!("must not be greater than {SEEN_KEYS_MAX}");
            return Err(format!("Invalid argument, 'x-cache-size' {limit}"));
        }
        let text = "Invalid argument, 'x-cache-ttl' must be an integer greater than 0";
        let ttl_ms = match arguments.get("x-cache-ttl") {
            None => None,
            Some(value) => Some(above_zero(value).ok_or(text)?),
        };
        let is_on_disk = match arguments.get("x-cache-persistence").map(FieldValue::as_str) {
            None | Some(Some("disk")) => true,
            Some(Some("memory")) => false,
            Some(_) => {
                let choice = "must be either 'disk' or 'memory'";
                return Err(format!("Invalid argument, 'x-cache-persistence' {choice}"));
            }
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        Ok(Self { ttl_ms, is_on_disk, keys: Mutex::new(SeenKeys::new(size)) })
    }

    /// What stands in it is whole after every step, also one that breaks.
    fn keys(&self) -> MutexGuard<'_, SeenKeys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that an earlier life saw; they come in the order of their places.
    pub(super) fn restore(&self, seen: SeenKey) {
        self.keys().restore(seen);
    }

    /// All places below this one may be written down.
    pub(super) fn places_used(&self) -> u32 {
        self.keys().places_used()
    }

    fn look(&self, input: &RouteInput<'_>) -> Option<Look> {
        let asked = deduplication::asked_for(input.properties)?;
        Some(self.keys().claim(asked.key, asked.ttl_ms.or(self.ttl_ms), input.now))
    }
}

impl Deduplicated {
    /// Whether a message may pass an exchange: it has no key, the exchange does not look at keys,
    /// or nobody had this one.
    #[inline]
    pub(super) fn passes(&mut self, exchange: &Arc<Exchange>, input: &RouteInput<'_>) -> bool {
        exchange.deduplication.is_none() || self.passes_once(exchange, input)
    }

    fn passes_once(&mut self, exchange: &Arc<Exchange>, input: &RouteInput<'_>) -> bool {
        let look = exchange.deduplication.as_ref().and_then(|keys| keys.look(input));
        let Some(look) = look else { return true };
        let said = self.0.get_or_insert_default();
        match look {
            Look::New(seen) => {
                said.claims.push(Claim {
                    exchange: exchange.clone(),
                    seen,
                    is_kept: false,
                    is_lasting: true,
                });
                return true;
            }
            Look::Claimed(number) => said.on_their_way.push((exchange.id, number)),
            Look::Seen(position) => said.seen_at = said.seen_at.max(Some(position)),
        }
        false
    }

    /// Some exchange looked at its key.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0.is_some()
    }

    /// Some exchange did not let it pass.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        self.seen_at().is_some() || self.is_early()
    }

    /// Equals of it are on their way and may yet fail.
    #[must_use]
    pub fn is_early(&self) -> bool {
        !self.on_their_way().is_empty()
    }

    /// Those equals.
    #[must_use]
    pub fn on_their_way(&self) -> &[ClaimId] {
        self.0.as_ref().map_or(&[], |said| &said.on_their_way)
    }

    /// Some exchange has seen its equal, which stands in the log up to there.
    #[must_use]
    pub fn seen_at(&self) -> Option<u64> {
        self.0.as_ref()?.seen_at
    }

    /// What the message claimed, where it is the first one.
    #[must_use]
    pub fn into_claims(self) -> Vec<Claim> {
        self.0.map_or_else(Vec::new, |said| said.claims)
    }

    /// The claims are for this message, of which a durable queue is among the targets or not: no
    /// key outlives a message that does not outlive the process.
    pub fn is_for(&mut self, message: &Message, is_durable: bool) {
        if let Some(said) = &mut self.0 {
            let is_lasting = message.is_persistent() && is_durable;
            said.claims.iter_mut().for_each(|claim| claim.is_lasting = is_lasting);
        }
    }

    /// Gives back what the message claimed.
    pub fn release(&mut self) {
        if let Some(said) = &mut self.0 {
            said.claims.clear();
        }
    }
}

impl Claim {
    /// Which one it is.
    #[must_use]
    pub fn id(&self) -> ClaimId {
        (self.exchange.id, self.seen.number)
    }

    /// What is to be written down, where the exchange knows it in the next life too.
    #[must_use]
    pub fn to_write(&self) -> Option<(ExchangeId, SeenKey)> {
        let keys = self.exchange.deduplication.as_ref()?;
        let is_written = self.exchange.is_durable && keys.is_on_disk && self.is_lasting;
        (is_written && keys.keys().has(&self.seen)).then_some((self.exchange.id, self.seen))
    }

    /// The message is in its queues, and all of that stands in the log up to there.
    pub fn keep(mut self, position: u64) {
        self.is_kept = true;
        if let Some(keys) = &self.exchange.deduplication {
            keys.keys().keep(&self.seen, position);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.is_kept
            && let Some(keys) = &self.exchange.deduplication
        {
            keys.keys().release(&self.seen);
        }
    }
}

/// A whole number above zero, which may be written as text.
fn above_zero(value: &FieldValue) -> Option<u64> {
    let whole = value.as_integer().or_else(|| value.as_str()?.parse().ok())?;
    u64::try_from(whole).ok().filter(|whole| *whole > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(arguments: &[(&str, FieldValue)]) -> Option<String> {
        Deduplication::new(&arguments.iter().cloned().collect()).err()
    }

    #[test]
    fn the_size_is_required_and_above_zero() {
        let text = "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0";
        assert_eq!(refused(&[]).as_deref(), Some(text));
        for size in [0.into(), (-1).into(), "many".into(), "0".into(), true.into()] {
            assert_eq!(refused(&[("x-cache-size", size)]).as_deref(), Some(text));
        }
        for size in [1.into(), 5_i64.into(), "100".into()] {
            assert_eq!(refused(&[("x-cache-size", size)]), None);
        }
    }

    #[test]
    fn time_and_persistence_are_optional() {
        let size = ("x-cache-size", FieldValue::from(10));
        let with = |name, value: FieldValue| refused(&[size.clone(), (name, value)]);
        let text = "Invalid argument, 'x-cache-ttl' must be an integer greater than 0";
        assert_eq!((with("x-cache-ttl", 5.into()), with("x-cache-ttl", "5".into())), (None, None));
        assert_eq!(with("x-cache-ttl", 0.into()).as_deref(), Some(text));
        let text = "Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'";
        assert_eq!(with("x-cache-persistence", "ram".into()).as_deref(), Some(text));
        assert_eq!(with("x-cache-persistence", 1.into()).as_deref(), Some(text));
        for (persistence, is_on_disk) in [("disk", true), ("memory", false)] {
            let persistence = ("x-cache-persistence", persistence.into());
            let arguments = [size.clone(), persistence].into_iter().collect();
            assert_eq!(Deduplication::new(&arguments).unwrap().is_on_disk, is_on_disk);
        }
        let arguments = [size].into_iter().collect();
        assert!(Deduplication::new(&arguments).unwrap().is_on_disk);
    }
}
