//! What is counted of whole clients that speak AMQP, by values: each step is one read of a socket,
//! and what it came to is looked at behind it.

use std::sync::Arc;
use std::task::{Poll, Waker};

use super::test_world::declaration;
use super::{
    Backlog, Broker, BrokerOptions, ChurnFigures, DirectChannel, Passed, Peer, QueueTraffic,
    Session, TrafficFigures,
};
use crate::connection::{Command, Consumed, Event, Published, Reply};
use crate::message::{Body, Envelope, Message, Moment, Outcome};
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::frame::{self, PROTOCOL_HEADER};
use crate::protocol::methods::{
    WireMethod, basic, channel, confirm, connection, exchange, queue, tx,
};
use crate::protocol::properties::Properties;
use crate::queue::Counts;

const NOW: Moment = Moment(1000);

/// A client, as its socket's door has it.
struct Client {
    session: Session,
}

impl Client {
    fn new(broker: &Arc<Broker>) -> Self {
        let mut client = Self::unknown(broker, b"\0guest\0guest");
        client.ask(0, &connection::Open { virtual_host: "/" });
        assert!(client.session.connection().is_running());
        client
    }

    /// Says who it is, and no more.
    fn unknown(broker: &Arc<Broker>, response: &[u8]) -> Self {
        let session = Session::new(broker.clone(), Peer { address: None }, NOW);
        let mut bytes = PROTOCOL_HEADER.to_vec();
        let start_ok = connection::StartOk {
            client_properties: FieldTable::new(),
            mechanism: "PLAIN",
            response,
            locale: "en_US",
        };
        let tune_ok = connection::TuneOk { channel_max: 99, frame_max: 131_072, heartbeat: 0 };
        frame::write_method(&mut bytes, 0, &start_ok);
        frame::write_method(&mut bytes, 0, &tune_ok);
        let mut client = Self { session };
        client.send(&bytes);
        client
    }

    /// One read of the socket after the other, until all is taken; and what there is to write.
    fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let used = self.session.receive(bytes, NOW);
            bytes = &bytes[used..];
            self.pump();
            if used == 0 {
                return;
            }
        }
    }

    fn pump(&mut self) {
        self.session.pump();
        let _ = self.session.output().take();
        self.session.sent(NOW);
    }

    fn ask(&mut self, channel: u16, method: &impl WireMethod) {
        let mut bytes = Vec::new();
        frame::write_method(&mut bytes, channel, method);
        self.send(&bytes);
    }

    fn open(&mut self, channels: impl IntoIterator<Item = u16>) {
        channels.into_iter().for_each(|number| self.ask(number, &channel::Open {}));
    }

    /// Publishes several in one read.
    fn publish(&mut self, channel: u16, to: (&str, &str), mandatory: bool, count: usize) {
        self.publish_with(channel, to, mandatory, count, &Properties::default());
    }

    fn publish_with(
        &mut self,
        channel: u16,
        (exchange, routing_key): (&str, &str),
        mandatory: bool,
        count: usize,
        properties: &Properties,
    ) {
        let (mut bytes, mut encoded) = (Vec::new(), Vec::new());
        properties.encode(&mut encoded);
        for _ in 0..count {
            let publish = basic::Publish { exchange, routing_key, mandatory, immediate: false };
            frame::write_method(&mut bytes, channel, &publish);
            frame::write_header(&mut bytes, channel, 60, 1, &encoded);
            frame::write_body(&mut bytes, channel, b"x");
        }
        self.send(&bytes);
    }

    fn declare(&mut self, queue: &str, arguments: &[(&str, FieldValue)]) {
        let arguments: FieldTable = arguments.iter().cloned().collect();
        let durable = !arguments.is_empty();
        let (passive, exclusive, auto_delete, nowait) = (false, false, false, false);
        self.ask(
            1,
            &queue::Declare { queue, passive, durable, exclusive, auto_delete, nowait, arguments },
        );
    }

    fn declare_exchange(&mut self, name: &str, kind: &str, arguments: FieldTable) {
        let (passive, durable, auto_delete, internal, nowait) = (false, true, false, false, false);
        let exchange = name;
        self.ask(
            1,
            &exchange::Declare {
                exchange,
                kind,
                passive,
                durable,
                auto_delete,
                internal,
                nowait,
                arguments,
            },
        );
    }

    fn bind(&mut self, queue: &str, exchange: &str) {
        let (routing_key, nowait, arguments) = ("", false, FieldTable::new());
        self.ask(1, &queue::Bind { queue, exchange, routing_key, nowait, arguments });
    }

    fn consume(&mut self, channel: u16, queue: &str, no_ack: bool) {
        let (no_local, exclusive, nowait, arguments) = (false, false, false, FieldTable::new());
        let consumer_tag = "tag";
        self.ask(
            channel,
            &basic::Consume { queue, consumer_tag, no_local, no_ack, exclusive, nowait, arguments },
        );
        self.pump();
    }

    fn get(&mut self, channel: u16, queue: &str, no_ack: bool) {
        self.ask(channel, &basic::Get { queue, no_ack });
    }
}

