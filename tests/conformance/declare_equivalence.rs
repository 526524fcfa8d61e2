//! Declarations of what is there already, by a broker or in a virtual host that lets differences
//! pass. They need options of their own; that differences are refused otherwise is in `queue`,
//! `queue_arguments` and `exchange`.

use leveret::broker::BrokerOptions;
use leveret::definitions::HostSettings;
use leveret::message::DeclareEquivalence;
use leveret::protocol::field::FieldTable;
use leveret::protocol::methods::{exchange, queue};

use crate::client::Client;
use crate::expect::starts;
use crate::login::Login;
use crate::plain;
use crate::script::{World, check_with_options};
use crate::steps::arguments;

fn relaxed() -> BrokerOptions {
    let declare_equivalence = DeclareEquivalence::Relaxed;
    BrokerOptions { declare_equivalence, ..BrokerOptions::default() }
}

/// What RabbitMQ's own key lets pass.
fn relaxed_for_quorum() -> BrokerOptions {
    BrokerOptions { lets_quorum_be_classic: true, ..BrokerOptions::default() }
}

/// A queue with room for two messages.
fn short(name: &str) -> queue::Declare<'_> {
    let arguments = arguments([("x-max-length", 2.into())]);
    queue::Declare { durable: true, arguments, ..plain::queue_declare(name) }
}

/// The same queue, where it is declared by somebody who says everything otherwise.
fn other(name: &str) -> queue::Declare<'_> {
    let arguments = arguments([
        ("x-max-length", 5.into()),
        ("x-message-ttl", "never".into()),
        ("x-queue-type", "quorum".into()),
    ]);
    queue::Declare { auto_delete: true, arguments, ..plain::queue_declare(name) }
}

fn quorum(name: &str, arguments: FieldTable) -> queue::Declare<'_> {
    called(name, "quorum", arguments)
}

fn called<'a>(name: &'a str, kind: &str, mut arguments: FieldTable) -> queue::Declare<'a> {
    arguments.insert("x-queue-type", kind);
    queue::Declare { durable: true, arguments, ..plain::queue_declare(name) }
}

/// The queue is there, and still has room for two messages.
fn expect_short(client: &mut Client, name: &str) {
    client.fill_confirmed(name, &["a", "b", "c"]);
    assert_eq!(client.drain(name), ["b", "c"]);
}

/// A client in another virtual host, with channel 1 open.
fn client_in(world: &World, virtual_host: &'static str) -> Client {
    let mut client = world.log_in(&Login { virtual_host, ..Login::default() });
    client.open_channel(1);
    client
}

// Rule: rabbitmq.declare.relaxed
#[test]
fn a_queue_that_is_declared_otherwise_stays_as_it_is_where_checks_are_relaxed() {
    check_with_options(relaxed(), |world| {
        let mut client = world.client();
        let name = world.name("q");
        client.perform(&short(&name));
        client.fill_confirmed(&name, &["kept"]);
        client.perform(&other(&name));
        client.expect_message_count(1, &name, 1);
        assert_eq!(client.drain(&name), ["kept"]);
        expect_short(&mut client, &name);
        client.perform(&plain::queue_declare(&name));
    });
}

// Rule: rabbitmq.declare.relaxed
#[test]
fn a_queue_of_one_client_is_not_shared_where_checks_are_relaxed() {
    check_with_options(relaxed(), |world| {
        let (mut owner, mut stranger) = (world.client(), world.client());
        let (own, shared) = (world.name("own"), world.name("shared"));
        let locked = || starts("RESOURCE_LOCKED - cannot obtain exclusive access to locked queue ");
        owner.perform(&queue::Declare { exclusive: true, ..plain::queue_declare(&own) });
        owner.perform(&queue::Declare { exclusive: true, ..other(&own) });
        owner.refuse(&plain::queue_declare(&own), 405, locked());
        stranger.refuse(&plain::queue_declare(&own), 405, locked());
        stranger.refuse(
            &queue::Declare { exclusive: true, ..plain::queue_declare(&own) },
            405,
            locked(),
        );
        owner.perform(&short(&shared));
        owner.refuse(&queue::Declare { exclusive: true, ..short(&shared) }, 405, locked());
    });
}

