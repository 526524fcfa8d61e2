//! What is counted of each thing by itself: of channels, queues and exchanges, for whole clients.

use super::test_world::{World, deliveries};
use super::traffic_tests::{NOW, published, world};
use super::{ExchangePublishes, QueueTraffic};
use crate::broker::Broker;
use crate::connection::{Consumed, Published};
use crate::limits::CHANNEL_EXCHANGES_MAX;
use crate::message::{Outcome, SequenceRange};
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::frame;
use crate::protocol::methods::{basic, channel, confirm};

#[test]
fn what_channels_and_connections_came_to_stays_when_they_are_gone() {
    let (broker, mut client) = world();
    client.declare("q", &[]);
    client.publish(2, ("", "q"), false, 3);
    let expected = Published { received: 3, routed: 3, ..Published::default() };
    let close = channel::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };
    client.ask(2, &close);
    assert_eq!(published(&broker), expected);
    client.open([2]);
    client.publish(2, ("", "q"), false, 1);
    let expected = Published { received: 4, routed: 4, ..expected };
    let of_host = |broker: &Broker| broker.client_figures_by_host()["/"].traffic.published;
    assert_eq!((published(&broker), of_host(&broker)), (expected, expected));
    let octets = broker.client_figures().octets;
    drop(client);
    assert_eq!((published(&broker), of_host(&broker)), (expected, expected));
    assert_eq!(broker.client_figures().octets, octets);
}

#[test]
fn a_channel_knows_what_came_and_went_on_it() {
    let (broker, mut client) = world();
    client.declare("q", &[]);
    client.ask(2, &confirm::Select { nowait: false });
    client.publish(2, ("", "q"), false, 3);
    client.publish(2, ("", "nowhere"), true, 1);
    client.publish(2, ("", "nowhere"), false, 2);
    client.publish(3, ("", "q"), false, 1);
    client.pump();
    client.consume(4, "q", false);
    client.ask(4, &basic::Nack { delivery_tag: 1, multiple: false, requeue: true });
    client.pump();
    client.ask(4, &basic::Ack { delivery_tag: 0, multiple: true });
    let report = |number: u16| {
        let channels = broker.connections()[0].channels();
        channels.iter().find(|channel| channel.number == number).unwrap().report()
    };
    let expected = Published {
        received: 6,
        received_confirm: 6,
        confirmed: 6,
        routed: 3,
        dropped: 2,
        returned: 1,
    };
    assert_eq!(report(2).traffic.published, expected);
    assert_eq!((report(2).unconfirmed, report(2).active_at), (0, NOW));
    assert_eq!(report(3).traffic.published.received, 1);
    let expected =
        Consumed { consume_manual_ack: 5, redelivered: 1, acknowledged: 4, ..Consumed::default() };
    assert_eq!(report(4).traffic.consumed(), expected);
}

#[test]
fn a_queue_knows_what_was_published_to_it_and_got_from_it() {
    let (broker, mut client) = world();
    client.declare("q", &[]);
    client.declare_exchange("f", "fanout", FieldTable::new());
    client.bind("q", "f");
    client.publish(1, ("", "q"), false, 3);
    client.publish(2, ("f", ""), false, 4);
    client.get(1, "q", false);
    client.get(1, "q", true);
    client.ask(1, &basic::Nack { delivery_tag: 1, multiple: false, requeue: true });
    client.consume(2, "q", true);
    client.get(1, "q", true);
    client.publish(1, ("", "q"), false, 1);
    client.pump();
    client.ask(2, &basic::Cancel { consumer_tag: "tag", nowait: false });
    client.publish(1, ("", "q"), false, 2);
    client.consume(3, "q", false);
    client.ask(3, &basic::Ack { delivery_tag: 2, multiple: true });
    let expected = QueueTraffic {
        published: 10,
        delivered: 2,
        delivered_no_ack: 7,
        got: 1,
        got_no_ack: 1,
        got_empty: 1,
        redelivered: 1,
        acknowledged: 2,
        disk_reads: 0,
        disk_writes: 0,
    };
    assert_eq!(broker.queue("/", "q").unwrap().traffic(), expected);
}

