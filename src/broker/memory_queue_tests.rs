//! Queues that are in memory only, on a live broker over a disk: what the log hears of them, what
//! is left after a kill, who needs a limit, what policies change.

use serde_json::{Value, json};

use super::test_world::{Client, World, bodies, declaration, deliveries, flagged};
use super::{Declared, MemoryOptions};
use crate::connection::command::DeclareQueue;
use crate::definitions::import::Definitions;
use crate::definitions::{PolicyDefinition, PolicyKind, PolicyTarget};
use crate::message::{Moment, Name, Outcome, SequenceRange};
use crate::protocol::field::{FieldTable, FieldValue};
use crate::store::MemoryStorage;

const UNLIMITED: &str = "invalid arg 'x-storage' for queue 'q' in vhost '/': \"memory storage \
                         needs x-max-length or x-max-length-bytes\"";

fn in_memory(limits: &[(&str, i64)]) -> FieldTable {
    let limits = limits.iter().map(|(name, limit)| (*name, FieldValue::from(*limit)));
    [("x-storage", FieldValue::from("memory"))].into_iter().chain(limits).collect()
}

fn declare(client: &mut Client, queue: &str, arguments: FieldTable) {
    client.declare_as(&DeclareQueue { durable: true, arguments, ..declaration(queue) });
}

fn refusal(client: &mut Client, arguments: FieldTable) -> String {
    let declaration = DeclareQueue { durable: true, arguments, ..declaration("q") };
    client.session.declare_queue(&declaration).unwrap_err().at(0, 0).text().to_owned()
}

/// How many bytes the log has written, all it heard of so far among them.
fn written(world: &mut World) -> u64 {
    world.turn();
    world.broker.durability.as_ref().unwrap().figures().log_bytes
}

fn set(world: &World, settings: &Value, now: u64) {
    let policy: PolicyDefinition<Name> = PolicyDefinition {
        kind: PolicyKind::User,
        host: "/".into(),
        name: "p".into(),
        pattern: "^q$".into(),
        applies_to: PolicyTarget::All,
        priority: 0,
        settings: settings.as_object().unwrap().clone(),
    };
    assert_eq!(world.broker.by_node().set_policy(&policy, Moment(now)), Ok(Declared::Changed));
}

/// What a queue has after a kill.
fn left_after_kill(mut world: World) -> Vec<(String, bool)> {
    world.turn();
    let mut world = world.killed();
    let mut client = world.client();
    client.consume("q", 1);
    world.turn();
    bodies(&client.events())
}

#[test]
fn persistent_messages_are_confirmed_at_once_and_the_log_never_hears_of_them() {
    let mut world = World::new();
    let mut client = world.client();
    declare(&mut client, "q", in_memory(&[("x-max-length", 10)]));
    let before = written(&mut world);
    client.publish("q", &["a", "b", "c"]);
    assert_eq!(client.outcomes(), (vec![1, 2, 3], vec![]));
    client.consume("q", 1);
    let (queue, place, _) = deliveries(&client.events())[0].clone();
    client.settle(queue, SequenceRange::one(place), Outcome::Accepted);
    client.settle(queue, SequenceRange::one(place + 1), Outcome::Failed);
    assert_eq!(written(&mut world), before);
    let world = world.killed();
    assert_eq!(world.client().look_at("q"), Ok(0), "the queue is there, and empty");
}

#[test]
fn what_stays_in_memory_is_not_written_out_where_memory_is_short_and_what_else_is_there_is() {
    let room = MemoryOptions { unlogged_max: 0, ..MemoryOptions::default() };
    let mut world = World::open_with(MemoryStorage::new(1 << 26), room);
    world.broker.declare_defaults().unwrap();
    let mut client = world.client();
    declare(&mut client, "q", in_memory(&[("x-max-length-bytes", 100)]));
    client.declare("transient", false);
    let before = written(&mut world);
    client.publish("q", &["a", "b"]);
    let (_, unlogged) = world.broker.body_memory();
    for _ in 0..3 {
        world.broker.make_room(Moment(1));
    }
    assert_eq!((written(&mut world), world.broker.body_memory()), (before, (0, unlogged)));
    client.publish("transient", &["c"]);
    world.broker.make_room(Moment(1));
    assert!(written(&mut world) > before);
    assert_eq!(world.broker.body_memory().1, unlogged);
}

