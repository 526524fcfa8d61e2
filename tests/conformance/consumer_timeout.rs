//! Consumers that hold a delivery for too long: `x-consumer-timeout` of consumers and queues, and
//! what the node says. They move the clock, so they need a broker of their own.

use leveret::broker::BrokerOptions;
use leveret::protocol::field::{FieldTable, FieldValue};
use leveret::protocol::methods::{basic, queue, tx};

use crate::client::Client;
use crate::login::Login;
use crate::plain;
use crate::script::{World, check_in_process, check_with_options};
use crate::steps::{arguments, unknown_delivery_tag};

/// How long consumers may hold a delivery here, and a little more than it may take to notice.
const TIMEOUT_MS: i32 = 1000;
const OVER_MS: u64 = 1100;

fn timeout(milliseconds: i32) -> FieldTable {
    arguments([("x-consumer-timeout", milliseconds.into())])
}

/// A queue whose consumers may hold a delivery for a while, with these messages.
fn filled(world: &World, client: &mut Client, texts: &[&str]) -> String {
    let name = client.new_queue_with(world, "q", timeout(TIMEOUT_MS));
    client.fill_confirmed(&name, texts);
    name
}

fn cancelled(consumer_tag: &str) -> basic::Cancel<'_> {
    basic::Cancel { consumer_tag, nowait: true }
}

/// A client whose consumer `slow` got these messages and holds them.
fn holding(world: &World, name: &str, count: u64) -> Client {
    let mut client = world.client();
    client.consume(1, &plain::consume(name, "slow"));
    for tag in 1..=count {
        assert_eq!(client.delivered(1).1, tag);
    }
    client
}

// Rule: rabbitmq.basic.consume.timeout
#[test]
fn a_consumer_that_holds_a_delivery_for_too_long_is_cancelled_and_loses_it() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = filled(world, &mut client, &["a", "b"]);
        let mut slow = holding(world, &name, 2);
        world.advance(TIMEOUT_MS as u64 - 100);
        slow.expect_nothing(1);
        world.advance(OVER_MS - TIMEOUT_MS as u64 + 100);
        slow.expect(1, &cancelled("slow"));
        slow.expect_nothing(1);
        assert_eq!(client.fetch(&name), ("a".to_owned(), true));
        assert_eq!(client.fetch(&name), ("b".to_owned(), true));
        client.fill_confirmed(&name, &["c"]);
        slow.expect_nothing(1);
        slow.consume(1, &plain::consume(&name, "slow"));
        assert_eq!(slow.delivered(1).0, "c");
    });
}

// Rule: rabbitmq.basic.consume.timeout
#[test]
fn the_channel_of_a_client_that_takes_no_cancel_is_closed() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = filled(world, &mut client, &["a"]);
        let mut slow = world.log_in(&Login::without_capabilities());
        slow.open_channel(7);
        slow.consume(7, &plain::consume(&name, "slow"));
        assert_eq!(slow.delivered(7).0, "a");
        world.advance(OVER_MS);
        let text = "PRECONDITION_FAILED - delivery acknowledgement on channel 7 timed out. Timeout \
                    value used: 1000 ms. This timeout value can be configured, see consumers doc \
                    guide to learn more";
        slow.expect_channel_close(7, 406, text, (0, 0));
        assert_eq!(client.fetch(&name), ("a".to_owned(), true));
        slow.open_channel(7);
    });
}

// Rule: rabbitmq.basic.consume.timeout
#[test]
fn a_late_settlement_is_taken_once_and_settles_nothing() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = filled(world, &mut client, &["a", "b", "c"]);
        let mut slow = holding(world, &name, 3);
        slow.send(1, &plain::ack(1));
        world.advance(OVER_MS);
        slow.expect(1, &cancelled("slow"));
        // They are somebody else's now.
        let mut other = holding(world, &name, 2);
        slow.send(1, &plain::ack(2));
        slow.send(1, &basic::Nack { delivery_tag: 3, multiple: true, requeue: true });
        slow.expect_nothing(1);
        other.expect_nothing(1);
        other.send(1, &plain::ack(2));
        other.hang_up();
        assert_eq!(client.drain(&name), ["b"]);
        slow.send(1, &plain::ack(2));
        slow.expect_channel_close(1, 406, &unknown_delivery_tag(2), (60, 80));
    });
}

