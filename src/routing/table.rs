//! The bindings of one exchange, whatever its type.

use super::deduplication::Deduplication;
use super::destination::{BindingKey, Destination, DestinationSet};
use super::direct::Direct;
use super::hash::{ConsistentHash, by_modulus};
use super::headers::Headers;
use super::kind::ExchangeKind;
use super::random;
use super::topic::Topic;
use crate::limits::RECENT_HISTORY_COUNT;
use crate::message::Moment;
use crate::protocol::field::FieldTable;

/// What a message is routed by.
#[derive(Clone, Copy, Debug)]
pub struct RouteInput<'a> {
    /// The routing key, then those of CC and BCC.
    pub routing_keys: &'a [&'a str],
    /// The properties as received.
    pub properties: &'a [u8],
    /// A random number, for those who throw dice.
    pub random: u64,
    /// When it is, for those who forget.
    pub now: Moment,
}

/// One exchange's bindings.
#[derive(Debug)]
pub struct Table {
    kind: ExchangeKind,
    bindings: Bindings,
}

#[derive(Debug)]
enum Bindings {
    Direct(Direct),
    Topic(Topic),
    Headers(Headers),
    ConsistentHash(ConsistentHash),
    /// Those that look at no key: fanout, random, modulus, history, deduplication.
    Set(DestinationSet),
}

impl Table {
    /// An empty table.
    ///
    /// # Errors
    /// The arguments are not what the type takes: the explanation of a 406.
    pub fn new(kind: ExchangeKind, arguments: &FieldTable) -> Result<Self, String> {
        let kind = kind.that_routes(arguments)?;
        let bindings = match kind {
            ExchangeKind::Direct => Bindings::Direct(Direct::default()),
            ExchangeKind::Topic => Bindings::Topic(Topic::default()),
            ExchangeKind::Headers => Bindings::Headers(Headers::default()),
            ExchangeKind::ConsistentHash => {
                Bindings::ConsistentHash(ConsistentHash::new(arguments)?)
            }
            ExchangeKind::RecentHistory => {
                history_length(arguments)?;
                Bindings::Set(DestinationSet::default())
            }
            ExchangeKind::Deduplication => {
                Deduplication::new(arguments)?;
                Bindings::Set(DestinationSet::default())
            }
            ExchangeKind::Fanout
            | ExchangeKind::Random
            | ExchangeKind::LocalRandom
            | ExchangeKind::ModulusHash
            | ExchangeKind::Delayed => Bindings::Set(DestinationSet::default()),
        };
        Ok(Self { kind, bindings })
    }

    /// Whether a binding may be made.
    ///
    /// # Errors
    /// The explanation of a 406.
    pub fn validate(&self, binding: &BindingKey) -> Result<(), String> {
        match self.kind {
            ExchangeKind::Headers => Headers::validate(&binding.arguments),
            ExchangeKind::ConsistentHash => ConsistentHash::validate(binding),
            ExchangeKind::LocalRandom => random::validate_local(binding),
            ExchangeKind::Direct
            | ExchangeKind::Fanout
            | ExchangeKind::Topic
            | ExchangeKind::Random
            | ExchangeKind::ModulusHash
            | ExchangeKind::RecentHistory
            | ExchangeKind::Deduplication
            | ExchangeKind::Delayed => Ok(()),
        }
    }

    /// Adds a binding that is not there yet.
    pub fn bind(&mut self, binding: &BindingKey) {
        let destination = binding.destination;
        match &mut self.bindings {
            Bindings::Direct(direct) => direct.bind(&binding.routing_key, destination),
            Bindings::Topic(topic) => topic.bind(&binding.routing_key, destination),
            Bindings::Headers(headers) => headers.bind(binding),
            Bindings::ConsistentHash(hash) => hash.bind(binding),
            Bindings::Set(set) => set.add(destination),
        }
    }

    /// Takes a binding away. False where it was not there.
    pub fn unbind(&mut self, binding: &BindingKey) -> bool {
        let destination = binding.destination;
        match &mut self.bindings {
            Bindings::Direct(direct) => direct.unbind(&binding.routing_key, destination),
            Bindings::Topic(topic) => topic.unbind(&binding.routing_key, destination),
            Bindings::Headers(headers) => headers.unbind(binding),
            Bindings::ConsistentHash(hash) => hash.unbind(binding),
            Bindings::Set(set) => set.remove(destination),
        }
    }

