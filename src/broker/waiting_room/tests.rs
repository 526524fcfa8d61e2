//! Messages that wait in an exchange: when they come, what they tell, and what of them is there
//! after a kill.

use serde_json::json;

use super::*;
use crate::broker::test_world::{Client, World, bodies, deliveries};
use crate::connection::command::{Bind, DeclareExchange};
use crate::connection::{Event, Publish};
use crate::definitions::{PolicyDefinition, PolicyKind, PolicyTarget};
use crate::message::{Body, Envelope, MessageRun, Moment};
use crate::protocol::field::FieldValue;
use crate::protocol::properties::Properties;

fn declare_exchange(client: &mut Client, name: &str, kind: &str, arguments: &[(&str, &str)]) {
    let arguments = arguments.iter().map(|(name, value)| (*name, *value)).collect();
    let declare = DeclareExchange {
        exchange: name.into(),
        kind: kind.into(),
        passive: false,
        durable: true,
        auto_delete: false,
        internal: false,
        arguments,
    };
    client.session.declare_exchange(&declare).unwrap();
}

fn declare_delayed(client: &mut Client, name: &str, kind: &str) {
    declare_exchange(client, name, "x-delayed-message", &[("x-delayed-type", kind)]);
}

fn bind(client: &mut Client, source: &str, queue: &str, routing_key: &str) {
    client.declare(queue, true);
    let bind = Bind {
        is_unbind: false,
        to_exchange: false,
        destination: queue.into(),
        source: source.into(),
        routing_key: routing_key.into(),
        arguments: FieldTable::new(),
    };
    client.session.bind(bind).unwrap();
}

/// A message with this header `x-delay`, published at a moment.
fn publish(client: &mut Client, at: u64, to: (&str, &str), body: &str, delay: Option<i32>) {
    let delay = delay.map(|delay| ("x-delay", FieldValue::I32(delay)));
    publish_with(client, at, to, body, delay.into_iter().collect());
}

fn publish_with(
    client: &mut Client,
    at: u64,
    (exchange, routing_key): (&str, &str),
    body: &str,
    headers: FieldTable,
) {
    let mut properties = Vec::new();
    Properties { headers: Some(headers), ..Properties::default() }.encode(&mut properties);
    let envelope = Envelope { exchange, routing_key, properties: &properties, is_persistent: true };
    let message = Message::new(envelope, Body::Copied(body.as_bytes()));
    client.confirm += 1;
    let (messages, confirm) = (MessageRun::one(message), client.confirm);
    let publish = Publish { channel: 1, messages, mandatory: true, confirm, way: None };
    let mut batch = crate::broker::batch::Batch::default();
    client.at(at).session.publish(publish, &mut batch);
    client.session.flush(&mut batch);
    client.session.look_after_queues();
}

fn elapse(world: &World, at: u64) {
    world.broker.elapse(Moment(at));
    while world.broker.fetch(Moment(at)) {}
}

/// All that is in a queue, for good.
fn drain(world: &mut World, queue: &str) -> Vec<String> {
    let mut client = world.client();
    client.consume(queue, 9);
    while world.broker.fetch(Moment(1)) {}
    let events = client.events();
    for (queue, place, _) in deliveries(&events) {
        let range = crate::message::SequenceRange::one(place);
        client.settle(queue, range, crate::message::Outcome::Accepted);
    }
    bodies(&events).into_iter().map(|(body, _)| body).collect()
}

fn delayed_world() -> (World, Client) {
    let world = World::new();
    let mut client = world.client();
    declare_delayed(&mut client, "later", "direct");
    bind(&mut client, "later", "q", "key");
    (world, client)
}

#[test]
fn a_message_comes_when_it_has_waited_and_others_at_once() {
    let (mut world, mut client) = delayed_world();
    publish(&mut client, 100, ("later", "key"), "late", Some(50));
    publish(&mut client, 100, ("later", "key"), "soon", Some(20));
    publish(&mut client, 100, ("later", "key"), "now", None);
    publish(&mut client, 100, ("later", "key"), "past", Some(-5));
    assert_eq!(drain(&mut world, "q"), ["now", "past"]);
    assert_eq!(world.broker.deadline(), Some(Moment(120)));
    elapse(&world, 120);
    elapse(&world, 121);
    assert_eq!(drain(&mut world, "q"), ["soon"]);
    elapse(&world, 151);
    assert_eq!(drain(&mut world, "q"), ["late"]);
    assert_eq!(world.broker.deadline(), None);
}

#[test]
fn it_tells_how_long_it_waited_and_goes_by_the_bindings_of_then() {
    let (world, mut client) = delayed_world();
    publish(&mut client, 100, ("later", "other"), "a", Some(50));
    bind(&mut client, "later", "r", "other");
    elapse(&world, 151);
    client.consume("r", 1);
    let events = client.events();
    let Some(Event::Delivered(delivered)) =
        events.iter().find(|event| matches!(event, Event::Delivered(_)))
    else {
        panic!("{events:?}")
    };
    let message = &delivered.run[0].message;
    let headers = Properties::decode(message.properties()).unwrap().headers.unwrap();
    assert_eq!(headers.get("x-delay"), Some(&FieldValue::I32(-50)));
    assert_eq!((message.exchange(), message.routing_key()), ("later", "other"));
}

