//! Exchanges that choose one destination by a hash: consistent, where a change of destinations
//! moves little, and by remainder. The hash is fixed: the same key goes the same way on every
//! machine.

use std::collections::BTreeMap;
use std::num::IntErrorKind;

use smallvec::SmallVec;

use super::destination::{BindingKey, Destination, DestinationSet};
use super::table::{RouteInput, shown};
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

/// A consistent hash exchange: each destination has as many buckets as its weight, in the order in
/// which destinations were bound. Buckets are not kept one by one, only where each share ends.
///
/// ```text
/// weights 2, 3, 1:  | 0 1 | 2 3 4 | 5 |  shares end before 2, 5, 6
/// ```
#[derive(Debug)]
pub(super) struct ConsistentHash {
    subject: Subject,
    shares: Vec<Share>,
    /// The weights of all bindings of each destination, in the order in which they were made; the
    /// first is in force.
    weights: BTreeMap<Destination, SmallVec<[u64; 2]>>,
}

#[derive(Debug)]
struct Share {
    destination: Destination,
    weight: u64,
    end: u64,
}

impl ConsistentHash {
    /// Reads what the hash is taken of.
    pub(super) fn new(arguments: &FieldTable) -> Result<Self, String> {
        Ok(Self { subject: subject(arguments)?, shares: Vec::new(), weights: BTreeMap::new() })
    }

    /// A binding's key is its weight.
    pub(super) fn validate(binding: &BindingKey) -> Result<(), String> {
        weight(&binding.routing_key).map(|_| ())
    }

    /// A destination that is bound already keeps its first weight.
    pub(super) fn bind(&mut self, binding: &BindingKey) {
        let (destination, weight) =
            (binding.destination, weight(&binding.routing_key).unwrap_or(1));
        let weights = self.weights.entry(destination).or_default();
        weights.push(weight);
        if weights.len() == 1 {
            let end = self.bucket_count() + weight;
            self.shares.push(Share { destination, weight, end });
        }
    }

    /// The weight that was in force gives way to the next.
    pub(super) fn unbind(&mut self, binding: &BindingKey) -> bool {
        let weight = weight(&binding.routing_key).unwrap_or(1);
        let Some(weights) = self.weights.get_mut(&binding.destination) else { return false };
        let Some(index) = weights.iter().position(|known| *known == weight) else { return false };
        weights.remove(index);
        let next = weights.first().copied();
        if next.is_none() {
            self.weights.remove(&binding.destination);
        }
        if index == 0 {
            self.change_share(binding.destination, next);
        }
        true
    }

    fn change_share(&mut self, destination: Destination, weight: Option<u64>) {
        match (self.shares.iter().position(|share| share.destination == destination), weight) {
            (Some(index), None) => {
                self.shares.remove(index);
            }
            (Some(index), Some(weight)) => {
                if let Some(share) = self.shares.get_mut(index) {
                    share.weight = weight;
                }
            }
            (None, _) => {}
        }
        self.shares.iter_mut().fold(0, |start, share| {
            share.end = start + share.weight;
            share.end
        });
    }

    pub(super) fn route(&self, input: &RouteInput<'_>, out: &mut Vec<Destination>) {
        let Some(bucket) = jump(self.hash(input), self.bucket_count()) else { return };
        let index = self.shares.partition_point(|share| share.end <= bucket);
        out.extend(self.shares.get(index).map(|share| share.destination));
    }

    fn bucket_count(&self) -> u64 {
        self.shares.last().map_or(0, |share| share.end)
    }

