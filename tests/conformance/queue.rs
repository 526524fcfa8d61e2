//! Queues as things: declared, passively and again, named by the broker, exclusive, auto-deleted,
//! bound, purged and deleted. Arguments of a declare are in `queue_arguments`, consumers in
//! `consume`.

use leveret::protocol::field::FieldTable;
use leveret::protocol::methods::{Method, WireMethod, basic, queue};

use crate::client::Client;
use crate::expect::starts;
use crate::plain;
use crate::script::{World, check};
use crate::steps::{arguments, no_exchange, no_queue};

const NONE_DECLARED: &str = "NOT_FOUND - no previously declared queue";

/// The 405 of a queue that belongs to another connection.
fn locked(name: &str) -> String {
    format!(
        "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{name}' in vhost '/'. \
         It could be originally declared on another connection or the exclusive property value \
         does not match that of the original declaration."
    )
}

/// The 406 of a repeated declare.
fn inequivalent(argument: &str, name: &str, received: &str, current: &str) -> String {
    format!(
        "PRECONDITION_FAILED - inequivalent arg '{argument}' for queue '{name}' in vhost '/': \
         received {received} but current is {current}"
    )
}

fn passive(name: &str) -> queue::Declare<'_> {
    queue::Declare { passive: true, ..plain::queue_declare(name) }
}

fn exclusive(name: &str) -> queue::Declare<'_> {
    queue::Declare { exclusive: true, ..plain::queue_declare(name) }
}

// Rule: queue.declare.default-binding
#[test]
fn a_new_queue_is_reached_by_its_name_until_it_is_deleted() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill(&name, &["hello"]);
        assert_eq!(client.drain(&name), ["hello"]);
        client.perform(&plain::queue_delete(&name));
        client.publish_in_vain("", &name);
    });
}

// Rule: queue.declare.minimum-queues
#[test]
fn many_queues_can_be_declared() {
    check(|world| {
        let mut client = world.client();
        for number in 0..300 {
            let name = world.name(&format!("q{number}"));
            assert_eq!(client.declare(1, &exclusive(&name)).queue, name);
        }
    });
}

// Rule: queue.declare.queue.default-name, queue.declare.queue.syntax
#[test]
fn a_queue_without_a_name_gets_one_that_nobody_has() {
    check(|world| {
        let mut client = world.client();
        let mut names = Vec::new();
        for _ in 0..3 {
            let name = client.declare(1, &exclusive("")).queue;
            let random = name.strip_prefix("amq.gen-").expect("a generated name");
            assert_eq!(random.len(), 22, "{name}");
            let is_base64url = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            assert!(random.chars().all(is_base64url), "{name}");
            client.fill(name, &["hello"]);
            assert_eq!(client.drain(name), ["hello"]);
            names.push(name);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 3);
    });
}

// Rule: queue.declare.queue.reserved
#[test]
fn names_that_begin_with_amq_are_not_for_new_queues() {
    check(|world| {
        let mut client = world.client();
        let text = "ACCESS_REFUSED - queue name 'amq.foo' contains reserved prefix 'amq.*'";
        client.refuse(&plain::queue_declare("amq.foo"), 403, text);
        client.refuse(&passive("amq.foo"), 404, &no_queue("amq.foo"));
        let generated = client.declare(1, &exclusive("")).queue;
        client.perform(&passive(generated));
    });
}

// Rule: queue.declare.queue.reserved
#[test]
fn a_generated_name_is_not_for_clients_to_declare_even_while_its_queue_is_there() {
    check(|world| {
        let mut client = world.client();
        let generated = client.declare(1, &exclusive("")).queue;
        let text =
            format!("ACCESS_REFUSED - queue name '{generated}' contains reserved prefix 'amq.*'");
        client.refuse(&exclusive(generated), 403, &text);
        client.perform(&passive(generated));
        client.perform(&plain::queue_delete(generated));
        client.refuse(&exclusive(generated), 403, &text);
    });
}

// Rule: queue.declare.queue.syntax, rabbitmq.names.any-text
#[test]
fn a_queue_name_is_any_text_and_loses_its_line_breaks() {
    check(|world| {
        let mut client = world.client();
        for word in ["Az09-_.:", "we ird\r\n/é!", "\t"] {
            let sent = world.name(word);
            let name = sent.replace(['\r', '\n'], "");
            assert_eq!(client.declare(1, &plain::queue_declare(&sent)).queue, name);
            client.fill(&name, &["hello"]);
            assert_eq!(client.drain(&name), ["hello"]);
            client.perform(&plain::queue_delete(&name));
        }
    });
}

