//! Exchanges as things: declared, passively and again, deleted, internal, auto-deleted, and what is
//! refused. Where they send messages is in `exchange_types` and `exchange_bind`.

use leveret::protocol::field::{FieldTable, FieldValue};
use leveret::protocol::methods::{basic, exchange};
use leveret::protocol::properties::Properties;

use crate::plain;
use crate::script::check;
use crate::steps::{arguments, no_exchange};

const DEFAULT_REFUSED: &str = "ACCESS_REFUSED - operation not permitted on the default exchange";

/// The 406 of a repeated declare.
fn inequivalent(argument: &str, name: &str, received: &str, current: &str) -> String {
    format!(
        "PRECONDITION_FAILED - inequivalent arg '{argument}' for exchange '{name}' in vhost '/': \
         received {received} but current is {current}"
    )
}

// Rule: exchange.required-instances
#[test]
fn every_virtual_host_has_the_standard_exchanges_and_queues_can_be_bound_to_them() {
    check(|world| {
        let mut client = world.client();
        let queue = client.new_queue(world, "q");
        for name in ["amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match"] {
            client.expect_exchange(name);
            client.bind(&queue, name, "");
        }
    });
}

// Rule: exchange.default-exchange, basic.publish.exchange.default-exchange
#[test]
fn the_nameless_exchange_delivers_to_the_queue_of_the_routing_key() {
    check(|world| {
        let mut client = world.client();
        let queue = client.new_queue(world, "q");
        let publish = basic::Publish { mandatory: true, ..plain::publish("", &queue) };
        client.publish_with(1, &publish, &Properties::default(), b"hello");
        let got = client.get(1, &queue, true).expect("a message");
        assert_eq!(got.content.text(), "hello");
        assert_eq!((got.method.exchange, got.method.routing_key), ("", queue.as_str()));
    });
}

// Rule: exchange.default-access
#[test]
fn the_nameless_exchange_cannot_be_declared_or_deleted() {
    check(|world| {
        let mut client = world.client();
        let declare = plain::exchange_declare("", "direct");
        client.refuse(&declare, 403, DEFAULT_REFUSED);
        client.refuse(&exchange::Declare { passive: true, ..declare }, 403, DEFAULT_REFUSED);
        client.refuse(&plain::exchange_delete(""), 403, DEFAULT_REFUSED);
    });
}

// Rule: exchange.declare.minimum
#[test]
fn many_exchanges_can_be_declared() {
    check(|world| {
        let mut client = world.client();
        let names: Vec<String> = (0..64)
            .map(|number| client.new_exchange(world, &format!("x{number}"), "direct"))
            .collect();
        names.iter().for_each(|name| client.expect_exchange(name));
        names.iter().for_each(|name| client.perform(&plain::exchange_delete(name)));
        names.iter().for_each(|name| client.expect_no_exchange(name));
    });
}

// Rule: exchange.declare.exchange.reserved
#[test]
fn names_that_begin_with_amq_are_not_for_new_exchanges() {
    check(|world| {
        let mut client = world.client();
        let text = "ACCESS_REFUSED - exchange name 'amq.foo' contains reserved prefix 'amq.*'";
        client.refuse(&plain::exchange_declare("amq.foo", "direct"), 403, text);
        client.expect_no_exchange("amq.foo");
        let existing = plain::exchange_declare("amq.direct", "direct");
        client.perform(&exchange::Declare { durable: true, ..existing });
    });
}

// Rule: exchange.declare.exchange.syntax, rabbitmq.names.any-text
#[test]
fn an_exchange_name_is_any_text_but_empty_and_loses_its_line_breaks() {
    check(|world| {
        let mut client = world.client();
        let plain_name = client.new_exchange(world, "Az09-_.:", "direct");
        client.expect_exchange(&plain_name);
        client.refuse(&plain::exchange_declare("", "direct"), 403, DEFAULT_REFUSED);

        let broken = world.name("we ird\r\n/é!");
        client.perform(&plain::exchange_declare(&broken, "direct"));
        let name = broken.replace(['\r', '\n'], "");
        client.expect_exchange(&name);
        client.perform(&plain::exchange_delete(&name));
    });
}

