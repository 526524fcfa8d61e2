//! The event exchange: what a client does is told to others. It has to be switched on, so these
//! scripts run in this process; what RabbitMQ's plugin tells is compared in `tests/interop`.

use leveret::broker::BrokerOptions;
use leveret::protocol::field::FieldValue;
use leveret::protocol::methods::{basic, exchange, queue};
use leveret::protocol::properties::Properties;

use crate::client::Client;
use crate::plain;
use crate::script::{World, check_in_process, check_with_options};
use crate::steps::no_exchange;

const EVENT_EXCHANGE: &str = "amq.rabbitmq.event";

fn switched_on() -> BrokerOptions {
    BrokerOptions { event_exchange: Some("/".to_owned()), ..BrokerOptions::default() }
}

/// A client and its queue, in which what happens from now on is told.
fn watching(world: &World) -> (Client, String) {
    let mut client = world.client();
    let events = client.new_bound(world, "events", EVENT_EXCHANGE, "#");
    assert_eq!(keys(&mut client, &events), ["binding.created"]);
    (client, events)
}

/// The keys of what was told since.
fn keys(client: &mut Client, events: &str) -> Vec<String> {
    let told = std::iter::from_fn(|| client.get(1, events, true));
    told.map(|got| got.method.routing_key.to_owned()).collect()
}

#[test]
fn a_client_is_told_from_its_login_to_its_end() {
    check_with_options(switched_on(), |world| {
        let (mut client, events) = watching(world);
        let mut other = world.client();
        let opened = ["user.authentication.success", "connection.created", "channel.created"];
        assert_eq!(keys(&mut client, &events), opened);
        let name = other.new_queue(world, "q");
        other.consume(1, &plain::consume(&name, "tag"));
        other.bind(&name, "amq.topic", "a");
        let declared = ["queue.created", "consumer.created", "binding.created"];
        assert_eq!(keys(&mut client, &events), declared);
        other.call(1, &plain::queue_delete(&name));
        other.read_until_silence();
        let mut deleted = keys(&mut client, &events);
        deleted.sort_unstable();
        assert_eq!(deleted, ["binding.deleted", "consumer.deleted", "queue.deleted"]);
        other.close();
        assert_eq!(keys(&mut client, &events), ["channel.closed", "connection.closed"]);
    });
}

/// The keys of what was told since, each with who did it.
fn doers(client: &mut Client, events: &str) -> Vec<String> {
    let told = std::iter::from_fn(|| client.get(1, events, true));
    let told = told.map(|got| {
        let headers = got.content.properties.headers.unwrap_or_default();
        let doer = headers.get("user_who_performed_action").and_then(FieldValue::as_str);
        format!("{} {}", got.method.routing_key, doer.unwrap_or("nobody"))
    });
    let mut all: Vec<_> = told.collect();
    all.sort_unstable();
    all
}

/// It was told as what the node did.
#[test]
fn who_deletes_a_queue_is_told_as_who_ends_its_consumers() {
    check_with_options(switched_on(), |world| {
        let (mut client, events) = watching(world);
        let mut other = world.client();
        let name = other.new_queue(world, "q");
        other.consume(1, &plain::consume(&name, "tag"));
        keys(&mut client, &events);
        client.call(1, &plain::queue_delete(&name));
        other.read_until_silence();
        let deleted = doers(&mut client, &events);
        assert_eq!(deleted, ["consumer.deleted guest", "queue.deleted guest"]);
    });
}

#[test]
fn a_queue_that_goes_with_its_last_consumer_goes_by_itself() {
    check_with_options(switched_on(), |world| {
        let (mut client, events) = watching(world);
        let mut other = world.client();
        let name = world.name("q");
        other.call(1, &queue::Declare { auto_delete: true, ..plain::queue_declare(&name) });
        other.consume(1, &plain::consume(&name, "tag"));
        keys(&mut client, &events);
        other.call(1, &plain::cancel("tag"));
        let deleted = doers(&mut client, &events);
        assert_eq!(deleted, ["consumer.deleted guest", "queue.deleted rmq-internal"]);
    });
}

#[test]
fn a_client_that_hangs_up_is_told_with_what_goes_with_it() {
    check_with_options(switched_on(), |world| {
        let (mut client, events) = watching(world);
        let mut other = world.client();
        let name = other.new_queue(world, "q");
        other.consume(1, &basic::Consume { exclusive: true, ..plain::consume(&name, "tag") });
        keys(&mut client, &events);
        other.hang_up();
        let ended = ["consumer.deleted", "channel.closed", "connection.closed"];
        assert_eq!(keys(&mut client, &events), ended);
    });
}

#[test]
fn nobody_publishes_to_the_exchange_of_events_nor_deletes_it() {
    check_with_options(switched_on(), |world| {
        let mut client = world.client();
        client.expect_exchange(EVENT_EXCHANGE);
        let text = format!(
            "ACCESS_REFUSED - cannot publish to internal exchange '{EVENT_EXCHANGE}' in vhost '/'"
        );
        let publish = plain::publish(EVENT_EXCHANGE, "x");
        client.refuse_publish(&publish, &Properties::default(), 403, &text);
        let text = format!(
            "ACCESS_REFUSED - deletion of system exchange '{EVENT_EXCHANGE}' in vhost '/' not \
             allowed"
        );
        client.refuse(&plain::exchange_delete(EVENT_EXCHANGE), 403, &text);
    });
}

#[test]
fn there_is_no_exchange_of_events_unasked() {
    check_in_process(|world| {
        let mut client = world.client();
        let declare = plain::exchange_declare(EVENT_EXCHANGE, "topic");
        let passive = exchange::Declare { passive: true, ..declare };
        client.refuse(&passive, 404, &no_exchange(EVENT_EXCHANGE));
    });
}
