//! Equal messages through a deduplicating exchange: which of them come, what their publishers hear
//! and when, and what is known of them after a kill.

use super::*;
use crate::broker::batch::Batch;
use crate::broker::test_world::{Client, World, bodies, declaration, deliveries};
use crate::connection::command::{Bind, DeclareExchange, DeclareQueue};
use crate::connection::{Event, Publish};
use crate::message::{Body, Envelope, Message, MessageRun, Moment, Outcome, SequenceRange};
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::properties::Properties;

fn declare(client: &mut Client, name: &str, kind: &str, arguments: &[(&str, FieldValue)]) {
    let declare = DeclareExchange {
        exchange: name.into(),
        kind: kind.into(),
        passive: false,
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: arguments.iter().cloned().collect(),
    };
    client.session.declare_exchange(&declare).unwrap();
}

fn declare_unique(client: &mut Client, name: &str, arguments: &[(&str, FieldValue)]) {
    let size = ("x-cache-size", FieldValue::from(100));
    let arguments: Vec<_> = [size].into_iter().chain(arguments.iter().cloned()).collect();
    declare(client, name, "x-message-deduplication", &arguments);
}

fn bind_to(client: &mut Client, source: &str, to_exchange: bool, destination: &str) {
    let bind = Bind {
        is_unbind: false,
        to_exchange,
        destination: destination.into(),
        source: source.into(),
        routing_key: "".into(),
        arguments: FieldTable::new(),
    };
    client.session.bind(bind).unwrap();
}

fn bind(client: &mut Client, source: &str, queue: &str) {
    client.declare(queue, true);
    bind_to(client, source, false, queue);
}

fn message(exchange: &str, body: &str, headers: &[(&str, FieldValue)]) -> Message {
    let mut properties = Vec::new();
    let headers = Some(headers.iter().cloned().collect());
    Properties { headers, ..Properties::default() }.encode(&mut properties);
    let properties = &properties;
    let envelope = Envelope { exchange, routing_key: "", properties, is_persistent: true };
    Message::new(envelope, Body::Copied(body.as_bytes()))
}

/// Adds to a batch, without ending it.
fn add(client: &mut Client, message: Message, batch: &mut Batch) {
    client.confirm += 1;
    let (messages, confirm) = (MessageRun::one(message), client.confirm);
    let publish = Publish { channel: 1, messages, mandatory: true, confirm, way: None };
    client.session.publish(publish, batch);
}

fn publish_message(client: &mut Client, message: Message) {
    let mut batch = Batch::default();
    add(client, message, &mut batch);
    client.session.flush(&mut batch);
    client.session.look_after_queues();
}

/// Publishes one message after the other, each with its text as its key.
fn publish(client: &mut Client, exchange: &str, texts: &[&str]) {
    for text in texts {
        let headers = [("x-deduplication-header", FieldValue::from(*text))];
        publish_message(client, message(exchange, text, &headers));
    }
}

/// All that is in a queue, for good.
fn drain(world: &mut World, queue: &str) -> Vec<String> {
    let mut client = world.client();
    client.consume(queue, 9);
    while world.broker.fetch(Moment(1)) {}
    let events = client.events();
    for (queue, place, _) in deliveries(&events) {
        client.settle(queue, SequenceRange::one(place), Outcome::Accepted);
    }
    bodies(&events).into_iter().map(|(body, _)| body).collect()
}

/// An exchange `unique` with these arguments, and a queue `q` behind it.
fn unique_world(arguments: &[(&str, FieldValue)]) -> (World, Client) {
    let world = World::new();
    let mut client = world.client();
    declare_unique(&mut client, "unique", arguments);
    bind(&mut client, "unique", "q");
    (world, client)
}