// Rule: exchange.declare.type.typed
#[test]
fn an_exchange_keeps_its_type() {
    check(|world| {
        let mut client = world.client();
        let direct = plain::exchange_declare("amq.direct", "direct");
        let direct = exchange::Declare { durable: true, ..direct };
        let text = inequivalent("type", "amq.direct", "'fanout'", "'direct'");
        client.refuse(&exchange::Declare { kind: "fanout", ..direct.clone() }, 406, &text);
        client.perform(&direct);
    });
}

// Rule: exchange.declare.type.support, rabbitmq.exchange.declare.unknown-type
#[test]
fn an_unknown_exchange_type_closes_the_channel() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("x");
        let text = "PRECONDITION_FAILED - unknown exchange type 'foo'";
        client.refuse(&plain::exchange_declare(&name, "foo"), 406, text);
        client.expect_no_exchange(&name);
    });
}

// Rule: exchange.declare.type.support
#[test]
fn an_exchange_of_an_unknown_type_is_not_made() {
    check(|world| {
        let name = world.name("x");
        let mut client = world.client();
        client.send(1, &plain::exchange_declare(&name, "foo"));
        client.next_frame();
        drop(client);
        world.client().expect_no_exchange(&name);
    });
}

// Rule: exchange.declare.passive.not-found
#[test]
fn a_passive_declare_of_a_missing_exchange_is_refused_and_makes_none() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("missing");
        client.expect_no_exchange(&name);
        client.expect_no_exchange(&name);
    });
}

// Rule: rabbitmq.exchange.declare.passive-name-only
#[test]
fn a_passive_declare_of_an_exchange_looks_at_its_name_only() {
    check(|world| {
        let mut client = world.client();
        let other = plain::exchange_declare("amq.direct", "fanout");
        let arguments = arguments([("alternate-exchange", "amq.fanout".into())]);
        client.perform(&exchange::Declare { passive: true, internal: true, arguments, ..other });
    });
}

// Rule: exchange.declare.passive.equivalent, rabbitmq.exchange.declare.inequivalent
#[test]
fn a_repeated_declare_must_agree_in_every_field() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "direct");
        let same = plain::exchange_declare(&name, "direct");
        client.perform(&same);
        for (field, declare) in [
            ("durable", exchange::Declare { durable: true, ..same.clone() }),
            ("auto_delete", exchange::Declare { auto_delete: true, ..same.clone() }),
            ("internal", exchange::Declare { internal: true, ..same.clone() }),
        ] {
            client.refuse(&declare, 406, &inequivalent(field, &name, "'true'", "'false'"));
        }
        // A type with a hyphen stands in quotes of its own.
        let random = exchange::Declare { kind: "x-random", ..same.clone() };
        client.refuse(&random, 406, &inequivalent("type", &name, "''x-random''", "'direct'"));
        let history = client.new_exchange(world, "history", "x-recent-history");
        let direct = plain::exchange_declare(&history, "direct");
        let text = inequivalent("type", &history, "'direct'", "''x-recent-history''");
        client.refuse(&direct, 406, &text);
        let topic = exchange::Declare { kind: "topic", ..same.clone() };
        client.refuse(&topic, 406, &inequivalent("type", &name, "'topic'", "'direct'"));
        client.perform(&same);
    });
}

