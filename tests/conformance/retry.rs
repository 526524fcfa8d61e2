//! Messages that come back and wait before they are delivered again: `x-delayed-retry-type`, `-min`
//! and `-max` of queues, `x-retry-delay` of consumers. They move the clock, so they need a broker
//! of their own.

use leveret::protocol::field::FieldTable;
use leveret::protocol::methods::{basic, queue};

use crate::client::Client;
use crate::plain;
use crate::script::{World, check_in_process};
use crate::steps::arguments;

/// What waits, and how long: 100 ms for each failure, up to 250.
fn retry(kind: &str) -> FieldTable {
    arguments([
        ("x-delayed-retry-type", kind.into()),
        ("x-delayed-retry-min", 100.into()),
        ("x-delayed-retry-max", 250.into()),
    ])
}

/// A queue with one message, which a consumer of channel 1 has.
fn consumed(world: &World, client: &mut Client, of_queue: FieldTable) -> String {
    let name = client.new_queue_with(world, "q", of_queue);
    client.fill_confirmed(&name, &["a"]);
    client.consume(1, &plain::consume(&name, "c"));
    assert_eq!(client.delivered(1), ("a".to_owned(), 1, false));
    name
}

fn reject(client: &mut Client, delivery_tag: u64) {
    client.send(1, &basic::Reject { delivery_tag, requeue: true });
}

fn nack(client: &mut Client, delivery_tag: u64) {
    client.send(1, &basic::Nack { requeue: true, ..plain::nack(delivery_tag) });
}

/// The message comes with this tag when so many milliseconds have passed, and not earlier.
fn comes_after(world: &World, client: &mut Client, delivery_tag: u64, milliseconds: u64) {
    world.advance(milliseconds - 1);
    client.expect_nothing(1);
    world.advance(1);
    assert_eq!(client.delivered(1), ("a".to_owned(), delivery_tag, true));
}

// Rule: rabbitmq.queue.delayed-retry
#[test]
fn a_rejected_message_waits_the_longer_the_more_often_it_failed() {
    for kind in ["all", "failed"] {
        check_in_process(|world| {
            let mut client = world.client();
            consumed(world, &mut client, retry(kind));
            for (tag, wait_ms) in (1..).zip([100, 200, 250, 250]) {
                reject(&mut client, tag);
                comes_after(world, &mut client, tag + 1, wait_ms);
            }
        });
    }
}

// Rule: rabbitmq.queue.delayed-retry
#[test]
fn a_message_that_is_given_back_waits_where_the_queue_says_so() {
    for kind in ["all", "returned"] {
        check_in_process(|world| {
            let mut client = world.client();
            consumed(world, &mut client, retry(kind));
            for tag in 1..4 {
                nack(&mut client, tag);
                comes_after(world, &mut client, tag + 1, 100);
            }
            client.perform(&basic::Recover { requeue: true });
            comes_after(world, &mut client, 5, 100);
        });
    }
}

// Rule: rabbitmq.queue.delayed-retry
#[test]
fn what_is_not_meant_comes_back_at_once() {
    check_in_process(|world| {
        for (kind, fails) in
            [("failed", false), ("returned", true), ("disabled", false), ("disabled", true)]
        {
            let mut client = world.client();
            let name = consumed(world, &mut client, retry(kind));
            if fails {
                reject(&mut client, 1)
            } else {
                nack(&mut client, 1)
            }
            assert_eq!(client.delivered(1).1, 2);
            client.perform(&plain::queue_delete(&name));
        }
    });
}

// Rule: rabbitmq.queue.delayed-retry
#[test]
fn without_a_maximum_every_wait_is_the_minimum() {
    check_in_process(|world| {
        let mut client = world.client();
        let of_queue = arguments([
            ("x-delayed-retry-type", "all".into()),
            ("x-delayed-retry-min", 100.into()),
        ]);
        consumed(world, &mut client, of_queue);
        for tag in 1..4 {
            reject(&mut client, tag);
            comes_after(world, &mut client, tag + 1, 100);
        }
    });
}

// Rule: rabbitmq.queue.delayed-retry
#[test]
fn what_waits_is_neither_ready_nor_purged_and_others_overtake_it() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = consumed(world, &mut client, retry("all"));
        client.perform(&plain::cancel("c"));
        reject(&mut client, 1);
        client.fill_confirmed(&name, &["b"]);
        client.expect_message_count(1, &name, 1);
        assert_eq!(client.fetch(&name), ("b".to_owned(), false));
        client.perform(&plain::queue_purge(&name));
        assert!(client.get(1, &name, true).is_none());
        world.advance(100);
        client.expect_message_count(1, &name, 1);
        assert_eq!(client.fetch(&name), ("a".to_owned(), true));
    });
}

