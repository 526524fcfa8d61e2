//! What a message becomes that dies in a queue: where it goes, and what its headers tell of its
//! deaths. Not when a message dies, nor which queues get it. Behavior 3.5, and section 0 for an
//! `x-death` that a client sent.
//!
//! ```text
//! x-death               an array of tables, the latest first, one for each queue and reason
//! x-first-death-reason  -queue  -exchange    of its first death
//! x-last-death-reason   -queue  -exchange    of its latest one
//! ```

use std::borrow::Cow;

use super::{Envelope, Message, Moment, sender_selected};
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::properties::{Properties, PropertyView};

const X_DEATH: &str = "x-death";

/// Why a message left its queue without having been consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeathReason {
    /// A consumer refused it for good.
    Rejected,
    /// Its time was over.
    Expired,
    /// The queue had too many.
    MaxLength,
    /// It was delivered too often.
    DeliveryLimit,
}

impl DeathReason {
    /// All there are.
    pub const ALL: [Self; 4] =
        [Self::Rejected, Self::Expired, Self::MaxLength, Self::DeliveryLimit];

    /// As headers and metrics have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::MaxLength => "maxlen",
            Self::DeliveryLimit => "delivery_limit",
        }
    }
}

/// A death: where, why and when, and where the queue wants its dead letters to go.
#[derive(Clone, Copy, Debug)]
pub struct Death<'a> {
    /// Why.
    pub reason: DeathReason,
    /// The queue in which the message was.
    pub queue: &'a str,
    /// When.
    pub now: Moment,
    /// `x-dead-letter-exchange`.
    pub exchange: &'a str,
    /// `x-dead-letter-routing-key`; without it, the message keeps its own keys.
    pub routing_key: Option<&'a str>,
}

/// A message on its way from the queue in which it died.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// As it is to be delivered: published to the dead-letter exchange, with its history.
    pub message: Message,
    /// Further keys by which it is routed, besides the message's own: those of its `CC` header.
    pub carbon_copies: Vec<String>,
    reason: DeathReason,
    deaths: Vec<FieldValue>,
}

impl DeadLetter {
    /// What becomes of `message`. Its `expiration` is taken off, or it would die again where it
    /// comes to; the history tells which it was.
    #[must_use]
    pub fn of(message: &Message, death: Death<'_>) -> Self {
        // What was published was looked at, so this is only for the compiler.
        let mut properties = Properties::decode(message.properties()).unwrap_or_default();
        let mut headers = properties.headers.take().unwrap_or_default();
        let carbon_copies = carbon_copies(message);
        let mut routing_keys = vec![FieldValue::from(message.routing_key())];
        routing_keys.extend(carbon_copies.iter().map(|key| FieldValue::from(&**key)));
        let expiration = properties.expiration.take();
        let entry = entry(message, death, routing_keys, expiration.as_deref());
        let deaths = record(&mut headers, entry, death, message.exchange());
        if death.routing_key.is_some() {
            headers.remove("CC");
        }
        properties.headers = Some(headers);
        let mut bytes = Vec::new();
        properties.encode(&mut bytes);
        let envelope = Envelope {
            exchange: death.exchange,
            routing_key: death.routing_key.unwrap_or(message.routing_key()),
            properties: &bytes,
            is_persistent: message.is_persistent(),
        };
        let carbon_copies = if death.routing_key.is_some() { Vec::new() } else { carbon_copies };
        let message = message.with_envelope(envelope);
        Self { message, carbon_copies, reason: death.reason, deaths }
    }

    /// It would come to a queue in which it died before, and on the whole way round nobody rejected
    /// it: it would go round for ever, so it is dropped.
    #[must_use]
    pub fn is_cycle(&self, queue: &str) -> bool {
        if self.reason == DeathReason::Rejected {
            return false;
        }
        let Some(last) = self.deaths.iter().position(|death| text(death, "queue") == Some(queue))
        else {
            return false;
        };
        let rejected = DeathReason::Rejected.name();
        // What is no table a client put there, so it does not go round by itself.
        let is_automatic = |death: &FieldValue| {
            matches!(death, FieldValue::Table(_)) && text(death, "reason") != Some(rejected)
        };
        self.deaths.iter().take(last + 1).all(is_automatic)
    }
}

/// The keys of the `CC` header; `BCC` was taken off when the message was published.
fn carbon_copies(message: &Message) -> Vec<String> {
    let selected = PropertyView::parse(message.properties())
        .ok()
        .and_then(|view| sender_selected::routing_keys(&view).ok())
        .unwrap_or_default();
    selected.routing_keys.into_iter().map(Cow::into_owned).collect()
}

/// What the history says of a first death in this queue for this reason.
fn entry(
    message: &Message,
    death: Death<'_>,
    routing_keys: Vec<FieldValue>,
    expiration: Option<&str>,
) -> FieldTable {
    let mut entry = FieldTable::new();
    entry.insert("count", 1_i64);
    entry.insert("reason", death.reason.name());
    entry.insert("queue", death.queue);
    entry.insert("time", FieldValue::Timestamp(death.now.0 / 1000));
    entry.insert("exchange", message.exchange());
    entry.insert("routing-keys", routing_keys);
    if let Some(expiration) = expiration {
        entry.insert("original-expiration", expiration);
    }
    entry
}

