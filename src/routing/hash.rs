//! Exchanges that choose one destination by a hash: consistent, where a change of destinations
//! moves little, and by remainder. The hash is fixed: the same key goes the same way on every
//! machine.

use super::destination::{BindingKey, Destination, DestinationSet};
use super::table::RouteInput;
use crate::limits::HASH_WEIGHT_MAX;
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::properties::PropertyView;

/// What a consistent hash is taken of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    RoutingKey,
    Header(String),
    CorrelationId,
    MessageId,
    Timestamp,
}

/// A consistent hash exchange: each destination has as many buckets as its weight.
#[derive(Debug)]
pub(super) struct ConsistentHash {
    subject: Subject,
    buckets: Vec<Destination>,
}

impl ConsistentHash {
    /// Reads what the hash is taken of.
    pub(super) fn new(arguments: &FieldTable) -> Result<Self, String> {
        Ok(Self { subject: subject(arguments)?, buckets: Vec::new() })
    }

    /// A binding's key is its weight.
    pub(super) fn validate(binding: &BindingKey) -> Result<(), String> {
        weight(&binding.routing_key).map(|_| ())
    }

    /// A destination that is bound already keeps its first weight.
    pub(super) fn bind(&mut self, binding: &BindingKey) {
        if !self.buckets.contains(&binding.destination) {
            let count = weight(&binding.routing_key).unwrap_or(1);
            self.buckets.extend(std::iter::repeat_n(binding.destination, count));
        }
    }

    pub(super) fn unbind(&mut self, binding: &BindingKey) -> bool {
        let before = self.buckets.len();
        self.buckets.retain(|destination| *destination != binding.destination);
        self.buckets.len() != before
    }

    pub(super) fn route(&self, input: &RouteInput<'_>, out: &mut Vec<Destination>) {
        let bucket = jump(self.hash(input), self.buckets.len());
        out.extend(bucket.and_then(|bucket| self.buckets.get(bucket)));
    }

    fn hash(&self, input: &RouteInput<'_>) -> u64 {
        let view = || PropertyView::parse(input.properties).unwrap_or_default();
        match &self.subject {
            Subject::RoutingKey => hash_of(input.routing_keys),
            Subject::Header(name) => hash_of_header(&view(), name),
            Subject::CorrelationId => hash_of(view().correlation_id.as_slice()),
            Subject::MessageId => hash_of(view().message_id.as_slice()),
            Subject::Timestamp => {
                stable_hash(&view().timestamp.map(u64::to_be_bytes).unwrap_or_default())
            }
        }
    }
}

fn subject(arguments: &FieldTable) -> Result<Subject, String> {
    let header = arguments.get("hash-header");
    let property = arguments.get("hash-property");
    match (header, property) {
        (None, None) => Ok(Subject::RoutingKey),
        (Some(_), Some(_)) => {
            Err("hash-header and hash-property are mutually exclusive".to_owned())
        }
        (Some(header), None) => match header.as_str() {
            Some(name) => Ok(Subject::Header(name.to_owned())),
            None => Err("hash-header must be a long string".to_owned()),
        },
        (None, Some(property)) => match property.as_str() {
            Some("correlation_id") => Ok(Subject::CorrelationId),
            Some("message_id") => Ok(Subject::MessageId),
            Some("timestamp") => Ok(Subject::Timestamp),
            _ => Err(format!("Unsupported property: {}", property.as_str().unwrap_or("?"))),
        },
    }
}

fn weight(routing_key: &str) -> Result<usize, String> {
    match routing_key.parse() {
        Ok(weight) if (1..=HASH_WEIGHT_MAX).contains(&weight) => Ok(weight),
        _ => Err(format!(
            "The binding key must be an integer from 1 to {HASH_WEIGHT_MAX}: {routing_key}"
        )),
    }
}

fn hash_of(texts: &[&str]) -> u64 {
    texts.iter().fold(0, |hash: u64, text| hash.rotate_left(7) ^ stable_hash(text.as_bytes()))
}

