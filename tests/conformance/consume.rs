//! Consumers: tags, cancel from both sides, priorities, turns, exclusive use, a single active
//! consumer. How many messages they get is in `prefetch`, what they do with them in `basic`.

use leveret::protocol::methods::{Method, basic, queue};
use leveret::protocol::properties::Properties;

use crate::client::Client;
use crate::expect::starts;
use crate::login::{Login, with_capabilities};
use crate::plain;
use crate::script::check;
use crate::steps::arguments;

/// The 403 of a queue that has a consumer of its own.
fn in_exclusive_use(name: &str) -> String {
    format!("ACCESS_REFUSED - queue '{name}' in vhost '/' in exclusive use")
}

fn prefetch(client: &mut Client, prefetch_count: u16) {
    client.perform(&basic::Qos { prefetch_size: 0, prefetch_count, global: false });
}

/// The tag of the consumer that the next delivery is for.
fn next_consumer(client: &mut Client) -> String {
    client.expect_delivery(1).method.consumer_tag.to_owned()
}

// Rule: channel.flow.initial-state
#[test]
fn deliveries_start_without_being_asked_for() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.perform(&plain::consume(&name, "t"));
        client.fill(&name, &["hello"]);
        assert_eq!(client.delivered(1), ("hello".to_owned(), 1, false));
        client.expect_silence();
    });
}

// Rule: basic.no-ack
#[test]
fn a_consumer_without_acks_settles_by_taking() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.open_channel(2);
        client.consume(2, &basic::Consume { no_ack: true, ..plain::consume(&name, "t") });
        client.fill(&name, &["1", "2", "3"]);
        for (text, tag) in [("1", 1), ("2", 2), ("3", 3)] {
            assert_eq!(client.delivered(2), (text.to_owned(), tag, false));
        }
        client.send(2, &plain::ack(1));
        let text = "PRECONDITION_FAILED - unknown delivery tag 1";
        client.expect_channel_close(2, 406, text, (60, 80));
        assert!(client.drain(&name).is_empty());
    });
}

// Rule: basic.consume.minimum-consumers
#[test]
fn a_queue_takes_many_consumers() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        prefetch(&mut client, 1);
        for number in 0..64 {
            client.perform(&plain::consume(&name, &format!("t{number}")));
        }
        assert_eq!(client.declare_queue(1, &name).consumer_count, 64);
        client.fill(&name, &["hello"; 64]);
        let mut tags: Vec<String> = (0..64).map(|_| next_consumer(&mut client)).collect();
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), 64);
    });
}

// Rule: basic.consume.consumer-tag.unique
#[test]
fn a_consumer_tag_in_use_on_the_channel_ends_the_connection() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.perform(&plain::consume(&name, "t"));
        client.send(1, &plain::consume(&name, "t"));
        let text = "NOT_ALLOWED - attempt to reuse consumer tag 't'";
        client.expect_connection_close(530, text, (60, 20));
    });
}

// Rule: basic.consume.consumer-tag.unique
#[test]
fn a_consumer_tag_can_be_used_again_after_its_consumer() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        for text in ["1", "2"] {
            client.perform(&plain::consume(&name, "t"));
            client.fill(&name, &[text]);
            assert_eq!(client.delivered(1).0, text);
            client.perform(&plain::cancel("t"));
        }
    });
}

// Rule: basic.consume.consumer-tag.channel-local
#[test]
fn a_consumer_tag_belongs_to_its_channel() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.open_channel(2);
        client.perform(&plain::consume(&name, "t"));
        client.send(2, &plain::cancel("t"));
        client.expect(2, &basic::CancelOk { consumer_tag: "t" });
        client.fill(&name, &["1"]);
        assert_eq!(client.delivered(1).0, "1");
        client.consume(2, &plain::consume(&name, "t"));
        client.perform(&plain::cancel("t"));
        client.fill(&name, &["2"]);
        assert_eq!(client.delivered(2), ("2".to_owned(), 1, false));
    });
}

