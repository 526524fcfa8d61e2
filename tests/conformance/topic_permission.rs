//! Routing keys that a user may not use with a topic exchange, in the texts of RabbitMQ 4; the
//! codes are those of a RabbitMQ that was asked the same. Nobody sets permissions over AMQP, so all
//! of this is in this process.

use leveret::broker::Declared;
use leveret::definitions::TopicPermissionDefinition;
use leveret::message::Name;
use leveret::protocol::field::FieldValue;
use leveret::protocol::properties::Properties;

use crate::plain;
use crate::script::{World, check_in_process};
use crate::steps::arguments;

fn restrict(world: &World, exchange: &str, write: &str, read: &str) {
    let permission = TopicPermissionDefinition::<Name> {
        user: "guest".into(),
        host: "/".into(),
        exchange: exchange.into(),
        write: write.into(),
        read: read.into(),
    };
    let set = world.operate(|broker, _| broker.by_node().set_topic_permission(&permission));
    assert_eq!(set, Ok(Declared::Changed));
}

fn refused(access: &str, routing_key: &str) -> String {
    format!(
        "ACCESS_REFUSED - {access} access to topic '{routing_key}' in exchange 'amq.topic' in \
         vhost '/' refused for user 'guest'"
    )
}

fn with_header(name: &str, keys: &[&str]) -> Properties {
    let keys = FieldValue::Array(keys.iter().map(|key| FieldValue::from(*key)).collect());
    Properties { headers: Some(arguments([(name, keys)])), ..Properties::default() }
}

#[test]
fn a_key_that_the_user_may_not_publish_with_is_refused() {
    check_in_process(|world| {
        let mut client = world.client();
        let queue = client.new_bound(world, "q", "amq.topic", "#");
        restrict(world, "amq.topic", "^{username}\\.", ".*");
        client.publish(1, "amq.topic", "guest.a", b"");
        client.expect_message_count(1, &queue, 1);
        for key in ["guestxa", "other", ""] {
            let publish = plain::publish("amq.topic", key);
            client.refuse_publish(&publish, &Properties::default(), 403, &refused("write", key));
        }
        client.bind(&queue, "amq.direct", "other");
        client.publish(1, "amq.direct", "other", b"");
        client.expect_message_count(1, &queue, 2);
    });
}

#[test]
fn a_permission_holds_for_keys_whose_route_is_remembered() {
    check_in_process(|world| {
        let mut client = world.client();
        let queue = client.new_bound(world, "q", "amq.topic", "#");
        client.publish(1, "amq.topic", "a", b"its route is remembered");
        client.expect_message_count(1, &queue, 1);
        restrict(world, "amq.topic", "^b", ".*");
        let publish = plain::publish("amq.topic", "a");
        client.refuse_publish(&publish, &Properties::default(), 403, &refused("write", "a"));
        let cleared =
            world.operate(|broker, _| broker.by_node().clear_topic_permissions("/", "guest", None));
        assert_eq!(cleared, Declared::Changed);
        client.publish(1, "amq.topic", "a", b"again");
        client.expect_message_count(1, &queue, 2);
    });
}

#[test]
fn further_keys_of_a_message_are_refused_as_its_own() {
    check_in_process(|world| {
        let mut client = world.client();
        let queue = client.new_bound(world, "q", "amq.topic", "#");
        restrict(world, "amq.topic", "^a", ".*");
        let publish = plain::publish("amq.topic", "a");
        for name in ["CC", "BCC"] {
            client.publish_with(1, &publish, &with_header(name, &["a.1"]), b"");
            let bad = with_header(name, &["a.1", "b"]);
            client.refuse_publish(&publish, &bad, 403, &refused("write", "b"));
        }
        client.expect_message_count(1, &queue, 2);
    });
}

#[test]
fn a_key_that_the_user_may_not_read_is_neither_bound_nor_unbound() {
    check_in_process(|world| {
        let mut client = world.client();
        let queue = client.new_queue(world, "q");
        restrict(world, "amq.topic", "", "^r\\.");
        client.bind(&queue, "amq.topic", "r.a");
        let text = &refused("read", "a");
        client.refuse(&plain::queue_bind(&queue, "amq.topic", "a"), 403, text);
        client.refuse(&plain::queue_bind("missing", "amq.topic", "a"), 403, text);
        client.refuse(&plain::queue_unbind(&queue, "amq.topic", "a"), 403, text);
        client.refuse(&plain::exchange_bind("amq.fanout", "amq.topic", "a"), 403, text);
        client.refuse(&plain::exchange_unbind("amq.fanout", "amq.topic", "a"), 403, text);
        client.bind(&queue, "amq.direct", "a");
        client.perform(&plain::queue_unbind(&queue, "amq.topic", "r.a"));
    });
}

#[test]
fn exchanges_of_other_types_have_keys_that_nobody_restricts() {
    check_in_process(|world| {
        let mut client = world.client();
        let queue = client.new_queue(world, "q");
        restrict(world, "amq.direct", "", "");
        client.bind(&queue, "amq.direct", "a");
        client.publish(1, "amq.direct", "a", b"");
        client.expect_message_count(1, &queue, 1);
    });
}