// Rule: queue.declare.passive
#[test]
fn a_passive_declare_tells_of_a_queue_and_makes_none() {
    check(|world| {
        let mut client = world.client();
        let (name, missing) = (client.new_queue(world, "q"), world.name("missing"));
        client.fill(&name, &["1", "2"]);
        client.fetch(&name);
        let arguments = arguments([("x-max-length", "nonsense".into())]);
        let answer =
            client.declare(1, &queue::Declare { durable: true, arguments, ..passive(&name) });
        assert_eq!((answer.queue, answer.consumer_count), (name.as_str(), 0));
        client.refuse(&passive(&missing), 404, &no_queue(&missing));
        client.refuse(&passive(&missing), 404, &no_queue(&missing));
        client.refuse(&passive(""), 404, &no_queue(""));
    });
}

// Rule: queue.declare.passive
#[test]
fn declare_ok_counts_ready_messages_and_consumers() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill_confirmed(&name, &["1", "2", "3"]);
        client.fetch(&name);
        let answer = client.declare(1, &plain::queue_declare(&name));
        assert_eq!((answer.message_count, answer.consumer_count), (2, 0));
        client.open_channel(2);
        client.send(2, &basic::Qos { prefetch_size: 0, prefetch_count: 1, global: false });
        client.expect(2, &basic::QosOk {});
        for tag in ["a", "b"] {
            client.consume(2, &plain::consume(&name, tag));
            client.expect_delivery(2);
        }
        let answer = client.declare(1, &passive(&name));
        assert_eq!((answer.message_count, answer.consumer_count), (0, 2));
    });
}

// Rule: queue.declare.passive.equivalent, rabbitmq.queue.declare.inequivalent
// Rule: queue.declare.durable.types, rabbitmq.queue.declare.transient
#[test]
fn a_repeated_declare_must_agree_in_its_flags() {
    check(|world| {
        let mut client = world.client();
        let (durable, transient) = (world.name("durable"), client.new_queue(world, "transient"));
        let is_durable = queue::Declare { durable: true, ..plain::queue_declare(&durable) };
        let is_transient = plain::queue_declare(&transient);
        client.perform(&is_durable);
        client.perform(&is_durable);
        client.perform(&is_transient);
        let text = inequivalent("durable", &durable, "'false'", "'true'");
        client.refuse(&queue::Declare { durable: false, ..is_durable }, 406, &text);
        let text = inequivalent("durable", &transient, "'true'", "'false'");
        client.refuse(&queue::Declare { durable: true, ..is_transient.clone() }, 406, &text);
        let text = inequivalent("auto_delete", &transient, "'true'", "'false'");
        client.refuse(&queue::Declare { auto_delete: true, ..is_transient }, 406, &text);
        client.refuse(&exclusive(&transient), 405, &locked(&transient));
    });
}

// Rule: queue.declare.passive.equivalent, rabbitmq.queue.declare.inequivalent
#[test]
fn a_repeated_declare_must_agree_in_the_arguments_that_are_known() {
    check(|world| {
        let mut client = world.client();
        let ttl = |value: i32| arguments([("x-message-ttl", value.into())]);
        let limited = client.new_queue_with(world, "limited", ttl(100_000));
        let bare = client.new_queue(world, "bare");
        let declare = |name, arguments| queue::Declare { arguments, ..plain::queue_declare(name) };
        let text = inequivalent("x-message-ttl", &limited, "'200000'", "'100000'");
        client.refuse(&declare(&limited, ttl(200_000)), 406, &text);
        let given = "the value '100000' of type 'signedint'";
        let text = inequivalent("x-message-ttl", &limited, "none", given);
        client.refuse(&declare(&limited, FieldTable::new()), 406, &text);
        let text = inequivalent("x-message-ttl", &bare, given, "none");
        client.refuse(&declare(&bare, ttl(100_000)), 406, &text);

        let wider = arguments([("x-message-ttl", 100_000_i64.into())]);
        client.perform(&declare(&limited, wider));
        client.perform(&declare(&bare, arguments([("x-foo", 1.into())])));
        client.perform(&declare(&bare, arguments([("x-queue-type", "classic".into())])));
    });
}