#[test]
fn of_equal_messages_the_first_one_comes() {
    let (mut world, mut client) = unique_world(&[]);
    publish(&mut client, "unique", &["a", "b", "a", "a", "c"]);
    publish_message(&mut client, message("unique", "plain", &[]));
    publish_message(&mut client, message("unique", "plain", &[]));
    assert_eq!(drain(&mut world, "q"), ["a", "b", "c", "plain", "plain"]);
    publish(&mut client, "unique", &["a"]);
    assert_eq!(drain(&mut world, "q"), [""; 0], "also when the first one is gone");
}

#[test]
fn equal_ones_of_one_batch_are_told_apart() {
    let (mut world, mut client) = unique_world(&[]);
    let mut batch = Batch::default();
    for text in ["a", "a", "b", "a"] {
        let headers = [("x-deduplication-header", FieldValue::from(text))];
        add(&mut client, message("unique", text, &headers), &mut batch);
    }
    client.session.flush(&mut batch);
    world.turn();
    assert_eq!(client.outcomes(), (vec![1, 2, 3, 4], vec![]));
    assert_eq!(drain(&mut world, "q"), ["a", "b"]);
}

#[test]
fn a_duplicate_is_confirmed_when_the_first_one_is_on_disk() {
    let (mut world, mut client) = unique_world(&[]);
    let mut other = world.client();
    publish(&mut client, "unique", &["a"]);
    publish(&mut other, "unique", &["a"]);
    assert_eq!(client.events().len(), 0);
    // No queue took it.
    assert!(matches!(other.events()[..], [Event::Returned { .. }]));
    world.turn();
    assert_eq!(client.outcomes(), (vec![1], vec![]));
    assert_eq!(other.outcomes(), (vec![1], vec![]));
    publish(&mut other, "unique", &["a"]);
    assert_eq!(other.outcomes(), (vec![2], vec![]), "nothing is waited for twice");
}

#[test]
fn a_duplicate_makes_no_confirm_earlier() {
    let (mut world, mut client) = unique_world(&[]);
    world.turn();
    publish(&mut client, "unique", &["a"]);
    world.writer.write(Moment(1), true);
    publish(&mut client, "unique", &["b", "a"]);
    world.writer.sync();
    // That the equal of the third is there makes the second no earlier.
    assert_eq!(client.outcomes(), (vec![1], vec![]));
    world.turn();
    assert_eq!(client.outcomes(), (vec![2, 3], vec![]));
}

#[test]
fn a_duplicate_goes_to_the_alternate_exchange() {
    let world = World::new();
    let mut client = world.client();
    declare_unique(&mut client, "unique", &[("alternate-exchange", "amq.fanout".into())]);
    bind(&mut client, "unique", "q");
    bind(&mut client, "amq.fanout", "duplicates");
    publish(&mut client, "unique", &["a", "a"]);
    let mut world = world;
    assert_eq!((drain(&mut world, "q"), drain(&mut world, "duplicates")), {
        (vec!["a".to_owned()], vec!["a".to_owned()])
    });
}

#[test]
fn what_was_seen_is_known_after_a_kill() {
    let (mut world, mut client) = unique_world(&[]);
    publish(&mut client, "unique", &["a", "b"]);
    world.turn();
    let mut world = world.killed();
    let mut client = world.client();
    publish(&mut client, "unique", &["a", "c", "b"]);
    assert_eq!(drain(&mut world, "q"), ["a", "b", "c"]);
    world.turn();
    let world = world.killed();
    let mut world = world.killed();
    publish(&mut world.client(), "unique", &["c", "d"]);
    assert_eq!(drain(&mut world, "q"), ["d"]);
}

#[test]
fn what_a_kill_took_may_come_again() {
    let (mut world, mut client) = unique_world(&[]);
    world.turn();
    publish(&mut client, "unique", &["a"]);
    world.writer.write(Moment(1), true);
    // It was written, and the power failed before the sync.
    let disk = world.disk.crash(&mut |outcomes| outcomes - 1);
    drop(world);
    let mut world = World::open(disk);
    publish(&mut world.client(), "unique", &["a"]);
    assert_eq!(drain(&mut world, "q"), ["a"]);
}

