//! The arguments of a queue's declare: what is refused, with which words, and what is taken. That
//! two declares agree is in `queue`; what an argument does to messages is elsewhere.

use leveret::protocol::field::{FieldTable, FieldValue};
use leveret::protocol::methods::{basic, queue};

use crate::expect::starts;
use crate::plain;
use crate::script::{World, check, check_in_process};
use crate::steps::arguments;

/// Arguments, each with a value and the reason why it is refused.
type Refused = [(&'static str, FieldValue, &'static str)];

/// A durable queue of this type.
fn of_type<'a>(name: &'a str, kind: &str, mut arguments: FieldTable) -> queue::Declare<'a> {
    arguments.insert("x-queue-type", kind);
    queue::Declare { durable: true, arguments, ..plain::queue_declare(name) }
}

/// Each of these is refused with its reason, and makes no queue.
fn check_refused(world: &World, kind: &str, refused: &Refused) {
    let mut client = world.client();
    let name = world.name("q");
    for (argument, value, reason) in refused {
        let declare = of_type(&name, kind, arguments([(argument, value.clone())]));
        let text = format!(
            "PRECONDITION_FAILED - invalid arg '{argument}' for queue '{name}' in vhost '/': \
             {reason}"
        );
        client.refuse(&declare, 406, &text);
    }
    client.expect_no_queue(1, &name);
}

/// Each of these is refused as an argument of another type.
fn check_foreign(world: &World, kind: &str, names: &[&str]) {
    let mut client = world.client();
    let name = world.name("q");
    for argument in names {
        let declare = of_type(&name, kind, arguments([(argument, 1.into())]));
        let text = format!(
            "PRECONDITION_FAILED - invalid arg '{argument}' for queue '{name}' in vhost '/' of \
             queue type rabbit_{kind}_queue"
        );
        client.refuse(&declare, 406, &text);
    }
    client.expect_no_queue(1, &name);
}

/// Each of these is taken.
fn check_taken(world: &World, kind: &str, taken: &[(&str, FieldValue)]) {
    let mut client = world.client();
    for (argument, value) in taken {
        let name = world.name("q");
        client.perform(&of_type(&name, kind, arguments([(argument, value.clone())])));
        client.perform(&plain::queue_delete(&name));
    }
}

const NOT_AN_INTEGER: &str = "\"expected integer, got longstr\"";

// Rule: rabbitmq.queue.declare.arguments
#[test]
fn numbers_out_of_range_are_refused() {
    check(|world| {
        let number = FieldValue::I64;
        check_refused(
            world,
            "classic",
            &[
                ("x-expires", number(-1), "{value_negative,-1}"),
                ("x-expires", number(0), "{value_zero,0}"),
                ("x-expires", number(315_360_000_001), "{value_too_large,315360000001}"),
                ("x-message-ttl", number(-1), "{value_negative,-1}"),
                ("x-message-ttl", number(315_360_000_001), "{value_too_large,315360000001}"),
                ("x-max-length", number(-1), "{value_negative,-1}"),
                ("x-max-length-bytes", number(-1), "{value_negative,-1}"),
                ("x-max-priority", number(-1), "{value_negative,-1}"),
                ("x-max-priority", number(256), "{max_value_exceeded,256}"),
                ("x-queue-version", number(-1), "{value_negative,-1}"),
                ("x-queue-version", number(0), "\"unsupported queue version '0'\""),
            ],
        );
    });
}

