//! Copies of what is published, by their queues. What is delivered needs a connection, and has its
//! tests in the conformance suite.

use super::test_world::{Client, World, bodies, declaration};
use crate::connection::Event;
use crate::connection::command::{Bind, DeclareQueue};
use crate::definitions::HostSettings;
use crate::message::trace::{TRACE_EXCHANGE, Tap, is_copy};
use crate::message::{Body, Envelope, Message};
use crate::protocol::field::{FieldTable, FieldValue};

fn trace(world: &World, is_traced: bool) {
    let settings = HostSettings { is_traced: Some(is_traced), ..HostSettings::default() };
    world.broker.declare_virtual_host("/", settings);
}

/// A traced world, and a client with a queue of its own and one of copies.
fn traced(arguments: FieldTable) -> (World, Client) {
    let world = World::new();
    trace(&world, true);
    let mut client = world.client();
    client.declare("q", false);
    client.declare_as(&DeclareQueue { durable: true, arguments, ..declaration("copies") });
    bind(&mut client, "copies");
    (world, client)
}

fn bind(client: &mut Client, queue: &str) {
    let bind = Bind {
        is_unbind: false,
        source: TRACE_EXCHANGE.into(),
        destination: queue.into(),
        to_exchange: false,
        routing_key: "#".into(),
        arguments: FieldTable::new(),
    };
    client.session.bind(bind).unwrap();
}

fn limited(overflow: &str) -> FieldTable {
    let entries: [(&str, FieldValue); 2] =
        [("x-max-length", 1.into()), ("x-overflow", overflow.into())];
    entries.into_iter().collect()
}

fn texts(client: &mut Client) -> Vec<String> {
    bodies(&client.events()).into_iter().map(|(body, _)| body).collect()
}

#[test]
fn each_message_has_a_copy_as_long_as_its_virtual_host_is_traced() {
    let (world, mut client) = traced(FieldTable::new());
    client.publish("q", &["a", "b"]);
    client.publish("nowhere", &["c"]);
    trace(&world, false);
    client.publish("q", &["d"]);
    assert_eq!((client.look_at("q"), client.look_at("copies")), (Ok(3), Ok(3)));
    client.events();
    client.consume("copies", 1);
    assert_eq!(texts(&mut client), ["a", "b", "c"]);
}

#[test]
fn a_copy_is_in_its_queue_before_its_message_is_delivered() {
    let (world, mut client) = traced(FieldTable::new());
    let mut reader = world.client();
    reader.consume("q", 1);
    reader.consume("copies", 2);
    client.publish("q", &["a"]);
    let keys: Vec<u32> = reader
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::Delivered(delivered) => Some(delivered.consumer.number),
            _ => None,
        })
        .collect();
    assert_eq!(keys, [2, 1]);
}

#[test]
fn no_confirm_waits_for_a_copy_and_none_is_refused_for_one() {
    for overflow in ["drop-head", "reject-publish"] {
        let (_world, mut client) = traced(limited(overflow));
        client.publish("q", &["a", "b", "c"]);
        assert_eq!(client.outcomes(), (vec![1, 2, 3], vec![]), "{overflow}");
        assert_eq!((client.look_at("q"), client.look_at("copies")), (Ok(3), Ok(1)), "{overflow}");
    }
}

#[test]
fn copies_that_die_are_not_copied_again() {
    let mut arguments = limited("drop-head");
    arguments.insert("x-dead-letter-exchange", "");
    arguments.insert("x-dead-letter-routing-key", "dead");
    let (_world, mut client) = traced(arguments);
    client.declare("dead", false);
    client.publish("q", &["a", "b", "c"]);
    assert_eq!((client.look_at("copies"), client.look_at("dead")), (Ok(1), Ok(2)));
    client.events();
    client.consume("dead", 1);
    let events = client.events();
    let dead = events.iter().find_map(|event| match event {
        Event::Delivered(delivered) => delivered.run.first(),
        _ => None,
    });
    assert!(is_copy(&dead.unwrap().message));
}

#[test]
fn nothing_is_copied_where_no_queue_is_bound() {
    let world = World::new();
    trace(&world, true);
    let mut client = world.client();
    assert!(client.session.is_traced() && !client.session.is_heard());
    client.declare("copies", false);
    bind(&mut client, "copies");
    assert!(client.session.is_heard());
    client.delete("copies");
    assert!(!client.session.is_heard());
}

#[test]
fn tracing_lasts_over_a_restart_and_over_settings_that_do_not_name_it() {
    let mut world = World::new();
    trace(&world, true);
    world.broker.declare_virtual_host("/", HostSettings::default());
    world.turn();
    let world = world.killed();
    assert!(world.client().session.is_traced());
    trace(&world, false);
    assert!(!world.client().session.is_traced());
}

#[test]
fn a_copy_keeps_a_body_that_came_in_pieces() {
    let parts = vec!["one".into(), "two".into()];
    let envelope =
        Envelope { exchange: "x", routing_key: "k", properties: &[0, 0], is_persistent: true };
    let message = Message::new(envelope, Body::Shared(parts));
    let tap = Tap { node: "n", virtual_host: "/", connection: "c", channel: 1, user: "u" };
    let copy = tap.delivered(&message, "q", false);
    assert_eq!((copy.body_to_vec(), copy.body().count()), (b"onetwo".to_vec(), 2));
}