#[test]
fn a_cache_in_memory_is_forgotten_with_the_node() {
    let (mut world, mut client) = unique_world(&[("x-cache-persistence", "memory".into())]);
    publish(&mut client, "unique", &["a", "a"]);
    world.turn();
    let mut world = world.killed();
    publish(&mut world.client(), "unique", &["a"]);
    assert_eq!(drain(&mut world, "q"), ["a", "a"]);
}

#[test]
fn a_key_is_forgotten_in_its_time_also_over_a_restart() {
    let (mut world, mut client) = unique_world(&[("x-cache-ttl", 100.into())]);
    publish(client.at(1000), "unique", &["a"]);
    publish(client.at(1099), "unique", &["a"]);
    publish(client.at(1100), "unique", &["a"]);
    assert_eq!(drain(&mut world, "q"), ["a", "a"]);
    let headers = [("x-deduplication-header", "b".into()), ("x-cache-ttl", 500.into())];
    publish_message(client.at(1100), message("unique", "b", &headers));
    world.turn();
    let mut world = world.killed();
    publish(world.client().at(1199), "unique", &["a", "b"]);
    publish(world.client().at(1200), "unique", &["a", "b"]);
    publish(world.client().at(1600), "unique", &["b"]);
    assert_eq!(drain(&mut world, "q"), ["b", "a", "b"]);
}

#[test]
fn the_oldest_key_makes_room_also_over_a_restart() {
    let (mut world, mut client) = unique_world(&[]);
    declare(&mut client, "few", "x-message-deduplication", &[("x-cache-size", 2.into())]);
    bind_to(&mut client, "few", false, "q");
    publish(&mut client, "few", &["a", "b", "c"]);
    world.turn();
    let mut world = world.killed();
    publish(&mut world.client(), "few", &["c", "b", "a", "b"]);
    assert_eq!(drain(&mut world, "q"), ["a", "b", "c", "a", "b"]);
}

#[test]
fn with_its_exchange_goes_what_it_has_seen() {
    let (mut world, mut client) = unique_world(&[]);
    publish(&mut client, "unique", &["a"]);
    world.turn();
    client.session.delete_exchange("unique", false).unwrap();
    declare_unique(&mut client, "unique", &[]);
    bind(&mut client, "unique", "q");
    publish(&mut client, "unique", &["a"]);
    client.session.delete_exchange("unique", false).unwrap();
    world.turn();
    let disk = world.disk.kill();
    let opened = crate::store::open(Arc::new(disk), crate::store::StoreOptions::default());
    let seen = |(key, value): &(Box<[u8]>, Box<[u8]>)| {
        matches!(record::decode(key, value), Ok(record::Fact::Seen(..)))
    };
    assert_eq!(opened.unwrap().definitions.iter().filter(|each| seen(each)).count(), 0);
    let mut world = world.killed();
    assert_eq!(drain(&mut world, "q"), ["a", "a"]);
}

#[test]
fn what_no_queue_took_may_come_again() {
    let world = World::new();
    let mut client = world.client();
    declare_unique(&mut client, "unique", &[]);
    publish(&mut client, "unique", &["a"]);
    bind(&mut client, "unique", "q");
    publish(&mut client, "unique", &["a", "a"]);
    let mut world = world;
    assert_eq!(drain(&mut world, "q"), ["a"]);
}

