//! How often a message came back, and how often of these its delivery failed, as consumers are told
//! and as limits count it. What becomes of a message that failed too often is in `dead_letter`.

use leveret::protocol::field::FieldValue;
use leveret::protocol::methods::{basic, queue};
use leveret::protocol::properties::Properties;

use crate::client::Client;
use crate::plain;
use crate::script::{World, check, check_in_process};
use crate::steps::arguments;

fn new_quorum(world: &World, client: &mut Client) -> String {
    let name = world.name("q");
    let arguments = arguments([("x-queue-type", "quorum".into())]);
    let declare = queue::Declare { durable: true, arguments, ..plain::queue_declare(&name) };
    client.perform(&declare);
    name
}

/// A count that a message tells.
fn count(properties: &Properties, name: &str) -> Option<i64> {
    properties.headers.as_ref()?.get(name)?.as_integer()
}

/// How often a message that is delivered failed, and how often it came back.
fn counts(properties: &Properties) -> (Option<i64>, Option<i64>) {
    (count(properties, "x-delivery-count"), count(properties, "x-acquired-count"))
}

/// The tag of the next delivery, and both counts it tells.
fn next_counts(client: &mut Client) -> (u64, (Option<i64>, Option<i64>)) {
    let delivery = client.expect_delivery(1);
    (delivery.method.delivery_tag, counts(&delivery.content.properties))
}

/// The tag of the next delivery, and the count of failures it tells.
fn next(client: &mut Client) -> (u64, Option<i64>) {
    let (tag, (failed, _)) = next_counts(client);
    (tag, failed)
}

fn nack(client: &mut Client, delivery_tag: u64) {
    client.send(1, &basic::Nack { requeue: true, ..plain::nack(delivery_tag) });
}

fn reject(client: &mut Client, delivery_tag: u64) {
    client.send(1, &basic::Reject { delivery_tag, requeue: true });
}

#[test]
fn a_queue_of_quorum_type_tells_how_often_a_delivery_failed() {
    check(|world| {
        let mut client = world.client();
        let name = new_quorum(world, &mut client);
        client.fill_confirmed(&name, &["a"]);
        client.consume(1, &plain::consume(&name, "c"));
        for expected in [None, Some(1)] {
            let (tag, count) = next(&mut client);
            assert_eq!(count, expected);
            reject(&mut client, tag);
        }
        assert_eq!(next(&mut client).1, Some(2));
        client.perform(&plain::queue_delete(&name));
    });
}

#[test]
fn a_lost_consumer_is_a_failure_too() {
    check(|world| {
        let mut client = world.client();
        let name = new_quorum(world, &mut client);
        client.fill_confirmed(&name, &["a"]);
        let mut lost = world.client();
        lost.consume(1, &plain::consume(&name, "c"));
        assert_eq!(next(&mut lost).1, None);
        lost.hang_up();
        client.consume(1, &plain::consume(&name, "c"));
        assert_eq!(next(&mut client).1, Some(1));
        client.perform(&plain::queue_delete(&name));
    });
}

#[test]
fn a_nack_that_puts_back_is_no_failure() {
    check(|world| {
        let mut client = world.client();
        let name = new_quorum(world, &mut client);
        client.fill_confirmed(&name, &["a"]);
        client.consume(1, &plain::consume(&name, "c"));
        let (tag, _) = next(&mut client);
        nack(&mut client, tag);
        assert_eq!(next(&mut client).1, None);
        client.perform(&plain::queue_delete(&name));
    });
}

#[test]
fn a_classic_queue_tells_and_counts_where_it_has_a_limit() {
    check_in_process(|world| {
        let mut client = world.client();
        let limited = arguments([("x-delivery-limit", 1.into())]);
        let name = client.new_queue_with(world, "limited", limited);
        client.fill(&name, &["a"]);
        client.consume(1, &plain::consume(&name, "c"));
        for expected in [None, Some(1)] {
            let (tag, count) = next(&mut client);
            assert_eq!(count, expected);
            reject(&mut client, tag);
        }
        client.expect_message_count(1, &name, 0);
        let plain_name = client.new_queue(world, "plain");
        client.fill(&plain_name, &["a"]);
        client.consume(1, &plain::consume(&plain_name, "d"));
        for _ in 0..30 {
            let (tag, count) = next(&mut client);
            assert_eq!(count, None);
            reject(&mut client, tag);
        }
    });
}

