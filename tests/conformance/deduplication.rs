//! Messages that are published twice: exchanges that let the first one pass, and queues that hold
//! no two equal ones. RabbitMQ has that from a plugin that the peer does not have, so these scripts
//! run in process.

use leveret::protocol::field::FieldValue;
use leveret::protocol::methods::{basic, confirm, queue};
use leveret::protocol::properties::Properties;

use crate::client::Client;
use crate::plain;
use crate::script::{World, check_in_process};
use crate::steps::arguments;

const KIND: &str = "x-message-deduplication";

fn with_key(key: impl Into<FieldValue>) -> Properties {
    let headers = Some(arguments([("x-deduplication-header", key.into())]));
    Properties { headers, ..Properties::default() }
}

fn new_unique(world: &World, client: &mut Client) -> String {
    client.new_exchange_with(world, "x", KIND, arguments([("x-cache-size", 10.into())]))
}

// Rule: rabbitmq.exchange.types.message-deduplication
#[test]
fn an_exchange_lets_of_equal_messages_the_first_one_pass() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = new_unique(world, &mut client);
        let queue = client.new_bound(world, "q", &name, "");
        client.perform(&confirm::Select { nowait: false });
        let keys = ["a".into(), "b".into(), "a".into(), 1.into(), 1_i64.into(), FieldValue::Void];
        for key in keys {
            client.publish_with(1, &plain::publish(&name, "k"), &with_key(key), b"keyed");
        }
        client.publish(1, &name, "k", b"plain");
        client.publish(1, &name, "k", b"plain");
        client.expect_confirms(1, 1..=8);
        assert_eq!(client.drain(&queue), ["keyed", "keyed", "keyed", "keyed", "plain", "plain"]);
    });
}

// Rule: rabbitmq.exchange.types.message-deduplication
#[test]
fn a_mandatory_duplicate_is_returned_before_it_is_confirmed() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = new_unique(world, &mut client);
        let queue = client.new_bound(world, "q", &name, "");
        client.perform(&confirm::Select { nowait: false });
        let mandatory = basic::Publish { mandatory: true, ..plain::publish(&name, "k") };
        client.publish_with(1, &mandatory, &with_key("a"), b"1");
        client.expect_confirms(1, 1..=1);
        client.publish_with(1, &mandatory, &with_key("a"), b"2");
        let returned = client.expect_return(1);
        assert_eq!((returned.method.reply_code, returned.content.text()), (312, "2"));
        client.expect_confirms(1, 2..=2);
        assert_eq!(client.drain(&queue), ["1"]);
    });
}

// Rule: rabbitmq.exchange.types.message-deduplication
#[test]
fn an_exchange_forgets_a_key_in_its_time() {
    check_in_process(|world| {
        let mut client = world.client();
        let cache = [("x-cache-size", 10.into()), ("x-cache-ttl", 1000.into())];
        let name = client.new_exchange_with(world, "x", KIND, arguments(cache));
        let queue = client.new_bound(world, "q", &name, "");
        let publish = plain::publish(&name, "k");
        client.publish_with(1, &publish, &with_key("a"), b"1");
        world.advance(900);
        client.publish_with(1, &publish, &with_key("a"), b"2");
        world.advance(200);
        client.publish_with(1, &publish, &with_key("a"), b"3");
        assert_eq!(client.drain(&queue), ["1", "3"]);
    });
}

// Rule: rabbitmq.queue.message-deduplication
#[test]
fn a_queue_takes_no_equal_of_what_is_in_it() {
    check_in_process(|world| {
        let mut client = world.client();
        let unique = arguments([(KIND, true.into())]);
        let queue = client.new_queue_with(world, "q", unique);
        client.perform(&confirm::Select { nowait: false });
        let publish = plain::publish("", &queue);
        for text in [b"1", b"2"] {
            client.publish_with(1, &publish, &with_key("a"), text);
        }
        client.expect_confirms(1, 1..=2);
        let got = client.get(1, &queue, false).expect("the first one");
        client.publish_with(1, &publish, &with_key("a"), b"3");
        client.expect_confirms(1, 3..=3);
        let ack = basic::Ack { delivery_tag: got.method.delivery_tag, multiple: false };
        client.send(1, &ack);
        client.publish_with(1, &publish, &with_key("a"), b"4");
        client.expect_confirms(1, 4..=4);
        assert_eq!(client.drain(&queue), ["4"]);
    });
}

// Rule: rabbitmq.queue.message-deduplication
#[test]
fn a_queue_is_told_by_a_boolean_to_take_no_equals() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = world.name("q");
        let arguments = arguments([(KIND, "yes".into())]);
        let declare = queue::Declare { arguments, ..plain::queue_declare(&name) };
        let text = format!(
            "PRECONDITION_FAILED - invalid arg '{KIND}' for queue '{name}' in vhost '/': \
             {{unacceptable_type,longstr}}"
        );
        client.refuse(&declare, 406, &*text);
    });
}