// Rule: queue.declare.exclusive, queue.declare.exclusive.types
#[test]
fn an_exclusive_queue_is_locked_for_other_connections() {
    check(|world| {
        let (mut owner, mut other) = (world.client(), world.client());
        let (name, shared) = (world.name("exclusive"), owner.new_queue(world, "shared"));
        owner.perform(&exclusive(&name));
        owner.perform(&exclusive(&name));
        let text = locked(&name);
        other.refuse(&exclusive(&name), 405, &text);
        other.refuse(&plain::queue_declare(&name), 405, &text);
        other.refuse(&passive(&name), 405, &text);
        other.refuse(&plain::queue_bind(&name, "amq.direct", "k"), 405, &text);
        // What is wrong with the binding itself comes first.
        let missing = world.name("missing");
        other.refuse(&plain::queue_bind(&name, &missing, "k"), 404, &no_exchange(&missing));
        let arguments = arguments([("x-match", "foo".into())]);
        let bind = queue::Bind { arguments, ..plain::queue_bind(&name, "amq.headers", "") };
        other.refuse(&bind, 406, starts("PRECONDITION_FAILED - Invalid x-match field value "));
        other.refuse(&plain::consume(&name, "t"), 405, &text);
        other.refuse(&basic::Get { queue: &name, no_ack: true }, 405, &text);
        other.refuse(&plain::queue_purge(&name), 405, &text);
        other.refuse(&plain::queue_delete(&name), 405, &text);
        other.fill(&name, &["from outside"]);
        other.fill(&shared, &["shared"]);
        assert_eq!(other.drain(&shared), ["shared"]);
        assert_eq!(owner.drain(&name), ["from outside"]);
        owner.close();
        other.expect_no_queue(1, &name);
    });
}

// Rule: rabbitmq.queue.declare.exclusive-lifetime
#[test]
fn an_exclusive_queue_is_gone_before_its_connection_is_closed() {
    check(|world| {
        let (mut owner, mut other) = (world.client(), world.client());
        let name = world.name("exclusive");
        owner.perform(&queue::Declare { durable: true, ..exclusive(&name) });
        other.refuse(&passive(&name), 405, &locked(&name));
        owner.close();
        other.expect_no_queue(1, &name);
    });
}

/// Asks until the queue is gone, as what follows a lost socket takes a peer a moment.
fn wait_until_gone(world: &World, client: &mut Client, name: &str) {
    for _ in 0..50 {
        match client.call(1, &passive(name)) {
            Method::ChannelClose(close) => {
                client.reopen_channel(1);
                if close.reply_code == 404 {
                    return;
                }
            }
            other => assert!(matches!(other, Method::QueueDeclareOk(_)), "{other:?}"),
        }
        world.advance(20);
    }
    panic!("{name} is still there");
}

// Rule: rabbitmq.queue.declare.exclusive-lifetime
#[test]
fn an_exclusive_queue_goes_with_a_lost_connection() {
    check(|world| {
        let (mut owner, mut other) = (world.client(), world.client());
        let name = world.name("exclusive");
        owner.perform(&exclusive(&name));
        owner.hang_up();
        wait_until_gone(world, &mut other, &name);
        other.perform(&exclusive(&name));
    });
}

// Rule: queue.declare.auto-delete.pre-existence, rabbitmq.queue.declare.auto-delete
#[test]
fn a_repeated_declare_does_not_change_whether_a_queue_is_auto_deleted() {
    check(|world| {
        let mut client = world.client();
        let (goes, stays) = (world.name("goes"), client.new_queue(world, "stays"));
        let auto_delete = |name| queue::Declare { auto_delete: true, ..plain::queue_declare(name) };
        client.perform(&auto_delete(&goes));
        let text = inequivalent("auto_delete", &goes, "'false'", "'true'");
        client.refuse(&plain::queue_declare(&goes), 406, &text);
        let text = inequivalent("auto_delete", &stays, "'true'", "'false'");
        client.refuse(&auto_delete(&stays), 406, &text);
        for name in [&goes, &stays] {
            client.perform(&plain::consume(name, "t"));
            client.perform(&plain::cancel("t"));
        }
        client.perform(&passive(&stays));
        client.expect_no_queue(1, &goes);
    });
}