fn broker() -> Arc<Broker> {
    Arc::new(Broker::new(BrokerOptions::default(), [1, 2]).unwrap())
}

/// A broker, and a client of it with channels 1 to 4.
fn world() -> (Arc<Broker>, Client) {
    let broker = broker();
    let mut client = Client::new(&broker);
    client.open(1..=4);
    (broker, client)
}

fn text(text: &str) -> FieldValue {
    FieldValue::from(text)
}

fn published(broker: &Broker) -> Published {
    broker.figures().traffic.published
}

fn classic(broker: &Broker) -> Consumed {
    broker.figures().traffic.classic
}

#[test]
fn publishes_count_by_what_became_of_them() {
    let (broker, mut client) = world();
    client.declare("q", &[]);
    client.declare("r", &[]);
    client.declare_exchange("f", "fanout", FieldTable::new());
    ["q", "r"].iter().for_each(|queue| client.bind(queue, "f"));
    assert_eq!(published(&broker), Published::default());
    client.publish(1, ("", "q"), false, 3);
    let mut expected = Published { received: 3, routed: 3, ..Published::default() };
    assert_eq!(published(&broker), expected);
    client.publish(1, ("f", ""), false, 2);
    expected = Published { received: 5, routed: 7, ..expected };
    assert_eq!(published(&broker), expected, "once for each queue");
    client.publish(1, ("", "nowhere"), false, 2);
    expected = Published { received: 7, dropped: 2, ..expected };
    assert_eq!(published(&broker), expected);
    client.publish(1, ("", "nowhere"), true, 3);
    expected = Published { received: 10, returned: 3, ..expected };
    assert_eq!(published(&broker), expected);
}

#[test]
fn confirms_count_what_was_confirmed_and_not_what_was_rejected() {
    let (broker, mut client) = world();
    client.declare("q", &[]);
    let arguments = [("x-max-length", FieldValue::from(1)), ("x-overflow", text("reject-publish"))];
    client.declare("full", &arguments);
    client.ask(2, &confirm::Select { nowait: false });
    client.publish(2, ("", "q"), false, 4);
    client.publish(2, ("", "nowhere"), true, 1);
    client.pump();
    let mut expected = Published {
        received: 5,
        received_confirm: 5,
        confirmed: 5,
        routed: 4,
        returned: 1,
        ..Published::default()
    };
    assert_eq!(published(&broker), expected, "what comes back is confirmed as well");
    client.publish(2, ("", "full"), false, 3);
    client.pump();
    expected.received += 3;
    expected.received_confirm += 3;
    // What a queue refuses had a route.
    expected.routed += 3;
    expected.confirmed += 1;
    assert_eq!(published(&broker), expected);
}

#[test]
fn what_is_refused_is_received_and_what_comes_behind_it_is_not() {
    let (broker, mut client) = world();
    client.ask(2, &confirm::Select { nowait: false });
    client.publish(2, ("no-such-exchange", ""), false, 3);
    let expected = Published { received: 1, ..Published::default() };
    assert_eq!(published(&broker), expected);
}

