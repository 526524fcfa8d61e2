//! basic.qos: how many messages may be out, for each consumer or for a whole channel.

use leveret::protocol::frame::FrameKind;
use leveret::protocol::methods::{Method, basic};

use crate::client::Client;
use crate::plain;
use crate::script::check;

const QOS_OK: Method<'_> = Method::BasicQosOk(basic::QosOk {});

fn qos(client: &mut Client, prefetch_count: u16, global: bool) {
    client.perform(&basic::Qos { prefetch_size: 0, prefetch_count, global });
}

/// The consumers of so many deliveries, in order, and nothing after them.
fn consumers(client: &mut Client, count: usize) -> Vec<&'static str> {
    let mut tags: Vec<&str> =
        (0..count).map(|_| client.expect_delivery(1).method.consumer_tag).collect();
    client.expect_silence();
    tags.sort_unstable();
    tags
}

fn ack_until(delivery_tag: u64) -> basic::Ack {
    basic::Ack { delivery_tag, multiple: true }
}

// Rule: basic.qos.prefetch-count.limit
#[test]
fn no_more_messages_are_out_than_the_prefetch_count() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill(&name, &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
        qos(&mut client, 3, false);
        client.perform(&plain::consume(&name, "t"));
        assert_eq!(consumers(&mut client, 3).len(), 3);
        client.send(1, &plain::ack(1));
        assert_eq!(client.delivered(1), ("4".to_owned(), 4, false));
        client.expect_silence();
        client.send(1, &ack_until(3));
        assert_eq!(consumers(&mut client, 2).len(), 2);
        client.send(1, &basic::Nack { delivery_tag: 6, multiple: true, requeue: false });
        assert_eq!(consumers(&mut client, 3).len(), 3);
    });
}

// Rule: rabbitmq.basic.qos.prefetch-size, basic.qos.prefetch-size.idle
#[test]
fn a_limit_in_octets_is_refused() {
    check(|world| {
        let mut client = world.client();
        client.send(1, &basic::Qos { prefetch_size: 100, prefetch_count: 1, global: false });
        let text = "NOT_IMPLEMENTED - prefetch_size!=0 (100)";
        client.expect_connection_close(540, text, (60, 10));
    });
}

// Rule: basic.qos.prefetch-size.idle
#[test]
fn an_idle_consumer_gets_a_message_of_any_size() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        qos(&mut client, 1, false);
        client.perform(&plain::consume(&name, "t"));
        let body = vec![b'x'; 1 << 20];
        client.publish(1, "", &name, &body);
        assert!(client.expect_delivery(1).content.body == body);
    });
}

// Rule: rabbitmq.basic.qos.scope
#[test]
fn a_count_for_consumers_holds_for_each_made_afterwards() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.perform(&plain::consume(&name, "unlimited"));
        client.fill(&name, &["1", "2", "3"]);
        assert_eq!(consumers(&mut client, 3), ["unlimited"; 3]);
        client.perform(&plain::cancel("unlimited"));

        qos(&mut client, 2, false);
        client.perform(&plain::consume(&name, "a"));
        client.perform(&plain::consume(&name, "b"));
        qos(&mut client, 1, false);
        client.fill(&name, &["hello"; 10]);
        assert_eq!(consumers(&mut client, 4), ["a", "a", "b", "b"]);
        client.perform(&plain::consume(&name, "c"));
        assert_eq!(consumers(&mut client, 1), ["c"]);
    });
}

// Rule: rabbitmq.basic.qos.scope
#[test]
fn a_global_count_is_shared_by_the_consumers_of_the_channel() {
    check(|world| {
        let mut client = world.client();
        let (name, other) = (client.new_queue(world, "q"), client.new_queue(world, "other"));
        qos(&mut client, 3, true);
        client.perform(&plain::consume(&name, "a"));
        client.perform(&plain::consume(&other, "b"));
        client.fill(&name, &["1", "2"]);
        assert_eq!(consumers(&mut client, 2), ["a", "a"]);
        client.fill(&other, &["3", "4", "5"]);
        assert_eq!(consumers(&mut client, 1), ["b"]);
        client.send(1, &ack_until(2));
        assert_eq!(consumers(&mut client, 2), ["b", "b"]);
    });
}

// Rule: rabbitmq.basic.qos.scope
#[test]
fn a_global_count_can_be_raised_while_consumers_wait() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill(&name, &["hello"; 10]);
        qos(&mut client, 2, true);
        client.perform(&plain::consume(&name, "t"));
        assert_eq!(consumers(&mut client, 2).len(), 2);
        for (prefetch_count, more) in [(5, 3), (0, 5)] {
            client.send(1, &basic::Qos { prefetch_size: 0, prefetch_count, global: true });
            // What the raise lets through may come before or after its answer.
            let frames = client.read_until_silence();
            let methods = frames.iter().filter(|frame| frame.kind == FrameKind::Method);
            let answers = methods.clone().filter(|frame| frame.method() == QOS_OK).count();
            assert_eq!((answers, methods.count()), (1, more + 1), "{frames:?}");
        }
    });
}

// Rule: rabbitmq.basic.qos.scope
#[test]
fn a_get_needs_no_credit_and_takes_none() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill(&name, &["1", "2", "3", "4"]);
        qos(&mut client, 1, true);
        assert_eq!(client.fetch(&name).0, "1");
        assert_eq!(client.fetch(&name).0, "2");
        client.perform(&plain::consume(&name, "t"));
        assert_eq!(client.delivered(1), ("3".to_owned(), 3, false));
        client.expect_silence();
        client.send(1, &ack_until(2));
        client.expect_silence();
        client.send(1, &plain::ack(3));
        assert_eq!(client.delivered(1), ("4".to_owned(), 4, false));
    });
}

// Rule: rabbitmq.basic.qos.scope
#[test]
fn a_consumer_without_acks_knows_no_limit() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill(&name, &["hello"; 10]);
        qos(&mut client, 1, false);
        client.perform(&basic::Consume { no_ack: true, ..plain::consume(&name, "t") });
        assert_eq!(consumers(&mut client, 10).len(), 10);
    });
}

// Rule: rabbitmq.basic.qos.scope
#[test]
fn a_channel_has_a_count_of_its_own() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.open_channel(2);
        qos(&mut client, 1, true);
        client.fill(&name, &["1", "2", "3"]);
        client.consume(2, &plain::consume(&name, "t"));
        for (text, tag) in [("1", 1), ("2", 2), ("3", 3)] {
            assert_eq!(client.delivered(2), (text.to_owned(), tag, false));
        }
    });
}