#[test]
fn a_queue_knows_what_was_written_of_it_and_read_back() {
    let mut world = World::new();
    let mut client = world.client();
    ["q", "soon"].iter().for_each(|queue| client.declare(queue, true));
    client.publish("q", &["a", "b"]);
    client.consume("soon", 1);
    client.publish("soon", &["c"]);
    let (queue, place, _) = deliveries(&client.events())[0].clone();
    client.settle(queue, SequenceRange::one(place), Outcome::Accepted);
    let disk = |world: &World, queue| {
        let traffic = world.broker.queue("/", queue).unwrap().traffic();
        (traffic.disk_reads, traffic.disk_writes)
    };
    assert_eq!(disk(&world, "q"), (0, 0), "the log has not come round");
    world.turn();
    assert_eq!((disk(&world, "q"), disk(&world, "soon")), ((0, 2), (0, 0)));
    let figures = world.broker.store_figures();
    assert_eq!((figures.read_messages, figures.written_messages), (0, 2));
    let mut world = world.killed();
    world.client().consume("q", 1);
    world.turn();
    assert_eq!(disk(&world, "q"), (2, 0), "in this life");
    assert_eq!(world.broker.store_figures().read_messages, 2);
}

#[test]
fn an_exchange_knows_what_was_published_to_it_and_how_often_it_was_routed() {
    let (broker, mut client) = world();
    client.declare("q", &[]);
    client.declare("r", &[]);
    client.declare_exchange("f", "fanout", FieldTable::new());
    ["q", "r"].iter().for_each(|queue| client.bind(queue, "f"));
    client.publish(1, ("f", ""), false, 3);
    client.publish(1, ("", "q"), false, 2);
    client.publish(1, ("", "nowhere"), false, 2);
    client.publish(2, ("f", "other key"), false, 1);
    client.publish(2, ("amq.direct", ""), true, 1);
    let figures = |name| {
        let figures = broker.exchange("/", name).unwrap().figures();
        (figures.published_in, figures.published_out)
    };
    assert_eq!(figures("f"), (4, 8));
    assert_eq!(figures(""), (4, 2));
    assert_eq!(figures("amq.direct"), (1, 0));
    assert_eq!(figures("amq.topic"), (0, 0));
}

/// Confirmed, returned and dropped.
fn outcomes(broker: &Broker, exchange: &str) -> (u64, u64, u64) {
    let figures = broker.exchange("/", exchange).unwrap().figures();
    (figures.confirmed, figures.returned, figures.dropped)
}

#[test]
fn an_exchange_knows_what_was_confirmed_and_what_no_queue_took() {
    let (broker, mut client) = world();
    client.declare("q", &[]);
    client.declare_exchange("f", "fanout", FieldTable::new());
    client.bind("q", "f");
    client.ask(2, &confirm::Select { nowait: false });
    client.publish(2, ("f", ""), false, 3);
    client.publish(2, ("", "q"), true, 2);
    client.publish(3, ("f", ""), false, 7);
    client.publish(2, ("", "nowhere"), true, 1);
    client.publish(2, ("", "nowhere"), false, 4);
    client.publish(3, ("", "nowhere"), false, 8);
    assert_eq!(outcomes(&broker, "f"), (3, 0, 0));
    assert_eq!(outcomes(&broker, ""), (7, 1, 12), "what no queue takes is confirmed, too");
    assert_eq!(outcomes(&broker, "amq.topic"), (0, 0, 0));
}

#[test]
fn a_channel_knows_what_was_published_on_it_to_each_exchange() {
    let (broker, mut client) = world();
    client.declare("q", &[]);
    client.declare_exchange("f", "fanout", FieldTable::new());
    client.ask(2, &confirm::Select { nowait: false });
    client.publish(2, ("f", ""), false, 3);
    client.publish(2, ("f", ""), true, 1);
    client.publish(3, ("f", ""), false, 9);
    let in_turn = [(2, "", "q"), (2, "f", ""), (2, "", "q"), (2, "", "q")];
    client.send(&publishes(in_turn));
    let seen = |number: u16| {
        let channels = broker.connections()[0].channels();
        let channel = channels.iter().find(|channel| channel.number == number).unwrap();
        let seen =
            channel.publishes().into_iter().map(|ExchangePublishes { name, published, .. }| {
                let Published { received, confirmed, dropped, returned, .. } = published;
                (name.to_string(), [received, confirmed, dropped, returned])
            });
        seen.collect::<Vec<_>>()
    };
    assert_eq!(seen(1), []);
    assert_eq!(seen(2), [("f".into(), [5, 5, 4, 1]), (String::new(), [3, 3, 0, 0])]);
    assert_eq!(seen(3), [("f".into(), [9, 0, 9, 0])]);
    assert_eq!(outcomes(&broker, "f"), (5, 1, 13));
}