    /// A message would go nowhere, for all that can be told without looking at it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.bindings {
            Bindings::Topic(topic) => topic.is_empty(),
            Bindings::Set(set) => set.is_empty(),
            Bindings::Direct(_) | Bindings::Headers(_) | Bindings::ConsistentHash(_) => false,
        }
    }

    /// Adds where the message goes; one destination may come several times.
    pub fn route(&self, input: &RouteInput<'_>, out: &mut Vec<Destination>) {
        match &self.bindings {
            Bindings::Direct(direct) => {
                input.routing_keys.iter().for_each(|key| direct.route(key, out));
            }
            Bindings::Topic(topic) => {
                input.routing_keys.iter().for_each(|key| topic.route(key, out));
            }
            Bindings::Headers(headers) => headers.route(input.properties, out),
            Bindings::ConsistentHash(hash) => hash.route(input, out),
            Bindings::Set(set) => self.route_set(set, input, out),
        }
    }

    fn route_set(&self, set: &DestinationSet, input: &RouteInput<'_>, out: &mut Vec<Destination>) {
        match self.kind {
            ExchangeKind::Random | ExchangeKind::LocalRandom => {
                out.extend(random::choose(set, input.random));
            }
            ExchangeKind::ModulusHash => out.extend(by_modulus(set, input.routing_keys)),
            _ => out.extend(set.iter()),
        }
    }
}

/// How many messages a recent history exchange keeps.
pub(super) fn history_length(arguments: &FieldTable) -> Result<usize, String> {
    let Some(value) = arguments.get("x-recent-history-length") else {
        return Ok(RECENT_HISTORY_COUNT);
    };
    match value.as_integer().and_then(|count| usize::try_from(count).ok()) {
        Some(count) if count > 0 => Ok(count),
        _ => {
            let value = match (value.as_integer(), value.as_str()) {
                (Some(number), _) => number.to_string(),
                (None, Some(text)) => shown(text),
                (None, None) => format!("{value:?}"),
            };
            Err(format!(
                "Invalid argument {value}, 'x-recent-history-length' must be a positive integer"
            ))
        }
    }
}

/// A string in an error text, in the brackets that RabbitMQ puts around it.
pub(super) fn shown(text: &str) -> String {
    if text.is_empty() { "<<>>".to_owned() } else { format!("<<{text:?}>>") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::QueueId;
    use crate::protocol::field::FieldValue;

    fn binding(id: u64, key: &str) -> BindingKey {
        BindingKey {
            routing_key: key.into(),
            arguments: FieldTable::new(),
            destination: Destination::Queue(QueueId(id)),
        }
    }

    fn routed(table: &Table, keys: &[&str], random: u64) -> Vec<u64> {
        let mut out = Vec::new();
        let now = Moment(0);
        let input = RouteInput { routing_keys: keys, properties: &[0, 0], random, now };
        table.route(&input, &mut out);
        let id = |destination| match destination {
            Destination::Queue(id) => id.0,
            Destination::Exchange(id) => panic!("{id:?}"),
        };
        out.into_iter().map(id).collect()
    }

    /// Binds three queues with three keys and routes one message with two keys.
    fn check(kind: ExchangeKind, expected: &[u64]) {
        let mut table = Table::new(kind, &FieldTable::new()).unwrap();
        let bindings = [binding(3, "1"), binding(1, "2"), binding(2, "3")];
        bindings.iter().for_each(|binding| table.bind(binding));
        assert_eq!(routed(&table, &["2", "3"], 4), expected, "{kind:?}");
        for binding in &bindings {
            assert!(table.unbind(binding) && !table.unbind(binding), "{kind:?}");
        }
        assert_eq!(routed(&table, &["2", "3"], 4), [0; 0], "{kind:?}");
    }

    #[test]
    fn each_type_has_its_own_answer() {
        check(ExchangeKind::Direct, &[1, 2]);
        check(ExchangeKind::Topic, &[1, 2]);
        check(ExchangeKind::Fanout, &[1, 2, 3]);
        check(ExchangeKind::RecentHistory, &[1, 2, 3]);
        check(ExchangeKind::Headers, &[1, 2, 3]);
        check(ExchangeKind::Random, &[2]);
        check(ExchangeKind::LocalRandom, &[2]);
    }

    #[test]
    fn a_hash_leads_to_one_destination() {
        for kind in [ExchangeKind::ModulusHash, ExchangeKind::ConsistentHash] {
            let mut table = Table::new(kind, &FieldTable::new()).unwrap();
            (1..=3).for_each(|id| table.bind(&binding(id, "1")));
            let routed = |random| routed(&table, &["k"], random);
            assert_eq!(routed(0).len(), 1, "{kind:?}");
            assert_eq!(routed(0), routed(1), "{kind:?}");
        }
    }

    #[test]
    fn a_history_has_a_positive_length() {
        let length = |value: FieldValue| {
            history_length(&[("x-recent-history-length", value)].into_iter().collect())
        };
        let refused = |value: &str| {
            Err(format!(
                "Invalid argument {value}, 'x-recent-history-length' must be a positive integer"
            ))
        };
        assert_eq!(history_length(&FieldTable::new()), Ok(20));
        assert_eq!(length(FieldValue::U8(3)), Ok(3));
        assert_eq!(length(0.into()), refused("0"));
        assert_eq!(length((-1).into()), refused("-1"));
        assert_eq!(length("5".into()), refused("<<\"5\">>"));
        assert!(length(FieldValue::Void).is_err());
    }

    #[test]
    fn strings_stand_in_brackets() {
        assert_eq!(shown(""), "<<>>");
        assert_eq!(shown("a\"é"), "<<\"a\\\"é\">>");
    }
}