#[test]
fn what_a_full_queue_refused_may_come_again() {
    let world = World::new();
    let mut client = world.client();
    declare_unique(&mut client, "unique", &[]);
    let arguments =
        [("x-max-length", FieldValue::from(1)), ("x-overflow", "reject-publish".into())];
    let arguments = arguments.into_iter().collect();
    client.declare_as(&DeclareQueue { durable: true, arguments, ..declaration("q") });
    bind_to(&mut client, "unique", false, "q");
    publish(&mut client, "unique", &["a", "b", "b"]);
    let mut world = world;
    world.turn();
    assert_eq!(client.outcomes(), (vec![1], vec![2, 3]));
    assert_eq!(drain(&mut world, "q"), ["a"]);
    publish(&mut client, "unique", &["b", "b"]);
    assert_eq!(drain(&mut world, "q"), ["b"]);
}

#[test]
fn what_a_full_queue_refused_of_who_waits_for_no_confirm_may_come_again() {
    let mut world = World::new();
    let mut client = world.client();
    declare_unique(&mut client, "unique", &[]);
    let arguments =
        [("x-max-length", FieldValue::from(1)), ("x-overflow", "reject-publish".into())];
    let arguments = arguments.into_iter().collect();
    client.declare_as(&DeclareQueue { durable: true, arguments, ..declaration("q") });
    bind_to(&mut client, "unique", false, "q");
    for text in ["a", "b"] {
        let headers = [("x-deduplication-header", FieldValue::from(text))];
        let messages = MessageRun::one(message("unique", text, &headers));
        let publish = Publish { channel: 1, messages, mandatory: false, confirm: 0, way: None };
        let mut batch = Batch::default();
        client.session.publish(publish, &mut batch);
        client.session.flush(&mut batch);
    }
    assert_eq!(drain(&mut world, "q"), ["a"]);
    publish(&mut client, "unique", &["b"]);
    assert_eq!(drain(&mut world, "q"), ["b"]);
}

#[test]
fn no_key_outlives_a_message_that_does_not_outlive_the_node() {
    let (mut world, mut client) = unique_world(&[]);
    let headers = [("x-deduplication-header", FieldValue::from("a"))];
    let mut properties = Vec::new();
    let table = Some(headers.into_iter().collect());
    Properties { headers: table, ..Properties::default() }.encode(&mut properties);
    let (exchange, routing_key, properties) = ("unique", "", &properties[..]);
    let envelope = Envelope { exchange, routing_key, properties, is_persistent: false };
    publish_message(&mut client, Message::new(envelope, Body::Copied(b"a")));
    world.turn();
    let mut world = world.killed();
    let mut client = world.client();
    publish(&mut client, "unique", &["a"]);
    assert_eq!(drain(&mut world, "q"), ["a"]);
}

#[test]
fn a_dead_letter_that_would_go_round_takes_no_key_along() {
    let mut world = World::new();
    let mut client = world.client();
    declare_unique(&mut client, "unique", &[]);
    let arguments =
        [("x-dead-letter-exchange", FieldValue::from("unique")), ("x-message-ttl", 5.into())];
    let arguments = arguments.into_iter().collect();
    client.declare_as(&DeclareQueue { durable: true, arguments, ..declaration("q") });
    bind_to(&mut client, "unique", false, "q");
    let headers = [("x-deduplication-header", FieldValue::from("a"))];
    let first = message("", "a", &headers);
    let (properties, is_persistent) = (first.properties(), true);
    let envelope = Envelope { exchange: "", routing_key: "q", properties, is_persistent };
    publish_message(&mut client, Message::new(envelope, Body::Copied(b"a")));
    world.broker.elapse(Moment(100));
    client.at(100);
    publish(&mut client, "unique", &["a"]);
    assert_eq!(drain(&mut world, "q"), ["a"]);
}

