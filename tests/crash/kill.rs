//! The broker is killed at random moments, again and again, while clients publish and consume at
//! full speed. Nothing that was confirmed is lost, and what comes twice is flagged.

use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use leveret::message::Random;
use leveret::protocol::field::FieldTable;
use leveret::protocol::frame::FrameKind;
use leveret::protocol::methods::{Method, basic, exchange, queue};
use rustix::process::Signal;

use crate::books::{Books, GRAVE, LATE, is_moved_to};
use crate::clients::{Consuming, Publishing, Route, open, push_persistent, select_confirms};
use crate::node::Node;
use crate::wire::{self, Wire};

/// How often the broker is killed while clients are at work.
const ROUNDS: u64 = 50;

/// The exchange that gives each message to all queues bound to it.
const FANOUT: &str = "fan";

const DIRECT_QUEUES: [&str; 2] = ["direct-0", "direct-1"];

const FANNED_QUEUES: [&str; 3] = ["fan-0", "fan-1", "fan-2"];

/// A queue that keeps nothing: all that comes to it dies, and goes to the grave.
const DOOMED: &str = "doomed";

/// The exchange in which messages wait.
const DELAYED: &str = "delayed";

/// Shorter than most lives, so that some come in the life they were published in, and some later.
const DELAY_MS: i32 = 150;

/// Longer than it takes to move messages, of which the first came.
const MOVES_TAKE: Duration = Duration::from_secs(1);

/// Where each publisher publishes.
const PUBLISHERS: [Route; 7] = [
    Route { exchange: "", key: "direct-0", delay: None, queues: &["direct-0"] },
    Route { exchange: "", key: "direct-0", delay: None, queues: &["direct-0"] },
    Route { exchange: "", key: "direct-1", delay: None, queues: &["direct-1"] },
    Route { exchange: FANOUT, key: "", delay: None, queues: &FANNED_QUEUES },
    Route { exchange: FANOUT, key: "", delay: None, queues: &FANNED_QUEUES },
    Route { exchange: "", key: DOOMED, delay: None, queues: &[GRAVE] },
    Route { exchange: DELAYED, key: LATE, delay: Some(DELAY_MS), queues: &[LATE] },
];

fn queues() -> Vec<&'static str> {
    [&DIRECT_QUEUES[..], &FANNED_QUEUES[..], &[GRAVE, LATE]].concat()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect(name))
}

/// Asked for, or else one that never was.
fn seed() -> u64 {
    let asked = number("LEVERET_CRASH_SEED");
    let seed = asked.unwrap_or_else(|| leveret::server::Clock::start().now().0);
    println!("seed {seed}; again with: LEVERET_CRASH_SEED={seed} tests/run crash");
    seed
}

fn declare_exchange(wire: &mut Wire, exchange: &str, kind: &str, arguments: FieldTable) {
    let declare = exchange::Declare {
        exchange,
        kind,
        passive: false,
        durable: true,
        auto_delete: false,
        internal: false,
        nowait: false,
        arguments,
    };
    wire.send(1, &declare);
    assert!(matches!(wire.next_method().method(), Method::ExchangeDeclareOk(_)));
}

fn bind(wire: &mut Wire, exchange: &str, queue: &str, routing_key: &str) {
    let arguments = FieldTable::new();
    let bind = queue::Bind { queue, exchange, routing_key, nowait: false, arguments };
    wire.send(1, &bind);
    assert!(matches!(wire.next_method().method(), Method::QueueBindOk(_)));
}

fn declare_all(node: &Node) {
    let mut wire = Wire::with_channel(node.process.address());
    declare_exchange(&mut wire, FANOUT, "fanout", FieldTable::new());
    let kind = [("x-delayed-type", "direct")].into_iter().collect();
    declare_exchange(&mut wire, DELAYED, "x-delayed-message", kind);
    queues().into_iter().for_each(|queue| wire.declare_queue(queue));
    let mut arguments = FieldTable::new();
    arguments.insert("x-max-length", 0);
    arguments.insert("x-dead-letter-exchange", "");
    arguments.insert("x-dead-letter-routing-key", GRAVE);
    wire.send(1, &queue::Declare { arguments, ..wire::declare(DOOMED, false) });
    assert!(matches!(wire.next_method().method(), Method::QueueDeclareOk(_)));
    FANNED_QUEUES.into_iter().for_each(|queue| bind(&mut wire, FANOUT, queue, ""));
    bind(&mut wire, DELAYED, LATE, LATE);
    wire.close();
}

fn spawn(work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new().name("client".to_owned()).spawn(work).expect("a thread")
}

/// All clients of one life. Each is connected before the first is at work.
fn clients(node: &Node, books: &Arc<Mutex<Books>>) -> Vec<JoinHandle<()>> {
    let connect = || Wire::with_channel(node.process.address());
    let consumers: Vec<Consuming> =
        queues().into_iter().map(|queue| Consuming::new(connect(), queue, books.clone())).collect();
    let publishers: Vec<Publishing> = PUBLISHERS
        .into_iter()
        .enumerate()
        .map(|(at, place)| Publishing::new(connect(), place, at, books.clone()))
        .collect();
    let consumers = consumers.into_iter().map(|consumer| spawn(move || consumer.run()));
    let publishers = publishers.into_iter().map(|publisher| spawn(move || publisher.run()));
    consumers.chain(publishers).collect()
}