// Rule: exchange.declare.passive.equivalent, rabbitmq.exchange.declare.inequivalent
#[test]
fn of_an_exchange_arguments_only_the_alternate_exchange_is_compared() {
    check(|world| {
        let mut client = world.client();
        let (bare, named) = (world.name("bare"), world.name("named"));
        let declare = |name: &str, arguments: FieldTable| {
            let name: &'static str = name.to_owned().leak();
            exchange::Declare { arguments, ..plain::exchange_declare(name, "direct") }
        };
        let alternate = |name: &str| arguments([("alternate-exchange", name.into())]);
        client.perform(&declare(&bare, arguments([("x-foo", 1.into())])));
        client.perform(&declare(&bare, arguments([("x-foo", "other".into())])));
        let given = "the value 'amq.fanout' of type 'longstr'";
        let text = inequivalent("alternate-exchange", &bare, given, "none");
        client.refuse(&declare(&bare, alternate("amq.fanout")), 406, &text);

        client.perform(&declare(&named, alternate("amq.fanout")));
        client.perform(&declare(&named, alternate("amq.fanout")));
        let text = inequivalent("alternate-exchange", &named, "none", given);
        client.refuse(&declare(&named, FieldTable::new()), 406, &text);
        let text = inequivalent("alternate-exchange", &named, "'amq.topic'", "'amq.fanout'");
        client.refuse(&declare(&named, alternate("amq.topic")), 406, &text);
    });
}

// Rule: rabbitmq.exchange.declare.alternate-exchange
#[test]
fn an_alternate_exchange_is_named_by_a_string() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("x");
        let arguments = arguments([("alternate-exchange", FieldValue::I64(5))]);
        let declare = exchange::Declare { arguments, ..plain::exchange_declare(&name, "direct") };
        let text = format!(
            "PRECONDITION_FAILED - invalid type 'long' for arg 'alternate-exchange' in exchange \
             '{name}' in vhost '/'"
        );
        client.refuse(&declare, 406, &text);
        client.expect_no_exchange(&name);
    });
}

// Rule: exchange.declare.durable.support
#[test]
fn an_exchange_is_durable_or_transient_as_it_was_declared() {
    check(|world| {
        let mut client = world.client();
        let (durable, transient) = (world.name("durable"), world.name("transient"));
        let is_durable =
            exchange::Declare { durable: true, ..plain::exchange_declare(&durable, "direct") };
        let is_transient = plain::exchange_declare(&transient, "direct");
        client.perform(&is_durable);
        client.perform(&is_transient);
        let text = inequivalent("durable", &durable, "'false'", "'true'");
        client.refuse(&exchange::Declare { durable: false, ..is_durable }, 406, &text);
        let text = inequivalent("durable", &transient, "'true'", "'false'");
        client.refuse(&exchange::Declare { durable: true, ..is_transient }, 406, &text);
    });
}

// Rule: exchange.declare.auto-delete.delay
#[test]
fn an_auto_delete_exchange_stays_until_its_first_binding_is_gone_again() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("x");
        let declare = plain::exchange_declare(&name, "direct");
        client.perform(&exchange::Declare { auto_delete: true, ..declare });
        world.advance(if world.is_in_process() { 60_000 } else { 100 });
        client.expect_exchange(&name);
        let queue = client.new_bound(world, "q", &name, "k");
        client.expect_exchange(&name);
        client.perform(&plain::queue_unbind(&queue, &name, "k"));
        client.expect_no_exchange(&name);
    });
}

// Rule: rabbitmq.exchange.auto-delete
#[test]
fn an_auto_delete_exchange_goes_with_the_last_binding_from_it() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("x");
        let declare = plain::exchange_declare(&name, "fanout");
        client.perform(&exchange::Declare { auto_delete: true, ..declare });
        client.perform(&plain::exchange_bind(&name, "amq.fanout", ""));
        let first = client.new_bound(world, "first", &name, "");
        let second = client.new_bound(world, "second", &name, "");
        client.perform(&plain::queue_unbind(&first, &name, ""));
        client.expect_exchange(&name);
        client.perform(&plain::queue_delete(&second));
        client.expect_no_exchange(&name);
    });
}

// Rule: rabbitmq.exchange.auto-delete
#[test]
fn bindings_to_an_auto_delete_exchange_do_not_keep_or_end_it() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("x");
        let declare = plain::exchange_declare(&name, "fanout");
        client.perform(&exchange::Declare { auto_delete: true, ..declare });
        client.perform(&plain::exchange_bind(&name, "amq.fanout", ""));
        client.perform(&plain::exchange_unbind(&name, "amq.fanout", ""));
        client.expect_exchange(&name);
        client.perform(&plain::exchange_bind("amq.direct", &name, "k"));
        client.perform(&plain::exchange_unbind("amq.direct", &name, "k"));
        client.expect_no_exchange(&name);
    });
}