#[test]
fn what_died_is_not_lost_to_its_own_key_where_its_queue_leaves_service_as_it_comes() {
    let mut world = World::new();
    let mut client = world.client();
    declare_unique(&mut client, "unique", &[]);
    bind(&mut client, "unique", "parked");
    let arguments =
        [("x-dead-letter-exchange", FieldValue::from("unique")), ("x-message-ttl", 5.into())];
    let arguments = arguments.into_iter().collect();
    client.declare_as(&DeclareQueue { durable: true, arguments, ..declaration("q") });
    let headers = [("x-deduplication-header", FieldValue::from("a"))];
    let first = message("", "a", &headers);
    let (properties, is_persistent) = (first.properties(), true);
    let envelope = Envelope { exchange: "", routing_key: "q", properties, is_persistent };
    publish_message(&mut client, Message::new(envelope, Body::Copied(b"a")));
    world.turn();
    // It breaks in the very step in which the dead letter comes.
    let host = world.broker.virtual_host("/").unwrap();
    host.queue("parked").unwrap().plant();
    world.broker.elapse(Moment(100));
    world.turn();
    world.turn();
    world.broker.elapse(Moment(200));
    assert_eq!(drain(&mut world, "parked"), ["a"]);
}

#[test]
fn while_an_equal_is_on_its_way_nobody_is_promised_anything() {
    let (mut world, mut client) = unique_world(&[]);
    let mut other = world.client();
    let mut batch = Batch::default();
    let headers = [("x-deduplication-header", FieldValue::from("a"))];
    add(&mut client, message("unique", "a", &headers), &mut batch);
    publish(&mut other, "unique", &["a"]);
    assert_eq!(other.outcomes(), (vec![], vec![1]));
    // The first one comes to nothing.
    drop(batch);
    publish(&mut other, "unique", &["a"]);
    world.turn();
    assert_eq!(other.outcomes(), (vec![2], vec![]));
    assert_eq!(drain(&mut world, "q"), ["a"]);
}

#[test]
fn a_transaction_is_looked_at_when_it_is_committed() {
    let (mut world, mut client) = unique_world(&[]);
    let mut other = world.client();
    let begin = |client: &mut Client| {
        let state = client.session.channels.get_mut(&1).unwrap();
        state.transaction = Some(Vec::new());
    };
    begin(&mut client);
    publish(&mut client, "unique", &["a", "b", "b"]);
    publish(&mut other, "unique", &["a"]);
    client.session.commit(1, &[]).unwrap();
    publish(&mut client, "unique", &["c"]);
    // Rolled back.
    begin(&mut client);
    publish(&mut other, "unique", &["b", "c"]);
    assert_eq!(drain(&mut world, "q"), ["a", "b", "c"]);
}

#[test]
fn a_message_may_come_through_other_exchanges() {
    let (mut world, mut client) = unique_world(&[]);
    bind_to(&mut client, "amq.fanout", true, "unique");
    bind(&mut client, "amq.fanout", "all");
    publish(&mut client, "amq.fanout", &["a", "a"]);
    publish(&mut client, "unique", &["a"]);
    assert_eq!((drain(&mut world, "q").len(), drain(&mut world, "all").len()), (1, 2));
}

#[test]
fn dead_letters_come_through_it_once() {
    let (mut world, mut client) = unique_world(&[]);
    let arguments = [("x-dead-letter-exchange", FieldValue::from("unique"))];
    let arguments: FieldTable = arguments.into_iter().collect();
    client.declare_as(&DeclareQueue { durable: true, arguments, ..declaration("dying") });
    bind_to(&mut client, "amq.fanout", false, "dying");
    publish(&mut client, "amq.fanout", &["a", "b", "a"]);
    client.consume("dying", 1);
    let all = deliveries(&client.events());
    let (queue, first, last) = (all[0].0, all[0].1, all[2].1);
    client.settle(queue, SequenceRange { first, last }, Outcome::Rejected);
    client.session.look_after_queues();
    assert_eq!(client.look_at("dying"), Ok(0));
    publish(&mut client, "unique", &["b"]);
    assert_eq!(drain(&mut world, "q"), ["a", "b"]);
}