#[test]
fn a_channel_that_publishes_to_very_many_exchanges_tells_some_apart() {
    let (broker, mut client) = world();
    client.ask(2, &confirm::Select { nowait: false });
    let names: Vec<String> = (0..CHANNEL_EXCHANGES_MAX + 3).map(|n| format!("x{n}")).collect();
    for name in &names {
        client.declare_exchange(name, "fanout", FieldTable::new());
    }
    for _ in 0..2 {
        client.send(&publishes(names.iter().map(|name| (2, &**name, ""))));
    }
    let channels = broker.connections()[0].channels();
    let channel = channels.iter().find(|channel| channel.number == 2).unwrap();
    assert_eq!(channel.publishes().len(), CHANNEL_EXCHANGES_MAX);
    for name in &names {
        assert_eq!(outcomes(&broker, name), (2, 0, 2), "{name} counts all the same");
    }
}

#[test]
fn a_publish_counts_as_confirmed_for_its_exchange_when_it_is_on_disk() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.publish("q", &["a", "b"]);
    client.publish("q", &["c"]);
    client.events();
    assert_eq!(outcomes(&world.broker, ""), (0, 0, 0));
    world.turn();
    assert_eq!(client.outcomes().0, [1, 2, 3]);
    assert_eq!(outcomes(&world.broker, ""), (3, 0, 0));
}

#[test]
fn what_a_queue_refuses_counts_as_confirmed_for_no_exchange() {
    let (broker, mut client) = world();
    client.declare("q", &[]);
    let overflow = ("x-overflow", FieldValue::from("reject-publish"));
    client.declare("small", &[("x-max-length", FieldValue::from(2)), overflow]);
    client.declare_exchange("f", "fanout", FieldTable::new());
    client.bind("q", "f");
    client.ask(2, &confirm::Select { nowait: false });
    let in_turn = [("", "small"), ("f", ""), ("", "small"), ("", "small"), ("f", ""), ("", "q")];
    client.send(&publishes(in_turn.map(|(exchange, key)| (2, exchange, key))));
    assert_eq!((outcomes(&broker, ""), outcomes(&broker, "f")), ((3, 0, 0), (2, 0, 0)));
    client.publish(2, ("", "small"), false, 5);
    assert_eq!(outcomes(&broker, ""), (3, 0, 0));
    let channels = broker.connections()[0].channels();
    let channel = channels.iter().find(|channel| channel.number == 2).unwrap();
    assert_eq!(channel.report().traffic.published.confirmed, 5, "as its publisher heard");
}

/// Publishes by channel, exchange and key, as they stand in one read.
fn publishes<'a>(all: impl IntoIterator<Item = (u16, &'a str, &'a str)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (channel, exchange, routing_key) in all {
        let (mandatory, immediate) = (false, false);
        let publish = basic::Publish { exchange, routing_key, mandatory, immediate };
        frame::write_method(&mut bytes, channel, &publish);
        frame::write_header(&mut bytes, channel, 60, 1, &[0, 0]);
        frame::write_body(&mut bytes, channel, b"x");
    }
    bytes
}

/// Publishes of several channels and exchanges in one read once could have been told apart no more.
#[test]
fn publishes_that_come_together_count_each_where_it_belongs() {
    let (broker, mut client) = world();
    client.declare("q", &[]);
    client.declare_exchange("f", "fanout", FieldTable::new());
    client.bind("q", "f");
    let all = [(1, "f"), (2, ""), (1, ""), (2, "f"), (2, "f")];
    client.send(&publishes(all.map(|(channel, exchange)| (channel, exchange, "q"))));
    let received = |number: u16| {
        let channels = broker.connections()[0].channels();
        let channel = channels.iter().find(|channel| channel.number == number).unwrap();
        channel.report().traffic.published.received
    };
    assert_eq!((received(1), received(2)), (2, 3));
    let entered = |name| broker.exchange("/", name).unwrap().figures().published_in;
    assert_eq!((entered("f"), entered("")), (3, 2));
}