// Rule: rabbitmq.basic.consume.timeout
#[test]
fn a_transaction_cannot_settle_what_was_taken_away() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = filled(world, &mut client, &["a"]);
        let mut slow = world.client();
        slow.perform(&tx::Select {});
        slow.consume(1, &plain::consume(&name, "slow"));
        assert_eq!(slow.delivered(1).0, "a");
        slow.send(1, &plain::ack(1));
        world.advance(OVER_MS);
        slow.expect(1, &cancelled("slow"));
        let other = holding(world, &name, 1);
        slow.perform(&tx::Commit {});
        other.hang_up();
        assert_eq!(client.drain(&name), ["a"]);
    });
}

// Rule: rabbitmq.basic.consume.timeout
#[test]
fn other_consumers_of_the_channel_keep_what_they_have() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = filled(world, &mut client, &["a", "b"]);
        client.perform(&basic::Qos { prefetch_size: 0, prefetch_count: 1, global: false });
        client.consume(1, &plain::consume(&name, "slow"));
        assert_eq!(client.delivered(1), ("a".to_owned(), 1, false));
        let patient =
            basic::Consume { arguments: timeout(60_000), ..plain::consume(&name, "patient") };
        client.consume(1, &patient);
        assert_eq!(client.delivered(1), ("b".to_owned(), 2, false));
        world.advance(OVER_MS);
        client.expect(1, &cancelled("slow"));
        client.expect_nothing(1);
        client.send(1, &plain::ack(2));
        assert_eq!(client.delivered(1), ("a".to_owned(), 3, true));
        client.send(1, &basic::Ack { delivery_tag: 3, multiple: true });
        client.expect_message_count(1, &name, 0);
    });
}

// Rule: rabbitmq.basic.consume.timeout
#[test]
fn a_limit_of_the_whole_channel_is_free_again() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = filled(world, &mut client, &["a", "b"]);
        let other = client.new_queue(world, "other");
        client.perform(&basic::Qos { prefetch_size: 0, prefetch_count: 2, global: true });
        client.consume(1, &plain::consume(&name, "slow"));
        assert_eq!((client.delivered(1).1, client.delivered(1).1), (1, 2));
        client.consume(1, &plain::consume(&other, "fast"));
        client.fill(&other, &["c"]);
        client.expect_nothing(1);
        world.advance(OVER_MS);
        client.expect(1, &cancelled("slow"));
        assert_eq!(client.delivered(1), ("c".to_owned(), 3, false));
    });
}

// Rule: rabbitmq.basic.consume.timeout
#[test]
fn the_consumers_own_time_goes_before_that_of_its_queue_and_that_before_the_nodes() {
    let options = BrokerOptions { consumer_timeout_ms: Some(5000), ..BrokerOptions::default() };
    check_with_options(options, |world| {
        let mut client = world.client();
        let of_queue = filled(world, &mut client, &["a", "b", "c"]);
        let of_node = client.new_queue(world, "of_node");
        client.fill_confirmed(&of_node, &["d"]);
        client.perform(&basic::Qos { prefetch_size: 0, prefetch_count: 1, global: false });
        for (tag, queue, own) in [
            ("own", &of_queue, Some(3000)),
            ("queue's", &of_queue, None),
            ("none", &of_queue, Some(0)),
            ("node's", &of_node, None),
        ] {
            let arguments = own.map_or_else(FieldTable::new, timeout);
            client.consume(1, &basic::Consume { arguments, ..plain::consume(queue, tag) });
            client.delivered(1);
        }
        world.advance(OVER_MS);
        client.expect(1, &cancelled("queue's"));
        world.advance(1000);
        client.expect_nothing(1);
        world.advance(1000);
        client.expect(1, &cancelled("own"));
        world.advance(2200);
        client.expect(1, &cancelled("node's"));
        world.advance(100_000_000);
        client.expect_nothing(1);
    });
}