#[test]
fn a_transaction_counts_when_it_is_committed() {
    let (broker, mut client) = world();
    client.declare("q", &[]);
    client.ask(3, &tx::Select {});
    client.publish(3, ("", "q"), false, 2);
    let mut expected = Published { received: 2, received_confirm: 2, ..Published::default() };
    assert_eq!(published(&broker), expected);
    client.ask(3, &tx::Rollback {});
    assert_eq!(published(&broker), expected);
    client.publish(3, ("", "q"), false, 1);
    client.ask(3, &tx::Commit {});
    expected = Published { received: 3, received_confirm: 3, routed: 1, ..expected };
    assert_eq!(published(&broker), expected);
    client.get(3, "q", false);
    client.ask(3, &basic::Ack { delivery_tag: 1, multiple: false });
    assert_eq!(classic(&broker).acknowledged, 0);
    client.ask(3, &tx::Commit {});
    assert_eq!(classic(&broker).acknowledged, 1);
}

#[test]
fn deliveries_count_by_type_of_queue_and_by_who_acknowledges() {
    let (broker, mut client) = world();
    client.declare("q", &[]);
    client.declare("quorum", &[("x-queue-type", text("quorum"))]);
    client.publish(1, ("", "q"), false, 3);
    client.publish(1, ("", "quorum"), false, 5);
    client.consume(2, "q", true);
    client.consume(3, "quorum", false);
    let mut expected = TrafficFigures {
        published: Published { received: 8, routed: 8, ..Published::default() },
        classic: Consumed { consume_auto_ack: 3, ..Consumed::default() },
        quorum: Consumed { consume_manual_ack: 5, ..Consumed::default() },
    };
    assert_eq!(broker.figures().traffic, expected);
    client.ask(3, &basic::Ack { delivery_tag: 4, multiple: true });
    expected.quorum.acknowledged = 4;
    assert_eq!(broker.figures().traffic, expected);
    client.ask(3, &basic::Nack { delivery_tag: 5, multiple: false, requeue: true });
    client.pump();
    expected.quorum.consume_manual_ack = 6;
    expected.quorum.redelivered = 1;
    assert_eq!(broker.figures().traffic, expected, "who gives back acknowledges nothing");
    client.ask(3, &basic::Reject { delivery_tag: 6, requeue: false });
    assert_eq!(broker.figures().traffic, expected, "nor does who rejects");
}

#[test]
fn gets_count_by_who_acknowledges_and_where_there_is_nothing() {
    let (broker, mut client) = world();
    client.declare("q", &[]);
    client.publish(1, ("", "q"), false, 3);
    client.get(2, "q", true);
    client.get(2, "q", false);
    client.get(2, "q", false);
    client.get(2, "q", false);
    let mut expected =
        Consumed { get_auto_ack: 1, get_manual_ack: 2, get_empty: 1, ..Consumed::default() };
    assert_eq!(classic(&broker), expected);
    client.ask(2, &basic::Ack { delivery_tag: 0, multiple: true });
    expected.acknowledged = 2;
    assert_eq!(classic(&broker), expected);
    client.publish(1, ("", "q"), false, 1);
    client.get(2, "q", false);
    client.ask(2, &basic::Nack { delivery_tag: 4, multiple: false, requeue: true });
    client.get(2, "q", true);
    expected = Consumed { get_auto_ack: 2, get_manual_ack: 3, redelivered: 1, ..expected };
    assert_eq!(classic(&broker), expected);
}

#[test]
fn what_the_broker_moves_by_itself_nobody_received() {
    let (broker, mut client) = world();
    client.declare("end", &[]);
    let letters =
        [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text("end"))];
    client.declare("q", &letters);
    client.publish(1, ("", "q"), false, 1);
    client.get(1, "q", false);
    client.ask(1, &basic::Nack { delivery_tag: 1, multiple: false, requeue: false });
    let expected = Published { received: 1, routed: 1, ..Published::default() };
    assert_eq!(published(&broker), expected);
    client.get(1, "end", true);
    assert_eq!(classic(&broker).get_auto_ack, 1, "it came there");
}

