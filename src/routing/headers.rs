//! Headers exchanges: each binding is a set of conditions on the message's headers. All bindings
//! are looked at: there is no key to find them by.

use std::collections::BTreeMap;

use super::destination::{BindingKey, Destination};
use super::table::shown;
use crate::protocol::field::{FieldName, FieldTable, FieldValue};
use crate::protocol::properties::PropertyView;

/// What stands for one binding: destination, key, arguments as bytes.
type Identity = (Destination, Box<str>, Vec<u8>);

/// The bindings of one exchange, in a fixed order.
#[derive(Debug, Default)]
pub(super) struct Headers(BTreeMap<Identity, Conditions>);

/// The conditions of one binding.
#[derive(Debug)]
struct Conditions {
    /// One is enough.
    any: bool,
    wanted: Vec<(FieldName, FieldValue)>,
}

impl Headers {
    /// Whether the arguments are good.
    pub(super) fn validate(arguments: &FieldTable) -> Result<(), String> {
        mode(arguments).map(|_| ())
    }

    pub(super) fn bind(&mut self, binding: &BindingKey) {
        // It was validated before; a bad one would match as RabbitMQ's default does.
        let (any, with_x) = mode(&binding.arguments).unwrap_or((false, false));
        let wanted = binding
            .arguments
            .iter()
            .filter(|(name, _)| {
                let is_x = name.as_bytes().starts_with(b"x-");
                name.as_bytes() != b"x-match" && (with_x || !is_x)
            })
            .cloned()
            .collect();
        self.0.insert(identity(binding), Conditions { any, wanted });
    }

    pub(super) fn unbind(&mut self, binding: &BindingKey) -> bool {
        self.0.remove(&identity(binding)).is_some()
    }

    pub(super) fn route(&self, properties: &[u8], out: &mut Vec<Destination>) {
        let headers = PropertyView::parse(properties)
            .and_then(|view| view.headers_table())
            .ok()
            .flatten()
            .unwrap_or_default();
        let matching = self.0.iter().filter(|(_, conditions)| conditions.hold(&headers));
        out.extend(matching.map(|((destination, ..), _)| *destination));
    }
}

impl Conditions {
    fn hold(&self, headers: &FieldTable) -> bool {
        let found = |name| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let mut each = self.wanted.iter().map(|(name, value)| is_met(found(name), value));
        if self.any { each.any(|is_met| is_met) } else { each.all(|is_met| is_met) }
    }
}

/// A header is there and equals what is wanted; wanting nothing in particular is content with that.
/// As in RabbitMQ a value has its class, not its width: integers, floats, and strings of either
/// kind equal each other, and no class equals another.
fn is_met(found: Option<&FieldValue>, wanted: &FieldValue) -> bool {
    use FieldValue::{Bytes, LongString, Void};
    match (found, wanted) {
        (None, _) => false,
        (Some(_), Void) => true,
        (Some(LongString(found) | Bytes(found)), LongString(wanted) | Bytes(wanted)) => {
            found == wanted
        }
        (Some(found), wanted) => match (float(found), float(wanted)) {
            (Some(found), Some(wanted)) => found == wanted,
            _ => match (found.as_integer(), wanted.as_integer()) {
                (Some(found), Some(wanted)) => found == wanted,
                _ => found == wanted,
            },
        },
    }
}

fn float(value: &FieldValue) -> Option<f64> {
    match value {
        FieldValue::F32(value) => Some(f64::from(*value)),
        FieldValue::F64(value) => Some(*value),
        _ => None,
    }
}

/// Whether any condition is enough, and whether `x-` ones count.
fn mode(arguments: &FieldTable) -> Result<(bool, bool), String> {
    let Some(value) = arguments.get("x-match") else { return Ok((false, false)) };
    match value.as_str() {
        Some("all") => Ok((false, false)),
        Some("any") => Ok((true, false)),
        Some("all-with-x") => Ok((false, true)),
        Some("any-with-x") => Ok((true, true)),
        Some(other) => Err(format!(
            "Invalid x-match field value {}; expected all, any, all-with-x, or any-with-x",
            shown(other)
        )),
        None => {
            Err("Invalid x-match field type (value was not a long string); expected longstr"
                .to_owned())
        }
    }
}