    fn hash(&self, input: &RouteInput<'_>) -> u64 {
        let view = || PropertyView::parse(input.properties).unwrap_or_default();
        match &self.subject {
            // Without the keys of CC and BCC, as in RabbitMQ.
            Subject::RoutingKey => hash_of(input.routing_keys.get(..1).unwrap_or_default()),
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

fn weight(routing_key: &str) -> Result<u64, String> {
    let too_small = || "The binding key must be greater than 0".to_owned();
    let too_great = || format!("The binding key must not be greater than {HASH_WEIGHT_MAX}");
    match routing_key.parse::<i64>() {
        Ok(weight) if weight < 1 => Err(too_small()),
        Ok(weight) => match u64::try_from(weight) {
            Ok(weight) if weight <= HASH_WEIGHT_MAX as u64 => Ok(weight),
            _ => Err(too_great()),
        },
        Err(error) => match error.kind() {
            IntErrorKind::NegOverflow => Err(too_small()),
            IntErrorKind::PosOverflow => Err(too_great()),
            _ => Err(format!("The binding key must be an integer: {}", shown(routing_key))),
        },
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
fn jump(mut key: u64, count: u64) -> Option<u64> {
    let (mut bucket, mut next) = (None, 0_u64);
    while next < count {
        bucket = Some(next);
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let step = (1_u64 << 31) as f64 / ((key >> 33) + 1) as f64;
        next = ((next + 1) as f64 * step) as u64;
    }
    bucket
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Moment;
    use crate::message::QueueId;
    use crate::protocol::properties::Properties;

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
            let input = RouteInput {
                routing_keys: &[&key],
                properties: &[0, 0],
                random: 0,
                now: Moment(0),
            };
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
    fn a_share_that_goes_closes_up_and_the_last_leaves_nothing() {
        let mut exchange = ConsistentHash::new(&FieldTable::new()).unwrap();
        let bound = [binding(1, "2"), binding(2, "3"), binding(3, "1")];
        bound.iter().for_each(|binding| exchange.bind(binding));
        assert!(exchange.unbind(&bound[1]) && !exchange.unbind(&bound[1]));
        let with_two = spread(&exchange);
        let mut fresh = ConsistentHash::new(&FieldTable::new()).unwrap();
        fresh.bind(&bound[0]);
        fresh.bind(&bound[2]);
        assert_eq!(with_two, spread(&fresh));
        assert!(exchange.unbind(&bound[0]) && exchange.unbind(&bound[2]));
        assert!(spread(&exchange).is_empty() && exchange.weights.is_empty());
    }

    #[test]
    fn one_binding_of_a_destination_is_in_force_at_a_time() {
        let mut exchange = ConsistentHash::new(&FieldTable::new()).unwrap();
        [binding(1, "1"), binding(2, "1")].iter().for_each(|binding| exchange.bind(binding));
        let even = spread(&exchange);
        exchange.bind(&binding(1, "9"));
        assert_eq!(spread(&exchange), even);
        assert!(exchange.unbind(&binding(1, "1")));
        let routed = spread(&exchange);
        let first = routed.iter().filter(|to| **to == binding(1, "").destination).count();
        assert!((8_500..9_500).contains(&first), "{first}");
        assert!(exchange.unbind(&binding(1, "9")) && !exchange.unbind(&binding(1, "9")));
        assert!(spread(&exchange).iter().all(|to| *to == binding(2, "").destination));
    }

    fn route_with(
        exchange: &ConsistentHash,
        keys: &[&str],
        properties: &Properties,
    ) -> Vec<Destination> {
        let (mut bytes, mut out) = (Vec::new(), Vec::new());
        properties.encode(&mut bytes);
        let now = Moment(0);
        let input = RouteInput { routing_keys: keys, properties: &bytes, random: 0, now };
        exchange.route(&input, &mut out);
        out
    }

    /// Over many values of what the hash is taken of, all destinations are reached; over many
    /// values of all else, one is.
    fn check_subject(arguments: &FieldTable, properties: impl Fn(u64) -> Properties) {
        let mut exchange = ConsistentHash::new(arguments).unwrap();
        (1..=5).for_each(|id| exchange.bind(&binding(id, "1")));
        let reached = |value: fn(u64) -> u64, key: fn(u64) -> u64| -> usize {
            let route = |number| {
                let key = key(number).to_string();
                route_with(&exchange, &[&key], &properties(value(number)))
            };
            (0..100).flat_map(route).collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!(reached(|number| number, |_| 0), 5, "{arguments:?}");
        assert_eq!(reached(|_| 0, |number| number), 1, "{arguments:?}");
    }

    #[test]
    fn the_hash_is_taken_of_what_the_declaration_names() {
        let argument =
            |name: &str, value: &str| -> FieldTable { [(name, value)].into_iter().collect() };
        let text = |value: u64| Some(value.to_string().into());
        check_subject(&argument("hash-property", "correlation_id"), |value| Properties {
            correlation_id: text(value),
            ..Properties::default()
        });
        check_subject(&argument("hash-property", "message_id"), |value| Properties {
            message_id: text(value),
            ..Properties::default()
        });
        check_subject(&argument("hash-property", "timestamp"), |value| Properties {
            timestamp: Some(value),
            ..Properties::default()
        });
        check_subject(&argument("hash-header", "h"), |value| Properties {
            headers: Some([("h", value.to_string())].into_iter().collect()),
            ..Properties::default()
        });
        check_subject(&argument("hash-header", "h"), |value| Properties {
            headers: Some([("h", FieldValue::Timestamp(value))].into_iter().collect()),
            ..Properties::default()
        });
    }

    #[test]
    fn keys_of_cc_do_not_change_the_way() {
        let mut exchange = ConsistentHash::new(&FieldTable::new()).unwrap();
        (1..=5).for_each(|id| exchange.bind(&binding(id, "1")));
        for number in 0..100 {
            let (key, other) = (format!("k{number}"), format!("other{number}"));
            let alone = route_with(&exchange, &[&key], &Properties::default());
            let with_other = route_with(&exchange, &[&key, &other], &Properties::default());
            assert_eq!(alone, with_other, "{key}");
        }
        assert_eq!(route_with(&exchange, &[], &Properties::default()).len(), 1);
    }

    #[test]
    fn the_hash_is_the_same_on_every_machine() {
        // Worked out from the published definitions by another program.
        assert_eq!(stable_hash(b""), 0xecba_3df2_c338_3c52);
        assert_eq!(stable_hash(b"orders.eu"), 0x08a3_5eea_1afc_4f66);
        let buckets = [0, 1, 2, 10, 1_000_000].map(|count| jump(0x08a3_5eea_1afc_4f66, count));
        assert_eq!(buckets, [None, Some(0), Some(1), Some(1), Some(96_730)]);
    }

    #[test]
    fn weights_are_numbers_from_one_to_ten_thousand() {
        let too_small = "The binding key must be greater than 0";
        let too_great = "The binding key must not be greater than 10000";
        for key in ["1", "10000", "+1", "01"] {
            assert_eq!(ConsistentHash::validate(&binding(1, key)), Ok(()), "{key}");
        }
        for (key, text) in [
            ("0", too_small),
            ("-1", too_small),
            ("-99999999999999999999", too_small),
            ("10001", too_great),
            ("99999999999999999999", too_great),
            ("", "The binding key must be an integer: <<>>"),
            ("x", "The binding key must be an integer: <<\"x\">>"),
            (" 1", "The binding key must be an integer: <<\" 1\">>"),
        ] {
            assert_eq!(ConsistentHash::validate(&binding(1, key)).unwrap_err(), text, "{key}");
        }
    }

    #[test]
    fn header_and_property_exclude_each_other() {
        let both: FieldTable =
            [("hash-header", "a"), ("hash-property", "message_id")].into_iter().collect();
        let refused = |arguments: &FieldTable| ConsistentHash::new(arguments).unwrap_err();
        assert_eq!(refused(&both), "hash-header and hash-property are mutually exclusive");
        let unknown: FieldTable = [("hash-property", "app_id")].into_iter().collect();
        assert_eq!(refused(&unknown), "Unsupported property: app_id");
        let number: FieldTable = [("hash-header", 5)].into_iter().collect();
        assert_eq!(refused(&number), "hash-header must be a long string");
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
