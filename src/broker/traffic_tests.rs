//! What is counted of whole clients that speak AMQP, by values: each step is one read of a socket,
//! and what it came to is looked at behind it.

use std::sync::Arc;
use std::task::{Poll, Waker};

use super::test_world::declaration;
use super::{
    Broker, BrokerOptions, ChurnFigures, DirectChannel, Passed, Peer, Session, TrafficFigures,
};
use crate::connection::{Command, Consumed, Event, Published, Reply};
use crate::message::{Body, Envelope, Message, Moment, Outcome};
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::frame::{self, PROTOCOL_HEADER};
use crate::protocol::methods::{
    WireMethod, basic, channel, confirm, connection, exchange, queue, tx,
};
use crate::protocol::properties::Properties;

pub(super) const NOW: Moment = Moment(1000);

/// A client, as its socket's door has it.
pub(super) struct Client {
    session: Session,
}

impl Client {
    pub(super) fn new(broker: &Arc<Broker>) -> Self {
        let mut client = Self::unknown(broker, b"\0guest\0guest");
        client.ask(0, &connection::Open { virtual_host: "/" });
        assert!(client.session.connection().is_running());
        client
    }

    /// Says who it is, and no more.
    pub(super) fn unknown(broker: &Arc<Broker>, response: &[u8]) -> Self {
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
    pub(super) fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let used = self.session.receive(bytes, NOW);
            bytes = &bytes[used..];
            self.pump();
            if used == 0 {
                return;
            }
        }
    }

    pub(super) fn pump(&mut self) {
        self.session.pump();
        let _ = self.session.output().take();
        self.session.sent(NOW);
    }

    pub(super) fn ask(&mut self, channel: u16, method: &impl WireMethod) {
        let mut bytes = Vec::new();
        frame::write_method(&mut bytes, channel, method);
        self.send(&bytes);
    }

    pub(super) fn open(&mut self, channels: impl IntoIterator<Item = u16>) {
        channels.into_iter().for_each(|number| self.ask(number, &channel::Open {}));
    }

    /// Publishes several in one read.
    pub(super) fn publish(
        &mut self,
        channel: u16,
        to: (&str, &str),
        mandatory: bool,
        count: usize,
    ) {
        self.publish_with(channel, to, mandatory, count, &Properties::default());
    }

    pub(super) fn publish_with(
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

    pub(super) fn declare(&mut self, queue: &str, arguments: &[(&str, FieldValue)]) {
        let arguments: FieldTable = arguments.iter().cloned().collect();
        let durable = !arguments.is_empty();
        let (passive, exclusive, auto_delete, nowait) = (false, false, false, false);
        self.ask(
            1,
            &queue::Declare { queue, passive, durable, exclusive, auto_delete, nowait, arguments },
        );
    }

    pub(super) fn declare_exchange(&mut self, name: &str, kind: &str, arguments: FieldTable) {
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

    pub(super) fn bind(&mut self, queue: &str, exchange: &str) {
        let (routing_key, nowait, arguments) = ("", false, FieldTable::new());
        self.ask(1, &queue::Bind { queue, exchange, routing_key, nowait, arguments });
    }

    pub(super) fn consume(&mut self, channel: u16, queue: &str, no_ack: bool) {
        let (no_local, exclusive, nowait, arguments) = (false, false, false, FieldTable::new());
        let consumer_tag = "tag";
        self.ask(
            channel,
            &basic::Consume { queue, consumer_tag, no_local, no_ack, exclusive, nowait, arguments },
        );
        self.pump();
    }

    pub(super) fn get(&mut self, channel: u16, queue: &str, no_ack: bool) {
        self.ask(channel, &basic::Get { queue, no_ack });
    }
}

fn broker() -> Arc<Broker> {
    Arc::new(Broker::new(BrokerOptions::default(), [1, 2]).unwrap())
}

/// A broker, and a client of it with channels 1 to 4.
pub(super) fn world() -> (Arc<Broker>, Client) {
    let broker = broker();
    let mut client = Client::new(&broker);
    client.open(1..=4);
    (broker, client)
}

pub(super) fn text(text: &str) -> FieldValue {
    FieldValue::from(text)
}

pub(super) fn published(broker: &Broker) -> Published {
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