// Rule: rabbitmq.queue.declare.arguments
#[test]
fn strings_are_no_numbers_and_numbers_no_words_or_flags() {
    check(|world| {
        let text = || FieldValue::from("10");
        check_refused(
            world,
            "classic",
            &[
                ("x-expires", text(), NOT_AN_INTEGER),
                ("x-message-ttl", text(), NOT_AN_INTEGER),
                ("x-max-length", text(), NOT_AN_INTEGER),
                ("x-max-length-bytes", text(), NOT_AN_INTEGER),
                ("x-max-priority", text(), NOT_AN_INTEGER),
                ("x-queue-version", text(), NOT_AN_INTEGER),
                ("x-max-length", FieldValue::F64(1.5), "\"expected integer, got double\""),
                ("x-max-length", FieldValue::Boolean(true), "\"expected integer, got bool\""),
                ("x-max-length", FieldValue::Void, "\"expected integer, got void\""),
                ("x-overflow", 1.into(), "{unacceptable_type,signedint}"),
                ("x-queue-mode", 1.into(), "{unacceptable_type,signedint}"),
                ("x-single-active-consumer", text(), "{unacceptable_type,longstr}"),
                ("x-dead-letter-routing-key", 1.into(), "{unacceptable_type,signedint}"),
            ],
        );
    });
}

// Rule: rabbitmq.queue.declare.arguments
#[test]
fn unknown_words_are_refused() {
    check(|world| {
        let foo = || FieldValue::from("foo");
        check_refused(
            world,
            "classic",
            &[
                ("x-overflow", foo(), "invalid_overflow"),
                ("x-queue-mode", foo(), "\"unsupported queue mode 'foo'\""),
            ],
        );
    });
}

// Rule: rabbitmq.queue.declare.arguments
#[test]
fn a_dead_letter_routing_key_needs_an_exchange() {
    check(|world| {
        let key = ("x-dead-letter-routing-key", FieldValue::from("k"));
        let reason = "routing_key_but_no_dlx_defined";
        check_refused(world, "classic", &[(key.0, key.1.clone(), reason)]);
        let mut client = world.client();
        let both = arguments([("x-dead-letter-exchange", "".into()), key]);
        client.new_queue_with(world, "both", both);
    });
}

// Rule: rabbitmq.queue.declare.arguments
#[test]
fn a_dead_letter_exchange_is_a_string() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("q");
        let arguments = arguments([("x-dead-letter-exchange", 5.into())]);
        let text = format!(
            "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in \
             queue '{name}' in vhost '/'"
        );
        client.refuse(&queue::Declare { arguments, ..plain::queue_declare(&name) }, 406, &text);
        client.expect_no_queue(1, &name);
    });
}

// Rule: rabbitmq.queue.declare.arguments
#[test]
fn a_classic_queue_takes_its_arguments_and_unknown_ones() {
    check(|world| {
        check_taken(
            world,
            "classic",
            &[
                ("x-expires", 1_800_000.into()),
                ("x-expires", 315_360_000_000_i64.into()),
                ("x-message-ttl", FieldValue::U8(0)),
                ("x-dead-letter-exchange", "no such exchange".into()),
                ("x-max-length", FieldValue::I16(0)),
                ("x-max-length-bytes", i64::MAX.into()),
                ("x-overflow", "drop-head".into()),
                ("x-overflow", "reject-publish".into()),
                ("x-overflow", "reject-publish-dlx".into()),
                ("x-max-priority", 10.into()),
                ("x-max-priority", 255.into()),
                ("x-queue-mode", "lazy".into()),
                ("x-queue-version", 2.into()),
                ("x-single-active-consumer", true.into()),
                ("x-foo", FieldValue::Void),
                ("foo", FieldValue::Table(FieldTable::new())),
            ],
        );
    });
}

// Rule: rabbitmq.queue.declare.arguments
#[test]
fn a_classic_queue_refuses_what_only_other_types_have() {
    check(|world| {
        check_foreign(
            world,
            "classic",
            &[
                "x-quorum-initial-group-size",
                "x-max-in-memory-length",
                "x-max-in-memory-bytes",
                "x-max-age",
                "x-stream-max-segment-size-bytes",
                "x-initial-cluster-size",
            ],
        );
    });
}