/// Writes a death into the headers; gives the whole history. An `x-death` that is no array is
/// replaced, whoever wrote it.
fn record(
    headers: &mut FieldTable,
    entry: FieldTable,
    death: Death<'_>,
    exchange: &str,
) -> Vec<FieldValue> {
    let (mut deaths, is_first) = match headers.get(X_DEATH) {
        Some(FieldValue::Array(deaths)) => (deaths.clone(), false),
        _ => (Vec::new(), true),
    };
    let reason = death.reason.name();
    let is_same = |known: &FieldValue| {
        text(known, "queue") == Some(death.queue) && text(known, "reason") == Some(reason)
    };
    let latest = match deaths.iter().position(is_same).map(|index| deaths.remove(index)) {
        Some(FieldValue::Table(known)) => counted_again(known),
        _ => entry,
    };
    deaths.insert(0, FieldValue::Table(latest));
    headers.set(X_DEATH, deaths.clone());
    let tell = |which: &str, headers: &mut FieldTable| {
        headers.set(format!("x-{which}-death-reason"), reason);
        headers.set(format!("x-{which}-death-queue"), death.queue);
        headers.set(format!("x-{which}-death-exchange"), exchange);
    };
    if is_first {
        tell("first", headers);
    }
    tell("last", headers);
    deaths
}

/// One more death of the same kind; the rest tells of the first one.
fn counted_again(mut entry: FieldTable) -> FieldTable {
    let count = entry.get("count").and_then(FieldValue::as_integer).unwrap_or(0);
    entry.set("count", count.saturating_add(1));
    entry
}