fn new_quorum(world: &World, client: &mut Client) -> String {
    let name = world.name("qq");
    let arguments = arguments([("x-queue-type", "quorum".into())]);
    let declare = queue::Declare { durable: true, arguments, ..plain::queue_declare(&name) };
    client.perform(&declare);
    name
}

// Rule: rabbitmq.basic.consume.timeout
#[test]
fn it_is_half_an_hour_on_queues_of_quorum_type_and_any_time_on_classic_ones() {
    check_in_process(|world| {
        let mut client = world.client();
        let quorum = new_quorum(world, &mut client);
        let classic = client.new_queue(world, "classic");
        for (name, tag) in [(&quorum, "slow"), (&classic, "slower")] {
            client.fill_confirmed(name, &["a"]);
            client.consume(1, &plain::consume(name, tag));
            assert_eq!(client.delivered(1).0, "a");
        }
        world.advance(1_799_999);
        client.expect_nothing(1);
        world.advance(60_000);
        client.expect(1, &cancelled("slow"));
        world.advance(100_000_000);
        client.expect_nothing(1);
        let got = client.get(1, &quorum, true).expect("it came back");
        assert!(got.method.redelivered);
        let told = [("x-acquired-count", FieldValue::I64(1))].into_iter().collect();
        assert_eq!(got.content.properties.headers, Some(told), "it is no failed delivery");
    });
}

// Rule: rabbitmq.basic.consume.timeout
#[test]
fn what_was_fetched_with_get_may_be_held_for_ever() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = filled(world, &mut client, &["a"]);
        assert!(client.get(1, &name, false).is_some());
        world.advance(100_000_000);
        client.expect_message_count(1, &name, 0);
        client.send(1, &plain::ack(1));
        client.expect_nothing(1);
    });
}

// Rule: rabbitmq.basic.consume.timeout
#[test]
fn a_client_that_reads_nothing_loses_what_it_has_too() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = filled(world, &mut client, &[]);
        let mut stuck = world.client();
        stuck.consume(1, &plain::consume(&name, "stuck"));
        let body = "x".repeat(100_000);
        let count = 100;
        for _ in 0..count {
            client.publish(1, "", &name, body.as_bytes());
        }
        let before = client.message_count(1, &name);
        assert!(before < count, "much is on its way to the one that does not read");
        world.advance(OVER_MS);
        client.expect_message_count(1, &name, count);
        let mut other = world.client();
        other.consume(1, &plain::consume(&name, "other"));
        for tag in 1..=u64::from(count) {
            assert_eq!(other.delivered(1).1, tag);
            other.send(1, &plain::ack(tag));
        }
        client.expect_message_count(1, &name, 0);
    });
}

// Rule: rabbitmq.basic.consume.single-active
#[test]
fn on_a_queue_of_quorum_type_a_higher_priority_takes_over_when_all_is_settled() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = world.name("sac");
        let arguments_of_queue = arguments([
            ("x-queue-type", "quorum".into()),
            ("x-single-active-consumer", true.into()),
        ]);
        client.perform(&queue::Declare {
            durable: true,
            arguments: arguments_of_queue,
            ..plain::queue_declare(&name)
        });
        client.consume(1, &plain::consume(&name, "first"));
        client.fill(&name, &["a"]);
        assert_eq!(client.expect_delivery(1).method.consumer_tag, "first");
        let higher = arguments([("x-priority", 5.into())]);
        client.consume(1, &basic::Consume { arguments: higher, ..plain::consume(&name, "higher") });
        client.fill(&name, &["b"]);
        client.expect_nothing(1);
        client.send(1, &plain::ack(1));
        assert_eq!(client.expect_delivery(1).method.consumer_tag, "higher");
        client.perform(&plain::cancel("higher"));
        client.fill(&name, &["c"]);
        assert_eq!(client.expect_delivery(1).method.consumer_tag, "first");
    });
}