/// A missing header hashes as nothing: all such messages go one way.
fn hash_of_header(view: &PropertyView<'_>, name: &str) -> u64 {
    let table = view.headers_table().ok().flatten().unwrap_or_default();
    match table.get(name) {
        None => 0,
        Some(FieldValue::LongString(bytes) | FieldValue::Bytes(bytes)) => stable_hash(bytes),
        Some(value) => {
            let single: FieldTable = [("", value.clone())].into_iter().collect();
            let mut bytes = Vec::new();
            single.encode(&mut bytes);
            stable_hash(&bytes)
        }
    }
}

/// Chooses a destination by the remainder of the keys' hash.
pub(super) fn by_modulus(set: &DestinationSet, routing_keys: &[&str]) -> Option<Destination> {
    let remainder = hash_of(routing_keys).checked_rem(set.len() as u64)?;
    set.at(usize::try_from(remainder).ok()?)
}

/// FNV-1a with a final mix, so that short keys spread over all bits.
fn stable_hash(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}

/// Jump consistent hash (Lamping and Veach): which of `count` buckets a key is in. A bucket more
/// moves one key in `count`.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the algorithm is defined on floating point numbers"
)]
fn jump(mut key: u64, count: usize) -> Option<usize> {
    let (mut bucket, mut next) = (None, 0_u64);
    while next < count as u64 {
        bucket = usize::try_from(next).ok();
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let step = (1_u64 << 31) as f64 / ((key >> 33) + 1) as f64;
        next = ((next + 1) as f64 * step) as u64;
    }
    bucket
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::QueueId;

    fn binding(id: u64, weight: &str) -> BindingKey {
        BindingKey {
            routing_key: weight.into(),
            arguments: FieldTable::new(),
            destination: Destination::Queue(QueueId(id)),
        }
    }

    fn spread(exchange: &ConsistentHash) -> Vec<Destination> {
        let mut out = Vec::new();
        for number in 0..10_000 {
            let key = format!("key-{number}");
            let input = RouteInput { routing_keys: &[&key], properties: &[0, 0], random: 0 };
            exchange.route(&input, &mut out);
        }
        out
    }

    #[test]
    fn each_message_goes_to_one_destination_by_weight() {
        let mut exchange = ConsistentHash::new(&FieldTable::new()).unwrap();
        exchange.bind(&binding(1, "1"));
        exchange.bind(&binding(2, "3"));
        let routed = spread(&exchange);
        assert_eq!(routed.len(), 10_000);
        let first = routed.iter().filter(|to| **to == binding(1, "1").destination).count();
        assert!((2_000..3_000).contains(&first), "{first}");
    }

    #[test]
    fn another_destination_moves_only_its_share() {
        let mut exchange = ConsistentHash::new(&FieldTable::new()).unwrap();
        (1..=4).for_each(|id| exchange.bind(&binding(id, "1")));
        let before = spread(&exchange);
        exchange.bind(&binding(5, "1"));
        let after = spread(&exchange);
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        assert!((1_600..2_400).contains(&moved), "{moved}");
        assert!(exchange.unbind(&binding(5, "1")));
        assert_eq!(spread(&exchange), before);
    }

    #[test]
    fn weights_are_numbers_from_one_to_ten_thousand() {
        for (key, is_good) in [("1", true), ("10000", true), ("0", false), ("10001", false)] {
            assert_eq!(ConsistentHash::validate(&binding(1, key)).is_ok(), is_good, "{key}");
        }
        assert!(ConsistentHash::validate(&binding(1, "x")).is_err());
    }

    #[test]
    fn header_and_property_exclude_each_other() {
        let both: FieldTable =
            [("hash-header", "a"), ("hash-property", "message_id")].into_iter().collect();
        assert!(ConsistentHash::new(&both).is_err());
        let unknown: FieldTable = [("hash-property", "app_id")].into_iter().collect();
        assert!(ConsistentHash::new(&unknown).is_err());
    }

    #[test]
    fn the_remainder_reaches_all_destinations() {
        let mut set = DestinationSet::default();
        (1..=3).for_each(|id| set.add(Destination::Queue(QueueId(id))));
        let reached: std::collections::BTreeSet<_> =
            (0..100).filter_map(|key| by_modulus(&set, &[&key.to_string()])).collect();
        assert_eq!(reached.len(), 3);
        assert_eq!(by_modulus(&DestinationSet::default(), &["a"]), None);
    }
}