#[test]
fn a_queue_in_memory_needs_a_limit_of_its_own_or_of_a_policy() {
    let mut world = World::new();
    let mut client = world.client();
    let text = format!("PRECONDITION_FAILED - {UNLIMITED}");
    assert_eq!(refusal(&mut client, in_memory(&[])), text);
    set(&world, &json!({"message-ttl": 1000}), 5);
    assert_eq!(refusal(&mut client, in_memory(&[])), text);
    set(&world, &json!({"max-length": 5}), 6);
    declare(&mut client, "q", in_memory(&[]));
    let before = written(&mut world);
    client.publish("q", &["a"]);
    assert_eq!(written(&mut world), before);
    world.broker.by_node().clear_policy(PolicyKind::User, "/", "p", Moment(7));
    client.publish("q", &["b"]);
    assert_eq!(left_after_kill(world), flagged(&["b"]), "without a limit it goes to the disk");
}

#[test]
fn a_file_of_definitions_cannot_have_a_queue_in_memory_without_a_limit() {
    let world = World::new();
    let file = |more: Value| {
        let mut queue = json!({"vhost": "/", "name": "q", "arguments": {"x-storage": "memory"}});
        let arguments = queue["arguments"].as_object_mut().unwrap();
        arguments.extend(more.as_object().unwrap().clone());
        Definitions::read(json!({"queues": [queue]}).to_string().as_bytes()).unwrap()
    };
    let failure = world.broker.by_node().import(&file(json!({})), Moment(1)).unwrap_err();
    assert_eq!(failure.reason.to_string(), UNLIMITED);
    world.broker.by_node().import(&file(json!({"x-max-length": 5})), Moment(1)).unwrap();
}

#[test]
fn a_policy_moves_what_comes_from_then_on() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.publish("q", &["disk 1"]);
    set(&world, &json!({"storage": "memory", "max-length": 10}), 5);
    let before = written(&mut world);
    client.publish("q", &["memory 1", "memory 2"]);
    assert_eq!(written(&mut world), before);
    set(&world, &json!({"storage": "disk", "max-length": 10}), 6);
    client.publish("q", &["disk 2"]);
    assert_eq!(client.look_at("q"), Ok(4));
    assert_eq!(left_after_kill(world), flagged(&["disk 1", "disk 2"]));
}

#[test]
fn a_policy_without_a_limit_or_for_a_queue_that_says_otherwise_moves_nothing() {
    let quorum = || [("x-queue-type", "quorum")].into_iter().collect();
    let disk = || [("x-storage", "disk")].into_iter().collect();
    for (arguments, settings) in [
        (FieldTable::new(), json!({"storage": "memory"})),
        (disk(), json!({"storage": "memory", "max-length": 10})),
        (quorum(), json!({"storage": "memory", "max-length": 10})),
    ] {
        let world = World::new();
        set(&world, &settings, 5);
        let mut client = world.client();
        declare(&mut client, "q", arguments);
        client.publish("q", &["a"]);
        assert_eq!(left_after_kill(world), flagged(&["a"]), "{settings}");
    }
}

#[test]
fn a_full_queue_in_memory_lets_the_oldest_go_to_where_dead_letters_are_kept() {
    let world = World::new();
    let mut client = world.client();
    let mut arguments = in_memory(&[("x-max-length", 1)]);
    arguments.insert("x-dead-letter-exchange", "");
    arguments.insert("x-dead-letter-routing-key", "q");
    client.declare("q", true);
    declare(&mut client, "short", arguments);
    client.publish("short", &["a", "b"]);
    assert_eq!((client.look_at("short"), client.look_at("q")), (Ok(1), Ok(1)));
    assert_eq!(left_after_kill(world), flagged(&["a"]));
}