// Rule: rabbitmq.queue.declare.arguments, rabbitmq.queue.declare.quorum
#[test]
fn a_quorum_queue_refuses_what_only_other_types_have() {
    check(|world| {
        check_foreign(world, "quorum", &["x-max-priority", "x-queue-mode", "x-max-age"]);
    });
}

// Rule: rabbitmq.queue.declare.arguments, rabbitmq.queue.declare.quorum
#[test]
fn a_quorum_queue_checks_its_own_arguments() {
    check(|world| {
        check_refused(
            world,
            "quorum",
            &[
                ("x-expires", 0.into(), "{value_zero,0}"),
                ("x-max-length", "10".into(), NOT_AN_INTEGER),
                ("x-max-in-memory-length", FieldValue::I64(-1), "{value_negative,-1}"),
                ("x-quorum-initial-group-size", 0.into(), "{value_zero,0}"),
                ("x-queue-leader-locator", "foo".into(), "invalid_queue_locator_arg"),
                ("x-dead-letter-strategy", "foo".into(), "invalid_dlx_strategy"),
                ("x-overflow", "foo".into(), "invalid_overflow"),
            ],
        );
        check_taken(
            world,
            "quorum",
            &[
                ("x-delivery-limit", 3.into()),
                ("x-quorum-initial-group-size", 1.into()),
                ("x-overflow", "reject-publish".into()),
                ("x-dead-letter-strategy", "at-least-once".into()),
                ("x-single-active-consumer", true.into()),
                ("x-foo", 1.into()),
            ],
        );
    });
}

// Rule: rabbitmq.queue.declare.arguments
#[test]
fn arguments_of_quorum_queues_are_taken_by_classic_ones() {
    check(|world| {
        check_taken(
            world,
            "classic",
            &[
                ("x-delivery-limit", 3.into()),
                ("x-dead-letter-strategy", "at-least-once".into()),
                ("x-consumer-timeout", 60_000.into()),
                ("x-delayed-retry-type", "disabled".into()),
            ],
        );
    });
}

// Rule: rabbitmq.queue.declare.arguments
#[test]
fn a_classic_queue_is_of_version_two_and_may_say_where_its_leader_starts() {
    check(|world| {
        let reason = "\"unsupported queue version '1'\"";
        check_refused(world, "classic", &[("x-queue-version", 1.into(), reason)]);
        let locator = ("x-queue-leader-locator", FieldValue::from("balanced"));
        check_taken(world, "classic", &[locator, ("x-queue-version", 2.into())]);
    });
}

// Rule: rabbitmq.queue.declare.arguments
#[test]
fn arguments_for_retries_are_checked_on_every_type() {
    check(|world| {
        for kind in ["classic", "quorum"] {
            let negative = FieldValue::I64(-1);
            check_refused(
                world,
                kind,
                &[
                    ("x-delayed-retry-type", "foo".into(), "invalid_delayed_retry_type"),
                    ("x-delayed-retry-type", "all".into(), "delayed_retry_min_not_defined"),
                    ("x-delayed-retry-min", "10".into(), NOT_AN_INTEGER),
                    ("x-delivery-limit", "10".into(), NOT_AN_INTEGER),
                    ("x-consumer-timeout", negative, "{value_negative,-1}"),
                ],
            );
        }
    });
}

// Rule: rabbitmq.queue.declare.quorum
#[test]
fn a_quorum_queue_is_durable_shared_named_and_stays() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("q");
        let good = of_type(&name, "quorum", FieldTable::new());
        for (declare, property) in [
            (queue::Declare { durable: false, ..good.clone() }, "non-durable"),
            (queue::Declare { exclusive: true, ..good.clone() }, "exclusive-owner"),
            (queue::Declare { auto_delete: true, ..good.clone() }, "auto-delete"),
        ] {
            let text = format!(
                "PRECONDITION_FAILED - invalid property '{property}' for queue '{name}' in vhost \
                 '/'"
            );
            client.refuse(&declare, 406, &text);
        }
        let text = "PRECONDITION_FAILED - Cannot declare a server-named queue for type \
                    rabbit_quorum_queue";
        client.refuse(&queue::Declare { queue: "", ..good.clone() }, 406, text);
        client.expect_no_queue(1, &name);
        client.perform(&good);
        client.fill_confirmed(&name, &["kept"]);
        assert_eq!(client.drain(&name), ["kept"]);
    });
}