#[test]
fn its_publisher_hears_when_it_is_on_disk_and_gets_it_not_back() {
    let (mut world, mut client) = delayed_world();
    publish(&mut client, 100, ("later", "nobody"), "a", Some(50));
    assert_eq!(client.outcomes(), (vec![], vec![]));
    world.turn();
    let told = client.events();
    assert!(matches!(told[..], [Event::Confirmed { first: 1, last: 1, .. }]), "{told:?}");
    elapse(&world, 151);
    assert_eq!(client.events().len(), 0, "what no queue takes then is gone");
}

#[test]
fn what_waits_is_there_after_a_kill_and_comes_in_its_time() {
    let (mut world, mut client) = delayed_world();
    publish(&mut client, 100, ("later", "key"), "late", Some(900));
    publish(&mut client, 100, ("later", "key"), "soon", Some(500));
    world.turn();
    let mut world = world.killed();
    elapse(&world, 599);
    assert_eq!(drain(&mut world, "q"), [""; 0]);
    elapse(&world, 605);
    elapse(&world, 605);
    assert_eq!(drain(&mut world, "q"), ["soon"]);
    world.turn();
    let mut world = world.killed();
    elapse(&world, 5000);
    elapse(&world, 5000);
    assert_eq!(drain(&mut world, "q"), ["late"], "and nothing twice");
}

#[test]
fn with_its_exchange_goes_what_waits_in_it() {
    let (mut world, mut client) = delayed_world();
    publish(&mut client, 100, ("later", "key"), "a", Some(50));
    world.turn();
    client.session.delete_exchange("later", false).unwrap();
    declare_delayed(&mut client, "later", "direct");
    bind(&mut client, "later", "q", "key");
    elapse(&world, 500);
    assert_eq!(drain(&mut world, "q"), [""; 0]);
    world.turn();
    let mut world = world.killed();
    elapse(&world, 500);
    assert_eq!(drain(&mut world, "q"), [""; 0]);
    assert_eq!(world.broker.virtual_host("/").unwrap().waiting_rooms().len(), 1);
}

fn set_delayed(world: &World, is_delayed: bool) {
    let policy = PolicyDefinition {
        kind: PolicyKind::User,
        host: "/".into(),
        name: "p".into(),
        pattern: "^amq".into(),
        applies_to: PolicyTarget::Exchanges,
        priority: 0,
        settings: json!({"delayed": is_delayed}).as_object().unwrap().clone(),
    };
    world.broker.by_node().set_policy(&policy, Moment(1)).unwrap();
}

#[test]
fn a_policy_lets_messages_wait_in_any_exchange_and_what_waits_outlives_it() {
    let mut world = World::new();
    let mut client = world.client();
    bind(&mut client, "amq.direct", "q", "key");
    publish(&mut client, 100, ("amq.direct", "key"), "before", Some(50));
    assert_eq!(drain(&mut world, "q"), ["before"]);
    set_delayed(&world, true);
    publish(&mut client, 100, ("amq.direct", "key"), "a", Some(50));
    publish(&mut client, 100, ("amq.direct", "key"), "b", Some(900));
    elapse(&world, 151);
    assert_eq!(drain(&mut world, "q"), ["a"]);
    set_delayed(&world, false);
    publish(&mut client, 200, ("amq.direct", "key"), "c", Some(50));
    assert_eq!(drain(&mut world, "q"), ["c"]);
    world.turn();
    let mut world = world.killed();
    elapse(&world, 2000);
    elapse(&world, 2000);
    assert_eq!(drain(&mut world, "q"), ["b"]);
}

#[test]
fn keys_that_nobody_is_to_see_are_looked_at_when_it_has_waited_and_stay_hidden() {
    let (mut world, mut client) = delayed_world();
    bind(&mut client, "later", "hidden", "secret");
    let keys = FieldValue::Array(vec![FieldValue::from("secret")]);
    let headers = [("BCC", keys), ("x-delay", FieldValue::I32(50))].into_iter().collect();
    publish_with(&mut client, 100, ("later", "key"), "a", headers);
    elapse(&world, 151);
    client.consume("hidden", 1);
    let events = client.events();
    let Some(Event::Delivered(delivered)) =
        events.iter().find(|event| matches!(event, Event::Delivered(_)))
    else {
        panic!("{events:?}")
    };
    let headers = Properties::decode(delivered.run[0].message.properties()).unwrap().headers;
    assert!(headers.unwrap().get("BCC").is_none());
    assert_eq!(drain(&mut world, "q"), ["a"]);
}

