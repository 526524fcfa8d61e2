//! Consumers that hold deliveries for too long, where the socket is what holds them up. Everything
//! else about them is shown with a clock that tests move.

use std::thread::sleep;
use std::time::Duration;

use leveret::protocol::field::FieldTable;
use leveret::protocol::frame::FrameKind;
use leveret::protocol::methods::{Method, basic, queue};
use leveret::server::Clock;

use crate::process::{PATIENCE, Process};
use crate::wire::{Wire, declare, push_publish};

/// More than any socket holds that nobody reads from, in messages that each fill the output.
const COUNT: u32 = 48;
const BODY: &[u8] = &[7; 1 << 20];

/// A queue whose consumers may hold a delivery for a second, full.
fn fill(wire: &mut Wire) {
    let arguments: FieldTable = [("x-consumer-timeout", 1000)].into_iter().collect();
    wire.send(1, &queue::Declare { arguments, ..declare("q", false) });
    assert!(matches!(wire.next_method().method(), Method::QueueDeclareOk(_)));
    for _ in 0..COUNT {
        let mut bytes = Vec::new();
        push_publish(&mut bytes, "q", false, BODY);
        wire.write(&bytes);
    }
    await_count(wire, |count| count == COUNT);
}

fn await_count(wire: &mut Wire, is_meant: impl Fn(u32) -> bool) {
    let clock = Clock::start();
    while !is_meant(wire.message_count("q")) {
        assert!(clock.elapsed() < PATIENCE, "{} messages are ready", wire.message_count("q"));
        sleep(Duration::from_millis(20));
    }
}

// Rule: rabbitmq.basic.consume.timeout
#[test]
fn a_client_that_reads_nothing_and_has_no_heartbeat_loses_its_consumer_in_time() {
    let process = Process::start();
    let mut other = Wire::with_channel(process.address());
    fill(&mut other);
    let mut hung = Wire::with_channel(process.address());
    hung.send(1, &consume("hung"));
    // Its socket is full soon, and then its output.
    await_count(&mut other, |count| count < COUNT);
    await_count(&mut other, |count| count == COUNT);
    assert!(matches!(hung.next_method().method(), Method::BasicConsumeOk(_)));
    // What it reads in the end is what was under way, and no more.
    let mut delivered = 0;
    loop {
        let frame = hung.next_method();
        if frame.kind != FrameKind::Method {
            continue;
        }
        match frame.method() {
            Method::BasicDeliver(_) => delivered += 1,
            Method::BasicCancel(cancel) => break assert_eq!(cancel.consumer_tag, "hung"),
            other => panic!("{other:?}"),
        }
    }
    assert!(delivered > 0 && delivered < COUNT, "{delivered}");
}

fn consume(consumer_tag: &str) -> basic::Consume<'_> {
    basic::Consume {
        queue: "q",
        consumer_tag,
        no_local: false,
        no_ack: false,
        exclusive: false,
        nowait: false,
        arguments: FieldTable::new(),
    }
}