// Rule: rabbitmq.basic.consume.generated-tag
#[test]
fn a_consumer_without_a_tag_gets_one() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        let mut tags = Vec::new();
        for _ in 0..2 {
            let answer = client.call(1, &plain::consume(&name, ""));
            let Method::BasicConsumeOk(answer) = answer else { panic!("{answer:?}") };
            let random = answer.consumer_tag.strip_prefix("amq.ctag-").expect("a generated tag");
            assert_eq!(random.len(), 22, "{random}");
            tags.push(answer.consumer_tag);
        }
        assert_ne!(tags[0], tags[1]);
        client.send(1, &plain::cancel(tags[0]));
        client.expect(1, &basic::CancelOk { consumer_tag: tags[0] });
        client.fill(&name, &["hello"]);
        assert_eq!(next_consumer(&mut client), tags[1]);
    });
}

// Rule: rabbitmq.basic.consume.no-local
#[test]
fn no_local_keeps_nothing_away() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.perform(&basic::Consume { no_local: true, ..plain::consume(&name, "t") });
        client.fill(&name, &["mine"]);
        assert_eq!(client.delivered(1).0, "mine");
    });
}

// Rule: basic.consume.exclusive.access
#[test]
fn an_exclusive_consumer_is_the_only_one() {
    check(|world| {
        let (mut first, mut second) = (world.client(), world.client());
        let name = first.new_queue(world, "q");
        let exclusive = basic::Consume { exclusive: true, ..plain::consume(&name, "t") };
        first.perform(&plain::consume(&name, "t"));
        second.refuse(&exclusive, 403, &in_exclusive_use(&name));
        first.perform(&plain::cancel("t"));
        second.perform(&exclusive);
        first.refuse(&plain::consume(&name, "t"), 403, &in_exclusive_use(&name));
        first.refuse(&exclusive, 403, &in_exclusive_use(&name));
        second.perform(&plain::cancel("t"));
        first.perform(&plain::consume(&name, "t"));
    });
}

// Rule: rabbitmq.basic.cancel.unknown-tag
#[test]
fn cancelling_an_unknown_tag_succeeds() {
    check(|world| {
        let mut client = world.client();
        client.send(1, &plain::cancel("zzz"));
        client.expect(1, &basic::CancelOk { consumer_tag: "zzz" });
    });
}

// Rule: basic.cancel.queue-gone
#[test]
fn cancelling_a_consumer_whose_queue_is_gone_succeeds() {
    check(|world| {
        let mut client = world.log_in(&Login::without_capabilities());
        client.open_channel(1);
        let name = client.new_queue(world, "q");
        client.perform(&plain::consume(&name, "t"));
        client.perform(&plain::queue_delete(&name));
        client.send(1, &plain::cancel("t"));
        client.expect(1, &basic::CancelOk { consumer_tag: "t" });
    });
}

// Rule: rabbitmq.basic.cancel.notify
#[test]
fn a_client_that_can_take_it_is_told_that_its_consumer_ended() {
    check(|world| {
        let login = Login {
            client_properties: with_capabilities(&["consumer_cancel_notify"]),
            ..Login::default()
        };
        let mut told = world.log_in(&login);
        told.open_channel(1);
        let name = told.new_queue(world, "q");
        told.perform(&plain::consume(&name, "t"));
        world.client().perform(&plain::queue_delete(&name));
        told.expect(1, &basic::Cancel { consumer_tag: "t", nowait: true });
        let again = told.new_queue(world, "again");
        told.perform(&plain::consume(&again, "t"));
    });
}

// Rule: rabbitmq.basic.cancel.notify
#[test]
fn a_client_without_the_capability_is_not_told_that_its_consumer_ended() {
    check(|world| {
        let mut plain_client = world.log_in(&Login::without_capabilities());
        plain_client.open_channel(1);
        let name = plain_client.new_queue(world, "q");
        plain_client.perform(&plain::consume(&name, "t"));
        world.client().perform(&plain::queue_delete(&name));
        plain_client.expect_silence();
        plain_client.expect_nothing(1);
    });
}

// Rule: rabbitmq.basic.cancel.unsettled
#[test]
fn what_was_delivered_can_be_settled_after_the_cancel() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.perform(&plain::consume(&name, "t"));
        client.fill(&name, &["1", "2"]);
        assert_eq!(client.delivered(1).1, 1);
        assert_eq!(client.delivered(1).1, 2);
        client.perform(&plain::cancel("t"));
        client.send(1, &plain::ack(1));
        client.send(1, &basic::Reject { delivery_tag: 2, requeue: true });
        assert_eq!(client.fetch(&name), ("2".to_owned(), true));
        assert!(client.drain(&name).is_empty());
    });
}

