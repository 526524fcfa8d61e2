//! What messages cost that are out with a consumer who takes everything and acknowledges nothing:
//! places in stretches, while the bodies are on disk.

use leveret::protocol::field::FieldTable;
use leveret::protocol::frame::FrameKind;
use leveret::protocol::methods::{Method, basic};
use rustix::process::Signal;

use crate::figures::{BATCH, persistent_batch};
use crate::resident::Growth;
use crate::wire::Wire;
use crate::{KIB, alone, command, is_optimized, start};

/// How many, and what they may cost. Without optimization fewer must do, and what does not get less
/// with them (bodies that were read ahead, buffers) is most of it.
fn measure() -> (usize, u64) {
    if is_optimized() { (10_000_000, 100 * 1000 * 1000) } else { (50_000, 40 * 1000 * 1000) }
}

#[test]
fn messages_out_with_a_consumer_are_small() {
    let _alone = alone();
    let (count, size_max) = measure();
    let process = start();
    fill(&mut Wire::with_channel(process.address()), count);
    // A process that never held them: what it takes, it takes for what is out.
    let process = process.restart_by(Signal::TERM, command());
    let mut other = Wire::with_channel(process.address());
    assert_eq!(other.message_count("full") as usize, count);
    let growth = Growth::of(&process);
    let mut consumer = Wire::with_channel(process.address());
    take(&mut consumer, count);
    assert_eq!(other.message_count("full"), 0);
    let (peak, now) = (growth.peak(), growth.settled(&mut other, "full"));
    println!("{count} messages out: grown by {} KiB, {} KiB at most", now / KIB, peak / KIB);
    assert!(peak < size_max, "{peak}");
    consumer.send(1, &basic::Ack { delivery_tag: 0, multiple: true });
    consumer.close();
    assert_eq!(other.message_count("full"), 0, "all of them were acknowledged");
}

fn fill(wire: &mut Wire, count: usize) {
    wire.declare_queue("full");
    let bytes = persistent_batch("full", b"sixteen bytes at");
    (0..count / BATCH).for_each(|_| wire.write(&bytes));
    assert_eq!(wire.message_count("full") as usize, count);
}

/// Takes all of them, without any prefetch.
fn take(wire: &mut Wire, count: usize) {
    let consume = basic::Consume {
        queue: "full",
        consumer_tag: "all",
        no_local: false,
        no_ack: false,
        exclusive: false,
        nowait: false,
        arguments: FieldTable::new(),
    };
    wire.send(1, &consume);
    assert!(matches!(wire.next_method().method(), Method::BasicConsumeOk(_)));
    let mut taken = 0;
    while taken < count {
        taken += usize::from(wire.next_method().kind == FrameKind::Body);
    }
}
