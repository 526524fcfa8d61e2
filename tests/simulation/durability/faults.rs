//! A disk that is full for a while, that fails, that forgets: what was promised holds all the same.

use std::ops::Range;
use std::sync::Arc;

use leveret::store::{Faults, MemoryStorage, Storage};

use super::coverage::Coverage;
use super::gate::Gate;
use super::restart::open_store;
use super::seat::{Awaited, CONSUMING, DECLARING, PUBLISHING};
use super::world::{Node, Run, Weather, World};
use super::{FIXED_SEEDS, run};
use crate::operation::{DeclareQueue, Operation, Publish};

fn run_all(weather: Weather) -> Coverage {
    let mut coverage = Coverage::default();
    for seed in FIXED_SEEDS.step_by(2) {
        coverage.merge(&run(seed, weather));
    }
    println!("durability, {weather:?}: {coverage}");
    coverage
}

#[test]
fn a_full_disk_loses_nothing_and_recovers_by_itself() {
    let coverage = run_all(Weather::Full);
    assert!(coverage.count("full disks") > 100 && coverage.count("turns of a full log") > 100);
}

#[test]
fn a_call_that_fails_ends_confirms_and_loses_nothing() {
    let coverage = run_all(Weather::Failing);
    assert!(coverage.count("poisoned logs") > 50 && coverage.count("refusals") > 50);
}

/// The client that publishes and gets.
const CLIENT: usize = 2;

const BODY_SIZE: usize = 300;

/// A world with messages in one queue, all confirmed, a few in a batch.
fn filled(count: u64) -> World {
    let run = Run { seed: 1, weather: Weather::Calm, plant: None };
    let mut world = World::new(run).unwrap();
    connect(&mut world);
    declare(&mut world, "d0");
    for message in 1..=count {
        let version = world.enqueue(message, &["d0".to_owned()], true);
        let seat = world.seat(CLIENT);
        seat.published += 1;
        seat.unconfirmed.insert(seat.published, version);
        let (routing_key, is_persistent, size) = ("d0".into(), true, BODY_SIZE);
        let publish = Publish { message, routing_key, is_persistent, size, ..Publish::default() };
        world.say(CLIENT, PUBLISHING, &Operation::Publish(publish));
        if message % 3 == 0 {
            world.flush().unwrap();
        }
    }
    world
}

fn connect(world: &mut World) {
    world.connect(CLIENT);
    world.settle().unwrap();
}

fn declare(world: &mut World, queue: &str) {
    world.model.declare(queue, None);
    let version = Some(world.changed());
    let declare = DeclareQueue { queue: queue.into(), durable: true, ..DeclareQueue::default() };
    let answer = ("queue.declare-ok", version);
    world.ask(CLIENT, DECLARING, &Operation::DeclareQueue(declare), answer);
    world.flush().unwrap();
}

/// All messages of the queue, in their order.
fn drain(world: &mut World) -> Vec<u64> {
    let life = world.model.queues["d0"].life;
    loop {
        let known = world.seat(CLIENT).out.len();
        let queue = "d0".to_owned();
        let no_ack = false;
        world.seat(CLIENT).awaited = Some(Awaited::Get { queue: queue.clone(), life, no_ack });
        world.say(CLIENT, CONSUMING, &Operation::Get { queue, no_ack });
        world.settle().unwrap();
        world.fetch_all();
        world.settle().unwrap();
        if world.seat(CLIENT).out.len() == known {
            break;
        }
    }
    let places: Vec<u64> = world.seat(CLIENT).out.values().map(|out| out.place).collect();
    places.into_iter().map(|place| world.model.queues["d0"].places[&place].number).collect()
}

/// Where the body of a message stands: a file, and its bytes there.
fn find(disk: &MemoryStorage, message: u64) -> (String, Range<u64>) {
    let body = Publish::body(message, BODY_SIZE);
    for name in disk.list().unwrap().into_iter().filter(|name| name.starts_with("log-")) {
        let file = disk.open(&name).unwrap();
        let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
        file.read_at(0, &mut bytes).unwrap();
        if let Some(at) = bytes.windows(body.len()).position(|window| window == body) {
            return (name, at as u64..(at + body.len()) as u64);
        }
    }
    panic!("message {message} is in no file");
}

fn all_but(count: u64, lost: u64) -> Vec<u64> {
    (1..=count).filter(|message| *message != lost).collect()
}

#[test]
fn a_flipped_bit_in_a_sealed_file_loses_one_message_and_no_other() {
    let mut world = filled(60);
    let (name, bytes) = find(&world.node.disk, 20);
    assert_ne!(name, find(&world.node.disk, 60).0, "it is not the file that is written");
    world.node.faults.flip_bits(&name, bytes.start + 9..bytes.start + 10, 4);
    world.node.broker.make_room(world.now);
    assert_eq!(drain(&mut world), all_but(60, 20));
}

#[test]
fn a_flipped_bit_in_a_sealed_file_loses_one_message_after_a_restart_too() {
    let mut world = filled(60);
    let (name, bytes) = find(&world.node.disk, 20);
    let disk = flipped(world.node.disk.kill(), &name, bytes.start + 9);
    let gate = Gate::new(disk.clone(), None);
    let opened = open_store(Arc::new(gate.clone()), &world.run).unwrap();
    let parts = (disk, gate, Faults::new());
    world.node = Node::start(parts, opened, &world.run, &mut world.chance).unwrap();
    world.model = world.model.restarted(false);
    connect(&mut world);
    assert_eq!(drain(&mut world), all_but(60, 20));
}

#[test]
fn damage_in_what_is_known_to_be_synced_is_counted_and_kept_aside() {
    let world = filled(60);
    let (name, bytes) = find(&world.node.disk, 55);
    assert_eq!(name, find(&world.node.disk, 60).0, "it stands behind the checkpoint");
    let disk = flipped(world.node.disk.kill(), &name, bytes.start + 9);
    let told = open_store(Arc::new(disk.clone()), &world.run).unwrap_err();
    assert!(told.starts_with("damage"), "{told}");
    let kept = disk.list().unwrap().into_iter().filter(|name| name.starts_with("quarantine-"));
    assert_eq!(kept.count(), 1);
}

/// The disk with one bit of a file flipped.
fn flipped(disk: MemoryStorage, name: &str, at: u64) -> MemoryStorage {
    let file = disk.open(name).unwrap();
    let mut byte = [0];
    file.read_at(at, &mut byte).unwrap();
    file.write_at(at, &[byte[0] ^ 4]).unwrap();
    disk
}

#[test]
fn the_number_of_a_deleted_queue_that_never_held_anything_is_not_given_again() {
    let mut world = filled(0);
    // Connections take numbers too, so that its own is above those of the next start.
    for _ in 0..30 {
        world.lose(CLIENT);
        connect(&mut world);
    }
    declare(&mut world, "d1");
    world.stop().unwrap();
    connect(&mut world);
    world.model.delete_queue("d1");
    let version = Some(world.changed());
    let (if_unused, if_empty, nowait) = (false, false, false);
    let delete = Operation::DeleteQueue { queue: "d1".into(), if_unused, if_empty, nowait };
    world.ask(CLIENT, DECLARING, &delete, ("queue.delete-ok", version));
    world.stop().unwrap();
    connect(&mut world);
    (0..60).for_each(|number| declare(&mut world, &format!("q{number}")));
    world.stop().unwrap();
}
