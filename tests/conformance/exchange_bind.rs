//! Bindings between exchanges, and what binding refuses: missing ends, the nameless exchange. What
//! binding a queue does is in `queue`.

use leveret::protocol::methods::exchange;

use crate::plain;
use crate::script::check;
use crate::steps::no_exchange;

const DEFAULT_REFUSED: &str = "ACCESS_REFUSED - operation not permitted on the default exchange";

// Rule: rabbitmq.exchange.bind
#[test]
fn an_exchange_bound_to_another_gets_its_messages_until_it_is_unbound() {
    check(|world| {
        let mut client = world.client();
        let source = client.new_exchange(world, "source", "direct");
        let destination = client.new_exchange(world, "destination", "fanout");
        let queue = client.new_bound(world, "q", &destination, "");
        client.send(1, &plain::exchange_bind(&destination, &source, "k"));
        client.expect(1, &exchange::BindOk {});
        client.publish(1, &source, "k", b"bound");
        client.publish_in_vain(&source, "other");
        client.send(1, &plain::exchange_unbind(&destination, &source, "k"));
        client.expect(1, &exchange::UnbindOk {});
        client.publish_in_vain(&source, "k");
        assert_eq!(client.drain(&queue), ["bound"]);
    });
}

// Rule: rabbitmq.exchange.bind
#[test]
fn a_message_keeps_its_exchange_and_key_through_bound_exchanges() {
    check(|world| {
        let mut client = world.client();
        let outer = client.new_exchange(world, "outer", "topic");
        let middle = client.new_exchange(world, "middle", "direct");
        let inner = client.new_exchange(world, "inner", "fanout");
        client.perform(&plain::exchange_bind(&middle, &outer, "a.#"));
        client.perform(&plain::exchange_bind(&inner, &middle, "a.b"));
        let queue = client.new_bound(world, "q", &inner, "");
        client.publish(1, &outer, "a.b", b"deep");
        client.publish_in_vain(&outer, "a.c");
        let got = client.get(1, &queue, true).expect("a message");
        assert_eq!(got.method.exchange, outer);
        assert_eq!((got.method.routing_key, got.content.text()), ("a.b", "deep"));
    });
}

// Rule: exchange.bind.duplicates
#[test]
fn binding_exchanges_twice_changes_nothing() {
    check(|world| {
        let mut client = world.client();
        let source = client.new_exchange(world, "source", "direct");
        let destination = client.new_exchange(world, "destination", "fanout");
        let queue = client.new_bound(world, "q", &destination, "");
        client.perform(&plain::exchange_bind(&destination, &source, "k"));
        client.perform(&plain::exchange_bind(&destination, &source, "k"));
        client.publish(1, &source, "k", b"once");
        assert_eq!(client.drain(&queue), ["once"]);
        client.perform(&plain::exchange_unbind(&destination, &source, "k"));
        client.publish_in_vain(&source, "k");
    });
}

// Rule: exchange.bind.cyclical
#[test]
fn bindings_in_a_circle_deliver_once() {
    check(|world| {
        let mut client = world.client();
        let first = client.new_exchange(world, "first", "fanout");
        let second = client.new_exchange(world, "second", "fanout");
        client.perform(&plain::exchange_bind(&second, &first, ""));
        client.perform(&plain::exchange_bind(&first, &second, ""));
        client.perform(&plain::exchange_bind(&first, &first, ""));
        let queue = client.new_bound(world, "q", &second, "");
        client.publish(1, &first, "", b"from first");
        client.publish(1, &second, "", b"from second");
        assert_eq!(client.drain(&queue), ["from first", "from second"]);
    });
}

// Rule: exchange.bind.unique
#[test]
fn a_destination_gets_a_message_once_however_many_bindings_lead_there() {
    check(|world| {
        let mut client = world.client();
        let source = client.new_exchange(world, "source", "topic");
        let destination = client.new_exchange(world, "destination", "fanout");
        let queue = client.new_bound(world, "q", &destination, "");
        for key in ["a.*", "*.b", "#"] {
            client.perform(&plain::exchange_bind(&destination, &source, key));
        }
        client.bind(&queue, &source, "a.b");
        client.publish(1, &source, "a.b", b"once");
        assert_eq!(client.drain(&queue), ["once"]);
    });
}

