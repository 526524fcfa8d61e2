//! Publishes that are whole in the buffer and publishes that come frame by frame mean the same.

use super::Effect;
use super::tests::Peer;
use crate::limits::{PUBLISH_HEADS_MAX, PUBLISH_RUN_COUNT_MAX};
use crate::message::{Message, Random};
use crate::protocol::frame;
use crate::protocol::methods::{WireMethod, basic, confirm};

/// Publishes in which now this and now that differs from the one before, as they come.
fn publishes_as_they_come() -> Vec<u8> {
    let (mut bytes, mut random) = (Vec::new(), Random::new([3, 4]));
    let mut below = |limit: u64| usize::try_from(random.draw() % limit).unwrap();
    let properties: [&[u8]; 4] = [&[0, 0], &[0x10, 0, 2], &[0x10, 0, 1], b"\x02\x00\x05reply"];
    let sizes = [0, 1, 16, 255, 256, 257, 1000, 4096, 5000];
    let mut publish = (0, 0, 0, false, 0);
    for _ in 0..600 {
        match below(6) {
            0 => publish.0 = below(2),
            1 => publish.1 = below(3),
            2 => publish.2 = below(4),
            3 => publish.3 = below(8) == 0,
            4 => publish.4 = below(sizes.len() as u64),
            _ => {}
        }
        let (exchange, key, kind, mandatory, size) = publish;
        let (exchange, key) = (["", "exchange"][exchange], ["", "q", "other"][key]);
        let method = basic::Publish { exchange, routing_key: key, mandatory, immediate: false };
        frame::write_method(&mut bytes, 1, &method);
        let size = sizes[size];
        let class_id = basic::Publish::CLASS_ID;
        frame::write_header(&mut bytes, 1, class_id, size, properties[kind]);
        let body: Vec<u8> = (0..size).map(|_| u8::try_from(below(256)).unwrap()).collect();
        body.chunks(4000).for_each(|part| frame::write_body(&mut bytes, 1, part));
    }
    bytes
}

/// What was published, message by message, when the bytes come in pieces of this size.
fn published(bytes: &[u8], piece_size: usize) -> Vec<(Vec<u8>, bool, bool, u64)> {
    let mut peer = Peer::open();
    peer.send(1, &confirm::Select { nowait: true });
    peer.effects.clear();
    let mut rest = Vec::new();
    for piece in bytes.chunks(piece_size) {
        rest.extend_from_slice(piece);
        let used = peer.send_bytes(&rest);
        rest.drain(..used);
    }
    assert!(rest.is_empty(), "all of it was used");
    let mut seen = Vec::new();
    for effect in peer.effects {
        let Effect::Publish(run) = effect else { panic!("{effect:?}") };
        assert!(run.messages.len() <= PUBLISH_RUN_COUNT_MAX);
        assert!(
            run.messages.iter().map(Message::routing_key).is_sorted_by(|one, next| one == next)
        );
        for (message, number) in run.messages.into_messages().zip(run.confirm..) {
            let names = [message.exchange(), message.routing_key()].join("|").into_bytes();
            let text = [names, message.properties().to_vec(), message.body_to_vec()].concat();
            assert_eq!(message.body_size(), message.body_to_vec().len() as u64);
            seen.push((text, message.is_persistent(), run.mandatory, number));
        }
    }
    seen
}

#[test]
fn publishes_mean_the_same_however_their_bytes_are_cut() {
    let bytes = publishes_as_they_come();
    let whole = published(&bytes, bytes.len());
    assert_eq!(whole.len(), 600);
    assert!(whole.iter().map(|(.., number)| *number).eq(1..=600));
    for piece_size in [1, 7, 100, 1000, 50_000] {
        assert!(published(&bytes, piece_size) == whole, "{piece_size}");
    }
}

fn publish(routing_key: &str, properties: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let method = basic::Publish { exchange: "", routing_key, mandatory: false, immediate: false };
    frame::write_method(&mut bytes, 1, &method);
    frame::write_header(&mut bytes, 1, basic::Publish::CLASS_ID, body.len() as u64, properties);
    frame::write_body(&mut bytes, 1, body);
    bytes
}

/// What came behind it once went where it went itself.
#[test]
fn a_publish_with_a_heartbeat_in_its_middle_keeps_to_itself() {
    let (before, other) = (publish("q", &[0, 0], b"x"), publish("other", &[0, 0], b"y"));
    let (_, method_size) = frame::next(&other, 4096).unwrap().unwrap();
    let (method, content) = other.split_at(method_size);
    let mut heartbeat = Vec::new();
    frame::write_heartbeat(&mut heartbeat);
    let bytes = [&before, method, &heartbeat, content, &before].concat();
    let names = published(&bytes, bytes.len()).into_iter().map(|(text, ..)| text);
    let expected: [&[u8]; 3] = [b"|q\0\0x", b"|other\0\0y", b"|q\0\0x"];
    assert!(names.eq(expected));
}

#[test]
fn publishes_of_one_input_have_one_way_where_names_and_properties_are_the_same() {
    let (one, two): (&[u8], &[u8]) = (&[0, 0], &[0x10, 0, 1]);
    let publishes = [("q", one), ("r", one), ("q", one), ("r", two), ("q", one), ("q", two)];
    let bytes: Vec<u8> =
        publishes.iter().flat_map(|(key, properties)| publish(key, properties, b"x")).collect();
    let mut peer = Peer::open();
    assert_eq!(peer.send_bytes(&bytes), bytes.len());
    let ways: Vec<_> = peer
        .effects
        .iter()
        .map(|effect| match effect {
            Effect::Publish(run) => run.way.unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    let first_alike = |way| ways.iter().position(|other| other == way);
    let alike: Vec<_> = ways.iter().filter_map(first_alike).collect();
    assert_eq!(alike, [0, 1, 0, 3, 0, 5], "{ways:?}");
    let names: Vec<_> = ways.iter().map(|way| way.names()).collect();
    assert_eq!(names, [0, 1, 0, 1, 0, 0], "{ways:?}");
}

#[test]
fn what_the_broker_must_look_into_has_no_way() {
    let mut peer = Peer::open();
    peer.send_bytes(&publish("q", b"\x02\x00\x05reply", b"x"));
    assert!(matches!(peer.effects.as_slice(), [Effect::Publish(run)] if run.way.is_none()));
}

#[test]
fn more_heads_than_are_remembered_are_read_again() {
    let keys = (0..PUBLISH_HEADS_MAX * 3).map(|number| format!("q{}", number % 300));
    let bytes: Vec<u8> = keys.clone().flat_map(|key| publish(&key, &[0, 0], b"x")).collect();
    let names = published(&bytes, bytes.len()).into_iter().map(|(text, ..)| text);
    assert!(names.eq(keys.map(|key| format!("|{key}\0\0x").into_bytes())));
}
