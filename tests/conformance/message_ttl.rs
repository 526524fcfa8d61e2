//! Messages that live for a while only: `x-message-ttl`, the property `expiration`, and both. What
//! becomes of dead letters otherwise is in `dead_letter`.

use leveret::protocol::field::{FieldTable, FieldValue};
use leveret::protocol::methods::{basic, queue};
use leveret::protocol::properties::Properties;

use crate::client::Client;
use crate::plain;
use crate::script::{World, check};
use crate::steps::arguments;

/// How long messages live here, and less than that.
const TTL_MS: i32 = 1500;
const WITHIN_MS: u64 = 600;

fn living() -> FieldTable {
    arguments([("x-message-ttl", TTL_MS.into())])
}

/// More than enough for messages to die.
fn until_they_are_dead(world: &World) {
    (0..3).for_each(|_| world.advance(WITHIN_MS + 100));
}

fn publish_for(client: &mut Client, queue: &str, milliseconds: &str, text: &str) {
    let expiration = Some(milliseconds.into());
    let properties = Properties { expiration, ..Properties::default() };
    client.publish_with(1, &plain::publish("", queue), &properties, text.as_bytes());
}

#[test]
fn what_nobody_takes_in_time_is_gone() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", living());
        client.fill_confirmed(&name, &["a"]);
        world.advance(WITHIN_MS);
        client.fill_confirmed(&name, &["b"]);
        world.advance(WITHIN_MS);
        client.expect_message_count(1, &name, 2);
        world.advance(WITHIN_MS);
        client.expect_message_count(1, &name, 1);
        assert_eq!(client.drain(&name), ["b"]);
    });
}

#[test]
fn a_message_may_have_a_time_of_its_own() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        publish_for(&mut client, &name, "1500", "a");
        client.fill_confirmed(&name, &["b"]);
        client.expect_message_count(1, &name, 2);
        until_they_are_dead(world);
        assert_eq!(client.drain(&name), ["b"]);
    });
}

#[test]
fn what_a_silent_consumer_is_lost_with_after_its_time_is_gone() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", living());
        client.fill_confirmed(&name, &["a"]);
        let mut lost = world.client();
        lost.consume(1, &plain::consume(&name, "lost"));
        assert_eq!(lost.delivered(1).0, "a");
        client.consume(1, &plain::consume(&name, "c"));
        until_they_are_dead(world);
        lost.hang_up();
        client.expect_nothing(1);
    });
}

#[test]
fn of_both_times_the_shorter_one_counts() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", living());
        publish_for(&mut client, &name, "60000", "long");
        until_they_are_dead(world);
        client.expect_message_count(1, &name, 0);
        let other = arguments([("x-message-ttl", 60_000.into())]);
        let name = client.new_queue_with(world, "other", other);
        publish_for(&mut client, &name, "1500", "short");
        client.expect_message_count(1, &name, 1);
        until_they_are_dead(world);
        client.expect_message_count(1, &name, 0);
    });
}

#[test]
fn a_shorter_time_behind_a_longer_one_is_kept() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        publish_for(&mut client, &name, "60000", "long");
        publish_for(&mut client, &name, "1500", "short");
        client.expect_message_count(1, &name, 2);
        until_they_are_dead(world);
        client.expect_message_count(1, &name, 1);
        assert_eq!(client.drain(&name), ["long"]);
    });
}

#[test]
fn no_time_at_all_is_for_who_waits_already() {
    check(|world| {
        let mut client = world.client();
        let at_once = arguments([("x-message-ttl", 0.into())]);
        let name = client.new_queue_with(world, "q", at_once);
        let plain_name = client.new_queue(world, "plain");
        client.fill_confirmed(&name, &["nobody"]);
        publish_for(&mut client, &plain_name, "0", "nobody");
        for name in [name, plain_name] {
            client.expect_message_count(1, &name, 0);
            assert!(client.get(1, &name, true).is_none());
            client.consume(1, &plain::consume(&name, &name));
            publish_for(&mut client, &name, "0", "somebody");
            assert_eq!(client.delivered(1).0, "somebody");
        }
    });
}

