//! Limits that an operator sets on virtual hosts and users, and a virtual host that is deleted:
//! what clients are told, in the texts of a RabbitMQ that was asked the same. Nobody sets limits
//! over AMQP, so all of this is in this process.

use leveret::broker::{BrokerOptions, Declared, NodeLimits};
use leveret::definitions::import::Definitions;
use leveret::protocol::methods::{Method, channel, connection, queue};
use serde_json::json;

use crate::client::Client;
use crate::login::Login;
use crate::plain;
use crate::script::{World, check_in_process, check_with_options};

fn enter(world: &World, virtual_host: &'static str) -> Client {
    let mut client = world.log_in(&Login { virtual_host, ..Login::default() });
    client.open_channel(1);
    client
}

/// connection.open is answered with 530.
fn expect_refused(world: &World, virtual_host: &'static str, text: &str) {
    expect_refused_as(world, &Login { virtual_host, ..Login::default() }, text);
}

fn expect_refused_as(world: &World, login: &Login, text: &str) {
    let mut client = world.plug();
    client.until_tune(login);
    client.tune(login);
    client.send(0, &connection::Open { virtual_host: login.virtual_host });
    client.expect_connection_close(530, &format!("NOT_ALLOWED - {text}"), (10, 40));
}

fn limit_host(world: &World, host: &str, limit: &str, value: i64) {
    let set = world.operate(|broker, _| broker.by_node().set_host_limit(host, limit, json!(value)));
    set.expect("a limit");
}

fn limit_guest(world: &World, limit: &str, value: i64) {
    let set =
        world.operate(|broker, _| broker.by_node().set_user_limit("guest", limit, json!(value)));
    set.expect("a limit");
}

fn delete_host(world: &World, name: &str) {
    let deleted = world.operate(|broker, now| broker.by_node().delete_virtual_host(name, now));
    assert_eq!(deleted, Declared::Changed);
}

#[test]
fn a_full_virtual_host_takes_no_connection_until_one_leaves() {
    check_in_process(|world| {
        limit_host(world, "/", "max-connections", 1);
        let text = "access to vhost '/' refused for user 'guest': connection limit (1) is reached";
        let first = world.client();
        expect_refused(world, "/", text);
        first.close();
        let second = world.client();
        expect_refused(world, "/", text);
        second.hang_up();
        let _third = world.client();
        limit_host(world, "/", "max-connections", -1);
        let _fourth = world.client();
        limit_host(world, "/", "max-connections", 0);
        let text = "access to vhost '/' refused for user 'guest': connection limit (0) is reached";
        expect_refused(world, "/", text);
    });
}

#[test]
fn limits_of_virtual_hosts_do_not_count_each_others_connections() {
    check_in_process(|world| {
        world.add_virtual_host("other");
        let _here = world.client();
        limit_host(world, "other", "max-connections", 1);
        let _there = enter(world, "other");
        let _more = world.client();
    });
}

#[test]
fn a_user_has_no_more_connections_than_it_may() {
    check_in_process(|world| {
        world.add_virtual_host("other");
        let first = enter(world, "other");
        limit_guest(world, "max-connections", 1);
        let text = "connection refused for user 'guest': user connection limit (1) is reached";
        expect_refused(world, "/", text);
        first.hang_up();
        let _second = world.client();
        expect_refused(world, "/", text);
    });
}

/// Behavior 1.3: the virtual host's limit, the user's, then the permission.
#[test]
fn of_several_reasons_the_first_is_told() {
    check_in_process(|world| {
        world.add_virtual_host("other");
        let login = Login { virtual_host: "closed", ..Login::default() };
        world.operate(|broker, _| broker.declare_virtual_host("closed", Default::default()));
        for host in ["/", "closed"] {
            limit_host(world, host, "max-connections", 0);
        }
        limit_guest(world, "max-connections", 0);
        expect_refused(world, "nope", "vhost nope not found");
        let full = |host| {
            format!(
                "access to vhost '{host}' refused for user 'guest': connection limit (0) is reached"
            )
        };
        expect_refused(world, "/", &full("/"));
        expect_refused_as(world, &login, &full("closed"));
        limit_host(world, "closed", "max-connections", -1);
        let text = "connection refused for user 'guest': user connection limit (0) is reached";
        expect_refused_as(world, &login, text);
        limit_guest(world, "max-connections", -1);
        expect_refused_as(world, &login, "access to vhost 'closed' refused for user 'guest'");
        limit_host(world, "closed", "max-connections", 1);
        expect_refused_as(world, &login, "access to vhost 'closed' refused for user 'guest'");
    });
}

