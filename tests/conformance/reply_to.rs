//! Direct reply-to: answers that come to a requester without a queue.

use leveret::protocol::methods::{Method, basic, queue, tx};
use leveret::protocol::properties::Properties;

use crate::client::Client;
use crate::plain;
use crate::script::{World, check};
use crate::steps::no_queue;

const REPLY_TO: &str = "amq.rabbitmq.reply-to";
const NO_CONSUMER: &str = "PRECONDITION_FAILED - fast reply consumer does not exist";

fn consume_replies() -> basic::Consume<'static> {
    basic::Consume { no_ack: true, ..plain::consume(REPLY_TO, "replies") }
}

fn request() -> Properties {
    Properties {
        reply_to: Some(REPLY_TO.into()),
        correlation_id: Some("c".into()),
        ..Properties::default()
    }
}

/// Sends a request on channel 1 and gives the address for its answer, as the responder sees it.
fn address(client: &mut Client, queue: &str) -> String {
    client.publish_with(1, &plain::publish("", queue), &request(), b"request");
    let got = client.get(1, queue, true).expect("a request");
    assert_eq!(got.content.text(), "request");
    assert_eq!(got.content.properties.correlation_id.as_deref(), Some("c"));
    let address = got.content.properties.reply_to.expect("a reply-to");
    assert!(address.starts_with("amq.rabbitmq.reply-to."), "{address}");
    address.into()
}

/// A requester that consumes its replies, and the address for them.
fn requester(world: &World) -> (Client, String) {
    let mut client = world.client();
    let queue = client.new_queue(world, "requests");
    client.perform(&consume_replies());
    let address = address(&mut client, &queue);
    (client, address)
}

fn passive(name: &str) -> queue::Declare<'_> {
    queue::Declare { passive: true, ..plain::queue_declare(name) }
}

// Rule: rabbitmq.basic.direct-reply-to
#[test]
fn a_reply_comes_to_the_requester_without_a_queue() {
    check(|world| {
        let (mut client, address) = requester(world);
        let mut responder = world.client();
        let properties = Properties { correlation_id: Some("c".into()), ..Properties::default() };
        for text in ["first", "second"] {
            let publish = plain::publish("", &address);
            responder.publish_with(1, &publish, &properties, text.as_bytes());
            let delivery = client.expect_delivery(1);
            let expected = basic::Deliver {
                consumer_tag: "replies",
                delivery_tag: delivery.method.delivery_tag,
                redelivered: false,
                exchange: "",
                routing_key: &address,
            };
            assert_eq!(delivery.method, expected);
            assert_eq!(delivery.content.text(), text);
            assert_eq!(delivery.content.properties, properties);
        }
    });
}

// Rule: rabbitmq.basic.direct-reply-to
#[test]
fn the_address_is_the_same_for_all_requests_of_a_channel() {
    check(|world| {
        let mut client = world.client();
        let queue = client.new_queue(world, "requests");
        client.perform(&consume_replies());
        let first = address(&mut client, &queue);
        assert_eq!(address(&mut client, &queue), first);
        assert!(first.len() > "amq.rabbitmq.reply-to.".len() + 10, "{first}");
    });
}

// Rule: rabbitmq.basic.direct-reply-to
#[test]
fn a_request_needs_a_consumer_for_its_reply_on_the_same_channel() {
    check(|world| {
        let mut client = world.client();
        let queue = client.new_queue(world, "requests");
        client.refuse_publish(&plain::publish("", &queue), &request(), 406, NO_CONSUMER);
        client.open_channel(2);
        client.consume(2, &consume_replies());
        client.refuse_publish(&plain::publish("", &queue), &request(), 406, NO_CONSUMER);
        assert!(client.drain(&queue).is_empty());
    });
}

