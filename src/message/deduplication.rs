//! The headers by which a publisher says which messages are the same, as the well-known plugin for
//! RabbitMQ reads them. Who remembers what was seen, and what happens to the second one, is not
//! decided here.

use sha2::{Digest, Sha256};

use super::Moment;
use super::raw_table;
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::properties::PropertyView;

const HEADER: &str = "x-deduplication-header";
const TTL: &str = "x-cache-ttl";

/// What equal messages have in common: half of the SHA-256 of the header's value, so that a long
/// one takes no more room than a short one. That two others come out alike, nobody can arrange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeduplicationKey(pub [u8; 16]);

/// A key that was seen, as an exchange remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenKey {
    /// Its place among those that the exchange remembers: another one takes it when this is
    /// forgotten.
    pub place: u32,
    /// The key.
    pub key: DeduplicationKey,
    /// It rises with each key that the exchange sees.
    pub number: u64,
    /// Then it is forgotten; none where only others push it out.
    pub until: Option<Moment>,
}

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What it is told from others by.
    pub key: DeduplicationKey,
    /// How long the key is remembered, where that is not as the exchange has it.
    pub ttl_ms: Option<u64>,
}

/// What a message with these properties asks for; none where it is like no other.
#[must_use]
pub fn asked_for(properties: &[u8]) -> Option<Asked> {
    let view = PropertyView::parse(properties).ok()?;
    let has_key = |headers| raw_table::entries(headers).any(|each| each.name == HEADER.as_bytes());
    if !view.headers.is_some_and(has_key) {
        return None;
    }
    let headers = view.headers_table().ok()??;
    let key = DeduplicationKey::of(headers.get(HEADER)?);
    Some(Asked { key, ttl_ms: headers.get(TTL).and_then(milliseconds) })
}

/// A time that is over already lets the next one pass.
fn milliseconds(value: &FieldValue) -> Option<u64> {
    let whole = value.as_integer().or_else(|| value.as_str()?.parse().ok())?;
    Some(u64::try_from(whole).unwrap_or(0))
}

impl DeduplicationKey {
    /// The key of a value. Numbers are the same in whatever width they came, and a moment is a
    /// number; texts are the same as bytes; a text of digits is no number.
    #[must_use]
    pub fn of(value: &FieldValue) -> Self {
        let mut hasher = Sha256::new();
        let mut add = |class: u8, content: &[u8]| {
            hasher.update([class]);
            hasher.update(content);
        };
        match value {
            FieldValue::LongString(bytes) | FieldValue::Bytes(bytes) => add(b'S', bytes),
            FieldValue::Boolean(value) => add(b't', &[u8::from(*value)]),
            FieldValue::F32(value) => add(b'd', &f64::from(*value).to_be_bytes()),
            FieldValue::F64(value) => add(b'd', &value.to_be_bytes()),
            FieldValue::Timestamp(value) => add(b'l', &i128::from(*value).to_be_bytes()),
            FieldValue::Void => add(b'V', &[]),
            other => match other.as_integer() {
                Some(value) => add(b'l', &i128::from(value).to_be_bytes()),
                None => add(b'F', &encoded(other)),
            },
        }
        let digest: [u8; 32] = hasher.finalize().into();
        let (half, _) = digest.split_at(16);
        Self(half.try_into().unwrap_or_default())
    }
}

/// What is made of parts: as on the wire.
fn encoded(value: &FieldValue) -> Vec<u8> {
    let mut table = FieldTable::new();
    table.insert("", value.clone());
    let mut bytes = Vec::new();
    table.encode(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::properties::Properties;

    fn properties(headers: FieldTable) -> Vec<u8> {
        let mut bytes = Vec::new();
        Properties { headers: Some(headers), ..Properties::default() }.encode(&mut bytes);
        bytes
    }

    fn asked(headers: &[(&str, FieldValue)]) -> Option<Asked> {
        asked_for(&properties(headers.iter().cloned().collect()))
    }

    fn key(value: impl Into<FieldValue>) -> DeduplicationKey {
        DeduplicationKey::of(&value.into())
    }

    #[test]
    fn a_message_is_told_from_others_by_its_header() {
        let found = asked(&[("other", 1.into()), (HEADER, "a".into())]).unwrap();
        assert_eq!(found, Asked { key: key("a"), ttl_ms: None });
        assert_ne!(found.key, key("b"));
        assert_eq!(asked(&[("other", 1.into())]), None);
        assert_eq!((asked_for(&[0, 0]), asked_for(&[])), (None, None));
    }

    #[test]
    fn what_is_equal_is_so_in_any_width() {
        assert_eq!(key(42), key(42_i64));
        assert_eq!(key(42), key(FieldValue::Timestamp(42)));
        assert_eq!(key("a"), key(FieldValue::Bytes(Box::from(*b"a"))));
        assert_eq!(key(FieldValue::F32(0.5)), key(FieldValue::F64(0.5)));
        assert_eq!(key(FieldValue::Void), key(FieldValue::Void));
    }

    #[test]
    fn what_only_looks_equal_is_not() {
        let array = |text: &str| FieldValue::Array(vec![text.into()]);
        let keys = [
            key(1),
            key("1"),
            key(true),
            key(FieldValue::F64(1.0)),
            key(FieldValue::Void),
            key(""),
            key(array("1")),
            key(array("2")),
        ];
        for (at, one) in keys.iter().enumerate() {
            assert_eq!(keys.iter().position(|other| other == one), Some(at));
        }
    }

    #[test]
    fn a_message_may_say_how_long_it_is_remembered() {
        let ttl = |value: FieldValue| asked(&[(HEADER, 1.into()), (TTL, value)]).unwrap().ttl_ms;
        assert_eq!((ttl(500.into()), ttl(500_i64.into()), ttl("500".into())), {
            (Some(500), Some(500), Some(500))
        });
        assert_eq!((ttl(0.into()), ttl((-5).into())), (Some(0), Some(0)));
        assert_eq!((ttl("soon".into()), ttl(true.into())), (None, None));
    }
}
