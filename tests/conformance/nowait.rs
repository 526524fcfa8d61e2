//! Every method that has no-wait: sent with it there is no answer, and the next answer shows that
//! the work was done.

use leveret::protocol::methods::{basic, confirm, exchange, queue};

use crate::plain;
use crate::script::check;
use crate::steps::no_queue;

// Rule: rabbitmq.nowait
#[test]
fn exchanges_are_declared_and_deleted_without_an_answer() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("x");
        let declare = plain::exchange_declare(&name, "direct");
        client.send(1, &exchange::Declare { nowait: true, ..declare.clone() });
        client.expect_nothing(1);
        client.perform(&declare);
        client.send(1, &exchange::Declare { nowait: true, passive: true, ..declare });
        client.expect_nothing(1);
        client.send(1, &exchange::Delete { nowait: true, ..plain::exchange_delete(&name) });
        client.expect_nothing(1);
        client.expect_no_exchange(&name);
    });
}

// Rule: rabbitmq.nowait
#[test]
fn exchanges_are_bound_and_unbound_without_an_answer() {
    check(|world| {
        let mut client = world.client();
        let source = client.new_exchange(world, "source", "direct");
        let destination = client.new_exchange(world, "destination", "fanout");
        let queue = client.new_bound(world, "q", &destination, "");
        let bind = plain::exchange_bind(&destination, &source, "k");
        client.send(1, &exchange::Bind { nowait: true, ..bind });
        client.expect_nothing(1);
        client.publish(1, &source, "k", b"bound");
        let unbind = plain::exchange_unbind(&destination, &source, "k");
        client.send(1, &exchange::Unbind { nowait: true, ..unbind });
        client.expect_nothing(1);
        client.publish(1, &source, "k", b"unbound");
        assert_eq!(client.drain(&queue), ["bound"]);
    });
}

// Rule: rabbitmq.nowait
#[test]
fn queues_are_declared_and_deleted_without_an_answer() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("q");
        let declare = plain::queue_declare(&name);
        client.send(1, &queue::Declare { nowait: true, ..declare.clone() });
        client.expect_nothing(1);
        assert_eq!(client.message_count(1, &name), 0);
        client.send(1, &queue::Declare { nowait: true, passive: true, ..declare });
        client.expect_nothing(1);
        client.send(1, &queue::Delete { nowait: true, ..plain::queue_delete(&name) });
        client.expect_nothing(1);
        client.expect_no_queue(1, &name);
    });
}

// Rule: rabbitmq.nowait
#[test]
fn queues_are_bound_and_purged_without_an_answer() {
    check(|world| {
        let mut client = world.client();
        let exchange = client.new_exchange(world, "x", "direct");
        let name = client.new_queue(world, "q");
        let bind = plain::queue_bind(&name, &exchange, "k");
        client.send(1, &queue::Bind { nowait: true, ..bind });
        client.expect_nothing(1);
        client.publish(1, &exchange, "k", b"purged");
        client.send(1, &queue::Purge { nowait: true, ..plain::queue_purge(&name) });
        client.expect_nothing(1);
        client.publish(1, &exchange, "k", b"bound");
        assert_eq!(client.drain(&name), ["bound"]);
    });
}

// Rule: rabbitmq.nowait
#[test]
fn consumers_come_and_go_without_an_answer() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        let consume = plain::consume(&name, "t");
        client.send(1, &basic::Consume { nowait: true, no_ack: true, ..consume });
        client.expect_nothing(1);
        client.fill(&name, &["consumed"]);
        assert_eq!(client.delivered(1).0, "consumed");
        client.send(1, &basic::Cancel { nowait: true, ..plain::cancel("t") });
        client.expect_nothing(1);
        client.fill(&name, &["left"]);
        assert_eq!(client.drain(&name), ["left"]);
    });
}

// Rule: rabbitmq.nowait
#[test]
fn confirms_are_selected_without_an_answer() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.send(1, &confirm::Select { nowait: true });
        client.expect_nothing(1);
        client.fill(&name, &["hello"]);
        client.expect(1, &basic::Ack { delivery_tag: 1, multiple: false });
    });
}

// Rule: rabbitmq.nowait
#[test]
fn what_is_refused_is_refused_without_waiting_too() {
    check(|world| {
        let mut client = world.client();
        let missing = world.name("missing");
        let text = no_queue(&missing);
        let purge = plain::queue_purge(&missing);
        client.refuse(&queue::Purge { nowait: true, ..purge }, 404, &text);
        let passive = queue::Declare { passive: true, ..plain::queue_declare(&missing) };
        client.refuse(&queue::Declare { nowait: true, ..passive }, 404, &text);
        let consume = plain::consume(&missing, "t");
        client.refuse(&basic::Consume { nowait: true, ..consume }, 404, &text);
    });
}