// Rule: rabbitmq.basic.deliver.acquired-count
#[test]
fn every_way_back_is_told_and_only_some_are_failures() {
    check(|world| {
        let mut client = world.client();
        let name = new_quorum(world, &mut client);
        client.fill_confirmed(&name, &["a"]);
        let mut lost = world.client();
        lost.consume(1, &plain::consume(&name, "c"));
        let (tag, told) = next_counts(&mut lost);
        assert_eq!(told, (None, None), "nothing on the first delivery");
        nack(&mut lost, tag);
        let (tag, told) = next_counts(&mut lost);
        assert_eq!(told, (None, Some(1)));
        reject(&mut lost, tag);
        assert_eq!(next_counts(&mut lost).1, (Some(1), Some(2)));
        lost.perform(&basic::Recover { requeue: true });
        assert_eq!(next_counts(&mut lost).1, (Some(1), Some(3)));
        lost.hang_up();
        client.consume(1, &plain::consume(&name, "c"));
        assert_eq!(next_counts(&mut client).1, (Some(2), Some(4)));
        client.perform(&plain::queue_delete(&name));
    });
}

// Rule: rabbitmq.basic.deliver.acquired-count
#[test]
fn what_was_fetched_with_get_and_given_back_is_told_too() {
    check(|world| {
        let mut client = world.client();
        let name = new_quorum(world, &mut client);
        client.fill_confirmed(&name, &["a"]);
        for expected in [None, Some(1), Some(2)] {
            let got = client.get(1, &name, false).expect("a message");
            assert_eq!(counts(&got.content.properties), (None, expected));
            assert_eq!(got.method.redelivered, expected.is_some());
            nack(&mut client, got.method.delivery_tag);
        }
        client.perform(&plain::queue_delete(&name));
    });
}

// Rule: rabbitmq.basic.deliver.acquired-count
#[test]
fn what_a_publisher_wrote_is_no_count() {
    check_in_process(|world| {
        let mut client = world.client();
        let limited = arguments([("x-delivery-limit", 9.into())]);
        let name = client.new_queue_with(world, "limited", limited);
        let forged = ["x-acquired-count", "x-delivery-count", "x-acquired-count"];
        let headers = forged.map(|name| (name, 7)).into_iter().chain([("mine", 1)]).collect();
        let properties = Properties { headers: Some(headers), ..Properties::default() };
        client.publish_with(1, &plain::publish("", &name), &properties, b"a");
        client.consume(1, &plain::consume(&name, "c"));
        let first = client.expect_delivery(1);
        nack(&mut client, first.method.delivery_tag);
        let again = client.expect_delivery(1).content.properties;
        let told = [("mine", FieldValue::I32(1)), ("x-acquired-count", FieldValue::I64(1))];
        assert_eq!(again.headers, Some(told.into_iter().collect()));
    });
}

// Rule: rabbitmq.basic.deliver.acquired-count
#[test]
fn a_dead_letter_begins_anew() {
    check_in_process(|world| {
        let mut client = world.client();
        let grave = client.new_queue(world, "grave");
        let mut limited = arguments([("x-delivery-limit", 1.into())]);
        limited.insert("x-dead-letter-exchange", "");
        limited.insert("x-dead-letter-routing-key", grave.as_str());
        let name = client.new_queue_with(world, "limited", limited);
        client.fill(&name, &["a"]);
        client.consume(1, &plain::consume(&name, "c"));
        for expected in [(None, None), (Some(1), Some(1))] {
            let (tag, told) = next_counts(&mut client);
            assert_eq!(told, expected);
            reject(&mut client, tag);
        }
        let dead = client.get(1, &grave, true).expect("it died");
        assert_eq!(counts(&dead.content.properties), (None, None));
    });
}