// Rule: rabbitmq.queue.delayed-retry
#[test]
fn a_lost_consumer_is_a_failure_also_for_the_wait() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", retry("failed"));
        client.fill_confirmed(&name, &["a"]);
        let mut lost = world.client();
        lost.consume(1, &plain::consume(&name, "lost"));
        assert_eq!(lost.delivered(1).0, "a");
        lost.hang_up();
        client.consume(1, &plain::consume(&name, "c"));
        comes_after(world, &mut client, 1, 100);
        client.close_channel(1);
        client.open_channel(1);
        client.consume(1, &plain::consume(&name, "c"));
        comes_after(world, &mut client, 1, 200);
    });
}

// Rule: rabbitmq.queue.delayed-retry
#[test]
fn what_a_silent_consumer_is_lost_with_waits_from_that_moment() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", retry("failed"));
        client.fill_confirmed(&name, &["a"]);
        let mut lost = world.client();
        lost.consume(1, &plain::consume(&name, "lost"));
        assert_eq!(lost.delivered(1).0, "a");
        client.consume(1, &plain::consume(&name, "c"));
        world.advance(5000);
        lost.hang_up();
        comes_after(world, &mut client, 1, 100);
    });
}

// Rule: rabbitmq.queue.delayed-retry
#[test]
fn on_a_queue_of_quorum_type_waits_and_the_delivery_limit_go_together() {
    check_in_process(|world| {
        let mut client = world.client();
        let dead = client.new_queue(world, "dead");
        let name = world.name("qq");
        let mut of_queue = retry("all");
        of_queue.insert("x-queue-type", "quorum");
        of_queue.insert("x-delivery-limit", 1);
        of_queue.insert("x-dead-letter-exchange", "");
        of_queue.insert("x-dead-letter-routing-key", &*dead);
        client.perform(&queue::Declare {
            durable: true,
            arguments: of_queue,
            ..plain::queue_declare(&name)
        });
        client.fill_confirmed(&name, &["a"]);
        client.consume(1, &plain::consume(&name, "c"));
        assert_eq!(client.delivered(1).1, 1);
        reject(&mut client, 1);
        comes_after(world, &mut client, 2, 100);
        reject(&mut client, 2);
        client.expect_message_count(1, &dead, 1);
    });
}

fn consume_with<'a>(queue: &'a str, delay: i32, max: i32) -> basic::Consume<'a> {
    let arguments = arguments([("x-retry-delay", delay.into()), ("x-retry-delay-max", max.into())]);
    basic::Consume { arguments, ..plain::consume(queue, "own") }
}

#[test]
fn a_consumer_may_ask_that_what_it_gives_back_waits() {
    check_in_process(|world| {
        for of_queue in [FieldTable::new(), retry("all")] {
            let mut client = world.client();
            let name = client.new_queue_with(world, "q", of_queue);
            client.fill_confirmed(&name, &["a"]);
            client.consume(1, &consume_with(&name, 40, 100));
            assert_eq!(client.delivered(1).1, 1);
            nack(&mut client, 1);
            comes_after(world, &mut client, 2, 40);
            for (tag, wait_ms) in (2..).zip([40, 80, 100]) {
                reject(&mut client, tag);
                comes_after(world, &mut client, tag + 1, wait_ms);
            }
            nack(&mut client, 5);
            comes_after(world, &mut client, 6, 100);
            client.perform(&plain::queue_delete(&name));
        }
    });
}

#[test]
fn what_it_had_when_its_channel_closed_waits_as_the_queue_says() {
    check_in_process(|world| {
        for (of_queue, waits) in [(FieldTable::new(), false), (retry("failed"), true)] {
            let mut client = world.client();
            let name = client.new_queue_with(world, "q", of_queue);
            client.fill_confirmed(&name, &["a"]);
            client.open_channel(2);
            client.consume(2, &consume_with(&name, 5000, 5000));
            assert_eq!(client.delivered(2).0, "a");
            client.close_channel(2);
            client.consume(1, &plain::consume(&name, "c"));
            match waits {
                true => comes_after(world, &mut client, 1, 100),
                false => assert_eq!(client.delivered(1), ("a".to_owned(), 1, true)),
            }
            client.perform(&plain::queue_delete(&name));
        }
    });
}

#[test]
fn a_delay_that_is_none_is_refused() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        for (delay, max, argument, reason) in [
            (0, 1, "x-retry-delay", "{value_zero,0}"),
            (-1, 1, "x-retry-delay", "{value_negative,-1}"),
            (1, 0, "x-retry-delay-max", "{value_zero,0}"),
            (10, 9, "x-retry-delay-max", "{value_below_min,9}"),
        ] {
            let text = format!(
                "PRECONDITION_FAILED - invalid arg '{argument}' for queue '{name}' in vhost '/': \
                 {reason}"
            );
            client.refuse(&consume_with(&name, delay, max), 406, &*text);
        }
    });
}