// Rule: rabbitmq.queue.declare.auto-delete
#[test]
fn an_auto_delete_queue_waits_for_a_consumer_and_goes_with_the_last_one() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("q");
        client.perform(&queue::Declare { auto_delete: true, ..plain::queue_declare(&name) });
        client.fill(&name, &["1"]);
        assert_eq!(client.drain(&name), ["1"]);
        client.perform(&passive(&name));
        client.open_channel(2);
        client.consume(2, &plain::consume(&name, "a"));
        client.perform(&plain::consume(&name, "b"));
        client.perform(&plain::cancel("b"));
        client.perform(&passive(&name));
        client.close_channel(2);
        client.expect_no_queue(1, &name);
    });
}

// Rule: queue.bind.duplicates
#[test]
fn binding_a_queue_twice_changes_nothing() {
    check(|world| {
        let mut client = world.client();
        let exchange = client.new_exchange(world, "x", "direct");
        let name = client.new_bound(world, "q", &exchange, "k");
        client.bind(&name, &exchange, "k");
        client.publish(1, &exchange, "k", b"once");
        assert_eq!(client.drain(&name), ["once"]);
        client.perform(&plain::queue_unbind(&name, &exchange, "k"));
        client.publish_in_vain(&exchange, "k");
    });
}

// Rule: queue.bind.unique
#[test]
fn a_queue_gets_a_message_once_however_many_bindings_match() {
    check(|world| {
        let mut client = world.client();
        let exchange = client.new_exchange(world, "x", "topic");
        let name = client.new_bound(world, "q", &exchange, "a.*");
        client.bind(&name, &exchange, "*.b");
        client.bind(&name, &exchange, "#");
        client.publish(1, &exchange, "a.b", b"once");
        assert_eq!(client.drain(&name), ["once"]);
    });
}

// Rule: queue.bind.transient-exchange
#[test]
fn a_durable_queue_can_be_bound_to_a_transient_exchange() {
    check(|world| {
        let mut client = world.client();
        let exchange = client.new_exchange(world, "x", "direct");
        let name = world.name("durable");
        client.perform(&queue::Declare { durable: true, ..plain::queue_declare(&name) });
        client.bind(&name, &exchange, "k");
        client.publish(1, &exchange, "k", b"arrives");
        assert_eq!(client.drain(&name), ["arrives"]);
    });
}

// Rule: queue.bind.binding-count
#[test]
fn a_queue_can_have_many_bindings() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        let key = |number: u32| format!("{name}.{number}");
        for exchange in ["amq.fanout", "amq.topic", "amq.headers", "amq.match"] {
            client.bind(&name, exchange, &key(0));
        }
        for number in 0..100 {
            client.bind(&name, "amq.direct", &key(number));
        }
        for number in 0..100 {
            client.publish(1, "amq.direct", &key(number), b"direct");
        }
        client.publish(1, "amq.topic", &key(0), b"topic");
        let arrived = client.drain(&name);
        assert_eq!(arrived.iter().filter(|text| *text == "direct").count(), 100);
        assert!(arrived.contains(&"topic".to_owned()));
    });
}

// Rule: queue.bind.queue.queue-known, queue.unbind.queue.queue-known
// Rule: queue.purge.queue.queue-known, queue.delete.queue.queue-known
#[test]
fn an_empty_name_is_refused_on_a_channel_that_declared_no_queue() {
    check(|world| {
        let mut client = world.client();
        client.refuse(&plain::queue_bind("", "amq.direct", "k"), 404, NONE_DECLARED);
        client.refuse(&plain::queue_unbind("", "amq.direct", "k"), 404, NONE_DECLARED);
        client.refuse(&plain::queue_purge(""), 404, NONE_DECLARED);
        client.refuse(&plain::queue_delete(""), 404, NONE_DECLARED);
        client.refuse(&plain::consume("", "t"), 404, NONE_DECLARED);
        client.refuse(&basic::Get { queue: "", no_ack: true }, 404, NONE_DECLARED);
    });
}

// Rule: queue.bind.queue.queue-known, queue.unbind.queue.queue-known
// Rule: queue.purge.queue.queue-known, queue.delete.queue.queue-known
#[test]
fn an_empty_name_is_the_last_queue_declared_on_the_channel() {
    check(|world| {
        let mut client = world.client();
        let exchange = client.new_exchange(world, "x", "direct");
        client.new_queue(world, "first");
        let name = client.new_queue(world, "last");
        client.bind("", &exchange, "k");
        client.publish(1, &exchange, "k", b"1");
        assert_eq!(client.drain(""), ["1"]);
        client.publish(1, &exchange, "k", b"2");
        client.send(1, &plain::queue_purge(""));
        client.expect(1, &queue::PurgeOk { message_count: 1 });
        client.perform(&plain::queue_unbind("", &exchange, "k"));
        client.publish_in_vain(&exchange, "k");
        client.perform(&plain::consume("", "t"));
        client.fill(&name, &["3"]);
        assert_eq!(client.delivered(1).0, "3");
        client.perform(&plain::cancel("t"));
        client.perform(&plain::queue_delete(""));
        client.expect_no_queue(1, &name);
    });
}