#[test]
fn a_delayed_message_is_routed_when_it_leaves_its_exchange() {
    let (broker, mut client) = world();
    client.declare("q", &[]);
    let arguments = [("x-delayed-type", text("fanout"))].into_iter().collect();
    client.declare_exchange("later", "x-delayed-message", arguments);
    client.bind("q", "later");
    let headers: FieldTable = [("x-delay", FieldValue::from(100))].into_iter().collect();
    let properties = Properties { headers: Some(headers), ..Properties::default() };
    client.publish_with(1, ("later", ""), false, 2, &properties);
    let mut expected = Published { received: 2, ..Published::default() };
    assert_eq!(published(&broker), expected);
    broker.elapse(NOW.plus(200));
    expected.routed = 2;
    assert_eq!(published(&broker), expected);
    assert_eq!(broker.queue_figures().ready, 2);
}

#[test]
fn a_direct_reply_is_routed_where_somebody_waits_for_it() {
    let (broker, mut client) = world();
    client.declare("q", &[]);
    client.consume(2, "amq.rabbitmq.reply-to", true);
    let properties =
        Properties { reply_to: Some("amq.rabbitmq.reply-to".into()), ..Properties::default() };
    client.publish_with(2, ("", "q"), false, 1, &properties);
    let user = broker.user("guest").unwrap();
    let mut direct = DirectChannel::open(&broker, &user, "/", NOW).unwrap();
    direct.ask(Command::Get { queue: "q".into(), no_ack: true }, NOW);
    let Poll::Ready(Event::Answered { reply: Reply::Got { delivery, .. }, .. }) =
        direct.poll(Waker::noop())
    else {
        panic!("the request is there");
    };
    let address = Properties::decode(delivery.message.properties()).unwrap().reply_to.unwrap();
    drop(direct);
    client.publish(1, ("", &address), false, 1);
    client.pump();
    let mut expected = Published { received: 2, routed: 2, ..Published::default() };
    assert_eq!(published(&broker), expected);
    assert_eq!(classic(&broker).delivered(), 1, "a reply comes from no queue");
    assert_eq!(broker.queue_figures().consumers, 0);
    client.ask(2, &basic::Cancel { consumer_tag: "tag", nowait: false });
    client.publish(1, ("", &address), false, 1);
    expected = Published { received: 3, dropped: 1, ..expected };
    assert_eq!(published(&broker), expected);
}

#[test]
fn who_publishes_and_gets_without_a_connection_counts_as_well() {
    let broker = broker();
    let user = broker.user("guest").unwrap();
    let mut direct = DirectChannel::open(&broker, &user, "/", NOW).unwrap();
    direct.ask(Command::DeclareQueue(declaration("q")), NOW);
    let envelope =
        Envelope { exchange: "", routing_key: "q", properties: &[0, 0], is_persistent: false };
    direct.publish(Message::new(envelope, Body::Copied(b"x")), NOW);
    for _ in 0..2 {
        direct.ask(Command::Get { queue: "q".into(), no_ack: false }, NOW);
        while direct.poll(Waker::noop()).is_ready() {}
    }
    direct.settle(Outcome::Accepted, NOW);
    drop(direct);
    let (received, received_confirm, confirmed, routed) = (1, 1, 1, 1);
    let expected =
        Published { received, received_confirm, confirmed, routed, ..Published::default() };
    assert_eq!(published(&broker), expected);
    let expected =
        Consumed { get_manual_ack: 1, get_empty: 1, acknowledged: 1, ..Consumed::default() };
    assert_eq!(classic(&broker), expected);
    let churn = broker.figures().churn;
    assert_eq!((churn.queues_declared, churn.queues_created), (1, 1));
    assert_eq!(churn.connections, Passed::default());
}

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
    };
    assert_eq!(broker.queue("/", "q").unwrap().traffic(), expected);
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