// Rule: rabbitmq.basic.consume.priority
#[test]
fn the_consumer_of_higher_priority_is_served_first_while_it_has_credit() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        prefetch(&mut client, 1);
        for (tag, priority) in [("low", -1), ("high", 5), ("middle", 0)] {
            let arguments = arguments([("x-priority", priority.into())]);
            client.perform(&basic::Consume { arguments, ..plain::consume(&name, tag) });
        }
        client.fill(&name, &["1", "2", "3", "4"]);
        for tag in ["high", "middle", "low"] {
            assert_eq!(next_consumer(&mut client), tag);
        }
        client.expect_silence();
        client.send(1, &plain::ack(2));
        assert_eq!(next_consumer(&mut client), "middle");
    });
}

// Rule: rabbitmq.basic.consume.priority
#[test]
fn a_priority_is_a_number() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        let arguments = arguments([("x-priority", "abc".into())]);
        let consume = basic::Consume { arguments, ..plain::consume(&name, "t") };
        let text = format!(
            "PRECONDITION_FAILED - invalid arg 'x-priority' for queue '{name}' in vhost '/': \
             \"expected integer, got longstr\""
        );
        client.refuse(&consume, 406, &text);
    });
}

// Rule: rabbitmq.basic.consume.round-robin
#[test]
fn consumers_of_equal_priority_take_turns() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        prefetch(&mut client, 1);
        for tag in ["a", "b", "c"] {
            client.perform(&plain::consume(&name, tag));
        }
        let mut served = Vec::new();
        for delivery_tag in 1..=6 {
            client.fill(&name, &["hello"]);
            served.push(next_consumer(&mut client));
            client.send(1, &plain::ack(delivery_tag));
        }
        assert_eq!(served, ["a", "b", "c", "a", "b", "c"]);
    });
}

// Rule: rabbitmq.basic.consume.round-robin
#[test]
fn a_consumer_without_credit_is_passed_over() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        prefetch(&mut client, 1);
        client.perform(&plain::consume(&name, "a"));
        prefetch(&mut client, 0);
        client.perform(&plain::consume(&name, "b"));
        client.fill(&name, &["1", "2", "3", "4", "5"]);
        let mut served: Vec<String> = (0..5).map(|_| next_consumer(&mut client)).collect();
        served.sort_unstable();
        assert_eq!(served, ["a", "b", "b", "b", "b"]);
    });
}

// Rule: rabbitmq.basic.consume.single-active
#[test]
fn of_several_consumers_a_single_active_one_gets_messages_until_it_goes() {
    check(|world| {
        let mut client = world.client();
        let arguments = arguments([("x-single-active-consumer", true.into())]);
        let name = client.new_queue_with(world, "q", arguments);
        for tag in ["a", "b", "c"] {
            client.perform(&plain::consume(&name, tag));
        }
        client.fill(&name, &["1", "2"]);
        assert_eq!(next_consumer(&mut client), "a");
        assert_eq!(next_consumer(&mut client), "a");
        client.perform(&plain::cancel("a"));
        client.fill(&name, &["3"]);
        assert_eq!(next_consumer(&mut client), "b");
        client.perform(&plain::cancel("c"));
        client.perform(&plain::cancel("b"));
        client.perform(&plain::consume(&name, "d"));
        client.fill(&name, &["4"]);
        assert_eq!(next_consumer(&mut client), "d");
    });
}

// Rule: rabbitmq.basic.consume.single-active
#[test]
fn a_queue_with_a_single_active_consumer_has_no_exclusive_one() {
    check(|world| {
        let mut client = world.client();
        let arguments = arguments([("x-single-active-consumer", true.into())]);
        let name = client.new_queue_with(world, "q", arguments);
        let exclusive = basic::Consume { exclusive: true, ..plain::consume(&name, "t") };
        client.refuse(&exclusive, 403, &in_exclusive_use(&name));
        client.perform(&plain::consume(&name, "t"));
    });
}