// Rule: rabbitmq.declare.relaxed
#[test]
fn an_exchange_keeps_all_that_it_has_and_its_type_is_checked_where_checks_are_relaxed() {
    check_with_options(relaxed(), |world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "direct");
        let queue = client.new_bound(world, "q", &name, "key");
        let alternate = client.new_bound(world, "alternate", "amq.fanout", "");
        client.perform(&exchange::Declare {
            durable: true,
            auto_delete: true,
            internal: true,
            arguments: arguments([("alternate-exchange", "amq.fanout".into())]),
            ..plain::exchange_declare(&name, "direct")
        });
        client.publish(1, &name, "key", b"routed");
        client.publish(1, &name, "elsewhere", b"dropped");
        client.expect_message_count(1, &queue, 1);
        client.expect_message_count(1, &alternate, 0);
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg 'type' for exchange '{name}' in vhost '/': \
             received 'topic' but current is 'direct'"
        );
        client.refuse(&plain::exchange_declare(&name, "topic"), 406, &text);
    });
}

// Rule: rabbitmq.declare.relaxed
#[test]
fn what_cannot_be_is_refused_where_it_is_new_though_checks_are_relaxed() {
    check_with_options(relaxed(), |world| {
        let mut client = world.client();
        let name = world.name("q");
        let declare = other(&name);
        client.refuse(&declare, 406, starts("PRECONDITION_FAILED - invalid arg 'x-message-ttl'"));
        client.expect_no_queue(1, &name);
    });
}

// Rule: rabbitmq.declare.relaxed
#[test]
fn what_a_virtual_host_says_goes_before_what_the_node_says() {
    let host = |word: &str| {
        let metadata = [("declare_equivalence".to_owned(), word.into())].into_iter().collect();
        HostSettings { metadata, ..HostSettings::default() }
    };
    for options in [relaxed(), BrokerOptions::default()] {
        check_with_options(options, |world| {
            world.add_virtual_host_with("lenient", host("relaxed"));
            world.add_virtual_host_with("exact", host("strict"));
            let mut lenient = client_in(world, "lenient");
            lenient.perform(&short("q"));
            lenient.perform(&other("q"));
            let mut exact = client_in(world, "exact");
            exact.perform(&short("q"));
            exact.refuse(&other("q"), 406, starts("PRECONDITION_FAILED - inequivalent arg "));
            world.add_virtual_host_with("exact", host("relaxed"));
            exact.perform(&other("q"));
        });
    }
}

// Rule: rabbitmq.queue.declare.quorum-called-classic
#[test]
fn a_quorum_queue_may_be_called_classic_where_the_operator_lets_it() {
    check_with_options(relaxed_for_quorum(), |world| {
        let mut client = world.client();
        let name = world.name("q");
        let expires = || arguments([("x-expires", 100_000.into())]);
        client.perform(&quorum(&name, expires()));
        client.perform(&called(&name, "classic", expires()));
        let mut classic_only = expires();
        classic_only.insert("x-max-priority", 5);
        let declare = called(&name, "classic", classic_only);
        client.perform(&queue::Declare { durable: false, auto_delete: true, ..declare });
        let mut with_ttl = expires();
        with_ttl.insert("x-message-ttl", 5);
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue '{name}' in vhost \
             '/': received the value '5' of type 'signedint' but current is none"
        );
        client.refuse(&called(&name, "classic", with_ttl), 406, &text);
    });
}

// Rule: rabbitmq.queue.declare.quorum-called-classic
#[test]
fn a_quorum_queue_is_called_classic_by_name_and_no_classic_one_is_called_quorum() {
    check_with_options(relaxed_for_quorum(), |world| {
        let mut client = world.client();
        let (name, classic) = (world.name("q"), world.name("classic"));
        client.perform(&quorum(&name, FieldTable::new()));
        let unnamed = queue::Declare { durable: true, ..plain::queue_declare(&name) };
        let text = starts("PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue ");
        client.refuse(&unnamed, 406, text);
        client.perform(&called(&classic, "classic", FieldTable::new()));
        let text = starts("PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue ");
        client.refuse(&quorum(&classic, FieldTable::new()), 406, text);
    });
}