// Rule: exchange.declare.auto-delete.pre-existence
#[test]
fn a_repeated_declare_does_not_make_an_exchange_auto_delete() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "direct");
        let declare = plain::exchange_declare(&name, "direct");
        let text = inequivalent("auto_delete", &name, "'true'", "'false'");
        client.refuse(&exchange::Declare { auto_delete: true, ..declare }, 406, &text);
        let queue = client.new_bound(world, "q", &name, "k");
        client.perform(&plain::queue_unbind(&queue, &name, "k"));
        client.expect_exchange(&name);
    });
}

// Rule: exchange.delete.exchange.exists, rabbitmq.exchange.delete.missing
#[test]
fn deleting_a_missing_exchange_succeeds() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "direct");
        client.perform(&plain::exchange_delete(&name));
        client.perform(&plain::exchange_delete(&name));
        let conditional = exchange::Delete { if_unused: true, ..plain::exchange_delete(&name) };
        client.perform(&conditional);
    });
}

// Rule: exchange.delete.if-unused.in-use
#[test]
fn an_exchange_with_bindings_is_not_deleted_if_it_must_be_unused() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "direct");
        let queue = client.new_bound(world, "q", &name, "k");
        let delete = exchange::Delete { if_unused: true, ..plain::exchange_delete(&name) };
        let text = format!("PRECONDITION_FAILED - exchange '{name}' in vhost '/' in use");
        client.refuse(&delete, 406, &text);
        client.perform(&plain::queue_unbind(&queue, &name, "k"));
        client.perform(&delete);
        client.expect_no_exchange(&name);
    });
}

// Rule: exchange.delete.if-unused.in-use
#[test]
fn a_plain_delete_takes_an_exchange_with_its_bindings() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "direct");
        let queue = client.new_bound(world, "q", &name, "k");
        client.perform(&plain::exchange_delete(&name));
        client.perform(&plain::exchange_declare(&name, "direct"));
        client.publish_in_vain(&name, "k");
        assert!(client.drain(&queue).is_empty());
    });
}

// Rule: rabbitmq.exchange.delete.system
#[test]
fn the_standard_exchanges_cannot_be_deleted() {
    check(|world| {
        let mut client = world.client();
        for name in ["amq.direct", "amq.rabbitmq.trace"] {
            let text = format!(
                "ACCESS_REFUSED - deletion of system exchange '{name}' in vhost '/' not allowed"
            );
            client.refuse(&plain::exchange_delete(name), 403, &text);
            client.expect_exchange(name);
        }
    });
}

// Rule: basic.publish.exchange.internal, rabbitmq.exchange.declare.internal
#[test]
fn an_internal_exchange_is_reached_through_other_exchanges_only() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("internal");
        let declare = plain::exchange_declare(&name, "fanout");
        client.perform(&exchange::Declare { internal: true, ..declare });
        let queue = client.new_bound(world, "q", &name, "");
        let text =
            format!("ACCESS_REFUSED - cannot publish to internal exchange '{name}' in vhost '/'");
        let properties = Properties::default();
        client.refuse_publish(&plain::publish(&name, "k"), &properties, 403, &text);

        let outer = client.new_exchange(world, "outer", "fanout");
        client.perform(&plain::exchange_bind(&name, &outer, ""));
        client.publish(1, &outer, "k", b"through");
        assert_eq!(client.drain(&queue), ["through"]);
    });
}

// Rule: basic.publish.exchange.must-exist
#[test]
fn publishing_to_a_missing_exchange_closes_the_channel() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("missing");
        let properties = Properties::default();
        let publish = plain::publish(&name, "k");
        client.refuse_publish(&publish, &properties, 404, &no_exchange(&name));
        let mandatory = basic::Publish { mandatory: true, ..publish };
        client.refuse_publish(&mandatory, &properties, 404, &no_exchange(&name));
    });
}
