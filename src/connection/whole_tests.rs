//! Publishes that are whole in the buffer and publishes that come frame by frame mean the same.

use super::Effect;
use super::tests::Peer;
use crate::limits::PUBLISH_RUN_COUNT_MAX;
use crate::message::Random;
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