fn identity(binding: &BindingKey) -> Identity {
    let mut arguments = Vec::new();
    binding.arguments.encode(&mut arguments);
    (binding.destination, (&*binding.routing_key).into(), arguments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{QueueId, Random};
    use crate::protocol::properties::Properties;

    fn check(arguments: &[(&str, FieldValue)], headers: &[(&str, FieldValue)], expected: bool) {
        let mut table = Headers::default();
        let binding = BindingKey {
            routing_key: "".into(),
            arguments: arguments.iter().cloned().collect(),
            destination: Destination::Queue(QueueId(1)),
        };
        table.bind(&binding);
        let mut properties = Vec::new();
        let headers = Some(headers.iter().cloned().collect());
        Properties { headers, ..Properties::default() }.encode(&mut properties);
        let mut out = Vec::new();
        table.route(&properties, &mut out);
        assert_eq!(!out.is_empty(), expected, "{arguments:?} {properties:?}");
        assert!(table.unbind(&binding) && !table.unbind(&binding));
    }

    fn text(value: &str) -> FieldValue {
        value.into()
    }

    #[test]
    fn all_needs_every_condition_and_any_needs_one() {
        let wanted = |mode: &str| [("x-match", text(mode)), ("a", 1.into()), ("b", text("x"))];
        let both = [("a", 1.into()), ("b", text("x"))];
        let one = [("a", 1.into())];
        check(&wanted("all"), &both, true);
        check(&wanted("all"), &one, false);
        check(&wanted("any"), &one, true);
        check(&wanted("any"), &[("c", 1.into())], false);
    }

    #[test]
    fn without_conditions_all_matches_everything_and_any_nothing() {
        check(&[], &[], true);
        check(&[("x-match", text("any"))], &[("a", 1.into())], false);
    }

    #[test]
    fn x_conditions_count_only_where_asked_for() {
        for (mode, expected) in [("all", true), ("all-with-x", false)] {
            check(&[("x-match", text(mode)), ("x-a", 1.into())], &[], expected);
        }
        for (mode, expected) in [("any", false), ("any-with-x", true)] {
            check(&[("x-match", text(mode)), ("x-a", 1.into())], &[("x-a", 1.into())], expected);
        }
    }

    #[test]
    fn nothing_in_particular_asks_for_presence_only() {
        check(&[("a", FieldValue::Void)], &[("a", text("whatever"))], true);
        check(&[("a", FieldValue::Void)], &[], false);
    }

    #[test]
    fn integers_are_equal_across_their_types_and_not_to_text() {
        check(&[("a", FieldValue::I32(5))], &[("a", FieldValue::I64(5))], true);
        check(&[("a", FieldValue::I32(5))], &[("a", text("5"))], false);
    }

    #[test]
    fn values_are_equal_within_their_class_only() {
        let (long, short) = (text("ab"), FieldValue::Bytes(Box::from(*b"ab")));
        let classes = [
            vec![FieldValue::I8(5), FieldValue::U16(5), FieldValue::I64(5)],
            vec![FieldValue::F32(5.0), FieldValue::F64(5.0)],
            vec![long, short],
            vec![FieldValue::Boolean(true)],
            vec![FieldValue::Timestamp(5)],
            vec![FieldValue::Decimal { scale: 0, value: 5 }],
            vec![FieldValue::Array(vec![FieldValue::I32(5)])],
        ];
        for (left_class, left) in classes.iter().enumerate() {
            for (right_class, right) in classes.iter().enumerate() {
                for (wanted, found) in left.iter().flat_map(|l| right.iter().map(move |r| (l, r))) {
                    let expected = left_class == right_class;
                    check(&[("a", wanted.clone())], &[("a", found.clone())], expected);
                }
            }
        }
    }

    #[test]
    fn a_name_that_is_no_text_is_found_by_its_bytes() {
        let mut table = Headers::default();
        let name = |byte: u8| FieldName::from(&[byte][..]);
        let arguments = [(name(0xff), 1)].into_iter().collect();
        let (routing_key, destination) = ("".into(), Destination::Queue(QueueId(1)));
        table.bind(&BindingKey { routing_key, arguments, destination });
        for (byte, count) in [(0xff, 1), (0xfe, 0)] {
            let (mut properties, mut out) = (Vec::new(), Vec::new());
            let headers = Some([(name(byte), 1)].into_iter().collect());
            Properties { headers, ..Properties::default() }.encode(&mut properties);
            table.route(&properties, &mut out);
            assert_eq!(out.len(), count, "{byte}");
        }
    }

    /// The definition: how many of the conditions that count are met, of how many.
    fn matches(mode: &str, wanted: &[(&str, i32)], headers: &[(&str, i32)]) -> bool {
        let counts = |name: &str| mode.ends_with("-with-x") || !name.starts_with("x-");
        let counting: Vec<_> = wanted.iter().filter(|(name, _)| counts(name)).collect();
        let met = counting.iter().filter(|condition| headers.contains(condition)).count();
        if mode.starts_with("any") { met > 0 } else { met == counting.len() }
    }

    #[test]
    fn random_conditions_hold_as_the_definition_says() {
        let mut random = Random::new([7, 11]);
        let mut draw = |count: u64| usize::try_from(random.draw() % count).unwrap();
        let mut matched = 0;
        for _ in 0..2000 {
            let mode = ["all", "any", "all-with-x", "any-with-x"][draw(4)];
            let mut choose = || -> Vec<(&str, i32)> {
                let names = ["a", "b", "x-a", "x-b"].into_iter();
                names.filter_map(|name| Some(name).zip([Some(0), Some(1), None][draw(3)])).collect()
            };
            let (wanted, headers) = (choose(), choose());
            let typed = |(name, value): &(&'static str, i32)| (*name, FieldValue::I32(*value));
            let mut arguments: Vec<_> = wanted.iter().map(typed).collect();
            arguments.push(("x-match", text(mode)));
            let expected = matches(mode, &wanted, &headers);
            check(&arguments, &headers.iter().map(typed).collect::<Vec<_>>(), expected);
            matched += u32::from(expected);
        }
        assert!((500..1500).contains(&matched), "{matched}");
    }

    #[test]
    fn an_unknown_mode_is_refused() {
        let arguments = |value: FieldValue| [("x-match", value)].into_iter().collect();
        assert_eq!(
            Headers::validate(&arguments(text("most"))).unwrap_err(),
            "Invalid x-match field value <<\"most\">>; expected all, any, all-with-x, or any-with-x"
        );
        assert!(Headers::validate(&arguments(1.into())).is_err());
        assert!(Headers::validate(&arguments(text("any-with-x"))).is_ok());
    }
}
