//! Queues whose messages have priorities. Priorities of consumers are in `consume`, the argument
//! itself is in `queue_arguments`.

use leveret::protocol::field::FieldTable;
use leveret::protocol::methods::{basic, queue};
use leveret::protocol::properties::Properties;

use crate::client::Client;
use crate::plain;
use crate::script::{World, check};
use crate::steps::arguments;

fn up_to(max: i32) -> FieldTable {
    arguments([("x-max-priority", max.into())])
}

fn publish(client: &mut Client, queue: &str, priority: Option<u8>, text: &str) {
    let properties = Properties { priority, ..Properties::default() };
    client.publish_with(1, &plain::publish("", queue), &properties, text.as_bytes());
}

/// Publishes texts with a priority each.
fn fill(client: &mut Client, queue: &str, messages: &[(Option<u8>, &str)]) {
    for (priority, text) in messages {
        publish(client, queue, *priority, text);
    }
    client.expect_message_count(1, queue, u32::try_from(messages.len()).expect("few"));
}

fn new_quorum(world: &World, client: &mut Client) -> String {
    let name = world.name("q");
    let arguments = arguments([("x-queue-type", "quorum".into())]);
    let declare = queue::Declare { durable: true, arguments, ..plain::queue_declare(&name) };
    client.perform(&declare);
    name
}

#[test]
fn the_highest_goes_first_and_of_equals_the_oldest() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", up_to(10));
        let messages =
            [(Some(1), "a"), (Some(9), "b"), (None, "c"), (Some(9), "d"), (Some(0), "e")];
        fill(&mut client, &name, &messages);
        assert_eq!(client.drain(&name), ["b", "d", "a", "c", "e"]);
    });
}

#[test]
fn what_is_above_the_highest_counts_as_that() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", up_to(5));
        let messages = [(Some(4), "a"), (Some(5), "b"), (Some(255), "c"), (Some(6), "d")];
        fill(&mut client, &name, &messages);
        assert_eq!(client.drain(&name), ["b", "c", "d", "a"]);
    });
}

#[test]
fn a_queue_without_priorities_does_not_look_at_them() {
    check(|world| {
        let mut client = world.client();
        for arguments in [FieldTable::new(), up_to(0)] {
            let word = if arguments.is_empty() { "plain" } else { "zero" };
            let name = client.new_queue_with(world, word, arguments);
            fill(&mut client, &name, &[(Some(1), "a"), (Some(9), "b"), (None, "c")]);
            assert_eq!(client.drain(&name), ["a", "b", "c"]);
        }
    });
}

#[test]
fn all_priorities_there_can_be_are_kept_apart() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", up_to(255));
        let texts: Vec<String> = (0..=255).map(|priority: u8| priority.to_string()).collect();
        for priority in 0..=255 {
            publish(&mut client, &name, Some(priority), &texts[usize::from(priority)]);
        }
        client.expect_message_count(1, &name, 256);
        let falling: Vec<String> = texts.into_iter().rev().collect();
        assert_eq!(client.drain(&name), falling);
    });
}

#[test]
fn what_comes_back_goes_to_its_place_among_its_equals() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", up_to(10));
        fill(&mut client, &name, &[(Some(9), "a"), (None, "b"), (Some(9), "c")]);
        let tag = client.get(1, &name, false).expect("a message").method.delivery_tag;
        client.send(1, &basic::Nack { requeue: true, ..plain::nack(tag) });
        client.expect_message_count(1, &name, 3);
        assert_eq!(client.drain(&name), ["a", "c", "b"]);
    });
}

#[test]
fn a_consumer_with_a_window_gets_the_highest_next() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", up_to(10));
        client.perform(&basic::Qos { prefetch_size: 0, prefetch_count: 1, global: false });
        client.consume(1, &plain::consume(&name, "c"));
        publish(&mut client, &name, None, "first");
        let (text, tag, _) = client.delivered(1);
        assert_eq!(text, "first");
        for (priority, text) in [(Some(1), "low"), (Some(8), "high"), (Some(8), "high too")] {
            publish(&mut client, &name, priority, text);
        }
        client.expect_message_count(1, &name, 3);
        client.send(1, &plain::ack(tag));
        for expected in ["high", "high too", "low"] {
            let (text, tag, _) = client.delivered(1);
            assert_eq!(text, expected);
            client.send(1, &plain::ack(tag));
        }
    });
}

#[test]
fn a_full_queue_lets_go_what_would_be_delivered_next() {
    check(|world| {
        let mut client = world.client();
        let mut arguments = up_to(10);
        arguments.insert("x-max-length", 2);
        let name = client.new_queue_with(world, "q", arguments);
        for (priority, text) in [(None, "a"), (Some(9), "b"), (None, "c")] {
            publish(&mut client, &name, priority, text);
        }
        client.expect_message_count(1, &name, 2);
        assert_eq!(client.drain(&name), ["a", "c"], "the highest goes first here too");
    });
}

#[test]
fn messages_of_all_priorities_die_in_their_time() {
    check(|world| {
        let mut client = world.client();
        let mut arguments = up_to(10);
        arguments.insert("x-message-ttl", 1000);
        let name = client.new_queue_with(world, "q", arguments);
        fill(&mut client, &name, &[(None, "a"), (Some(9), "b")]);
        (0..2).for_each(|_| world.advance(800));
        client.expect_message_count(1, &name, 0);
    });
}

#[test]
fn a_queue_of_quorum_type_knows_priorities_without_being_told() {
    check(|world| {
        let mut client = world.client();
        let name = new_quorum(world, &mut client);
        let messages = [
            (Some(0), "low"),
            (None, "four"),
            (Some(5), "five"),
            (Some(31), "highest"),
            (Some(200), "highest too"),
            (Some(4), "four too"),
        ];
        fill(&mut client, &name, &messages);
        let expected = ["highest", "highest too", "five", "four", "four too", "low"];
        assert_eq!(client.drain(&name), expected);
        client.perform(&plain::queue_delete(&name));
    });
}