// Rule: rabbitmq.queue.bind.last-declared
#[test]
fn a_bind_without_queue_and_key_takes_the_last_queue_and_its_name() {
    check(|world| {
        let mut client = world.client();
        let exchange = client.new_exchange(world, "x", "direct");
        let name = client.new_queue(world, "q");
        client.bind("", &exchange, "");
        client.publish(1, &exchange, &name, b"by name");
        client.publish_in_vain(&exchange, "");
        assert_eq!(client.drain(&name), ["by name"]);
        client.perform(&plain::queue_unbind(&name, &exchange, &name));
        client.bind(&name, &exchange, "");
        client.publish(1, &exchange, "", b"by no key");
        assert_eq!(client.drain(&name), ["by no key"]);
    });
}

// Rule: queue.bind.queue.must-exist, queue.bind.exchange.exchange-existence
#[test]
fn a_bind_needs_a_queue_and_an_exchange() {
    check(|world| {
        let mut client = world.client();
        let (name, missing) = (client.new_queue(world, "q"), world.name("missing"));
        let bind = plain::queue_bind(&missing, "amq.direct", "k");
        client.refuse(&bind, 404, &no_queue(&missing));
        let bind = plain::queue_bind(&name, &missing, "k");
        client.refuse(&bind, 404, &no_exchange(&missing));
        // Where both are missing, the exchange is told.
        let other = world.name("other");
        let bind = plain::queue_bind(&missing, &other, "k");
        client.refuse(&bind, 404, &no_exchange(&other));
    });
}

// Rule: rabbitmq.queue.unbind.missing, queue.unbind.queue.must-exist
// Rule: queue.unbind.exchange.must-exist
#[test]
fn unbinding_what_is_not_bound_or_not_there_succeeds() {
    check(|world| {
        let mut client = world.client();
        let (name, missing) = (client.new_queue(world, "q"), world.name("missing"));
        client.perform(&plain::queue_unbind(&missing, "amq.direct", "k"));
        client.perform(&plain::queue_unbind(&name, &missing, "k"));
        client.perform(&plain::queue_unbind(&name, "amq.direct", "k"));
        // Nor is it asked whose queue it is, before there is a binding to remove.
        let mut owner = world.client();
        let locked_name = world.name("locked");
        owner.perform(&queue::Declare { exclusive: true, ..plain::queue_declare(&locked_name) });
        client.perform(&plain::queue_unbind(&locked_name, "amq.direct", "k"));
        owner.perform(&plain::queue_bind(&locked_name, "amq.direct", "k"));
        let unbind = plain::queue_unbind(&locked_name, "amq.direct", "k");
        client.refuse(&unbind, 405, &locked(&locked_name));
        owner.perform(&unbind);
    });
}

// Rule: queue.purge.unacknowledged
#[test]
fn a_purge_leaves_messages_alone_that_are_not_acknowledged() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill(&name, &["1", "2", "3"]);
        client.fetch(&name);
        client.send(1, &plain::queue_purge(&name));
        client.expect(1, &queue::PurgeOk { message_count: 2 });
        client.send(1, &plain::queue_purge(&name));
        client.expect(1, &queue::PurgeOk { message_count: 0 });
        client.send(1, &basic::Nack { requeue: true, ..plain::nack(1) });
        assert_eq!(client.fetch(&name), ("1".to_owned(), true));
    });
}

// Rule: queue.purge.queue.must-exist
#[test]
fn a_missing_queue_cannot_be_purged_consumed_or_read() {
    check(|world| {
        let mut client = world.client();
        let missing = world.name("missing");
        let text = no_queue(&missing);
        client.refuse(&plain::queue_purge(&missing), 404, &text);
        client.refuse(&plain::consume(&missing, "t"), 404, &text);
        client.refuse(&basic::Get { queue: &missing, no_ack: true }, 404, &text);
    });
}

