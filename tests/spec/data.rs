//! What the code writes down by hand, reply codes, frame kinds, letters of field values and the
//! order of properties, against the data it is taken from.

use leveret::protocol::field::FieldTable;
use leveret::protocol::frame::{self, FrameError, FrameKind};
use leveret::protocol::properties::PropertyView;
use leveret::protocol::reply::ReplyCode;
use serde_json::Value;

use crate::payloads::{self, Numbers};
use crate::root;

const REPLY_CODES: [ReplyCode; 19] = [
    ReplyCode::Success,
    ReplyCode::ContentTooLarge,
    ReplyCode::NoRoute,
    ReplyCode::NoConsumers,
    ReplyCode::ConnectionForced,
    ReplyCode::InvalidPath,
    ReplyCode::AccessRefused,
    ReplyCode::NotFound,
    ReplyCode::ResourceLocked,
    ReplyCode::PreconditionFailed,
    ReplyCode::FrameError,
    ReplyCode::SyntaxError,
    ReplyCode::CommandInvalid,
    ReplyCode::ChannelError,
    ReplyCode::UnexpectedFrame,
    ReplyCode::ResourceError,
    ReplyCode::NotAllowed,
    ReplyCode::NotImplemented,
    ReplyCode::InternalError,
];

fn data() -> Value {
    serde_json::from_str(&std::fs::read_to_string(root().join("spec/amqp.json")).unwrap()).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("no list {key}"))
}

#[test]
fn reply_codes_have_the_numbers_names_and_scopes_of_the_data() {
    let data = data();
    let expected = list(&data, "reply_codes");
    assert_eq!(expected.len(), REPLY_CODES.len());
    for (code, expected) in REPLY_CODES.iter().zip(expected) {
        let name = expected["name"].as_str().unwrap().replace('-', "_").to_uppercase();
        assert_eq!(code.number(), expected["number"], "{name}");
        assert_eq!(code.name(), name);
        assert_eq!(code.is_hard(), expected["closes"] == "connection", "{name}");
    }
}

#[test]
fn frame_kinds_and_the_end_octet_are_those_of_the_data() {
    let data = data();
    let frames = &data["frames"];
    let kinds = [
        ("method", FrameKind::Method),
        ("header", FrameKind::Header),
        ("body", FrameKind::Body),
        ("heartbeat", FrameKind::Heartbeat),
    ];
    let known: Vec<u64> =
        kinds.iter().map(|(name, _)| frames["kinds"][name].as_u64().unwrap()).collect();
    let end = u8::try_from(frames["end"].as_u64().unwrap()).unwrap();
    for octet in 0..=u8::MAX {
        let bytes = [octet, 0, 0, 0, 0, 0, 0, end];
        let found = frame::next(&bytes, 4096);
        match known.iter().position(|kind| *kind == u64::from(octet)) {
            Some(index) => assert_eq!(found.unwrap().unwrap().0.kind, kinds[index].1),
            None => assert_eq!(found, Err(FrameError::UnknownKind(octet))),
        }
    }
    assert_eq!(u64::from(leveret::limits::FRAME_SIZE_MIN), frames["size_min"].as_u64().unwrap());
}

#[test]
fn letters_of_field_values_stand_for_the_kinds_of_the_data() {
    let data = data();
    let mut known = Vec::new();
    for expected in list(&data, "field_values") {
        let letter = expected["letter"].as_str().unwrap().as_bytes()[0];
        known.push(letter);
        let mut body = b"\x01k".to_vec();
        payloads::value(&mut body, letter, &mut Numbers::seeded(7));
        let table = FieldTable::decode_body(&body).unwrap();
        let printed = format!("{:?}", table.get("k").unwrap());
        let kind = printed.split(|at: char| !at.is_alphanumeric()).next();
        assert_eq!(kind, expected["kind"].as_str(), "{}", char::from(letter));
    }
    for letter in (0..=u8::MAX).filter(|letter| !known.contains(letter)) {
        let body = [&[1, b'k', letter][..], &[0; 8]].concat();
        assert!(FieldTable::decode_body(&body).is_err(), "{letter}");
    }
}

#[test]
fn properties_stand_in_the_order_of_the_data() {
    let data = data();
    let basic = list(&data, "classes").iter().find(|class| class["name"] == "basic").unwrap();
    let properties = list(basic, "properties");
    assert_eq!(properties.len(), 14);
    for (index, property) in properties.iter().enumerate() {
        let mut bytes = (0x8000_u16 >> index).to_be_bytes().to_vec();
        bytes.extend(match property["type"].as_str().unwrap() {
            "shortstr" => vec![1, b'v'],
            "table" => vec![0, 0, 0, 0],
            "octet" => vec![7],
            "timestamp" => vec![0, 0, 0, 0, 0, 0, 0, 7],
            other => panic!("no property has type {other}"),
        });
        let printed = format!("{:?}", PropertyView::parse(&bytes).unwrap());
        let name = match property["name"].as_str().unwrap() {
            "type" => "kind".to_owned(),
            name => name.replace('-', "_"),
        };
        assert_eq!(printed.matches("Some(").count(), 1, "{printed}");
        assert!(printed.contains(&format!("{name}: Some(")), "{name}: {printed}");
    }
}