#[test]
fn a_user_opens_no_more_channels_than_it_may_on_all_its_connections() {
    check_in_process(|world| {
        limit_guest(world, "max-channels", 2);
        let text = "NOT_ALLOWED - number of channels opened for user 'guest' has reached the \
                    maximum allowed user limit of (2)";
        let mut first = world.client();
        let mut second = world.client();
        second.send(2, &channel::Open {});
        second.send(2, &plain::queue_declare("never"));
        second.expect_connection_close(530, text, (0, 0));
        first.expect_no_queue(1, "never");
        first.open_channel(2);
        first.close_channel(2);
        let _third = world.client();
        first.send(2, &channel::Open {});
        first.expect_connection_close(530, text, (0, 0));
    });
}

#[test]
fn a_full_virtual_host_takes_no_further_queue() {
    check_in_process(|world| {
        let mut client = world.client();
        client.declare_queue(1, "one");
        limit_host(world, "/", "max-queues", 1);
        client.declare_queue(1, "one");
        let full = |name: &str| {
            format!(
                "PRECONDITION_FAILED - cannot declare queue '{name}' in vhost '/': queue limit in \
                 vhost '/' (1) is reached"
            )
        };
        client.refuse(&plain::queue_declare("two"), 406, &*full("two"));
        client.refuse(
            &queue::Declare { exclusive: true, ..plain::queue_declare("two") },
            406,
            &*full("two"),
        );
        client.perform(&plain::queue_delete("one"));
        client.declare_queue(1, "two");
        client.refuse(&plain::queue_declare("one"), 406, &*full("one"));
        limit_host(world, "/", "max-queues", -1);
        client.declare_queue(1, "one");
    });
}

#[test]
fn limits_of_a_definitions_file_hold() {
    check_in_process(|world| {
        let file = json!({
            "vhosts": [{"name": "/", "limits": {"max-connections": 2}}],
            "parameters": [{
                "vhost": "/", "component": "vhost-limits", "name": "limits",
                "value": {"max-queues": 0, "max-connections": 1},
            }],
        });
        let definitions = Definitions::read(file.to_string().as_bytes()).expect("a file");
        let done = world.operate(|broker, now| broker.by_node().import(&definitions, now));
        done.expect("an import");
        let mut client = world.client();
        client.send(1, &plain::queue_declare("q"));
        let refused = client.expect_method(1);
        assert!(matches!(refused, Method::ChannelClose(close) if close.reply_code == 406));
        let text = "access to vhost '/' refused for user 'guest': connection limit (1) is reached";
        expect_refused(world, "/", text);
    });
}

#[test]
fn a_deleted_virtual_host_takes_its_connections_and_all_that_is_in_it_along() {
    check_in_process(|world| {
        world.add_virtual_host("doomed");
        let mut outside = world.client();
        let mut inside = enter(world, "doomed");
        let mut owner = enter(world, "doomed");
        let queue = inside.new_bound(world, "q", "amq.fanout", "");
        inside.fill_confirmed(&queue, &["lost"]);
        owner.perform(&queue::Declare { exclusive: true, ..plain::queue_declare("own") });
        owner.consume(1, &plain::consume("own", "c"));
        delete_host(world, "doomed");
        let text = "CONNECTION_FORCED - vhost 'doomed' is deleted";
        inside.expect_connection_close(320, text, (0, 0));
        owner.expect_connection_close(320, text, (0, 0));
        expect_refused(world, "doomed", "vhost doomed not found");
        outside.declare_queue(1, "still here");
        world.add_virtual_host("doomed");
        let mut again = enter(world, "doomed");
        assert_eq!(again.declare_queue(1, "q").message_count, 0);
        again.publish(1, "amq.fanout", "", b"to nobody");
        again.expect_message_count(1, "q", 0);
    });
}