/// Publishes of several channels and exchanges in one read once could have been told apart no more.
#[test]
fn publishes_that_come_together_count_each_where_it_belongs() {
    let (broker, mut client) = world();
    client.declare("q", &[]);
    client.declare_exchange("f", "fanout", FieldTable::new());
    client.bind("q", "f");
    let mut bytes = Vec::new();
    for (channel, exchange) in [(1, "f"), (2, ""), (1, ""), (2, "f"), (2, "f")] {
        let (routing_key, mandatory, immediate) = ("q", false, false);
        let publish = basic::Publish { exchange, routing_key, mandatory, immediate };
        frame::write_method(&mut bytes, channel, &publish);
        frame::write_header(&mut bytes, channel, 60, 1, &[0, 0]);
        frame::write_body(&mut bytes, channel, b"x");
    }
    client.send(&bytes);
    let received = |number: u16| {
        let channels = broker.connections()[0].channels();
        let channel = channels.iter().find(|channel| channel.number == number).unwrap();
        channel.report().traffic.published.received
    };
    assert_eq!((received(1), received(2)), (2, 3));
    let entered = |name| broker.exchange("/", name).unwrap().figures().published_in;
    assert_eq!((entered("f"), entered("")), (3, 2));
}

#[test]
fn messages_wait_for_consumers_as_long_as_these_can_take_no_more() {
    let mut backlog = Backlog::default();
    let counts = |ready, consumers| Counts { ready, consumers, ..Counts::default() };
    backlog.observe(counts(5, 0), Moment(10));
    backlog.observe(counts(3, 1), Moment(20));
    assert_eq!(backlog.until(Moment(25)), 5);
    backlog.observe(counts(2, 1), Moment(30));
    backlog.observe(counts(0, 1), Moment(40));
    assert_eq!(backlog.until(Moment(90)), 20);
    backlog.observe(counts(1, 2), Moment(100));
    assert_eq!(backlog.until(Moment(101)), 21);
}

#[test]
fn what_comes_and_goes_is_counted() {
    let broker = broker();
    drop(Client::unknown(&broker, b"\0guest\0wrong"));
    let mut expected = ChurnFigures { logins_failed: 1, ..ChurnFigures::default() };
    assert_eq!(broker.figures().churn, expected);
    let mut client = Client::new(&broker);
    client.open([1, 2, 3]);
    expected.logins_succeeded = 1;
    expected.connections.opened = 1;
    expected.channels.opened = 3;
    assert_eq!(broker.figures().churn, expected);
    client.publish(1, ("", "q"), false, 2);
    client.publish(1, ("", "q"), false, 1);
    client.publish(2, ("", "q"), false, 1);
    expected.publishers.opened = 2;
    assert_eq!(broker.figures().churn, expected, "a channel is one publisher");
    let close = channel::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };
    client.ask(2, &close);
    expected.channels.closed = 1;
    expected.publishers.closed = 1;
    assert_eq!(broker.figures().churn, expected);
    drop(client);
    expected.channels.closed = 3;
    expected.publishers.closed = 2;
    expected.connections.closed = 1;
    assert_eq!(broker.figures().churn, expected);
    assert_eq!((expected.connections.present(), expected.channels.present()), (0, 0));
}

#[test]
fn queues_count_when_they_are_declared_made_and_deleted() {
    let (broker, mut client) = world();
    client.declare("q", &[]);
    client.declare("q", &[]);
    let queues = |broker: &Broker| {
        let churn = broker.figures().churn;
        (churn.queues_declared, churn.queues_created, churn.queues_deleted)
    };
    assert_eq!(queues(&broker), (2, 1, 0));
    let (queue, nowait, arguments) = ("q", false, FieldTable::new());
    let (durable, exclusive, auto_delete) = (false, false, false);
    client.ask(
        1,
        &queue::Declare {
            queue,
            passive: true,
            durable,
            exclusive,
            auto_delete,
            nowait,
            arguments,
        },
    );
    assert_eq!(queues(&broker), (2, 1, 0), "who only looks declares nothing");
    client.ask(1, &queue::Delete { queue, if_unused: false, if_empty: false, nowait });
    client.ask(1, &queue::Delete { queue, if_unused: false, if_empty: false, nowait });
    assert_eq!(queues(&broker), (2, 1, 1));
}
