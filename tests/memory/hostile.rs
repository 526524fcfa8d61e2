//! Clients of ill will: each may make the process grow by 32 MiB at the most, and harms only
//! itself.

use std::time::Duration;

use leveret::protocol::field::{FieldTable, FieldValue};
use leveret::protocol::frame;
use leveret::protocol::methods::{Method, basic, channel, confirm, queue};
use leveret::protocol::properties::Properties;

use crate::neighbor::Neighbor;
use crate::process::Process;
use crate::resident::Growth;
use crate::wire::{BASIC, BODY_SIZE_MAX, CHANNEL_MAX, Wire, declare, push_publish};
use crate::{KIB, MIB, alone, start};

const GROWTH_MAX: u64 = 32 * MIB;

/// The longest a neighbor may wait for its round, on a machine that does other things as well.
const WORST_MAX: Duration = Duration::from_secs(2);

/// How long the broker may refuse to take bytes before the attack takes that for its answer.
const THOUGHT: Duration = Duration::from_millis(700);

/// Rounds of the neighbor during which the attack goes on as it is.
const ROUNDS: usize = 500;

/// A broker and the neighbor, before the attack.
struct Scene {
    process: Process,
    neighbor: Neighbor,
    growth: Growth,
}

impl Scene {
    /// Begins with what `prepare` leaves in the broker.
    fn prepared(prepare: impl FnOnce(&Process)) -> Self {
        let process = start();
        prepare(&process);
        let neighbor = Neighbor::start(process.address());
        let growth = Growth::of(&process);
        Self { process, neighbor, growth }
    }

    fn start() -> Self {
        Self::prepared(|_| {})
    }

    fn client(&self) -> Wire {
        Wire::with_channel(self.process.address())
    }

    /// The attack stands, with its sockets open: the neighbor goes on, and memory is bounded.
    fn judge(mut self, what: &str) {
        self.neighbor.await_rounds(ROUNDS);
        let (peak, now) = (self.growth.peak(), self.growth.now());
        let (count, worst) = self.neighbor.stop();
        println!(
            "{what}: grown by {} KiB at its highest, {} KiB now; the neighbor's longest round of \
             {count} took {worst:?}",
            peak / KIB,
            now / KIB
        );
        assert!(peak < GROWTH_MAX, "grown by {} MiB", peak / MIB);
        assert!(worst < WORST_MAX, "the neighbor waited {worst:?}");
        // A client that comes now is served as well.
        let mut late = Wire::with_channel(self.process.address());
        late.declare_queue("late");
        late.round_trip("late");
        late.close();
    }
}

fn fill(process: &Process, queue: &str, count: usize, size: usize) {
    let mut wire = Wire::with_channel(process.address());
    wire.declare_queue(queue);
    let mut bytes = Vec::new();
    push_publish(&mut bytes, queue, false, &vec![b'x'; size]);
    (0..count).for_each(|_| wire.write(&bytes));
    assert_eq!(wire.message_count(queue) as usize, count);
    wire.close();
}

fn consume(wire: &mut Wire, queue: &str) {
    let consume = basic::Consume {
        queue,
        consumer_tag: "",
        no_local: false,
        no_ack: true,
        exclusive: false,
        nowait: false,
        arguments: FieldTable::new(),
    };
    wire.send(1, &consume);
    assert!(matches!(wire.next_method().method(), Method::BasicConsumeOk(_)));
}

#[test]
fn a_consumer_that_stops_reading_before_100_mb() {
    let _alone = alone();
    for (count, size) in [(100_000, 1000), (100, 1_000_000)] {
        let scene = Scene::prepared(|process| fill(process, "backlog", count, size));
        let mut attacker = scene.client();
        consume(&mut attacker, "backlog");
        // What it was not sent is still there for others.
        let mut other = scene.client();
        other.send(1, &basic::Get { queue: "backlog", no_ack: true });
        assert!(matches!(other.next_method().method(), Method::BasicGetOk(_)));
        scene.judge(&format!("consumer that does not read {count} messages of {size} bytes"));
    }
}

#[test]
fn requests_without_reading_the_answers() {
    let _alone = alone();
    let scene = Scene::start();
    let mut attacker = scene.client();
    attacker.declare_queue("asked-for");
    let mut bytes = Vec::new();
    for _ in 0..100_000 {
        frame::write_method(&mut bytes, 1, &declare("asked-for", true));
    }
    attacker.write_while_taken(&bytes, THOUGHT);
    scene.judge("100,000 declarations, no answer read");
}

