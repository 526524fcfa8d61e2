//! The codec beside another one, the `amq-protocol` crate, which was generated from other data: the
//! same bytes must mean the same to both, and come back from both.

use amq_protocol::protocol::basic::{gen_properties, parse_properties};
use amq_protocol::protocol::{gen_class, parse_class};
use leveret::protocol::methods::Method;
use leveret::protocol::properties::Properties;

use crate::payloads::{self, Numbers};
use crate::{generate, specification};

const ROUNDS: u64 = 50;

/// What the other codec makes of a payload: how it prints the method, and its bytes again.
fn other_opinion(payload: &[u8]) -> (String, Vec<u8>) {
    let (rest, class) = parse_class(payload).unwrap();
    assert!(rest.is_empty(), "{class:?} leaves bytes over");
    let written: Vec<u8> = gen_class(&class)(Vec::new().into()).unwrap().into_inner().0;
    (format!("{class:?}"), written)
}

/// The other codec reads no value here and writes 0, as if the field were reserved.
const RESERVED_FOR_THE_OTHER: [(&str, &str, &str); 1] = [("basic", "qos", "prefetch-size")];

/// The data without what the other codec does not know. It writes ticket 1 whatever it read.
fn shared_specification() -> generate::Specification {
    let mut shared = specification();
    for class in &mut shared.classes {
        class.methods.retain(|method| (class.name.as_str(), method.id) != ("access", 11));
        for method in &mut class.methods {
            for field in &mut method.fields {
                let place = (class.name.as_str(), method.name.as_str(), field.name.as_str());
                field.reserved |= RESERVED_FOR_THE_OTHER.contains(&place);
            }
        }
    }
    shared
}

fn every_method(
    specification: &generate::Specification,
    check: impl Fn(&str, &generate::Class, &generate::Method, &[u8]),
) {
    for seed in 1..=ROUNDS {
        let mut numbers = Numbers::seeded(seed);
        for class in &specification.classes {
            for method in &class.methods {
                let name = format!("{}.{}", class.name, method.name);
                check(&name, class, method, &payloads::payload(class, method, &mut numbers));
            }
        }
    }
}

fn written_again(name: &str, payload: &[u8]) -> Vec<u8> {
    let method = Method::decode(payload).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut written = Vec::new();
    method.encode(&mut written);
    written
}

#[test]
fn every_method_is_written_as_it_was_read() {
    every_method(&specification(), |name, class, method, payload| {
        assert_eq!(written_again(name, payload), payload, "{name}");
        let read = Method::decode(payload).unwrap();
        assert_eq!((read.class_id(), read.method_id()), (class.id, method.id));
        assert_eq!((read.name(), read.has_content()), (name, method.content));
        let may_send = |who: &str| method.sent_by.iter().any(|by| by == who);
        assert_eq!(read.is_from_client(), may_send("client"), "{name}");
        assert_eq!(read.is_from_server(), may_send("server"), "{name}");
    });
}

#[test]
fn both_codecs_read_and_write_every_method_alike() {
    every_method(&shared_specification(), |name, _, _, payload| {
        assert_eq!(written_again(name, payload), payload, "{name}");
        assert_eq!(other_opinion(payload).1, payload, "{name}");
    });
}

/// The order of fields on the wire can be right and their names wrong: two strings change places.
#[test]
fn both_codecs_give_every_field_the_same_name() {
    every_method(&shared_specification(), |name, _, method, payload| {
        let ours = format!("{:?}", Method::decode(payload).unwrap());
        let theirs = other_opinion(payload).0;
        let simple = |field: &&generate::Field| {
            !field.reserved && !matches!(field.kind.as_str(), "table" | "longstr")
        };
        for field in method.fields.iter().filter(simple) {
            let label = format!("{}: ", field.name.replace('-', "_"));
            let found = value_after(&ours, &label);
            assert!(found.is_some(), "{label} is missing in {ours}");
            assert_eq!(found, value_after(&theirs, &label), "{name} {label}");
        }
    });
}

/// The number, boolean or quoted text behind a label in printed values.
fn value_after<'a>(printed: &'a str, label: &str) -> Option<&'a str> {
    let start = [" ", "{"].iter().find_map(|before| {
        let index = printed.find(&format!("{before}{label}"))?;
        Some(index + before.len() + label.len())
    })?;
    let value = printed[start..].split([',', '}']).next()?.trim();
    Some(value.trim_start_matches("ShortString(").trim_end_matches(')'))
}

#[test]
fn a_cut_or_lengthened_method_is_malformed() {
    every_method(&specification(), |name, _, _, payload| {
        assert!(Method::decode(&payload[..payload.len() - 1]).is_err(), "{name} cut");
        assert!(Method::decode(&[payload, &[0]].concat()).is_err(), "{name} lengthened");
    });
}

#[test]
fn both_codecs_read_and_write_properties_alike() {
    for seed in 1..=ROUNDS {
        let bytes = property_bytes(&mut Numbers::seeded(seed));
        let mut ours = Vec::new();
        Properties::decode(&bytes).unwrap().encode(&mut ours);
        assert_eq!(ours, bytes, "seed {seed}");
        let (rest, properties) = parse_properties(&bytes[..]).unwrap();
        assert!(rest.is_empty(), "seed {seed}");
        let theirs: Vec<u8> =
            gen_properties(&properties)(Vec::new().into()).unwrap().into_inner().0;
        assert_eq!(theirs, bytes, "seed {seed}");
    }
}

/// Flags and list of a chance choice of properties, from the kinds in the order of their flags.
fn property_bytes(numbers: &mut Numbers) -> Vec<u8> {
    let flags = u16::try_from(numbers.below(1 << 14)).unwrap() << 2;
    let mut out = flags.to_be_bytes().to_vec();
    for (index, kind) in "ssTbbssssLssss".chars().enumerate() {
        if flags & (1 << (15 - index)) == 0 {
            continue;
        }
        match kind {
            's' => payloads::short_string(&mut out, numbers.text().as_bytes()),
            'T' => payloads::long_string(&mut out, &payloads::entries(numbers)),
            'b' => out.push(numbers.next().to_be_bytes()[0]),
            _ => out.extend(numbers.next().to_be_bytes()),
        }
    }
    out
}