#[test]
fn an_exchange_that_waits_names_a_type_that_there_is() {
    let world = World::new();
    let mut client = world.client();
    for arguments in [vec![], vec![("x-delayed-type", "x-unknown")]] {
        let declare = DeclareExchange {
            exchange: "later".into(),
            kind: "x-delayed-message".into(),
            passive: false,
            durable: true,
            auto_delete: false,
            internal: false,
            arguments: arguments.into_iter().collect(),
        };
        let refused = client.session.declare_exchange(&declare).unwrap_err();
        let text = "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing \
                    exchange type";
        assert_eq!(refused.text(), text);
    }
}

#[test]
fn a_waiting_room_in_which_something_breaks_is_read_again() {
    let (mut world, mut client) = delayed_world();
    publish(&mut client, 100, ("later", "key"), "a", Some(50));
    world.turn();
    let room = world.broker.virtual_host("/").unwrap().waiting_rooms().remove(0);
    let mut work = Work::default();
    let broken = room.with(&mut work, |_| panic!("planted"));
    assert!(broken.is_err());
    world.broker.look_after(&mut work);
    world.turn();
    world.turn();
    publish(&mut client, 100, ("later", "key"), "b", Some(50));
    elapse(&world, 160);
    elapse(&world, 160);
    let mut came = drain(&mut world, "q");
    came.sort_unstable();
    assert_eq!(came, ["a", "b"]);
}

#[test]
fn what_waits_equally_long_comes_in_the_order_in_which_it_was_published() {
    let (mut world, mut client) = delayed_world();
    for (body, delay) in [("a", 50), ("c", 90), ("b", 50)] {
        publish(&mut client, 100, ("later", "key"), body, Some(delay));
    }
    elapse(&world, 1000);
    assert_eq!(drain(&mut world, "q"), ["a", "b", "c"]);
}

#[test]
fn a_dead_letter_may_wait_in_an_exchange_of_its_queues_name() {
    let mut world = World::new();
    let mut client = world.client();
    declare_delayed(&mut client, "jobs", "fanout");
    bind(&mut client, "jobs", "parked", "");
    let arguments = [
        ("x-dead-letter-exchange", FieldValue::from("jobs")),
        ("x-message-ttl", FieldValue::from(5)),
    ];
    let arguments = arguments.into_iter().collect();
    client.declare_as(&crate::connection::command::DeclareQueue {
        durable: true,
        arguments,
        ..crate::broker::test_world::declaration("jobs")
    });
    publish(&mut client, 100, ("", "jobs"), "a", Some(50));
    elapse(&world, 106);
    elapse(&world, 500);
    assert_eq!(drain(&mut world, "parked"), ["a"]);
}

#[test]
fn what_waited_is_not_lost_where_its_queue_leaves_service_as_it_comes() {
    let (mut world, mut client) = delayed_world();
    publish(&mut client, 100, ("later", "key"), "a", Some(50));
    world.turn();
    client.plant("q");
    elapse(&world, 151);
    world.turn();
    world.turn();
    elapse(&world, 160);
    assert_eq!(drain(&mut world, "q"), ["a"]);
}

#[test]
fn with_a_virtual_host_go_the_waiting_rooms_of_exchanges_that_are_always_there() {
    let world = World::new();
    let mut client = world.client();
    bind(&mut client, "amq.direct", "q", "key");
    set_delayed(&world, true);
    publish(&mut client, 100, ("amq.direct", "key"), "a", Some(900));
    let host = world.broker.virtual_host("/").unwrap();
    assert!(!host.waiting_rooms().is_empty());
    world.broker.by_node().delete_virtual_host("/", Moment(1));
    assert!(host.waiting_rooms().is_empty());
    assert_eq!(world.broker.body_memory(), (0, 0));
}

#[test]
fn what_waits_is_counted_until_it_goes_on_also_over_a_kill() {
    let (mut world, mut client) = delayed_world();
    let delayed = |world: &World| world.broker.figures().messages.delayed;
    publish(&mut client, 100, ("later", "key"), "now", None);
    assert_eq!(delayed(&world), 0);
    publish(&mut client, 100, ("later", "key"), "late", Some(50));
    publish(&mut client, 100, ("later", "key"), "soon", Some(20));
    assert_eq!(delayed(&world), 2);
    world.turn();
    let mut world = world.killed();
    assert_eq!(delayed(&world), 2);
    elapse(&world, 121);
    assert_eq!(delayed(&world), 1);
    let mut client = world.client();
    declare_delayed(&mut client, "other", "direct");
    publish(&mut client, 130, ("other", "key"), "x", Some(50));
    assert_eq!(delayed(&world), 2);
    client.session.delete_exchange("other", false).unwrap();
    assert_eq!(delayed(&world), 1, "what goes with its exchange waits no longer");
    elapse(&world, 151);
    assert_eq!(drain(&mut world, "q").len(), 3);
    assert_eq!(delayed(&world), 0);
}