// Rule: rabbitmq.basic.consume.single-active
#[test]
fn a_queue_with_a_single_active_consumer_cannot_be_read_by_get() {
    check(|world| {
        let mut client = world.client();
        let arguments = arguments([("x-single-active-consumer", true.into())]);
        let name = client.new_queue_with(world, "q", arguments);
        let get = basic::Get { queue: &name, no_ack: true };
        client.refuse(&get, 405, starts("RESOURCE_LOCKED - "));
    });
}

// Rule: domain.redelivered.implementation, basic.explicit-ack
#[test]
fn what_was_not_acknowledged_comes_again_to_the_next_client() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("q");
        client.perform(&queue::Declare { durable: true, ..plain::queue_declare(&name) });
        client.perform(&plain::consume(&name, "t"));
        let texts: Vec<String> = (1..=10).map(|number| number.to_string()).collect();
        client.fill(&name, &texts.iter().map(String::as_str).collect::<Vec<_>>());
        for (text, tag) in texts.iter().zip(1..) {
            assert_eq!(client.delivered(1), (text.clone(), tag, false));
        }
        (1..=5).for_each(|tag| client.send(1, &plain::ack(tag)));
        client.close();
        let mut next = world.client();
        next.perform(&plain::consume(&name, "t"));
        for (text, tag) in texts[5..].iter().zip(1..) {
            assert_eq!(next.delivered(1), (text.clone(), tag, true));
        }
        next.expect_silence();
    });
}

// Rule: domain.redelivered.implementation
#[test]
fn what_a_lost_connection_held_comes_again() {
    check(|world| {
        let (mut lost, mut other) = (world.client(), world.client());
        let name = lost.new_queue(world, "q");
        lost.perform(&plain::consume(&name, "t"));
        lost.fill(&name, &["hello"]);
        assert_eq!(lost.delivered(1), ("hello".to_owned(), 1, false));
        other.perform(&plain::consume(&name, "t"));
        lost.hang_up();
        assert_eq!(other.delivered(1), ("hello".to_owned(), 1, true));
    });
}

// Rule: domain.delivery-tag.non-zero
#[test]
fn delivery_tags_count_from_one_on_each_channel_for_consumers_and_gets_alike() {
    check(|world| {
        let mut client = world.client();
        let (name, other) = (client.new_queue(world, "q"), client.new_queue(world, "other"));
        client.perform(&plain::consume(&name, "t"));
        client.fill(&name, &["1", "2"]);
        assert_eq!((client.delivered(1).1, client.delivered(1).1), (1, 2));
        client.fill_confirmed(&other, &["3", "4"]);
        let got = client.get(1, &other, false).expect("a message");
        assert_eq!(got.method.delivery_tag, 3);
        client.open_channel(2);
        let got = client.get(2, &other, false).expect("a message");
        assert_eq!(got.method.delivery_tag, 1);
    });
}

// Rule: basic.order, rabbitmq.basic.priority-by-argument, basic.priority-levels
// Rule: basic.priority-ten-levels
#[test]
fn without_levels_declared_messages_of_all_priorities_keep_their_order() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        let priorities = [0, 9, 5, 1, 2, 3, 4, 6, 7, 8];
        for (priority, number) in priorities.into_iter().cycle().zip(0..100) {
            let properties = Properties {
                priority: Some(priority),
                delivery_mode: [Some(1), Some(2), None][number % 3],
                ..Properties::default()
            };
            let body = number.to_string();
            client.publish_with(1, &plain::publish("", &name), &properties, body.as_bytes());
        }
        client.perform(&plain::consume(&name, "t"));
        for number in 0..100 {
            assert_eq!(client.delivered(1).0, number.to_string());
        }
    });
}

// Rule: rabbitmq.basic.cancel.unsettled
#[test]
fn a_cancelled_consumer_gets_nothing_more() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.perform(&plain::consume(&name, "t"));
        client.send(1, &plain::cancel("t"));
        client.expect(1, &basic::CancelOk { consumer_tag: "t" });
        client.fill(&name, &["nobody's"]);
        assert_eq!(client.drain(&name), ["nobody's"]);
    });
}