// Rule: rabbitmq.queue.declare.quorum, rabbitmq.queue.declare.inequivalent
#[test]
fn a_queue_keeps_its_type() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("q");
        client.perform(&of_type(&name, "classic", FieldTable::new()));
        client.perform(&queue::Declare { durable: true, ..plain::queue_declare(&name) });
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue '{name}' in vhost \
             '/': received 'quorum' but current is 'classic'"
        );
        client.refuse(&of_type(&name, "quorum", FieldTable::new()), 406, &text);
    });
}

// Rule: rabbitmq.queue.declare.unknown-type
#[test]
fn an_unknown_queue_type_is_refused() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("q");
        let prefix = format!(
            "PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue '{name}' in vhost '/': "
        );
        for kind in ["foo", "", "Classic"] {
            let text = format!("{prefix}\"unsupported queue type '{kind}'\"");
            client.refuse(&of_type(&name, kind, FieldTable::new()), 406, &text);
        }
        let arguments = arguments([("x-queue-type", 1.into())]);
        let declare = queue::Declare { arguments, ..plain::queue_declare(&name) };
        client.refuse(&declare, 406, starts(&prefix));
        client.expect_no_queue(1, &name);
    });
}

// Rule: rabbitmq.queue.declare.unknown-type
#[test]
fn an_unknown_queue_type_is_refused_without_a_name_too() {
    check(|world| {
        let text = "PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue 'amq.gen-";
        let mut client = world.client();
        client.refuse(&of_type("", "foo", FieldTable::new()), 406, starts(text));
        let arguments = arguments([("x-queue-type", 1.into())]);
        let declare = queue::Declare { arguments, ..plain::queue_declare("") };
        client.refuse(&declare, 406, starts(text));
    });
}

// Rule: rabbitmq.queue.declare.unknown-type
#[test]
fn a_stream_is_refused_as_a_type_that_is_switched_off() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("q");
        client.send(1, &of_type(&name, "stream", FieldTable::new()));
        client.expect_connection_close(541, starts("INTERNAL_ERROR - "), (50, 10));
        world.client().expect_no_queue(1, &name);
    });
}

// Rule: rabbitmq.queue.declare.arguments
#[test]
fn a_master_locator_is_refused_as_a_feature_of_the_past() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("q");
        let arguments = arguments([("x-queue-master-locator", "min-masters".into())]);
        client.send(1, &queue::Declare { arguments, ..plain::queue_declare(&name) });
        let text = starts("INTERNAL_ERROR - Feature `queue_master_locator` is deprecated.");
        client.expect_connection_close(541, text, (50, 10));
    });
}

// Rule: rabbitmq.queue.declare.name-prefix
#[test]
fn a_generated_name_begins_with_the_prefix_asked_for() {
    check(|world| {
        let mut client = world.client();
        let named = |prefix: &str| {
            let arguments = arguments([("x-name-prefix", prefix.into())]);
            queue::Declare { exclusive: true, arguments, ..plain::queue_declare("") }
        };
        let name = client.declare(1, &named("worker")).queue;
        assert!(name.starts_with("worker") && name.len() > "worker".len(), "{name}");
        client.fill(name, &["hello"]);
        assert_eq!(client.drain(name), ["hello"]);
        let prefix = "p".repeat(64);
        assert!(client.declare(1, &named(&prefix)).queue.starts_with(&prefix));
        let prefix = "p".repeat(65);
        let text =
            format!("PRECONDITION_FAILED - Queue name prefix '{prefix}' exceeds the 64-byte limit");
        client.refuse(&named(&prefix), 406, &text);
    });
}