#[test]
fn a_dead_letter_that_no_queue_takes_yet_is_no_duplicate_of_itself() {
    let world = World::new();
    let mut client = world.client();
    declare_unique(&mut client, "unique", &[]);
    let arguments: FieldTable = [
        ("x-queue-type", "quorum"),
        ("x-dead-letter-exchange", "unique"),
        ("x-dead-letter-strategy", "at-least-once"),
        ("x-overflow", "reject-publish"),
    ]
    .into_iter()
    .collect();
    client.declare_as(&DeclareQueue { durable: true, arguments, ..declaration("dying") });
    bind_to(&mut client, "amq.fanout", false, "dying");
    publish(&mut client, "amq.fanout", &["a"]);
    client.consume("dying", 1);
    let (queue, place, _) = deliveries(&client.events()).remove(0);
    client.settle(queue, SequenceRange::one(place), Outcome::Rejected);
    client.session.look_after_queues();
    bind(&mut client, "unique", "q");
    let mut world = world;
    (1..100).for_each(|minute| world.broker.elapse(Moment(minute * 60_000)));
    assert_eq!(drain(&mut world, "q"), ["a"]);
}

#[test]
fn what_waits_in_it_is_looked_at_when_it_goes_on() {
    let world = World::new();
    let mut client = world.client();
    let kind = ("x-delayed-type", FieldValue::from("x-message-deduplication"));
    let arguments = [kind, ("x-cache-size", 9.into())];
    declare(&mut client, "later", "x-delayed-message", &arguments);
    bind(&mut client, "later", "q");
    for (text, delay) in [("late", 50), ("soon", 20), ("now", 0)] {
        let headers = [("x-deduplication-header", "a".into()), ("x-delay", delay.into())];
        publish_message(client.at(100), message("later", text, &headers));
    }
    let mut world = world;
    (100..200).for_each(|at| world.broker.elapse(Moment(at)));
    assert_eq!(drain(&mut world, "q"), ["now"]);
    let waiting = world.broker.virtual_host("/").unwrap().waiting_rooms().remove(0);
    let mut work = Work::default();
    let counts = waiting.with(&mut work, |live| live.queue.counts());
    assert_eq!(counts.unwrap().ready, 0);
}

#[test]
fn an_exchange_needs_to_know_how_much_to_remember() {
    let world = World::new();
    let mut client = world.client();
    let declare = DeclareExchange {
        exchange: "unique".into(),
        kind: "x-message-deduplication".into(),
        passive: false,
        durable: true,
        auto_delete: false,
        internal: false,
        arguments: FieldTable::new(),
    };
    let refused = client.session.declare_exchange(&declare).unwrap_err();
    let text = "PRECONDITION_FAILED - Missing or invalid argument, 'x-cache-size' must be an \
                integer greater than 0";
    assert_eq!(refused.text(), text);
}

/// A queue `q` that takes no two equal messages at once, behind `amq.fanout`.
fn unique_queue_world(arguments: &[(&str, FieldValue)]) -> (World, Client) {
    let world = World::new();
    let mut client = world.client();
    let unique = ("x-message-deduplication", FieldValue::from(true));
    let arguments = [unique].into_iter().chain(arguments.iter().cloned()).collect();
    client.declare_as(&DeclareQueue { durable: true, arguments, ..declaration("q") });
    bind_to(&mut client, "amq.fanout", false, "q");
    (world, client)
}

#[test]
fn a_queue_has_no_two_equal_messages_at_once() {
    let (mut world, mut client) = unique_queue_world(&[]);
    publish(&mut client, "amq.fanout", &["a", "b", "a"]);
    world.turn();
    assert_eq!(client.outcomes(), (vec![1, 2, 3], vec![]));
    assert_eq!(drain(&mut world, "q"), ["a", "b"]);
    publish(&mut client, "amq.fanout", &["a"]);
    assert_eq!(drain(&mut world, "q"), ["a"], "the first one is gone");
}