#[test]
fn what_is_out_lives_until_it_comes_back() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", living());
        client.fill_confirmed(&name, &["a", "b"]);
        let tags = ["a", "b"].map(|text| {
            let got = client.get(1, &name, false).expect("a message");
            assert_eq!(got.content.text(), text);
            got.method.delivery_tag
        });
        until_they_are_dead(world);
        client.send(1, &plain::ack(tags[0]));
        client.send(1, &basic::Nack { requeue: true, ..plain::nack(tags[1]) });
        client.expect_message_count(1, &name, 0);
    });
}

#[test]
fn the_dead_go_where_dead_letters_go() {
    check(|world| {
        let (mut client, mut grave) = (world.client(), world.client());
        let dead = grave.new_queue(world, "dead");
        grave.consume(1, &plain::consume(&dead, "grave"));
        let mut arguments = living();
        arguments.insert("x-dead-letter-exchange", "");
        arguments.insert("x-dead-letter-routing-key", &*dead);
        let name = client.new_queue_with(world, "q", arguments);
        client.fill_confirmed(&name, &["a"]);
        publish_for(&mut client, &name, "1000", "b");
        client.expect_message_count(1, &name, 2);
        until_they_are_dead(world);
        let mut seen = Vec::new();
        for _ in 0..2 {
            let content = grave.expect_delivery(1).content;
            assert_eq!(content.properties.expiration, None);
            let headers = content.properties.headers.clone().expect("headers");
            assert_eq!(headers.get("x-first-death-reason"), Some(&"expired".into()));
            let Some(FieldValue::Array(deaths)) = headers.get("x-death") else { panic!() };
            let [FieldValue::Table(death)] = &deaths[..] else { panic!("{deaths:?}") };
            let original = death.get("original-expiration").and_then(FieldValue::as_str);
            seen.push((content.text().to_owned(), original.map(str::to_owned)));
        }
        seen.sort();
        assert_eq!(seen, [("a".to_owned(), None), ("b".to_owned(), Some("1000".to_owned()))]);
    });
}

#[test]
fn a_ladder_of_queues_brings_a_message_back_after_a_while() {
    check(|world| {
        let mut client = world.client();
        let (work, wait) = (world.name("work"), world.name("wait"));
        let to = |queue: &str| {
            arguments([
                ("x-dead-letter-exchange", "".into()),
                ("x-dead-letter-routing-key", queue.into()),
            ])
        };
        let mut waiting = to(&work);
        waiting.insert("x-message-ttl", TTL_MS);
        client.perform(&queue::Declare { arguments: to(&wait), ..plain::queue_declare(&work) });
        client.perform(&queue::Declare { arguments: waiting, ..plain::queue_declare(&wait) });
        client.fill(&work, &["a"]);
        client.consume(1, &plain::consume(&work, "c"));
        let (_, tag, _) = client.delivered(1);
        client.send(1, &plain::nack(tag));
        client.expect_silence();
        until_they_are_dead(world);
        assert_eq!(client.delivered(1).0, "a");
    });
}

#[test]
fn what_goes_round_only_because_its_time_is_over_is_dropped() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("q");
        let mut arguments = living();
        arguments.insert("x-dead-letter-exchange", "");
        arguments.insert("x-dead-letter-routing-key", &*name);
        client.perform(&queue::Declare { arguments, ..plain::queue_declare(&name) });
        client.fill_confirmed(&name, &["a"]);
        until_they_are_dead(world);
        client.expect_message_count(1, &name, 0);
    });
}

#[test]
fn a_queue_of_quorum_type_lets_messages_die_as_well() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("q");
        let mut arguments = living();
        arguments.insert("x-queue-type", "quorum");
        let declare = queue::Declare { durable: true, arguments, ..plain::queue_declare(&name) };
        client.perform(&declare);
        client.fill_confirmed(&name, &["a"]);
        client.expect_message_count(1, &name, 1);
        until_they_are_dead(world);
        assert_eq!(client.drain(&name), [""; 0]);
        client.perform(&plain::queue_delete(&name));
    });
}