/// How long the clients of a round are at work. Some are for so long that what was acknowledged at
/// their beginning must be settled for certain.
fn life(round: u64, random: &mut Random) -> Duration {
    match round % 10 {
        9 => Duration::from_millis(1500 + random.draw() % 1000),
        _ => Duration::from_millis(200 + random.draw() % 400),
    }
}

fn live_once(node: &mut Node, books: &Arc<Mutex<Books>>, life: Duration) {
    let clients = clients(node, books);
    thread::sleep(life);
    // Under the lock, so that nothing is written down between the two.
    let mut open_books = open(books);
    node.process.signal(Signal::KILL);
    open_books.killed();
    drop(open_books);
    node.end(Signal::KILL);
    for client in clients {
        client.join().expect("a client found nothing wrong");
    }
}

/// Starts it, now and then killing it while it reads its log.
fn revive(node: &mut Node, random: &mut Random) {
    if random.draw().is_multiple_of(4) {
        node.conceive();
        thread::sleep(Duration::from_micros(random.draw() % 40_000));
        node.end(Signal::KILL);
    }
    node.revive();
}

/// The next message of a queue, with its flag.
pub(crate) fn get(wire: &mut Wire, queue: &str) -> Option<(Vec<u8>, bool)> {
    wire.send(1, &basic::Get { queue, no_ack: true });
    let frame = wire.next_method();
    let is_redelivered = match frame.method() {
        Method::BasicGetOk(got) => got.redelivered,
        Method::BasicGetEmpty(_) => return None,
        other => panic!("{other:?}"),
    };
    assert_eq!(wire.next_method().kind, FrameKind::Header);
    Some((wire.next_method().payload, is_redelivered))
}

/// Takes what is left. Gives how many messages that were.
fn drain(node: &Node, books: &Arc<Mutex<Books>>) -> u64 {
    let mut sum = 0;
    for queue in queues() {
        if is_moved_to(queue) {
            thread::sleep(MOVES_TAKE);
        }
        let mut count = drain_queue(node, books, queue);
        sum += count;
        // What died or waited in the last life is read from the disk first, then it comes.
        while is_moved_to(queue) && count > 0 {
            thread::sleep(MOVES_TAKE);
            count = drain_queue(node, books, queue);
            sum += count;
        }
    }
    sum
}

fn drain_queue(node: &Node, books: &Arc<Mutex<Books>>, queue: &'static str) -> u64 {
    let mut wire = Wire::with_channel(node.process.address());
    let count = u64::from(wire.message_count(queue));
    Consuming::new(wire, queue, books.clone()).drain(count);
    count
}

/// After a clean stop: what was taken stays away, and what is there has its flag and its place.
fn is_exact_after_a_clean_stop(node: &mut Node) {
    node.restart(Signal::TERM);
    let mut wire = Wire::with_channel(node.process.address());
    for queue in queues() {
        assert_eq!(wire.message_count(queue), 0, "{queue} was emptied before the stop");
    }
    select_confirms(&mut wire);
    for number in 0..10 {
        let mut bytes = Vec::new();
        push_persistent(&mut bytes, FANOUT, "", format!("last-{number}").as_bytes());
        wire.write(&bytes);
        assert!(matches!(wire.next_method().method(), Method::BasicAck(_)));
    }
    // The first three are out when it stops.
    for _ in 0..3 {
        wire.send(1, &basic::Get { queue: "fan-1", no_ack: false });
        assert!(matches!(wire.next_method().method(), Method::BasicGetOk(_)));
        assert_eq!(wire.next_method().kind, FrameKind::Header);
        assert_eq!(wire.next_method().kind, FrameKind::Body);
    }
    wire.close();
    node.restart(Signal::TERM);
    let mut wire = Wire::with_channel(node.process.address());
    for queue in FANNED_QUEUES {
        assert_eq!(wire.message_count(queue), 10);
        for number in 0..10 {
            let was_out = queue == "fan-1" && number < 3;
            let expected = (format!("last-{number}").into_bytes(), was_out);
            assert_eq!(get(&mut wire, queue), Some(expected), "{queue}");
        }
        assert_eq!(get(&mut wire, queue), None);
    }
    wire.close();
}

#[test]
fn nothing_confirmed_is_lost_by_many_kills() {
    let rounds = number("LEVERET_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let mut random = Random::new([seed(), 0]);
    let books = Arc::new(Mutex::new(Books::new(PUBLISHERS.len(), &queues())));
    let mut node = Node::start();
    declare_all(&node);
    for round in 0..rounds {
        let life = life(round, &mut random);
        live_once(&mut node, &books, life);
        revive(&mut node, &mut random);
    }
    let left = drain(&node, &books);
    let books = open(&books);
    let ((confirmed, came), worst) = (books.totals(), books.worst);
    println!("{rounds} kills: {confirmed} confirmed, {came} came, {left} of them at the end");
    println!("the oldest acknowledgement that a kill undid: {worst:?}");
    for (publisher, route) in PUBLISHERS.into_iter().enumerate() {
        route.queues.iter().for_each(|queue| books.close(publisher, queue));
    }
    assert!(confirmed > 1000, "too little happened to show anything");
    is_exact_after_a_clean_stop(&mut node);
}