// Rule: rabbitmq.queue.delete.missing, queue.delete.queue.must-exist
#[test]
fn deleting_a_missing_queue_succeeds() {
    check(|world| {
        let mut client = world.client();
        let missing = world.name("missing");
        client.send(1, &plain::queue_delete(&missing));
        client.expect(1, &queue::DeleteOk { message_count: 0 });
        let delete = plain::queue_delete(&missing);
        client.send(1, &queue::Delete { if_unused: true, if_empty: true, ..delete });
        client.expect(1, &queue::DeleteOk { message_count: 0 });
    });
}

// Rule: rabbitmq.queue.delete.discards, queue.delete.dead-letter
#[test]
fn deleting_a_queue_discards_its_messages_and_counts_the_ready_ones() {
    check(|world| {
        let mut client = world.client();
        let dead_letters = client.new_exchange(world, "dlx", "fanout");
        let dead = client.new_bound(world, "dead", &dead_letters, "");
        let arguments = arguments([("x-dead-letter-exchange", dead_letters.as_str().into())]);
        let name = client.new_queue_with(world, "q", arguments);
        client.fill(&name, &["1", "2", "3"]);
        client.fetch(&name);
        client.send(1, &plain::queue_delete(&name));
        client.expect(1, &queue::DeleteOk { message_count: 2 });
        assert!(client.drain(&dead).is_empty());
        client.send(1, &plain::ack(1));
        client.expect_nothing(1);
    });
}

// Rule: queue.delete.if-unused.in-use
#[test]
fn a_queue_with_consumers_is_not_deleted_if_it_must_be_unused() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.open_channel(2);
        client.consume(2, &plain::consume(&name, "t"));
        let delete = queue::Delete { if_unused: true, ..plain::queue_delete(&name) };
        let text = format!("PRECONDITION_FAILED - queue '{name}' in vhost '/' in use");
        client.refuse(&delete, 406, &text);
        client.close_channel(2);
        client.perform(&delete);
        client.expect_no_queue(1, &name);
    });
}

// Rule: queue.delete.if-empty.not-empty
#[test]
fn a_queue_with_messages_is_not_deleted_if_it_must_be_empty() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill(&name, &["1"]);
        let delete = queue::Delete { if_empty: true, ..plain::queue_delete(&name) };
        let text = format!("PRECONDITION_FAILED - queue '{name}' in vhost '/' not empty");
        client.refuse(&delete, 406, &text);
        client.perform(&plain::queue_purge(&name));
        client.send(1, &delete);
        client.expect(1, &queue::DeleteOk { message_count: 0 });
        client.expect_no_queue(1, &name);
    });
}

// Rule: rabbitmq.queue.delete.quorum-conditions
#[test]
fn a_quorum_queue_is_not_deleted_on_conditions() {
    check(|world| {
        let name = world.name("quorum");
        let arguments = arguments([("x-queue-type", "quorum".into())]);
        let declare = plain::queue_declare(&name);
        world.client().perform(&queue::Declare { durable: true, arguments, ..declare });
        let delete = plain::queue_delete(&name);
        for (delete, flag) in [
            (queue::Delete { if_unused: true, ..delete.clone() }, "if-unused"),
            (queue::Delete { if_empty: true, ..delete }, "if-empty"),
        ] {
            let mut client = world.client();
            client.send(1, &delete);
            let text = format!(
                "NOT_IMPLEMENTED - cannot delete queue '{name}' in vhost '/'. queue.delete \
                 operations with {flag} flag set are not supported by quorum queues"
            );
            client.expect_connection_close(540, &text, (50, queue::Delete::METHOD_ID));
        }
        world.client().perform(&passive(&name));
    });
}

// Rule: rabbitmq.reply-text
#[test]
fn a_reply_text_is_cut_to_what_a_short_string_holds() {
    check(|world| {
        let mut client = world.client();
        let long = "n".repeat(255);
        client.send(1, &passive(&long));
        let Method::ChannelClose(close) = client.expect_method(1) else { panic!("no close") };
        assert_eq!((close.reply_code, close.reply_text.len()), (404, 255));
        assert!(close.reply_text.starts_with("NOT_FOUND - no queue 'nnn"));
    });
}

// Rule: queue.declare.queue.reserved
#[test]
fn the_prefix_is_reserved_with_its_dot_only() {
    check(|world| {
        let mut client = world.client();
        client.new_queue(world, "amqfoo");
        let text = starts("ACCESS_REFUSED - queue name 'amq.'");
        client.refuse(&plain::queue_declare("amq."), 403, text);
    });
}