/// A queue of this type with one message, which a client takes and rejects so many times, and
/// whether the message is still there afterwards.
fn survives(world: &World, kind: &str, returns: usize) -> bool {
    let mut client = world.client();
    let name = world.name("q");
    client.perform(&of_type(&name, kind, FieldTable::new()));
    client.fill_confirmed(&name, &["poison"]);
    for number in 0..returns {
        let got = client.get(1, &name, false).expect("a message");
        assert_eq!(got.method.redelivered, number > 0);
        let delivery_tag = got.method.delivery_tag;
        client.send(1, &basic::Reject { delivery_tag, requeue: true });
    }
    client.get(1, &name, true).is_some()
}

// Rule: rabbitmq.queue.delivery-limit
#[test]
fn a_classic_queue_delivers_a_message_as_often_as_it_comes_back() {
    check(|world| assert!(survives(world, "classic", 30)));
}

// Rule: basic.deliver.delivery-count, rabbitmq.queue.delivery-limit
#[test]
fn a_quorum_queue_drops_a_message_that_came_back_too_often() {
    check(|world| {
        assert!(survives(world, "quorum", 20));
        assert!(!survives(world, "quorum", 21));
    });
}

/// Arguments of a queue that is in memory only.
fn in_memory(limit: Option<(&'static str, i32)>) -> FieldTable {
    let mut arguments = arguments([("x-storage", "memory".into())]);
    limit.into_iter().for_each(|(name, limit)| arguments.insert(name, limit));
    arguments
}

// Rule: rabbitmq.queue.declare.storage
#[test]
fn a_queue_in_memory_has_a_limit_and_is_no_quorum_queue() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = world.name("q");
        let refused = |reason: &str| {
            format!(
                "PRECONDITION_FAILED - invalid arg 'x-storage' for queue '{name}' in vhost '/': \
                 {reason}"
            )
        };
        let text = refused("\"memory storage needs x-max-length or x-max-length-bytes\"");
        client.refuse(&of_type(&name, "classic", in_memory(None)), 406, &text);
        let limit = || Some(("x-max-length", 5));
        let text = refused("\"a queue of quorum type is always on disk\"");
        client.refuse(&of_type(&name, "quorum", in_memory(limit())), 406, &text);
        for (value, reason) in [
            (FieldValue::from("ram"), "\"unsupported storage 'ram'\""),
            (1.into(), "{unacceptable_type,signedint}"),
        ] {
            let declare = of_type(&name, "classic", arguments([("x-storage", value)]));
            client.refuse(&declare, 406, &refused(reason));
        }
        client.expect_no_queue(1, &name);
        for limit in [("x-max-length", 5), ("x-max-length-bytes", 5)] {
            client.perform(&of_type(&name, "classic", in_memory(Some(limit))));
            client.perform(&plain::queue_delete(&name));
        }
        client.perform(&of_type(&name, "quorum", arguments([("x-storage", "disk".into())])));
    });
}

// Rule: rabbitmq.queue.declare.storage, rabbitmq.queue.declare.inequivalent
#[test]
fn a_queue_in_memory_is_declared_again_as_one() {
    check_in_process(|world| {
        let mut client = world.client();
        let name = world.name("q");
        let declare = || of_type(&name, "classic", in_memory(Some(("x-max-length", 2))));
        client.perform(&declare());
        client.perform(&declare());
        client.fill_confirmed(&name, &["a", "b", "c"]);
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg 'x-storage' for queue '{name}' in vhost '/': \
             received none but current is the value 'memory' of type 'longstr'"
        );
        let other = arguments([("x-max-length", 2.into())]);
        client.refuse(&of_type(&name, "classic", other), 406, &text);
        assert_eq!(client.drain(&name), ["b", "c"]);
    });
}
