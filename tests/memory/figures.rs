//! What an empty broker takes, and what one of each costs: an idle connection, one with a channel,
//! an idle queue, a message that waits. Messages that are out with a consumer are in `unsettled`.

use leveret::protocol::frame;
use leveret::protocol::methods::{Method, WireMethod, basic, queue};
use leveret::server::Clock;

use crate::resident::{Growth, proportional, resident};
use crate::wire::{Wire, declare, push_publish};
use crate::{KIB, MIB, alone, connections_max, is_optimized, start};

/// What a broker without clients, queues and messages may take, with its share of what all
/// processes have.
const EMPTY_SIZE_MAX: u64 = 10 * 1000 * 1000;

/// Few enough that what a batch needs on its way weighs nothing.
pub(crate) const BATCH: usize = 100;

fn tell(what: &str, count: usize, growth: u64) -> u64 {
    let each = growth / count as u64;
    println!("{what}: {each} bytes each ({count} of them, {} KiB together)", growth / KIB);
    each
}

/// Where the code lies differs from start to start, and with it how much of it the system maps
/// around what is called: one start says little.
const EMPTY_STARTS: usize = 7;

#[test]
fn an_empty_broker_is_small() {
    let _alone = alone();
    let mut sizes: Vec<u64> = (0..EMPTY_STARTS).map(|_| empty_size()).collect();
    sizes.sort_unstable();
    let size = sizes[EMPTY_STARTS / 2];
    // Without optimization the code alone is larger.
    if is_optimized() {
        assert!(size < EMPTY_SIZE_MAX, "{sizes:?}");
    }
}

fn empty_size() -> u64 {
    let clock = Clock::start();
    let mut process = start();
    let took = clock.elapsed().as_millis();
    let line = process.output_line();
    let (_, said) = line.rsplit_once("; ").expect("what it says about its start");
    let (size, resident) = (proportional(&process), resident(&process) / KIB);
    let size_kib = size / KIB;
    println!(
        "empty broker: {size_kib} KiB, {resident} KiB resident, ready after {took} ms, {said}"
    );
    size
}

#[test]
fn idle_connections_with_and_without_a_channel_are_small() {
    let _alone = alone();
    let process = start();
    // The first ones pay for what all share.
    let mut warm: Vec<Wire> = (0..20).map(|_| Wire::with_channel(process.address())).collect();
    warm[0].declare_queue("q");
    let count = connections_max(10_000);
    let growth = Growth::of(&process);
    let mut wires: Vec<Wire> = (0..count).map(|_| Wire::connect(process.address())).collect();
    let without = tell("idle connection", count, growth.settled(&mut warm[0], "q"));
    wires.iter_mut().for_each(|wire| wire.open_channel(1));
    let grown = growth.settled(&mut warm[0], "q");
    let with = tell("idle connection with one channel", count, grown);
    assert!(without <= 6 * KIB, "{without}");
    assert!(with <= 16 * KIB, "{with}");
}

#[test]
fn idle_queues_are_small() {
    let _alone = alone();
    let process = start();
    let mut wire = Wire::with_channel(process.address());
    let count = 10_000;
    declare_queues(&mut wire, "warm", 1000);
    let growth = Growth::of(&process);
    declare_queues(&mut wire, "idle", count);
    let each = tell("idle queue", count, growth.settled(&mut wire, "warm-000000"));
    assert!(each < 2 * KIB, "{each}");
}

fn declare_queues(wire: &mut Wire, word: &str, count: usize) {
    let names: Vec<String> = (0..count).map(|number| format!("{word}-{number:06}")).collect();
    for batch in names.chunks(BATCH) {
        let mut bytes = Vec::new();
        for name in batch {
            let declare = queue::Declare { nowait: true, ..declare(name, false) };
            frame::write_method(&mut bytes, 1, &declare);
        }
        wire.write(&bytes);
        assert_eq!(wire.message_count(&batch[0]), 0);
    }
}