#[test]
fn gets_without_reading_the_messages() {
    let _alone = alone();
    for (count, size) in [(100_000, 1000), (1000, 100_000)] {
        let scene = Scene::prepared(|process| fill(process, "backlog", count, size));
        let mut attacker = scene.client();
        let mut bytes = Vec::new();
        for _ in 0..100_000 {
            frame::write_method(&mut bytes, 1, &basic::Get { queue: "backlog", no_ack: false });
        }
        attacker.write_while_taken(&bytes, THOUGHT);
        scene.judge(&format!("100,000 gets, none of {count} messages of {size} bytes read"));
    }
}

#[test]
fn every_channel_there_is() {
    let _alone = alone();
    let scene = Scene::start();
    let mut attacker = scene.client();
    let mut bytes = Vec::new();
    for number in 2..=CHANNEL_MAX {
        frame::write_method(&mut bytes, number, &channel::Open {});
    }
    attacker.write(&bytes);
    for _ in 2..=CHANNEL_MAX {
        assert!(matches!(attacker.next_method().method(), Method::ChannelOpenOk(_)));
    }
    scene.judge("2,047 channels");
}

#[test]
fn one_channel_too_many_is_refused() {
    let _alone = alone();
    let scene = Scene::start();
    let mut attacker = scene.client();
    for number in 2..=CHANNEL_MAX {
        attacker.open_channel(number);
    }
    attacker.send(CHANNEL_MAX + 1, &channel::Open {});
    match attacker.next_method().method() {
        Method::ConnectionClose(close) => assert_eq!(close.reply_code, 530),
        other => panic!("{other:?}"),
    }
    scene.judge("2,048 channels");
}

/// Bytes that mean nothing, the same in every run.
fn garbage(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).take(size / 8).flatten().collect()
}

#[test]
fn garbage_before_and_after_the_login() {
    let _alone = alone();
    let scene = Scene::start();
    let bytes = garbage(64 * 1024 * 1024);
    let mut attackers = Vec::new();
    for _ in 0..4 {
        let mut stranger = Wire::plug(scene.process.address());
        stranger.write_while_taken(&bytes, THOUGHT);
        let mut client = scene.client();
        client.write_while_taken(&bytes, THOUGHT);
        attackers.extend([stranger, client]);
    }
    scene.judge("64 MiB of garbage, eight times");
}

#[test]
fn half_a_frame() {
    let _alone = alone();
    let scene = Scene::start();
    let mut bytes = Vec::new();
    let publish =
        basic::Publish { exchange: "", routing_key: "q", mandatory: false, immediate: false };
    frame::write_method(&mut bytes, 1, &publish);
    frame::write_header(&mut bytes, 1, BASIC, BODY_SIZE_MAX as u64, &[0, 0]);
    frame::write_body(&mut bytes, 1, &vec![0; BODY_SIZE_MAX]);
    bytes.truncate(bytes.len() - BODY_SIZE_MAX / 2);
    let attackers: Vec<Wire> = (0..100)
        .map(|_| {
            let mut attacker = scene.client();
            attacker.write(&bytes);
            attacker
        })
        .collect();
    scene.judge("half a frame of 128 KiB on each of 100 connections");
    drop(attackers);
}

fn announce(wire: &mut Wire, channel: u16, body_size: u64, sent: usize) {
    let mut bytes = Vec::new();
    let publish =
        basic::Publish { exchange: "", routing_key: "q", mandatory: false, immediate: false };
    frame::write_method(&mut bytes, channel, &publish);
    frame::write_header(&mut bytes, channel, BASIC, body_size, &[0, 0]);
    if sent > 0 {
        frame::write_body(&mut bytes, channel, &vec![b'x'; sent]);
    }
    wire.write(&bytes);
}

#[test]
fn a_header_of_512_mib() {
    let _alone = alone();
    let scene = Scene::start();
    let mut attackers = Vec::new();
    for size in [512 * MIB, 512 * MIB + 1, u64::MAX] {
        let mut attacker = scene.client();
        announce(&mut attacker, 1, size, 0);
        match attacker.next_method().method() {
            Method::ChannelClose(_) | Method::ConnectionClose(_) => {}
            other => panic!("{size}: {other:?}"),
        }
        attackers.push(attacker);
    }
    scene.judge("headers of 512 MiB and more");
}

