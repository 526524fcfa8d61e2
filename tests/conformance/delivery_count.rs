//! How often the delivery of a message failed, as consumers are told and as limits count it. What
//! becomes of a message that failed too often is in `dead_letter`.

use leveret::protocol::field::{FieldTable, FieldValue};
use leveret::protocol::methods::{basic, queue};

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

/// The tag of the next delivery, and the count it tells.
fn next(client: &mut Client) -> (u64, Option<i64>) {
    let delivery = client.expect_delivery(1);
    let headers: Option<FieldTable> = delivery.content.properties.headers;
    let count = headers.as_ref().and_then(|headers| headers.get("x-delivery-count"));
    (delivery.method.delivery_tag, count.and_then(FieldValue::as_integer))
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
        client.send(1, &basic::Nack { requeue: true, ..plain::nack(tag) });
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