fn text<'a>(death: &'a FieldValue, name: &str) -> Option<&'a str> {
    match death {
        FieldValue::Table(table) => table.get(name)?.as_str(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Body;

    const DEATH: Death<'static> = Death {
        reason: DeathReason::MaxLength,
        queue: "q",
        now: Moment(5_999),
        exchange: "dlx",
        routing_key: None,
    };

    fn message(properties: &Properties) -> Message {
        let mut bytes = Vec::new();
        properties.encode(&mut bytes);
        let envelope = Envelope {
            exchange: "x",
            routing_key: "key",
            properties: &bytes,
            is_persistent: properties.delivery_mode == Some(2),
        };
        Message::new(envelope, Body::Copied(b"body"))
    }

    fn with_headers(headers: FieldTable) -> Message {
        message(&Properties { headers: Some(headers), ..Properties::default() })
    }

    fn table<const N: usize>(entries: [(&str, FieldValue); N]) -> FieldTable {
        entries.into_iter().collect()
    }

    fn keys(keys: &[&str]) -> FieldValue {
        FieldValue::Array(keys.iter().map(|key| (*key).into()).collect())
    }

    fn headers(letter: &DeadLetter) -> FieldTable {
        Properties::decode(letter.message.properties()).unwrap().headers.unwrap()
    }

    fn deaths(letter: &DeadLetter) -> Vec<FieldTable> {
        let headers = headers(letter);
        let Some(FieldValue::Array(deaths)) = headers.get(X_DEATH) else { panic!("{headers:?}") };
        let tables = deaths.iter().map(|death| match death {
            FieldValue::Table(table) => table.clone(),
            other => panic!("{other:?}"),
        });
        tables.collect()
    }

    fn history(letter: &DeadLetter) -> Vec<(i64, String, String)> {
        let told = |table: FieldTable| {
            let text = |name| table.get(name).unwrap().as_str().unwrap().to_owned();
            (table.get("count").unwrap().as_integer().unwrap(), text("queue"), text("reason"))
        };
        deaths(letter).into_iter().map(told).collect()
    }

    fn again(letter: &DeadLetter, queue: &'static str, reason: DeathReason) -> DeadLetter {
        DeadLetter::of(&letter.message, Death { reason, queue, ..DEATH })
    }

    #[test]
    fn a_first_death_is_told_with_all_its_fields_in_their_order() {
        let letter = DeadLetter::of(&message(&Properties::default()), DEATH);
        let told = table([
            ("count", 1_i64.into()),
            ("reason", "maxlen".into()),
            ("queue", "q".into()),
            ("time", FieldValue::Timestamp(5)),
            ("exchange", "x".into()),
            ("routing-keys", keys(&["key"])),
        ]);
        let expected = table([
            ("x-death", FieldValue::Array(vec![told.into()])),
            ("x-first-death-reason", "maxlen".into()),
            ("x-first-death-queue", "q".into()),
            ("x-first-death-exchange", "x".into()),
            ("x-last-death-reason", "maxlen".into()),
            ("x-last-death-queue", "q".into()),
            ("x-last-death-exchange", "x".into()),
        ]);
        assert_eq!(headers(&letter), expected);
        assert_eq!((letter.message.exchange(), letter.message.routing_key()), ("dlx", "key"));
        assert_eq!(letter.message.body_to_vec(), b"body");
    }

    #[test]
    fn the_expiration_is_taken_off_and_remembered_and_the_rest_stays() {
        let properties = Properties {
            expiration: Some("100".into()),
            delivery_mode: Some(2),
            message_id: Some("m".into()),
            ..Properties::default()
        };
        let letter = DeadLetter::of(&message(&properties), DEATH);
        let seen = Properties::decode(letter.message.properties()).unwrap();
        assert_eq!((seen.expiration, seen.message_id), (None, Some("m".into())));
        assert!(letter.message.is_persistent());
        assert_eq!(deaths(&letter)[0].get("original-expiration"), Some(&"100".into()));
    }

    #[test]
    fn deaths_of_one_kind_are_counted_and_the_latest_is_the_first() {
        let mut letter = DeadLetter::of(&message(&Properties::default()), DEATH);
        letter = again(&letter, "r", DeathReason::Rejected);
        letter = again(&letter, "q", DeathReason::MaxLength);
        let told = |count, queue: &str, reason: &str| (count, queue.to_owned(), reason.to_owned());
        assert_eq!(history(&letter), [told(2, "q", "maxlen"), told(1, "r", "rejected")]);
        assert_eq!(deaths(&letter)[0].get("exchange"), Some(&"x".into()), "that of the first");
        letter = again(&letter, "q", DeathReason::Expired);
        assert_eq!(history(&letter)[0], told(1, "q", "expired"));
        let headers = headers(&letter);
        assert_eq!(headers.get("x-first-death-reason"), Some(&"maxlen".into()));
        assert_eq!(headers.get("x-first-death-exchange"), Some(&"x".into()));
        assert_eq!(headers.get("x-last-death-reason"), Some(&"expired".into()));
        assert_eq!(headers.get("x-last-death-exchange"), Some(&"dlx".into()));
    }

    #[test]
    fn carbon_copies_stay_unless_the_queue_has_a_key_of_its_own() {
        let message = with_headers(table([("CC", keys(&["a", "b"])), ("n", 1.into())]));
        let letter = DeadLetter::of(&message, DEATH);
        assert_eq!(letter.carbon_copies, ["a", "b"]);
        assert_eq!(headers(&letter).get("CC"), Some(&keys(&["a", "b"])));
        assert_eq!(deaths(&letter)[0].get("routing-keys"), Some(&keys(&["key", "a", "b"])));

        let letter = DeadLetter::of(&message, Death { routing_key: Some("dead"), ..DEATH });
        assert_eq!(letter.message.routing_key(), "dead");
        assert!(letter.carbon_copies.is_empty());
        assert_eq!(
            (headers(&letter).get("CC"), headers(&letter).get("n")),
            (None, Some(&1.into()))
        );
        assert_eq!(deaths(&letter)[0].get("routing-keys"), Some(&keys(&["key", "a", "b"])));
    }

    #[test]
    fn a_history_that_a_client_sent_is_carried_on_and_a_malformed_one_replaced() {
        let known = table([
            ("queue", "q".into()),
            ("reason", "maxlen".into()),
            ("count", 7_i64.into()),
            ("mine", 1.into()),
        ]);
        let sent = FieldValue::Array(vec!["no table".into(), known.into()]);
        let letter = DeadLetter::of(&with_headers(table([("x-death", sent)])), DEATH);
        let headers_seen = headers(&letter);
        let Some(FieldValue::Array(all)) = headers_seen.get("x-death") else { panic!() };
        assert_eq!(all.len(), 2);
        assert_eq!(all[1], "no table".into());
        let FieldValue::Table(first) = &all[0] else { panic!() };
        assert_eq!((first.get("count"), first.get("mine")), (Some(&8_i64.into()), Some(&1.into())));
        assert_eq!(headers_seen.get("x-first-death-queue"), None);

        let letter = DeadLetter::of(&with_headers(table([("x-death", "nonsense".into())])), DEATH);
        assert_eq!(deaths(&letter).len(), 1);
        assert_eq!(headers(&letter).get("x-first-death-queue"), Some(&"q".into()));
    }

    #[test]
    fn what_goes_round_by_itself_is_a_cycle_and_what_somebody_rejected_is_none() {
        let first = DeadLetter::of(&message(&Properties::default()), DEATH);
        assert!(first.is_cycle("q"), "back to where it died");
        assert!(!first.is_cycle("r"));
        let second = again(&first, "r", DeathReason::Expired);
        assert!(second.is_cycle("q") && second.is_cycle("r"));

        let rejected = again(&first, "r", DeathReason::Rejected);
        assert!(!rejected.is_cycle("q") && !rejected.is_cycle("r"), "nobody goes round by itself");
        let third = again(&rejected, "s", DeathReason::Expired);
        assert!(third.is_cycle("s"));
        assert!(!third.is_cycle("q"), "on the way round it was rejected");
    }
}