#[test]
fn headers_of_128_mib_with_little_behind_them() {
    let _alone = alone();
    let scene = Scene::start();
    let mut attacker = scene.client();
    announce(&mut attacker, 1, 128 * MIB, 1000);
    for number in 2..=1000 {
        attacker.open_channel(number);
        announce(&mut attacker, number, 128 * MIB, 1000);
    }
    scene.judge("headers of 128 MiB on 1,000 channels, a KB of body each");
}

/// As many entries as a frame holds, and a little room beside.
fn huge_table() -> FieldTable {
    let count = (BODY_SIZE_MAX - 1000) / 3;
    std::iter::repeat_n(("", true), count).collect()
}

#[test]
fn huge_field_tables() {
    let _alone = alone();
    let scene = Scene::start();
    let mut attacker = scene.client();
    attacker.declare_queue("described");
    let mut bytes = Vec::new();
    let table = huge_table();
    let declare = queue::Declare { arguments: table.clone(), ..declare("described", true) };
    frame::write_method(&mut bytes, 1, &declare);
    let mut properties = Vec::new();
    Properties { headers: Some(table), ..Properties::default() }.encode(&mut properties);
    let (exchange, routing_key) = ("amq.headers", "");
    let publish = basic::Publish { exchange, routing_key, mandatory: false, immediate: false };
    frame::write_method(&mut bytes, 1, &publish);
    frame::write_header(&mut bytes, 1, BASIC, 0, &properties);
    for _ in 0..100 {
        attacker.write(&bytes);
        assert!(matches!(attacker.next_method().method(), Method::QueueDeclareOk(_)));
    }
    scene.judge("100 declarations and 100 messages with 43,000 fields each");
}

#[test]
fn tables_in_tables_in_tables() {
    let _alone = alone();
    let scene = Scene::start();
    let mut attacker = scene.client();
    // The encoder would take them deeper than the decoder does, and this test as well.
    let deep = (0..10_000).fold(Vec::new(), |inner: Vec<u8>, _| {
        let mut outer = vec![0, b'F'];
        outer.extend(u32::try_from(inner.len()).unwrap().to_be_bytes());
        outer.extend(inner);
        outer
    });
    let mut bytes = Vec::new();
    frame::write_method(&mut bytes, 1, &declare("deep", false));
    // The empty table's size, and the end of the frame, make room for the deep one.
    bytes.truncate(bytes.len() - 5);
    bytes.extend(u32::try_from(deep.len()).unwrap().to_be_bytes());
    bytes.extend(deep);
    let size = u32::try_from(bytes.len() - 7).unwrap();
    bytes[3..7].copy_from_slice(&size.to_be_bytes());
    bytes.push(0xce);
    attacker.write(&bytes);
    match attacker.next_method().method() {
        Method::ConnectionClose(close) => assert!([501, 502].contains(&close.reply_code)),
        other => panic!("{other:?}"),
    }
    scene.judge("a table 10,000 tables deep");
}

#[test]
fn unroutable_mandatory_messages_without_reading_the_returns() {
    let _alone = alone();
    for (count, size) in [(100_000, 16), (1000, 100_000)] {
        let scene = Scene::start();
        let mut attacker = scene.client();
        attacker.send(1, &confirm::Select { nowait: false });
        assert!(matches!(attacker.next_method().method(), Method::ConfirmSelectOk(_)));
        let mut bytes = Vec::new();
        for _ in 0..count {
            push_publish(&mut bytes, "nobody-has-this", true, &vec![b'x'; size]);
        }
        attacker.write_while_taken(&bytes, THOUGHT);
        scene.judge(&format!("{count} returns of {size} bytes, none read"));
    }
}

#[test]
fn a_huge_array_in_a_table() {
    let _alone = alone();
    let scene = Scene::start();
    let mut attacker = scene.client();
    attacker.declare_queue("described");
    let values: Vec<FieldValue> = std::iter::repeat_n(FieldValue::Void, 120_000).collect();
    let nested: FieldTable = [("array", FieldValue::Array(values))].into_iter().collect();
    let declare = queue::Declare { arguments: nested, ..declare("described", true) };
    for _ in 0..100 {
        attacker.send(1, &declare);
        assert!(matches!(attacker.next_method().method(), Method::QueueDeclareOk(_)));
    }
    scene.judge("100 declarations with an array of 120,000 values");
}