#[test]
fn the_first_virtual_host_may_be_deleted() {
    check_in_process(|world| {
        let mut client = world.client();
        client.declare_queue(1, "q");
        delete_host(world, "/");
        client.expect_connection_close(320, "CONNECTION_FORCED - vhost '/' is deleted", (0, 0));
        expect_refused(world, "/", "vhost / not found");
        let gone = world.operate(|broker, now| broker.by_node().delete_virtual_host("/", now));
        assert_eq!(gone, Declared::Unchanged);
    });
}

fn limited(node_limits: NodeLimits) -> BrokerOptions {
    BrokerOptions { node_limits, ..BrokerOptions::default() }
}

#[test]
fn a_full_node_takes_no_connection_and_says_so_before_anything_else() {
    let limits = NodeLimits { connections: Some(2), ..NodeLimits::default() };
    check_with_options(limited(limits), |world| {
        world.add_virtual_host("other");
        let first = world.client();
        let _second = enter(world, "other");
        let text = "connection refused: node connection limit (2) is reached";
        expect_refused(world, "/", text);
        expect_refused(world, "nope", text);
        first.hang_up();
        let _third = world.client();
        expect_refused(world, "/", text);
    });
}

#[test]
fn a_node_opens_no_more_channels_than_it_may_on_all_connections() {
    let limits = NodeLimits { channels: Some(2), ..NodeLimits::default() };
    check_with_options(limited(limits), |world| {
        let text = "NOT_ALLOWED - number of channels opened on node 'leveret@localhost' has \
                    reached the maximum allowed limit of (2)";
        let (mut first, mut second) = (world.client(), world.client());
        second.send(2, &channel::Open {});
        second.expect_connection_close(530, text, (0, 0));
        first.close_channel(1);
        first.open_channel(1);
        first.open_channel(2);
    });
}

#[test]
fn a_full_node_takes_no_queue_and_no_exchange_until_one_goes() {
    let limits = NodeLimits { queues: Some(2), exchanges: Some(15), ..NodeLimits::default() };
    check_with_options(limited(limits), |world| {
        world.add_virtual_host("other");
        let (mut here, mut there) = (world.client(), enter(world, "other"));
        here.declare_queue(1, "one");
        there.declare_queue(1, "two");
        let text = "PRECONDITION_FAILED - cannot declare queue 'three': queue limit in cluster (2) \
                    is reached";
        here.refuse(&plain::queue_declare("three"), 406, text);
        here.declare_queue(1, "one");
        there.perform(&plain::queue_delete("two"));
        here.declare_queue(1, "three");
        here.perform(&plain::exchange_declare("x", "fanout"));
        let text = "PRECONDITION_FAILED - cannot declare exchange 'y' in vhost 'other': exchange \
                    limit of 15 is reached";
        there.refuse(&plain::exchange_declare("y", "fanout"), 406, text);
        here.perform(&plain::exchange_declare("x", "fanout"));
        here.perform(&plain::exchange_delete("x"));
        there.perform(&plain::exchange_declare("y", "fanout"));
    });
}

#[test]
fn a_definitions_file_brings_no_more_than_the_node_may_have() {
    let limits = NodeLimits {
        virtual_hosts: Some(2),
        queues: Some(1),
        exchanges: Some(15),
        ..NodeLimits::default()
    };
    check_with_options(limited(limits), |world| {
        world.add_virtual_host("other");
        let queue = |name: &str| {
            json!({"name": name, "vhost": "/", "durable": true, "auto_delete": false,
                   "arguments": {}})
        };
        let exchange = |name: &str| {
            json!({"name": name, "vhost": "/", "type": "fanout", "durable": true,
                   "auto_delete": false, "internal": false, "arguments": {}})
        };
        for (file, reason) in [
            (
                json!({"vhosts": [{"name": "other"}, {"name": "new"}]}),
                "cannot create vhost 'new': vhost limit of 2 is reached",
            ),
            (
                json!({"queues": [queue("a"), queue("b"), queue("a")]}),
                "cannot declare queue 'b': queue limit in cluster (1) is reached",
            ),
            (
                json!({"exchanges": [exchange("a"), exchange("b")]}),
                "cannot declare exchange 'b' in vhost '/': exchange limit of 15 is reached",
            ),
        ] {
            let definitions = Definitions::read(file.to_string().as_bytes()).expect("a file");
            let done = world.operate(|broker, now| broker.by_node().import(&definitions, now));
            assert_eq!(done.expect_err("it is full").reason.to_string(), reason);
        }
    });
}