// Rule: exchange.bind.destination.exchange-existence, exchange.bind.source.exchange-existence
#[test]
fn both_ends_of_a_binding_must_exist() {
    check(|world| {
        let mut client = world.client();
        let missing = world.name("missing");
        let text = no_exchange(&missing);
        client.refuse(&plain::exchange_bind(&missing, "amq.fanout", ""), 404, &text);
        client.refuse(&plain::exchange_bind("amq.fanout", &missing, ""), 404, &text);
        // Where both are missing, the source is told.
        let other = world.name("other");
        client.refuse(&plain::exchange_bind(&other, &missing, ""), 404, &text);
    });
}

// Rule: rabbitmq.exchange.default.no-binding, exchange.bind.destination.default-exchange
// Rule: exchange.bind.source.default-exchange, exchange.unbind.destination.default-exchange
// Rule: exchange.unbind.source.default-exchange, exchange.unbind.failure
#[test]
fn the_nameless_exchange_is_no_end_of_a_binding_and_asking_costs_the_channel_only() {
    check(|world| {
        let mut client = world.client();
        client.open_channel(2);
        client.refuse(&plain::exchange_bind("", "amq.fanout", "k"), 403, DEFAULT_REFUSED);
        client.refuse(&plain::exchange_bind("amq.fanout", "", "k"), 403, DEFAULT_REFUSED);
        client.refuse(&plain::exchange_unbind("", "amq.fanout", "k"), 403, DEFAULT_REFUSED);
        client.refuse(&plain::exchange_unbind("amq.fanout", "", "k"), 403, DEFAULT_REFUSED);
        client.expect_nothing(2);
    });
}

// Rule: rabbitmq.exchange.default.no-binding, queue.bind.exchange.default-exchange
// Rule: queue.unbind.exchange.default-exchange, queue.unbind.failure
#[test]
fn the_built_in_binding_of_a_queue_can_be_neither_made_nor_removed() {
    check(|world| {
        let mut client = world.client();
        client.open_channel(2);
        let queue = client.new_queue(world, "q");
        client.refuse(&plain::queue_bind(&queue, "", "k"), 403, DEFAULT_REFUSED);
        client.refuse(&plain::queue_unbind(&queue, "", &queue), 403, DEFAULT_REFUSED);
        client.expect_nothing(2);
        client.fill(&queue, &["still here"]);
        assert_eq!(client.drain(&queue), ["still here"]);
    });
}

// Rule: rabbitmq.exchange.unbind.missing, exchange.unbind.destination.must-exist
// Rule: exchange.unbind.source.must-exist
#[test]
fn unbinding_exchanges_that_are_not_bound_or_not_there_succeeds() {
    check(|world| {
        let mut client = world.client();
        let missing = world.name("missing");
        client.perform(&plain::exchange_unbind(&missing, "amq.direct", "k"));
        client.perform(&plain::exchange_unbind("amq.fanout", &missing, "k"));
        client.perform(&plain::exchange_unbind("amq.fanout", "amq.direct", &missing));
    });
}

// Rule: rabbitmq.exchange.bind
#[test]
fn a_deleted_exchange_takes_the_bindings_to_it_along() {
    check(|world| {
        let mut client = world.client();
        let source = client.new_exchange(world, "source", "fanout");
        let destination = client.new_exchange(world, "destination", "fanout");
        let queue = client.new_bound(world, "q", &destination, "");
        client.perform(&plain::exchange_bind(&destination, &source, ""));
        client.publish(1, &source, "", b"before");
        client.perform(&plain::exchange_delete(&destination));
        client.publish_in_vain(&source, "");
        let conditional = exchange::Delete { if_unused: true, ..plain::exchange_delete(&source) };
        client.perform(&conditional);
        assert_eq!(client.drain(&queue), ["before"]);
    });
}
