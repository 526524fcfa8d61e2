//! Dead letters that no queue takes, where their queue keeps them: they wait, are tried again, and
//! come to each queue once.

use super::dead_letter_counts::{DeadLettersSent, Strategy};
use super::shared::Broker;
use super::test_world::{Client, World, bodies, declaration};
use crate::connection::command::DeclareQueue;
use crate::definitions::{Binding, BindingEnd, Change};
use crate::message::{DeathReason, Moment, Outcome, QueueKind, SequenceRange};
use crate::protocol::field::{FieldTable, FieldValue};

type Arguments<'a> = &'a [(&'a str, FieldValue)];

fn text(text: &str) -> FieldValue {
    FieldValue::from(text)
}

fn declare(client: &mut Client, queue: &str, arguments: Arguments<'_>) {
    let arguments: FieldTable = arguments.iter().cloned().collect();
    client.declare_as(&DeclareQueue { durable: true, arguments, ..declaration(queue) });
}

/// A queue whose messages die at once, and are kept until they come to this exchange or queue.
fn declare_keeping(client: &mut Client, queue: &str, exchange: &str, key: &str) {
    let arguments = [
        ("x-dead-letter-exchange", text(exchange)),
        ("x-dead-letter-routing-key", text(key)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-message-ttl", FieldValue::from(0)),
    ];
    declare(client, queue, &arguments);
}

fn declare_full_at(client: &mut Client, queue: &str, count: i32, overflow: &str) {
    let arguments = [("x-max-length", FieldValue::from(count)), ("x-overflow", text(overflow))];
    declare(client, queue, &arguments);
}

fn elapse(world: &World, now: u64) {
    world.broker.elapse(Moment(now));
}

/// Takes all that is there, for good.
fn drain(world: &mut World, queue: &str, number: u32) -> Vec<String> {
    let mut client = world.client();
    client.consume(queue, number);
    world.turn();
    let events = client.events();
    for (queue, place, _) in super::test_world::deliveries(&events) {
        client.settle(queue, SequenceRange::one(place), Outcome::Accepted);
    }
    bodies(&events).into_iter().map(|(body, _)| body).collect()
}

fn dropped(broker: &Broker) -> (u64, u64) {
    let figures = broker.figures().dead_letters;
    (figures.unroutable, figures.refused)
}

#[test]
fn what_has_no_route_waits_until_there_is_one_and_comes_once() {
    let mut world = World::new();
    let mut client = world.client();
    declare_keeping(&mut client, "q", "", "dead");
    client.publish("q", &["a", "b"]);
    elapse(&world, 600);
    client.declare("dead", true);
    assert_eq!(client.look_at("dead"), Ok(0));
    elapse(&world, 1200);
    assert_eq!(client.look_at("dead"), Ok(2));
    elapse(&world, 9000);
    assert_eq!((drain(&mut world, "dead", 1), dropped(&world.broker)), (abc(2), (0, 0)));
    world.turn();
    let world = world.killed();
    assert_eq!(world.client().look_at("q"), Ok(0), "it has left for good");
}

fn abc(count: usize) -> Vec<String> {
    ["a", "b", "c"].into_iter().take(count).map(str::to_owned).collect()
}

#[test]
fn without_the_strategy_it_is_dropped_and_counted() {
    let world = World::new();
    let mut client = world.client();
    let arguments = [("x-dead-letter-exchange", text("")), ("x-message-ttl", FieldValue::from(0))];
    declare(&mut client, "q", &arguments);
    declare_full_at(&mut client, "full", 0, "reject-publish");
    client.publish("q", &["a"]);
    assert_eq!(dropped(&world.broker), (0, 0), "its own queue is a cycle");
    let keys = [("x-dead-letter-routing-key", text("full"))];
    let arguments: Vec<_> = arguments.iter().cloned().chain(keys).collect();
    declare(&mut client, "r", &arguments);
    client.publish("r", &["a"]);
    assert_eq!(dropped(&world.broker), (0, 1));
    assert_eq!(world.broker.deadline(), None);
}

#[test]
fn what_a_full_queue_refuses_waits_for_room_and_others_have_it_once() {
    let mut world = World::new();
    let mut client = world.client();
    declare_keeping(&mut client, "q", "amq.fanout", "");
    declare_full_at(&mut client, "full", 1, "reject-publish-dlx");
    client.declare("free", true);
    for queue in ["full", "free"] {
        bind(&world, "amq.fanout", queue);
    }
    client.publish("q", &["a", "b", "c"]);
    (1..20).for_each(|at| elapse(&world, at * 500));
    assert_eq!((client.look_at("full"), client.look_at("free")), (Ok(1), Ok(3)));
    assert_eq!(drain(&mut world, "full", 1), ["a"]);
    elapse(&world, 20_000);
    assert_eq!(drain(&mut world, "full", 2), ["b"]);
    elapse(&world, 20_500);
    assert_eq!(drain(&mut world, "full", 3), ["c"]);
    assert_eq!(drain(&mut world, "free", 4), abc(3));
}

fn bind(world: &World, exchange: &str, queue: &str) {
    let host = world.broker.virtual_host("/").unwrap();
    let binding = Binding {
        source: exchange.into(),
        destination: BindingEnd::Queue(queue.into()),
        routing_key: "".into(),
        arguments: FieldTable::new(),
    };
    let change = Change::Bound(std::sync::Arc::new(binding));
    host.apply(&mut host.definitions(), &change, &mut super::work::Work::default());
}

#[test]
fn what_waits_counts_towards_the_length_of_its_queue() {
    let mut world = World::new();
    let mut client = world.client();
    declare(&mut client, "q", &limited_to_two("dead"));
    client.publish("q", &["a", "b", "c"]);
    world.turn();
    assert_eq!(client.outcomes(), (vec![1, 2], vec![3]));
    client.declare("dead", true);
    elapse(&world, 500);
    client.publish("q", &["d"]);
    world.turn();
    assert_eq!(client.outcomes(), (vec![4], vec![]));
}

fn limited_to_two(key: &str) -> [(&'static str, FieldValue); 6] {
    [
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(key)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-message-ttl", FieldValue::from(0)),
        ("x-max-length", FieldValue::from(2)),
        ("x-overflow", text("reject-publish")),
    ]
}

#[test]
fn a_queue_that_lets_the_oldest_go_keeps_no_dead_letters_as_in_rabbitmq() {
    let world = World::new();
    let mut client = world.client();
    let mut arguments = limited_to_two("dead");
    arguments[5] = ("x-overflow", text("drop-head"));
    declare(&mut client, "q", &arguments);
    client.publish("q", &["a"]);
    assert_eq!(dropped(&world.broker), (1, 0));
}

#[test]
fn queues_that_are_full_of_what_each_has_for_the_other_go_on() {
    let mut world = World::new();
    let mut client = world.client();
    let arguments = |key| {
        let mut arguments = limited_to_two(key).to_vec();
        arguments.remove(3);
        arguments
    };
    declare(&mut client, "one", &arguments("two"));
    declare(&mut client, "two", &arguments("one"));
    let mut consumer = world.client();
    for queue in ["one", "two"] {
        client.publish(queue, &["a", "b"]);
        world.turn();
        consumer.consume(queue, if queue == "one" { 1 } else { 2 });
    }
    world.turn();
    let out = super::test_world::deliveries(&consumer.events());
    assert_eq!(out.len(), 4);
    // Both fill up again while those are out, so that nothing that is rejected finds room.
    client.publish("one", &["c"]);
    for (queue, place, _) in out {
        consumer.settle(queue, SequenceRange::one(place), Outcome::Rejected);
    }
    consumer.session.look_after_queues();
    (1..10).for_each(|at| elapse(&world, at * 500));
    let passed = super::test_world::deliveries(&consumer.events());
    assert_eq!(passed.len(), 5, "each came to the other queue, and to its consumer there");
}

#[test]
fn what_waits_is_in_its_queue_after_a_kill_and_gone_with_the_queue() {
    let mut world = World::new();
    let mut client = world.client();
    let no_ttl: Vec<_> =
        limited_to_two("dead").into_iter().filter(|(name, _)| *name != "x-message-ttl").collect();
    declare(&mut client, "q", &no_ttl);
    client.publish("q", &["a"]);
    client.consume("q", 1);
    world.turn();
    let out = super::test_world::deliveries(&client.events());
    client.settle(out[0].0, SequenceRange::one(out[0].1), Outcome::Rejected);
    client.session.look_after_queues();
    world.turn();
    assert_eq!(client.look_at("q"), Ok(0));
    let world = world.killed();
    let mut client = world.client();
    assert_eq!(client.look_at("q"), Ok(1));
    declare_keeping(&mut client, "r", "", "dead");
    client.publish("r", &["b"]);
    client.delete("r");
    elapse(&world, 500);
    assert_eq!(world.broker.deadline(), None, "nobody looks for its dead letters any more");
}

#[test]
fn dead_letters_are_counted_by_what_their_queue_does_with_them() {
    let world = World::new();
    let mut client = world.client();
    declare_keeping(&mut client, "keeping", "", "dead");
    let arguments = [
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text("dead")),
        ("x-message-ttl", FieldValue::from(0)),
    ];
    declare(&mut client, "careless", &arguments);
    let counted = |strategy: Strategy| {
        let sent = world.broker.figures().dead_letters.sent.into_iter();
        let sent = sent.filter(|sent| sent.strategy == strategy && sent.kind == QueueKind::Classic);
        let expired = |sent: DeadLettersSent| {
            let died = sent.by_reason.iter().find(|(reason, _)| *reason == DeathReason::Expired);
            (died.map(|(_, count)| *count), sent.confirmed)
        };
        sent.map(expired).collect::<Vec<_>>()
    };
    declare(&mut client, "losing", &[("x-message-ttl", FieldValue::from(0))]);
    client.publish("losing", &["a", "b", "c"]);
    assert_eq!(counted(Strategy::Disabled), [(Some(3), 0)], "nobody wants them");
    client.publish("keeping", &["a", "b"]);
    client.publish("careless", &["a"]);
    assert_eq!(counted(Strategy::AtLeastOnce), [(Some(2), 0)], "no queue has them yet");
    assert_eq!(counted(Strategy::AtMostOnce), [(Some(1), 0)]);
    client.declare("dead", true);
    elapse(&world, 1200);
    assert_eq!(counted(Strategy::AtLeastOnce), [(Some(2), 2)]);
    assert_eq!(counted(Strategy::AtMostOnce), [(Some(1), 0)]);
}