#[test]
fn messages_that_wait_are_small() {
    let _alone = alone();
    // Memory comes in blocks of 2 MiB, and some more or less of them make a difference here: the
    // best of a few runs is what the messages need.
    let least = (0..3).map(|_| grown_by_messages(100_000)).min().expect("three runs");
    let each = tell("queued message of 16 bytes", 100_000, least);
    assert!(each < 200, "{each}");
    // Without optimization it is the same memory, and a long time.
    if is_optimized() {
        let each = tell("queued message of 16 bytes", 1_000_000, grown_by_messages(1_000_000));
        assert!(each < 200, "{each}");
    }
}

fn grown_by_messages(count: usize) -> u64 {
    let process = start();
    let mut wire = Wire::with_channel(process.address());
    wire.declare_queue("warm");
    wire.declare_queue("full");
    // What all messages share is paid for by the first ones.
    publish(&mut wire, "warm", 10_000);
    let growth = Growth::of(&process);
    publish(&mut wire, "full", count);
    growth.settled(&mut wire, "full")
}

/// Publishes to an empty queue.
fn publish(wire: &mut Wire, queue: &str, count: usize) {
    let mut bytes = Vec::new();
    (0..BATCH).for_each(|_| push_publish(&mut bytes, queue, false, b"sixteen bytes at"));
    for number in 1..=count / BATCH {
        wire.write(&bytes);
        assert_eq!(wire.message_count(queue) as usize, number * BATCH);
    }
}

/// Flags and list of the properties: delivery mode 2.
const PERSISTENT: [u8; 3] = [0x10, 0, 2];

/// So many persistent messages for a queue as the figures here are measured in.
pub(crate) fn persistent_batch(queue: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let method =
        basic::Publish { exchange: "", routing_key: queue, mandatory: false, immediate: false };
    for _ in 0..BATCH {
        frame::write_method(&mut bytes, 1, &method);
        let class_id = basic::Publish::CLASS_ID;
        frame::write_header(&mut bytes, 1, class_id, body.len() as u64, &PERSISTENT);
        frame::write_body(&mut bytes, 1, body);
    }
    bytes
}

#[test]
fn a_backlog_costs_disk_and_not_memory() {
    let _alone = alone();
    let count = if is_optimized() { 1_000_000 } else { 100_000 };
    let process = start();
    let mut wire = Wire::with_channel(process.address());
    wire.declare_queue("full");
    let bytes = persistent_batch("full", &[b'x'; 1024]);
    let growth = Growth::of(&process);
    (0..count / BATCH).for_each(|_| wire.write(&bytes));
    assert_eq!(wire.message_count("full") as usize, count);
    let (peak, now) = (growth.peak(), growth.settled(&mut wire, "full"));
    println!("{count} messages of 1 KiB: grown by {} MiB, {} at most", now / MIB, peak / MIB);
    assert!(peak < 200 * MIB, "{peak}");
}

#[test]
fn memory_of_what_is_gone_is_used_again() {
    let _alone = alone();
    // Blocks of 2 MiB more or less must not make the difference.
    let count = if is_optimized() { 400_000 } else { 100_000 };
    let process = start();
    let mut wire = Wire::with_channel(process.address());
    wire.declare_queue("full");
    let growth = Growth::of(&process);
    publish(&mut wire, "full", count);
    let once = growth.settled(&mut wire, "full");
    for _ in 0..20 {
        wire.send(1, &queue::Purge { queue: "full", nowait: false });
        assert!(matches!(wire.next_method().method(), Method::QueuePurgeOk(_)));
        publish(&mut wire, "full", count);
    }
    let again = growth.settled(&mut wire, "full");
    println!("{count} messages: {} KiB; 20 times purged: {} KiB", once / KIB, again / KIB);
    assert!(again < 2 * once, "{again} after {once}");
}