// Rule: rabbitmq.basic.direct-reply-to
#[test]
fn replies_are_consumed_once_and_without_acks() {
    check(|world| {
        let mut client = world.client();
        let with_acks = basic::Consume { no_ack: false, ..consume_replies() };
        let text = "PRECONDITION_FAILED - reply consumer cannot acknowledge";
        client.refuse(&with_acks, 406, text);
        client.perform(&consume_replies());
        let second = basic::Consume { consumer_tag: "second", ..consume_replies() };
        client.refuse(&second, 406, "PRECONDITION_FAILED - reply consumer already set");
        client.perform(&second);
    });
}

// Rule: rabbitmq.basic.direct-reply-to
#[test]
fn a_consumer_of_replies_may_leave_its_tag_to_the_broker() {
    check(|world| {
        let mut client = world.client();
        let unnamed = basic::Consume { consumer_tag: "", ..consume_replies() };
        let answer = client.call(1, &unnamed);
        let Method::BasicConsumeOk(answer) = answer else { panic!("{answer:?}") };
        assert!(answer.consumer_tag.starts_with("amq.ctag-"), "{}", answer.consumer_tag);
    });
}

// Rule: rabbitmq.basic.direct-reply-to
#[test]
fn an_address_is_declared_passively_to_see_whether_its_requester_lives() {
    check(|world| {
        let (client, address) = requester(world);
        let mut responder = world.client();
        let alive = responder.declare(1, &passive(&address));
        assert_eq!((alive.queue, alive.message_count, alive.consumer_count), (&*address, 0, 1));
        client.close();
        responder.refuse(&passive(&address), 404, &no_queue(&address));
        let unknown = "amq.rabbitmq.reply-to.abc";
        responder.refuse(&passive(unknown), 404, &no_queue(unknown));
    });
}

// Rule: rabbitmq.basic.direct-reply-to
#[test]
fn a_reply_to_a_requester_that_is_gone_comes_back_or_is_lost() {
    check(|world| {
        let (mut client, address) = requester(world);
        client.close_channel(1);
        let mut responder = world.client();
        responder.publish_in_vain("", &address);
        responder.fill(&address, &["lost"]);
        responder.fill("amq.rabbitmq.reply-to.abc", &["lost"]);
        responder.expect_nothing(1);
    });
}

// Rule: rabbitmq.basic.direct-reply-to
#[test]
fn a_mandatory_reply_to_a_waiting_requester_is_routed() {
    check(|world| {
        let (mut client, address) = requester(world);
        let mut responder = world.client();
        let publish = basic::Publish { mandatory: true, ..plain::publish("", &address) };
        responder.publish_with(1, &publish, &Properties::default(), b"reply");
        assert_eq!(client.expect_delivery(1).content.text(), "reply");
        responder.expect_nothing(1);
        responder.expect_silence();
    });
}

// Rule: rabbitmq.basic.direct-reply-to
#[test]
fn a_cancelled_consumer_of_replies_gets_no_more_and_can_be_made_again() {
    check(|world| {
        let (mut client, address) = requester(world);
        client.perform(&plain::cancel("replies"));
        let mut responder = world.client();
        responder.publish_in_vain("", &address);
        client.perform(&consume_replies());
        client.expect_silence();
    });
}

// Rule: rabbitmq.basic.direct-reply-to
#[test]
fn an_address_cannot_be_bound_purged_or_read() {
    check(|world| {
        let (_client, address) = requester(world);
        let mut other = world.client();
        let text = no_queue(&address);
        other.refuse(&plain::queue_bind(&address, "amq.fanout", ""), 404, &text);
        other.refuse(&plain::queue_purge(&address), 404, &text);
        other.refuse(&basic::Get { queue: &address, no_ack: true }, 404, &text);
    });
}

// Rule: rabbitmq.basic.direct-reply-to
#[test]
fn a_reply_in_a_transaction_is_not_given_back_when_it_was_delivered() {
    check(|world| {
        let (mut client, address) = requester(world);
        let mut responder = world.client();
        responder.perform(&tx::Select {});
        let publish = basic::Publish { mandatory: true, ..plain::publish("", &address) };
        responder.publish_with(1, &publish, &Properties::default(), b"reply");
        responder.perform(&tx::Commit {});
        assert_eq!(client.expect_delivery(1).content.text(), "reply");
    });
}