#[test]
fn a_duplicate_in_a_queue_is_confirmed_when_the_first_one_is_on_disk() {
    let (mut world, mut client) = unique_queue_world(&[]);
    let mut other = world.client();
    publish(&mut client, "amq.fanout", &["a"]);
    publish(&mut other, "amq.fanout", &["a"]);
    assert_eq!(other.outcomes(), (vec![], vec![]));
    world.turn();
    assert_eq!(other.outcomes(), (vec![1], vec![]));
    publish(&mut other, "amq.fanout", &["a"]);
    assert_eq!(other.outcomes(), (vec![2], vec![]));
}

#[test]
fn a_queue_knows_after_a_kill_what_is_in_it() {
    let (mut world, mut client) = unique_queue_world(&[]);
    publish(&mut client, "amq.fanout", &["gone", "a", "b"]);
    client.consume("q", 1);
    let (queue, place, _) = deliveries(&client.events()).remove(0);
    client.settle(queue, SequenceRange::one(place), Outcome::Accepted);
    world.turn();
    let mut world = world.killed();
    publish(&mut world.client(), "amq.fanout", &["a", "gone", "b", "c"]);
    assert_eq!(drain(&mut world, "q"), ["a", "b", "gone", "c"]);
}

#[test]
fn a_queue_that_is_read_again_knows_what_is_in_it() {
    let (mut world, mut client) = unique_queue_world(&[]);
    publish(&mut client, "amq.fanout", &["a"]);
    world.turn();
    client.plant("q");
    world.turn();
    world.turn();
    publish(&mut client, "amq.fanout", &["a", "b"]);
    assert_eq!(drain(&mut world, "q"), ["a", "b"]);
}

#[test]
fn equals_of_what_a_full_queue_refuses_are_refused_with_it() {
    let arguments = [("x-max-length", 1.into()), ("x-overflow", "reject-publish".into())];
    let (mut world, mut client) = unique_queue_world(&arguments);
    publish(&mut client, "amq.fanout", &["a"]);
    let headers = [("x-deduplication-header", FieldValue::from("b"))];
    let mut messages = MessageRun::one(message("amq.fanout", "b", &headers));
    messages.push(message("amq.fanout", "b", &headers));
    let handle = client.session.place().unwrap().host.queue("q").unwrap();
    let numbers = [(1, 2), (1, 3)];
    let take_in = |live: &mut crate::broker::live_queue::Live| {
        live.take_in([messages].into_iter().collect(), Some(&numbers))
    };
    assert_eq!(handle.with(&mut client.session.work, take_in).unwrap(), numbers);
    assert_eq!(drain(&mut world, "q"), ["a"]);
}

#[test]
fn a_dead_letter_may_come_back_to_the_queue_it_died_in() {
    let arguments = [("x-dead-letter-exchange", "amq.fanout".into())];
    let (mut world, mut client) = unique_queue_world(&arguments);
    publish(&mut client, "amq.fanout", &["a"]);
    client.consume("q", 1);
    let (queue, place, _) = deliveries(&client.events()).remove(0);
    client.settle(queue, SequenceRange::one(place), Outcome::Rejected);
    client.session.look_after_queues();
    assert_eq!(bodies(&client.events()).len(), 1);
    publish(&mut client, "amq.fanout", &["a"]);
    client.session.look_after_queues();
    world.turn();
    assert_eq!(bodies(&client.events()).len(), 0, "its equal is out");
}

#[test]
fn duplicates_are_counted_where_they_are_met() {
    let (world, mut client) = unique_world(&[]);
    let counted = |world: &World| {
        let messages = world.broker.figures().messages;
        (messages.seen_by_exchanges, messages.present_in_queues)
    };
    publish(&mut client, "unique", &["a", "b", "a", "a"]);
    assert_eq!(counted(&world), (2, 0));
    let (world, mut client) = unique_queue_world(&[]);
    publish(&mut client, "amq.fanout", &["a", "a", "b", "a"]);
    assert_eq!(counted(&world), (0, 2));
}
